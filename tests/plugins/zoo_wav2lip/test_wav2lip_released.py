"""`zoo weights import wav2lip`: published names in, our file out. Random numbers: the real files cannot be had here."""

import pickle
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from torch import nn
from zoo_wav2lip.method import Wav2Lip
from zoo_wav2lip.networks import Generator, QualityDiscriminator

from tests.plugins.zoo_wav2lip import published
from zoo import registry
from zoo.cli import main
from zoo.evaluation import judges
from zoo.experts.sync_expert.module import SyncExpert
from zoo.experts.sync_expert.networks import SyncNetwork
from zoo.methods import trainable
from zoo.methods.weights import import_weights
from zoo.support.errors import ConfigError, DataError


@pytest.fixture(autouse=True, scope="module")
def seeded() -> Iterator[None]:
    torch.manual_seed(0)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The three files, one of them without what the authors' training puts around it."""
    folder = tmp_path_factory.mktemp("published")
    made = {name: getattr(published, name)() for name in ("generator", "expert", "discriminator")}
    for name, state in made.items():
        torch.save(state if name == "expert" else published.wrapped(state), folder / f"{name}.pth")
    return {name: folder / f"{name}.pth" for name in made}


def as_published(network: nn.Module, state: dict[str, torch.Tensor]) -> nn.Module:
    """The network with the file's numbers as they are, tensor by tensor in the file's order."""
    own = network.state_dict()
    assert len(own) == len(state)
    network.load_state_dict(dict(zip(own, state.values(), strict=True)))
    return network.eval()


def bgr(faces: torch.Tensor) -> torch.Tensor:
    return faces.unflatten(1, (-1, 3)).flip(2).flatten(1, 2)


@torch.inference_mode()
def test_generator_and_discriminator(files: dict[str, Path], tmp_path: Path):
    """What the published network draws in BGR, ours draws in RGB."""
    taken = import_weights("wav2lip", [files["discriminator"], files["generator"]], tmp_path / "both.safetensors")
    assert (taken.name, taken.fresh) == ("wav2lip", ())
    module = trainable.load_checkpoint(taken.path, "wav2lip")
    assert isinstance(module, Wav2Lip)
    faces, mel = torch.rand(2, 6, 96, 96), torch.randn(2, 1, 80, 16)
    state = torch.load(files["generator"], weights_only=True)["state_dict"]
    want = as_published(Generator(), state)(bgr(faces), mel).flip(1)
    assert want.std() > 0.01
    assert torch.allclose(module.generator(faces, mel), want, atol=1e-5)
    assert not torch.allclose(module.generator(bgr(faces), mel), want, atol=1e-3)
    judge = as_published(QualityDiscriminator(), torch.load(files["discriminator"], weights_only=True)["state_dict"])
    lower = faces[:, :3, 48:]
    assert torch.allclose(module.discriminator(lower), judge(bgr(lower)), atol=1e-4)
    # They were trained on sound one frame later than its frame.
    assert module.config.sound_delay == 1
    assert module.input_spec.context == 3800 + 2 * 640


@torch.inference_mode()
@pytest.mark.parametrize("name", ["sync-expert", "wav2lip"])
def test_expert(name: str, files: dict[str, Path], tmp_path: Path):
    """Either name will do; the file is one for ``sync=``."""
    taken = import_weights(name, [files["expert"]], tmp_path / "expert.safetensors")
    assert taken.name == "sync-expert"
    module = trainable.load_checkpoint(taken.path, "sync-expert")
    assert isinstance(module, SyncExpert)
    network = as_published(SyncNetwork(), torch.load(files["expert"], weights_only=True))
    assert isinstance(network, SyncNetwork)
    faces = torch.rand(2, 5, 3, 96, 96)
    want = network.embed_faces(bgr(faces[..., 48:, :].flatten(1, 2)))
    assert torch.allclose(module.embed_faces(faces), want, atol=1e-5)
    judge = judges.Judges(sync=taken.path).sync
    assert judge.scores == {}
    assert torch.allclose(judge.module.embed_faces(faces), want, atol=1e-4)


