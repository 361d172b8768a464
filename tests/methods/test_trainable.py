"""Weights as safetensors: the same module comes back, and what is none is one clear line."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save, save_file
from zoo_lipgan.config import LipGANConfig

from zoo import registry
from zoo.experts.sync_expert.config import SyncExpertConfig
from zoo.methods import trainable
from zoo.registry.spec import MethodSpec
from zoo.support.errors import BrokenPluginError, DataError

THIN = SyncExpertConfig(width=0.03, channels_last=True)


def saved(path: Path) -> Path:
    trainable.save_weights(trainable.build(registry.trainable("sync-expert"), THIN, seed=3), path)
    return path


def refuse(path: Path, match: str, name: str | None = None) -> None:
    with pytest.raises(DataError, match=match) as caught:
        trainable.load_checkpoint(path, name)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


def test_round_trip(tmp_path: Path):
    module = trainable.load_checkpoint(saved(tmp_path / "a b.safetensors"), "sync-expert")
    assert (module.method_name, module.seed, module.training, module.config) == ("sync-expert", 3, False, THIN)
    fresh = trainable.build(registry.trainable("sync-expert"), THIN, seed=3).state_dict()
    found = module.state_dict()
    assert found.keys() == fresh.keys()
    assert all(torch.equal(value, fresh[name]) and value.dtype == fresh[name].dtype for name, value in found.items())
    method = trainable.build(registry.trainable("lipgan"), LipGANConfig(width=0.06), seed=1)
    trainable.save_weights(method, tmp_path / "m.safetensors")
    back = trainable.load_checkpoint(tmp_path / "m.safetensors").state_dict()
    assert all(torch.equal(value, back[name]) for name, value in method.state_dict().items())
    assert list(tmp_path.glob("*.tmp*")) == []


def test_what_is_no_weights(tmp_path: Path):
    refuse(tmp_path / "none.safetensors", "no such checkpoint")
    path = saved(tmp_path / "a.safetensors")
    whole = path.read_bytes()
    for damaged in (b"", b"hello", whole[:200], whole[: len(whole) // 2], b"\xff" * 64):
        path.write_bytes(damaged)
        refuse(path, "not weights of the zoo")
    path.write_bytes(save({"a": torch.zeros(1)}))
    refuse(path, "not weights of the zoo")
    path.write_bytes(save({"a": torch.zeros(1)}, {"zoo": "{"}))
    refuse(path, "not weights of the zoo")


def test_weights_of_another(tmp_path: Path):
    path = saved(tmp_path / "a.safetensors")
    refuse(path, "a checkpoint of sync-expert, not of lip-reader", "lip-reader")
    identity = trainable.build(registry.trainable("sync-expert"), THIN, seed=3).checkpoint_metadata()
    save_file({"network.a": torch.zeros(1)}, path, {"zoo": json.dumps(identity)})
    refuse(path, "do not fit this version of sync-expert")


def test_a_method_must_be_a_method():
    spec = MethodSpec(
        name="x", summary="", target="zoo.experts.sync_expert.module:SyncExpert",
        config="zoo.experts.sync_expert.config:SyncExpertConfig",
    )  # fmt: skip
    with pytest.raises(BrokenPluginError, match="TalkingFaceMethod"):
        trainable.build(spec, THIN)


def test_start_from_weights(tmp_path: Path):
    path = saved(tmp_path / "a.safetensors")
    spec = registry.trainable("sync-expert")
    module = trainable.build(spec, THIN, seed=9)
    assert trainable.start_from(module, trainable.find_weights(spec, path)) == {}
    want = trainable.load_checkpoint(path).state_dict()
    assert all(torch.equal(value, want[name]) for name, value in module.state_dict().items())
    assert (module.seed, module.training) == (9, True)
    wider = trainable.build(spec, SyncExpertConfig(width=0.06), seed=9)
    with pytest.raises(DataError, match="the settings give another network than these weights are of: size mismatch"):
        trainable.start_from(wider, path)
    method = trainable.build(registry.trainable("lipgan"), LipGANConfig(width=0.06), seed=1)
    with pytest.raises(DataError, match="a checkpoint of sync-expert, not of lipgan"):
        trainable.start_from(method, path)
    assert trainable.find_weights(spec, "synthgrid").name == "synthgrid.safetensors"
    with pytest.raises(DataError, match="no weights of lipgan"):
        trainable.find_weights(registry.trainable("lipgan"), "synthgrid")
