"""Exported files run without the zoo and make the method's own frames; what cannot be exported is one clear line."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from torch import Tensor, nn

from tests.helpers.tiny import Zoo
from zoo import registry
from zoo.methods import trainable
from zoo.methods.method import TalkingFaceMethod
from zoo.registry import config
from zoo.support.errors import ConfigError
from zoo.synthesis.export import ExportError, Generate, export

FRAMES = 5


def weights(folder: Path, name: str) -> Path:
    """Untrained weights of a tiny network."""
    spec = registry.method(name)
    path = folder / f"{name}.safetensors"
    trainable.save_weights(trainable.build(spec, config.resolve(spec, list(spec.trial)).model, seed=3), path)
    return path


def wanted(path: Path, inputs: tuple[Tensor, ...]) -> Tensor:
    module = trainable.load_checkpoint(path)
    assert isinstance(module, TalkingFaceMethod)
    with torch.no_grad():
        return Generate(module, FRAMES)(*inputs)


def inputs(path: Path) -> tuple[Tensor, ...]:
    module = trainable.load_checkpoint(path)
    assert isinstance(module, TalkingFaceMethod)
    return Generate(module, FRAMES).inputs(seed=9)


def test_torchscript(zoo: Zoo, tmp_path: Path):
    """LipGAN: two pictures and a sound go in."""
    path, out = weights(tmp_path, "lipgan"), tmp_path / "lipgan.pt"
    done = zoo("export", "lipgan", "--ckpt", path, "--format", "torchscript", "--out", out, "--frames", str(FRAMES))
    assert done.returncode == 0, done.stderr
    assert "largest difference to the method's own frames: 0 of [0, 1]" in done.stdout
    extra = {"zoo.json": ""}
    loaded = torch.jit.load(str(out), _extra_files=extra)
    given = inputs(path)
    assert (loaded(*given) - wanted(path, given)).abs().max() < 1e-5
    facts = json.loads(extra["zoo.json"])
    assert facts["inputs"]["pose"] | {"crop": ""} == {
        "shape": [1, 5, 3, 96, 96], "colour": "RGB", "range": [0, 1], "crop": "", "fps": 25.0, "shown": "upper half",
    }  # fmt: skip
    assert facts["inputs"]["wave"] == {"shape": [1, 3200], "range": [-1, 1], "sample_rate": 16000}
    assert facts["output"]["frames"]["paste"] == "lower"
    assert facts["checkpoint"].startswith("lipgan.safetensors sha256:")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["lipgan.pt", "lipgan.safetensors"]


def test_onnx(zoo: Zoo, tmp_path: Path):
    """The temporal GAN: noise of a generator of its own, and lengths that are read out of tensors."""
    onnx, runtime = pytest.importorskip("onnx"), pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    path, out = weights(tmp_path, "temporal-gan"), tmp_path / "gan.onnx"
    done = zoo("export", "temporal-gan", "--ckpt", path, "--format", "onnx", "--out", out, "--frames", str(FRAMES))
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    given = inputs(path)
    session = runtime.InferenceSession(str(out), providers=["CPUExecutionProvider"])
    assert [item.name for item in session.get_inputs()] == ["identity", "wave"]
    (made,) = session.run(["frames"], {"identity": given[0].numpy(), "wave": given[1].numpy()})
    assert (torch.from_numpy(made) - wanted(path, given)).abs().max() < 1e-5
    facts = json.loads({item.key: item.value for item in onnx.load(str(out)).metadata_props}["zoo"])
    assert facts["method"] == "temporal-gan"
    assert facts["output"]["frames"] == {
        "shape": [1, 5, 3, 32, 24], "colour": "RGB", "range": [0, 1], "crop": "aligned", "fps": 25.0, "paste": "all",
    }  # fmt: skip


def test_safetensors(tmp_path: Path):
    path = weights(tmp_path, "temporal-gan-static")
    done = export("temporal-gan-static", path, "safetensors", tmp_path / "kept.safetensors", frames=FRAMES)
    assert (done.frames, done.difference) == (None, 0.0)
    with safe_open(done.path, framework="pt") as file:
        assert json.loads(file.metadata()["export"])["inputs"]["identity"]["shape"] == [1, 1, 3, 32, 24]
    given = inputs(path)
    assert torch.equal(wanted(done.path, given), wanted(path, given))


@pytest.mark.parametrize("name", ["wav2lip", "at-a-glance"])
def test_the_others_as_torchscript(name: str, tmp_path: Path):
    path = weights(tmp_path, name)
    done = export(name, path, "torchscript", tmp_path / "net.pt", frames=FRAMES)
    assert done.difference < 1e-5
    given = inputs(path)
    assert (torch.jit.load(str(done.path))(*given) - wanted(path, given)).abs().max() < 1e-5


def test_what_cannot_be_exported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = weights(tmp_path, "temporal-gan-static")

    def refused(
        kind: str, error: type[Exception], match: str, out: str = "x.pt", name: str = "temporal-gan-static"
    ) -> None:
        with pytest.raises(error, match=match) as caught:
            export(name, path, kind, tmp_path / out, frames=FRAMES)
        assert "\n" not in str(caught.value)
        assert [file.name for file in tmp_path.iterdir()] == [path.name]

    refused("torchscript", ConfigError, "x.onnx must end in .pt", "x.onnx")
    refused("safetensors", ConfigError, "is the checkpoint", path.name)
    refused("tflite", ConfigError, "none of onnx, torchscript, safetensors")
    monkeypatch.setitem(sys.modules, "onnx", None)
    refused("onnx", ConfigError, r"onnx is not installed; run: pip install 'talking-face-zoo\[export\]'", "x.onnx")
    monkeypatch.setattr(Generate, "forward", lambda _, identity, wave: identity * 0.5 + 0.1 * torch.rand(1))
    refused("torchscript", ExportError, "makes frames that differ by up to 0.0")
    monkeypatch.setattr(
        Generate, "forward", lambda _, identity, wave: identity * (0.5 if float(wave.abs().max()) > 0 else 0.9)
    )
    refused("torchscript", ExportError, "or an `if` on what it hears")
    monkeypatch.setattr(Generate, "forward", lambda *given: nn.functional.no_such_function(given))  # type: ignore[attr-defined]
    refused("torchscript", ExportError, "cannot be exported as torchscript: AttributeError: .*no_such_function")
