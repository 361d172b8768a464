"""The lip reader: its network, what it is trained on, its test and its command line."""

import json
import math
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from tests.helpers.batches import given_other
from zoo.data.request import map_tensors
from zoo.experts.lip_reader.config import LipReaderConfig
from zoo.experts.lip_reader.module import (
    UNKNOWN,
    LipReader,
    sentence,
    single_words,
    spread_letters,
    stutter,
    whole_clips,
)
from zoo.experts.lip_reader.networks import LipNet
from zoo.media.clip import Word

SETTINGS = (
    "data.batch_size=2",
    "data.windows_per_clip=1",
    "trainer.accelerator=cpu",
    "trainer.log_every_n_steps=1",
    "model.width=0.1",
    "model.size=64",
    "model.letters=1",
    "model.warmup=0",  # else the steps would depend on how many there are to be, and so on where a run is cut
    "model.decay=false",
)


def thin(**settings: Any) -> LipReader:
    """A small reader."""
    torch.manual_seed(0)
    return LipReader(LipReaderConfig(**{"size": 64, "width": 0.1, "dropout": 0.0, **settings}))


def test_published_size_and_shapes():
    with torch.device("meta"):
        network = LipNet()
        x = torch.rand(2, 3, 9, 64, 128)
        shapes = []
        for conv in (network.conv1, network.conv2, network.conv3):
            x = network.pool(conv(x))
            shapes.append(tuple(x.shape[1:]))
        made = network(torch.rand(2, 9, 3, 64, 128))
    assert sum(p.numel() for p in network.parameters()) == 6_638_844
    assert shapes == [(32, 9, 16, 32), (64, 9, 8, 16), (96, 9, 4, 8)]
    assert made.shape == (2, 9, 28)
    assert LipNet(64, 0.1)(torch.rand(1, 4, 3, 32, 64)).exp().sum(-1).sub(1).abs().max() < 1e-5


def test_only_the_lower_half_is_read():
    reader, faces = thin().eval(), torch.rand(1, 6, 3, 64, 64)
    before = reader(faces)
    faces[..., :32, :] = 0
    assert torch.equal(reader(faces), before)
    faces[..., 32:, :] = 0
    assert not torch.equal(reader(faces), before)


def three_clips(make_batch: Any, spec: Any) -> Any:
    """Short clips (30 frames) of which the last has no words."""
    batch = make_batch(spec, [0, 1, 2])
    words = [(Word(0.1, 0.5, "Three"), Word(0.6, 1.1, "green")), (Word(0.2, 0.8, "now"),), ()]
    frames, landmarks = batch.frames[:, :30], batch.landmarks[:, :30]
    batch = replace(batch, frames=frames, landmarks=landmarks, length=torch.tensor([30, 28, 30]))
    return given_other(batch, words=tuple(words))


def test_ctc_goes_down_on_one_batch(make_batch: Any, monkeypatch: pytest.MonkeyPatch):
    reader = thin(words=0.0, flip=0.0, repeat=0.0, letters=1.0).train()
    logged: dict[str, float] = {}
    monkeypatch.setattr(reader, "log", lambda name, value, **_: logged.update({name: float(value)}))
    batch = three_clips(make_batch, reader.input_spec)
    reader._trainer = SimpleNamespace(current_epoch=3)  # type: ignore[assignment]
    optimiser = torch.optim.AdamW(reader.parameters(), lr=5e-3)
    found: list[dict[str, float]] = []
    for step in range(12):
        loss = reader.training_step(batch, step)
        optimiser.zero_grad()
        loss.backward()
        if step == 0:
            assert all(p.grad is not None and float(p.grad.abs().sum()) > 0 for p in reader.parameters())
        optimiser.step()
        assert loss.item() == pytest.approx(logged["train/ctc"] + logged["train/letters"], rel=1e-5)
        found.append(dict(logged))
    assert found[-1]["train/ctc"] < 0.8 * found[0]["train/ctc"]
    assert found[-1]["train/letters"] < 0.95 * found[0]["train/letters"]