def test_generator_alone_on_the_command_line(
    files: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.chdir(tmp_path)
    assert main.run(["weights", "import", "wav2lip", str(files["generator"])]) == 0
    out = capsys.readouterr().out
    assert "generator.safetensors  (weights of wav2lip)" in out
    assert "discriminator: not in the file, left untrained" in out
    spec = registry.trainable("wav2lip")
    module = trainable.build(spec, spec.settings(), seed=4)
    others = trainable.start_from(module, trainable.find_weights(spec, "generator.safetensors"))  # as init= does
    assert others == {"sound_delay": 1}, "a new run is told that these weights hear a frame later"


def refuse(name: str, paths: list[Path], words: str, tmp_path: Path) -> None:
    out = tmp_path / "out.safetensors"
    with pytest.raises((DataError, ConfigError), match=words) as caught:
        import_weights(name, paths, out)
    assert "\n" not in str(caught.value)
    assert not out.exists()


Change = Callable[[dict[str, torch.Tensor]], object]


@pytest.mark.parametrize(
    ("kind", "change", "words"),
    [
        ("generator", lambda s: s.pop("audio_encoder.3.conv_block.1.bias"), r"audio_encoder.*1.bias\): missing"),
        ("generator", lambda s: s.pop("output_block.1.bias"), "output_block.1.bias: missing"),
        (
            "generator",
            lambda s: s.update({"audio_encoder.0.conv_block.0.weight": torch.zeros(32, 1, 5, 5)}),
            r"audio_encoder.0.conv_block.0.weight: shape \(32, 1, 5, 5\), \(32, 1, 3, 3\) expected",
        ),
        (
            "generator",
            lambda s: published.block(s, "face_encoder_blocks.7.0", 512, 512, 1),
            "19 blocks under face_encoder_blocks, 18 expected",
        ),
        (
            "generator",
            lambda s: s.update({"face_encoder_blocks.0.0.conv_block.1.colour": torch.zeros(1)}),
            "conv_block.1.colour: unknown",
        ),
        ("discriminator", lambda s: None, "the discriminator alone; give the generator's file beside it"),
        ("expert", lambda s: s.pop("face_encoder.0.conv_block.0.weight"), "face_encoder.*missing"),
        ("generator", lambda s: [s.pop(n) for n in list(s) if "output" not in n], "none of Wav2Lip's networks"),
    ],
)  # fmt: skip
def test_what_is_no_such_file(kind: str, change: Change, words: str, tmp_path: Path):
    state = getattr(published, kind)()
    change(state)
    torch.save(published.wrapped(state), tmp_path / "changed.pth")
    refuse("wav2lip", [tmp_path / "changed.pth"], words, tmp_path)


def test_files_that_do_not_go_together(files: dict[str, Path], tmp_path: Path):
    refuse("wav2lip", [files["generator"], files["generator"]], "a second generator", tmp_path)
    refuse("wav2lip", [files["generator"], files["expert"]], "the sync expert; import it alone", tmp_path)
    refuse("sync-expert", [files["expert"], files["expert"]], "is one file", tmp_path)
    refuse("sync-expert", [files["generator"]], "0 blocks under face_encoder", tmp_path)
    refuse("lip-reader", [files["generator"]], "lip-reader: there is no importer", tmp_path)
    with pytest.raises(ConfigError, match=r"out.ckpt must end in .safetensors"):
        import_weights("wav2lip", [files["generator"]], tmp_path / "out.ckpt")


class Malicious:
    """Runs a command when it is unpickled carelessly."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, tuple[str]]:
        import os

        return os.system, (f"touch {self.mark}",)


def test_malicious_files_are_refused(files: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    mark = tmp_path / "pwned"
    state = torch.load(files["generator"], weights_only=True)
    torch.save({**state, "optimizer": Malicious(mark)}, tmp_path / "zip.pth")
    torch.save(Malicious(mark), tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    (tmp_path / "plain.pth").write_bytes(pickle.dumps({"state_dict": Malicious(mark)}))
    for name in ("zip", "old", "plain"):
        path = tmp_path / f"{name}.pth"
        assert main.run(["weights", "import", "wav2lip", str(path), "--out", str(tmp_path / "o.safetensors")]) == 1
        err = capsys.readouterr().err
        why = "it is no file of torch.save" if name == "plain" else "reading it would run posix.system"
        assert err.startswith(f"zoo weights: {path}: refused, {why}")
        assert err.count("\n") == 1
        assert not mark.exists()
        assert not (tmp_path / "o.safetensors").exists()
    pickle.loads((tmp_path / "plain.pth").read_bytes())
    assert mark.exists()  # the file would have done it


def test_what_holds_no_tensors(tmp_path: Path):
    for content in ([1, 2], {"state_dict": {"a": 1}}, {"state_dict": {}}, 5):
        torch.save(content, tmp_path / "x.pth")
        refuse("wav2lip", [tmp_path / "x.pth"], "holds no state dict", tmp_path)
    (tmp_path / "x.pth").write_bytes(b"hello")
    refuse("wav2lip", [tmp_path / "x.pth"], "refused, it is no file of torch.save", tmp_path)
    refuse("wav2lip", [tmp_path / "gone.pth"], "no such file", tmp_path)
