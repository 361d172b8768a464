"""What is no file of weights is one line of ours, on every way in, and nothing in it is executed."""

from __future__ import annotations

import gzip
import json
import os
import pickle
import resource
import signal
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save, save_file
from zoo_lipgan.config import LipGANConfig

from zoo import registry
from zoo.cli import main
from zoo.methods import trainable
from zoo.support.errors import DataError, ZooError
from zoo.training import runs
from zoo.training.resume import CheckpointFiles


class Trap:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A checkpoint of thin LipGAN with its weights alone."""
    module = trainable.build(registry.trainable("lipgan"), LipGANConfig(width=0.06))
    path = tmp_path_factory.mktemp("whole") / "x.ckpt"
    torch.save({"zoo": module.checkpoint_metadata(), "state_dict": module.state_dict()}, path)
    return path.read_bytes()


def packed(path: Path, members: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> None:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def unpacked(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def compressed(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    packed(path, unpacked(path), zipfile.ZIP_DEFLATED)


def zeroed(path: Path, data: bytes) -> None:
    path.write_bytes(data[: len(data) // 2] + b"\0" * 2000 + data[len(data) // 2 + 2000 :])


def in_tar(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    with tarfile.open(path.with_suffix(".tar"), "w") as archive:
        archive.add(path)
    path.with_suffix(".tar").replace(path)


def scripted(path: Path, data: bytes) -> None:
    import warnings

    with warnings.catch_warnings(action="ignore"):
        torch.jit.script(torch.nn.Linear(2, 2)).save(str(path))


def array(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        np.save(file, np.zeros(3))


def arrays(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        np.savez(file, a=np.zeros(3))


def endless(path: Path, data: bytes) -> None:
    value: Any = [0]
    for _ in range(60):
        value = [value, value]
    torch.save({"state_dict": value}, path)


def huge(path: Path, data: bytes) -> None:
    torch.save({"zoo": {}, "state_dict": {"a": torch.zeros(1).expand(2**40)}}, path)


Make = Callable[[Path, bytes], object]

KINDS: dict[str, Make] = {
    "empty": lambda path, _: path.touch(),
    "a folder": lambda path, _: path.mkdir(),
    "text": lambda path, _: path.write_text("hello\n" * 99),
    "html": lambda path, _: path.write_text("<!DOCTYPE html><title>404</title>"),
    "a pointer": lambda path, _: path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"),
    "json": lambda path, _: path.write_text("{}"),
    "zeros": lambda path, _: path.write_bytes(b"\0" * 5000),
    "half": lambda path, data: path.write_bytes(data[: len(data) // 2]),
    "four bytes": lambda path, data: path.write_bytes(data[:4]),
    "zeroed inside": zeroed,
    "compressed": compressed,
    "gzip": lambda path, data: path.write_bytes(gzip.compress(data)),
    "tar": in_tar,
    "another zip": lambda path, _: packed(path, {"a/b.txt": b"x"}),
    "an empty zip": lambda path, _: packed(path, {}),
    "torchscript": scripted,
    "numpy": array,
    "several of numpy": arrays,
    "a pickle": lambda path, _: path.write_bytes(pickle.dumps({"a": 1})),
    "a pickle of code": lambda path, _: path.write_bytes(pickle.dumps(Trap(path.with_name("sprung")))),
    "code": lambda path, _: torch.save({"zoo": Trap(path.with_name("sprung"))}, path),
    "old code": lambda path, _: torch.save(
        {"zoo": Trap(path.with_name("sprung"))}, path, _use_new_zipfile_serialization=False
    ),
    "a module": lambda path, _: torch.save(torch.nn.Linear(2, 2), path),
    "numpy inside": lambda path, _: torch.save({"zoo": {}, "state_dict": {"a": np.zeros(3)}}, path),
    "a list": lambda path, _: torch.save([1, 2], path),
    "a tensor": lambda path, _: torch.save(torch.zeros(3), path),
    "a sparse tensor": lambda path, _: torch.save({"zoo": {}, "state_dict": {"a": torch.eye(3).to_sparse()}}, path),
    "a tensor of nothing": lambda path, _: torch.save({"state_dict": {"a": torch.zeros(3, device="meta")}}, path),
    "a tensor larger than its file": huge,
    "without end": endless,
    "safetensors of others": lambda path, _: save_file({"a": torch.zeros(3)}, path),
    "safetensors cut": lambda path, _: path.write_bytes(save({"a": torch.zeros(999)}, {"zoo": "{}"})[:300]),
}


@pytest.mark.parametrize("kind", KINDS)
def test_no_checkpoint(kind: str, whole: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    path = tmp_path / "x.ckpt"
    KINDS[kind](path, whole)
    with pytest.raises(DataError) as error:
        trainable.read_checkpoint(path)
    assert str(error.value).startswith(f"{path}: no")
    out = tmp_path / "out.safetensors"
    for arguments in (
        ["fit", "lipgan", f"init={path}"],
        ["test", "lipgan", "--ckpt", path],
        ["export", "lipgan", "--ckpt", path, "--format", "safetensors", "--out", out],
        ["weights", "import", "wav2lip", path, "--out", out],
    ):
        assert main.run([str(part) for part in arguments]) == 1, arguments
        err = capsys.readouterr().err
        assert len(err.splitlines()) == 1, err
        assert "weights_only" not in err
        assert "x.ckpt" in err
    assert not (tmp_path / "sprung").exists()
    assert not out.exists()


FACTS: dict[str, Any] = {
    "a list": [1],
    "a word": "x",
    "nothing": None,
    "no method": {"config": {}, "seed": 0},
    "a method that is a list": {"method": ["lipgan"], "config": {}, "seed": 0},
    "settings that are a word": {"method": "lipgan", "config": "x", "seed": 0},
    "a seed that is a word": {"method": "lipgan", "config": {}, "seed": "0"},
    "a seed that is true": {"method": "lipgan", "config": {}, "seed": True},
    "a seed below 0": {"method": "lipgan", "config": {}, "seed": -1},
    "a seed without end": {"method": "lipgan", "config": {}, "seed": 10**40},
    "scores that are a list": {"method": "lipgan", "config": {}, "seed": 0, "scores": [1]},
    "an origin that is a word": {"method": "lipgan", "config": {}, "seed": 0, "origin": "x"},
}


@pytest.mark.parametrize("kind", FACTS)
def test_facts_of_another_type(kind: str, tmp_path: Path):
    save_file({"a": torch.zeros(3)}, tmp_path / "x.safetensors", {"zoo": json.dumps(FACTS[kind])})
    torch.save({"zoo": FACTS[kind], "state_dict": {"a": torch.zeros(3)}}, tmp_path / "x.ckpt")
    for name in ("x.safetensors", "x.ckpt"):
        with pytest.raises(DataError, match=name) as error:
            trainable.load_checkpoint(tmp_path / name)
        assert "\n" not in str(error.value)


@pytest.mark.parametrize("text", ["", "{", "[" * 99_999, "NaN", '"x"'])
def test_a_header_that_is_none(text: str, tmp_path: Path):
    save_file({"a": torch.zeros(3)}, tmp_path / "x.safetensors", {"zoo": text})
    with pytest.raises(DataError, match="not weights of the zoo"):
        trainable.read_checkpoint(tmp_path / "x.safetensors")


def test_settings_of_a_checkpoint_look_nothing_up_and_make_no_network_of_any_size(tmp_path: Path, whole: bytes):
    path = tmp_path / "x.ckpt"
    path.write_bytes(whole)
    kept = torch.load(path, weights_only=True)
    for change, said in (({"expert": "${oc.env:HOME}"}, "settings are plain"), ({"width": 1e12}, "no network can be")):
        changed = kept["zoo"] | {"config": kept["zoo"]["config"] | change}
        torch.save(kept | {"zoo": changed}, path)
        with pytest.raises(ZooError, match=said):
            trainable.load_checkpoint(path)


def test_weights_carry_their_checksum(tmp_path: Path):
    path = tmp_path / "x.safetensors"
    module = trainable.build(registry.trainable("lipgan"), LipGANConfig(width=0.06))
    trainable.save_weights(module, path)
    trainable.load_checkpoint(path)
    data = bytearray(path.read_bytes())
    data[-3000:-1000] = b"\0" * 2000
    path.write_bytes(data)
    with pytest.raises(DataError, match="do not have the checksum"):
        trainable.load_checkpoint(path)
    path.replace(tmp_path / "renamed.ckpt")
    with pytest.raises(DataError, match="do not have the checksum"):
        trainable.load_checkpoint(tmp_path / "renamed.ckpt")


# Writing.


def test_a_full_disk_leaves_the_old_checkpoint(tmp_path: Path):
    path = tmp_path / "last.ckpt"
    files = CheckpointFiles()
    files.save_checkpoint({"a": torch.zeros(10)}, str(path))
    before, limits = path.read_bytes(), resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(DataError, match=r"checkpoint cannot be written \(File too large\); an older"):
            files.save_checkpoint({"a": torch.zeros(100_000)}, str(path))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["last.ckpt"]


def test_a_checkpoint_is_written_in_its_own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """With TMPDIR on another file system a rename from there would be a copy, which a kill cuts short."""
    monkeypatch.setenv("TMPDIR", str(tmp_path / "nowhere"))
    seen: list[Path] = []
    monkeypatch.setattr(torch, "save", lambda _, file: seen.append(Path(file.name)))
    CheckpointFiles().save_checkpoint({}, str(tmp_path / "checkpoints" / "last.ckpt"))
    assert [path.parent for path in seen] == [tmp_path / "checkpoints"]


def test_a_benchmark_removes_no_folder_through_a_link_and_none_in_use(tmp_path: Path):
    from zoo.benchmark.fits import FitError, _remove
    from zoo.support.locks import locked

    (tmp_path / "home" / "synthgrid" / "thesis").mkdir(parents=True)
    fits = tmp_path / "fits"
    fits.mkdir()
    (fits / "lipgan").symlink_to(tmp_path / "home")
    with pytest.raises(FitError, match="link"):
        _remove(fits / "lipgan" / "synthgrid" / "thesis", fits)
    run = fits / "wav2lip" / "synthgrid" / "run"
    run.mkdir(parents=True)
    with locked(runs.lock_file(run), "taken"), pytest.raises(FitError, match="another process"):
        _remove(run, fits)
    _remove(run, fits)
    assert not run.exists()
    assert (tmp_path / "home" / "synthgrid" / "thesis").is_dir()