def test_clips_without_text_teach_nothing(make_batch: Any, monkeypatch: pytest.MonkeyPatch):
    """CTC takes the empty text for silence: it would teach to read nothing."""
    reader = thin().eval()
    log_probs = torch.randn(3, 30, 28).log_softmax(-1)
    length = torch.tensor([30, 28, 30])
    known = reader._loss(log_probs[:2], length[:2], ["three", "now"])
    assert torch.equal(reader._loss(log_probs, length, ["three", "now", ""]), known)
    assert reader._loss(log_probs, length, ["", "", "."]).item() == 0
    sizes: dict[str, int] = {}
    monkeypatch.setattr(reader, "log", lambda name, value, batch_size, **_: sizes.update({name: batch_size}))
    batch = three_clips(make_batch, reader.input_spec)
    reader.validation_step(batch, 0)
    assert sizes == {"val/ctc": 2, "val/wer": 3}  # two clips, three words
    reader.validation_step(given_other(batch, words=((), (), ())), 0)
    assert sizes == {"val/ctc": 0, "val/wer": 0}  # no weight, so never the best checkpoint
    reader = thin(letters=1.0, words=0.0)
    monkeypatch.setattr(reader, "log", lambda *_, **__: None)
    loss = reader.training_step(given_other(batch, words=((), (), ())), 0)
    loss.backward()
    assert loss.item() == 0
    assert all(p.grad is None or bool(p.grad.isfinite().all()) for p in reader.parameters())


@pytest.mark.parametrize("place", ["middle", "end", "beyond", "start"])
def test_single_words_are_cut_with_enough_frames_for_ctc(place: str, make_batch: Any):
    batch = three_clips(make_batch, thin().input_spec)
    start = {"middle": 0.6, "end": 1.15, "beyond": 1.4, "start": 0.0}[place]
    words = (Word(start, start + 0.12, "Three"),)
    batch = given_other(batch, words=(words, words, ()))
    found = set()
    for _ in range(40):
        spans, texts = single_words(batch)
        assert texts == ["three", "three", ""]
        assert spans[2] == (0, 30)
        for (first, last), total in zip(spans, (30, 28, 30), strict=True):
            assert 0 <= first < last <= total
            assert last - first >= 6  # five letters, and a blank between the two e
        found.add(spans[0])
    if place == "middle":  # frames 15 to 17, up to two before; ten frames at least
        assert found == {(13, 23), (14, 24), (15, 25)}
    loss = torch.nn.functional.ctc_loss(
        torch.randn(6, 1, 28).log_softmax(-1), torch.tensor([20, 8, 18, 5, 5]), torch.tensor([6]), torch.tensor([5])
    )
    assert loss.isfinite()


def test_a_long_word_is_cut_with_its_neighbours(make_batch: Any):
    batch = three_clips(make_batch, thin().input_spec)
    batch = given_other(batch, words=((Word(0.4, 0.82, "set"),),) * 3)
    found = {span for _ in range(60) for span in single_words(batch)[0]}
    assert found == {(first, last) for first in (8, 9, 10) for last in (21, 22, 23)}


def test_whole_clips(make_batch: Any):
    batch = three_clips(make_batch, thin().input_spec)
    assert whole_clips(batch) == ([(0, 30), (0, 28), (0, 30)], ["three green", "now", ""])
    assert sentence([]) == ""


def test_stutter_doubles_and_leaves_out():
    torch.manual_seed(0)
    assert stutter(3, 9, 0.0).tolist() == [3, 4, 5, 6, 7, 8]
    lengths = set()
    for _ in range(50):
        index = stutter(10, 85, 0.2)
        times = torch.bincount(index - 10, minlength=75)
        assert len(times) == 75
        assert set(times.tolist()) <= {0, 1, 2}
        assert torch.equal(index, index.sort().values)
        assert len(index) >= 0.9 * 75
        lengths.add(len(index))
    assert min(lengths) < 75 < max(lengths)


def test_stuttered_clips_keep_their_own_length(make_batch: Any, monkeypatch: pytest.MonkeyPatch):
    """Frames, lengths and letters are of the same frames, whatever was doubled or padded."""
    reader = thin(words=0.0, flip=0.0, repeat=0.5)
    batch = three_clips(make_batch, reader.input_spec)
    batch = replace(batch, frames=torch.arange(30.0).view(1, 30, 1, 1, 1).expand_as(batch.frames) / 30)
    monkeypatch.setattr(reader, "log", lambda *_, **__: None)
    reader._trainer = SimpleNamespace(current_epoch=3)  # type: ignore[assignment]
    seen: dict[str, Any] = {}
    monkeypatch.setattr(
        reader.network, "features", lambda frames: seen.update(frames=frames) or torch.zeros(3, frames.shape[1], 52)
    )
    monkeypatch.setattr(reader.network, "classify", lambda features: features[..., :28].log_softmax(-1))
    monkeypatch.setattr(reader, "_loss", lambda log_probs, length, texts: seen.update(length=length) or log_probs.sum())
    for _ in range(10):
        reader.training_step(batch, 0)
        shown = (seen["frames"][:, :, 0, 0, 0] * 30).round().long()
        assert shown.shape[1] == int(seen["length"].max())
        for row, count, total in zip(shown, seen["length"].tolist(), (30, 28, 30), strict=True):
            assert 0.9 * total <= count <= 1.5 * total
            assert (row[:count].diff() >= 0).all()
            assert row[count - 1] >= total - 5
            assert int(row[:count].max()) < total  # nothing of the padding


