"""Building a method and loading its checkpoints: the same seed, the same weights; nothing in a file is executed."""

import os
from pathlib import Path
from typing import Any

import pytest
import torch
from zoo_lipgan.config import LipGANConfig

from zoo import registry
from zoo.methods import trainable
from zoo.support.errors import DataError

THIN = LipGANConfig(width=0.06)


def saved(path: Path, **changes: Any) -> Path:
    module = trainable.build(registry.method("lipgan"), THIN, seed=3)
    checkpoint: dict[str, Any] = {"state_dict": module.state_dict()}
    module.on_save_checkpoint(checkpoint)
    checkpoint["zoo"] |= changes
    torch.save(checkpoint, path)
    return path


def test_the_seed_decides_the_weights():
    one, two, other = (trainable.build(registry.method("lipgan"), THIN, seed=s).state_dict() for s in (3, 3, 4))
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert not all(torch.equal(one[name], other[name]) for name in one)


def test_a_checkpoint_comes_back(tmp_path: Path):
    module = trainable.load_checkpoint(saved(tmp_path / "a b.ckpt"), "lipgan")
    assert (module.method_name, module.seed, module.training) == ("lipgan", 3, False)
    assert module.config == THIN
    fresh = trainable.build(registry.method("lipgan"), THIN, seed=3).state_dict()
    assert all(torch.equal(value, fresh[name]) for name, value in module.state_dict().items())


class Trap:
    """What a malicious checkpoint would do when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (os.environ["TRAP"],)


def test_what_is_no_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(DataError, match="no such checkpoint"):
        trainable.load_checkpoint(tmp_path / "none.ckpt")
    (tmp_path / "text.ckpt").write_text("hello")
    with pytest.raises(DataError, match="not a checkpoint that can be read safely"):
        trainable.load_checkpoint(tmp_path / "text.ckpt")
    torch.save({"state_dict": {}}, tmp_path / "other.ckpt")
    with pytest.raises(DataError, match="not a checkpoint of `zoo fit`"):
        trainable.load_checkpoint(tmp_path / "other.ckpt")
    monkeypatch.setenv("TRAP", str(tmp_path / "sprung"))
    torch.save({"zoo": Trap()}, tmp_path / "trap.ckpt")
    with pytest.raises(DataError, match="safely"):
        trainable.load_checkpoint(tmp_path / "trap.ckpt")
    assert not (tmp_path / "sprung").exists()


def test_a_checkpoint_of_another_method_or_shape(tmp_path: Path):
    with pytest.raises(DataError, match="a checkpoint of lipgan, not of wav2lip"):
        trainable.load_checkpoint(saved(tmp_path / "a.ckpt"), "wav2lip")
    wide = saved(tmp_path / "b.ckpt", config={"width": 0.12})
    with pytest.raises(DataError, match="do not fit this version of lipgan") as caught:
        trainable.load_checkpoint(wide)
    assert "\n" not in str(caught.value)
