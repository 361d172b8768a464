"""Judges see footage as their experts were trained to, are loaded once, and say clearly why they cannot be had."""

from pathlib import Path
from typing import Any

import pytest
import torch

from zoo import registry
from zoo.data.store.store import Store
from zoo.data.windows import Draw, Windows, collate
from zoo.evaluation.footage import Footage
from zoo.evaluation.judges import Judges, load_expert
from zoo.experts.lip_reader.config import LipReaderConfig
from zoo.experts.sync_expert.config import SyncExpertConfig
from zoo.experts.sync_expert.module import speech_windows
from zoo.methods import trainable
from zoo.methods.trainable import build, save_weights
from zoo.support.errors import DataError

CONFIGS: dict[str, Any] = {
    "sync-expert": SyncExpertConfig(width=0.03),
    "lip-reader": LipReaderConfig(size=64, width=0.1),
}


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Untrained weights of both experts."""
    folder = tmp_path_factory.mktemp("weights")
    paths = {name: folder / f"{name}.safetensors" for name in CONFIGS}
    for name, path in paths.items():
        save_weights(build(registry.expert(name), CONFIGS[name], seed=4), path)
    return paths


@pytest.fixture(scope="module")
def judges(weights: dict[str, Path]) -> Judges:
    return Judges(sync=weights["sync-expert"], reader=weights["lip-reader"])


def footage(store: Path, judges: Judges, frames: int | None = None) -> Footage:
    clip = Store(store).clip(0)
    seen = torch.ones(len(clip.frames[:frames]), dtype=torch.bool)
    return Footage(clip.frames[:frames], clip.wave, clip.landmarks[:frames], seen, judges, clip.text, clip.words)


def test_the_sync_expert_sees_what_it_is_tested_on(tiny_store: Path, judges: Judges):
    expert = judges.sync[0]
    batch = collate([Windows(Store(tiny_store), expert.input_spec)[Draw(0, None)]]).unit()
    with torch.no_grad():
        (row,) = expert.test_step(batch, 0)["rows"]
    found = judges.sync_features(footage(tiny_store, judges))
    assert found.scores.tolist() == pytest.approx(row["positive"], abs=1e-4)
    assert found.speech.int().tolist() == row["speech"]
    assert torch.equal(found.speech, speech_windows(batch.words[0], len(found.scores)))
    assert found.seen.all()
    assert found.scores.max() <= 1
    assert found.threshold == 0.5
    assert found.expert == judges.sync[1]


def test_windows_without_a_face_and_clips_without_words(tiny_store: Path, judges: Judges):
    shown = footage(tiny_store, judges, 20)
    shown.seen[7] = False
    shown.words = ()
    found = judges.sync_features(shown)
    assert len(found.seen) == 16
    assert (~found.seen).nonzero().flatten().tolist() == [3, 4, 5, 6, 7]
    assert found.speech.all()
    assert [len(part) for part in judges.sync_features(footage(tiny_store, judges, 4))[:3]] == [0, 0, 0]


def test_the_reader_sees_what_it_is_tested_on(tiny_store: Path, judges: Judges):
    reader, name, _ = judges.reader
    batch = collate([Windows(Store(tiny_store), reader.input_spec)[Draw(0, None)]]).unit()
    with torch.no_grad():
        want = reader(batch.frames)[0]
    found = judges.read(footage(tiny_store, judges))
    assert torch.allclose(found.log_probs, want, atol=1e-5)
    assert found.reader == name


def test_crops_lie_where_the_footage_says(tiny_store: Path, judges: Judges):
    """A lost or moved landmark of a generated clip does not move its crops where the real clip gives the place."""
    shown = footage(tiny_store, judges, 12)
    want = judges.sync_features(shown).video
    moved = footage(tiny_store, judges, 12)
    moved.place = shown.landmarks
    moved.landmarks = shown.landmarks + 30
    assert torch.equal(judges.sync_features(moved).video, want)
    moved.place = None
    assert not torch.equal(judges.sync_features(moved).video, want)


def test_experts_are_loaded_once_and_named_by_their_weights(weights: dict[str, Path], tmp_path: Path):
    module, name, scores = load_expert("sync-expert", weights["sync-expert"])
    assert scores == {}
    assert load_expert("sync-expert", weights["sync-expert"])[0] is module
    assert not module.training
    assert not any(p.requires_grad for p in module.parameters())
    assert name.startswith("sync-expert-sync-expert-")
    assert len(name.rpartition("-")[2]) == 8
    other = tmp_path / "sync-expert.safetensors"
    save_weights(build(registry.expert("sync-expert"), CONFIGS["sync-expert"], seed=5), other)
    assert load_expert("sync-expert", other)[1] != name
    save_weights(build(registry.expert("sync-expert"), CONFIGS["sync-expert"], seed=4), other)
    assert load_expert("sync-expert", other)[1] == name  # written anew, and the same once more


def test_what_cannot_be_had_is_said(weights: dict[str, Path], tmp_path: Path):
    judges = Judges(sync=tmp_path / "none.ckpt", reader=weights["sync-expert"])
    missing = judges.missing("sync-expert")
    assert "none.ckpt" in missing
    assert "zoo fit sync-expert" in missing
    assert "not of lip-reader" in judges.missing("lip-reader")
    assert "\n" not in missing + judges.missing("lip-reader")
    assert judges.missing("face") == judges.missing("text") == ""
    assert Judges(sync=weights["sync-expert"]).missing("sync-expert") == ""
    with pytest.raises(DataError, match="zoo fit lip-reader"):
        load_expert("lip-reader", "nothing-like-it")


def test_weights_round_trip(weights: dict[str, Path]):
    for name, path in weights.items():
        back = trainable.load_checkpoint(path, name)
        fresh = build(registry.expert(name), CONFIGS[name], seed=4).state_dict()
        assert back.config == CONFIGS[name]
        assert back.seed == 4
        assert all(torch.equal(value, fresh[key]) for key, value in back.state_dict().items())