def test_letters_spread_over_their_word():
    found = spread_letters([Word(0.08, 0.32, "Bee"), Word(0.4, 0.44, "at"), Word(5, 6, "x")], 12)
    assert found.tolist() == [0, 0, 3, 3, 6, 6, 6, 6, 0, 0, 2, 0]  # b is class 3: blank, space, a, b
    assert spread_letters([], 3).tolist() == [UNKNOWN] * 3


def test_padding_does_not_matter(make_batch: Any):
    """A clip is read alone as it is beside a longer one, and clips without text count for nothing."""
    reader = thin(standardise=True).eval()
    batch = three_clips(make_batch, reader.input_spec)
    with torch.no_grad():
        together = reader.test_step(batch, 0)["rows"]
        assert [row["clip"] for row in together] == batch.clip
        alone = map_tensors(batch, lambda tensor: tensor[1:2])
        alone = replace(alone, clip=batch.clip[1:2], frames=alone.frames[:, :28], landmarks=alone.landmarks[:, :28])
        short = given_other(alone, num_frames=28, words=batch.given.words[1:2])
        assert reader.test_step(short, 0)["rows"] == together[1:2]
        log_probs = reader(short.frames)
    assert len(log_probs[0]) == 28
    assert together[1]["text"] == "now"
    assert together[0]["words"] == 2
    assert together[0]["characters"] == len("three green")
    assert (together[2]["text"], together[2]["words"], together[2]["word_edits"]) == ("", 0, 0)
    told = reader.summarise([row | {"speaker": "s"} for row in together])
    assert (told["clips"], told["clips_without_text"], told["words"]) == (2, 1, 3)


def test_validation_reads_each_clip_alone(make_batch: Any, monkeypatch: pytest.MonkeyPatch):
    reader = thin(standardise=True).eval()
    batch = three_clips(make_batch, reader.input_spec)
    logged: dict[str, float] = {}
    monkeypatch.setattr(reader, "log", lambda name, value, **_: logged.update({name: float(value)}))
    with torch.no_grad():
        reader.validation_step(batch, 0)
        batch.frames[1, 28:] = 1.0  # what lies behind the end of the second clip
        before = dict(logged)
        reader.validation_step(batch, 0)
    assert logged == before


def test_summary_by_hand():
    rows = [
        {"clip": "a", "speaker": "s", "text": "set red", "read": "set red", "word_edits": 0, "words": 2,
         "character_edits": 0, "characters": 7},
        {"clip": "b", "speaker": "s", "text": "bin", "read": "bi", "word_edits": 1, "words": 1,
         "character_edits": 1, "characters": 3},
    ]  # fmt: skip
    found = thin().summarise(rows)
    assert (found["clips"], found["speakers"], found["wer"], found["cer"]) == (2, 1, 0.3333, 0.1)
    assert ("sentences without error", "1", "of 2") in found["table"]
    none = thin().summarise([])
    assert none["clips"] == 0
    assert math.isnan(none["wer"])  # nothing read is not a perfect score


def test_fit_and_resume(call: Any, short_store: Path, tmp_path: Path):
    fixed = ("fit", "lip-reader", f"data.root={short_store}", *SETTINGS)
    runs = []
    resumed = [("trainer.max_epochs=1",), ("trainer.max_epochs=2", "--resume", "last")]
    for name, parts in (("once", [("trainer.max_epochs=2",)]), ("twice", resumed)):
        for part in parts:
            said = call(*fixed, f"out={tmp_path / name}", *part)
            assert said.code == 0, said.err
        runs += (tmp_path / name / "lip-reader" / "synthgrid").iterdir()
    assert len(runs) == 2
    assert "word error rate" in said.out
    assert "sentences without error" in said.out
    for run in runs:
        rows = [json.loads(line) for line in (run / "own.jsonl").read_text().splitlines()]
        assert [row["clip"] for row in rows] == ["test0/c", "test1/c", "test2/c"]
        assert [row["words"] for row in rows] == [2, 2, 0]  # the third has no words to compare with
        summary = json.loads((run / "summary.json").read_text())
        assert (summary["clips"], summary["clips_without_text"], summary["words"]) == (2, 1, 4)
        assert (run / "weights.safetensors").is_file()
    one, two = (torch.load(run / "checkpoints" / "last.ckpt", weights_only=True) for run in runs)
    assert one["global_step"] == two["global_step"]
    assert all(torch.equal(value, two["state_dict"][name]) for name, value in one["state_dict"].items())


def test_info(call: Any):
    said = call("info", "lip-reader")
    assert said.code == 0
    assert "LipNet" in said.out
    assert "model.dropout" in said.out
    assert "zoo fit lip-reader" in said.out
