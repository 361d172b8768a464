"""The sync expert: its networks, windows, losses, test and command line."""

import json
import math
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from tests.helpers.tiny import Zoo
from zoo import registry
from zoo.experts.sync_expert.config import SyncExpertConfig
from zoo.experts.sync_expert.module import SyncExpert, speech_windows
from zoo.experts.sync_expert.networks import SyncNetwork
from zoo.media import audio
from zoo.media.clip import Word
from zoo.methods.trainable import build, load_checkpoint

SETTINGS = (
    "data.batch_size=2",
    "data.windows_per_clip=2",
    "trainer.accelerator=cpu",
    "trainer.log_every_n_steps=1",
    "model.width=0.03",
    "model.windows=3",
    "model.loss=both",
    "model.warmup=0.5",
    "model.decay=true",
    "model.flip=0.5",
)


def thin(**settings: Any) -> SyncExpert:
    """A small expert whose embeddings differ from one another; in evaluation mode."""
    torch.manual_seed(0)
    expert = SyncExpert(SyncExpertConfig(width=0.03, **settings))
    for _ in range(3):  # lively batch statistics
        expert.embed_faces(torch.rand(8, 5, 3, 96, 96))
        expert.embed_sounds(torch.rand(8, expert.mel.samples) - 0.5)
    return expert.eval()


def test_published_size_and_shapes():
    with torch.device("meta"):
        network = SyncNetwork()
    assert sum(p.numel() for p in network.parameters()) == 16_435_072
    assert len(network.state_dict()) == 217
    shapes = {"face": [], "sound": []}
    for name, x in (("face", torch.rand(2, 15, 48, 96)), ("sound", torch.rand(2, 1, 80, 16))):
        x = x.to("meta")
        for layer in getattr(network, f"{name}_encoder"):
            x = layer(x)
            if tuple(x.shape[1:]) not in shapes[name]:
                shapes[name].append(tuple(x.shape[1:]))
    assert shapes["face"] == [
        (32, 48, 96), (64, 46, 47), (128, 23, 24), (256, 12, 12), (512, 6, 6), (512, 3, 3), (512, 1, 1),
    ]  # fmt: skip
    assert shapes["sound"] == [(32, 80, 16), (64, 27, 16), (128, 9, 6), (256, 3, 3), (512, 1, 1)]


def test_embeddings_are_unit_vectors_without_negative_entries():
    expert = thin()
    faces, sounds = expert.embed_faces(torch.rand(4, 5, 3, 96, 96)), expert.embed_sounds(torch.rand(4, 3800))
    for found in (faces, sounds):
        assert found.shape == (4, expert.network.dim)
        assert found.min() >= 0
        assert torch.allclose(found.norm(dim=1), torch.ones(4), atol=1e-5)


def test_only_the_lower_half_is_seen():
    expert, faces = thin(), torch.rand(1, 5, 3, 96, 96)
    before = expert.embed_faces(faces)
    faces[..., :48, :] = 0
    assert torch.equal(expert.embed_faces(faces), before)
    faces[..., 48:, :] = 0
    assert not torch.allclose(expert.embed_faces(faces), before, atol=1e-3)


@torch.no_grad()
@pytest.mark.parametrize("frames", [75, 5, 4])
def test_a_clip_is_embedded_as_its_windows_are(frames: int):
    expert = thin()
    faces, wave = torch.rand(frames, 3, 96, 96), torch.rand(audio.num_samples(frames)) - 0.5
    video, sound = expert.embed_clip(faces, wave, chunk=7)
    assert video.shape == sound.shape == (max(0, frames - 4), expert.network.dim)
    for i in range(frames - 4):
        heard = audio.cut(wave, *audio.frame_window(i + 2, 1, expert.mel.samples))
        assert (video[i] - expert.embed_faces(faces[None, i : i + 5])[0]).abs().max() < 1e-5
        assert (sound[i] - expert.embed_sounds(heard[None])[0]).abs().max() < 1e-5
    if frames == 75:
        assert (video[0] - video[40]).abs().max() > 1e-3
        assert (sound[0] - sound[40]).abs().max() > 1e-3


@torch.no_grad()
def test_the_sound_of_a_window_is_centred_on_its_middle_frame():
    expert = thin()
    faces, wave = torch.rand(30, 3, 96, 96), torch.rand(30 * 640) - 0.5
    sound = expert.embed_clip(faces, wave)[1]
    for late in (1, 3):
        moved = expert.embed_clip(faces, wave.roll(640 * late))[1]
        assert (moved[6:] - sound[6 - late : -late])[:-3].abs().max() < 1e-5
    # Window 10 is frames 10 to 14 and hears 1900 samples before and after the middle of frame 12.
    centre = audio.frame_centre(12)
    for start, heard in ((-2000, False), (-1850, True), (1750, True), (1900, False)):
        other = wave.clone()
        other[centre + start : centre + start + 100] = 0.9
        assert (expert.embed_clip(faces, other)[1][10] - sound[10]).abs().max().item() > 1e-5 or not heard
        assert torch.allclose(expert.embed_clip(faces, other)[1][10], sound[10], atol=1e-6) or heard


@pytest.mark.parametrize("loss", ["bce", "matching", "both"])
def test_training_lowers_each_loss(loss: str, make_batch: Any, monkeypatch: pytest.MonkeyPatch):
    torch.manual_seed(0)
    expert = SyncExpert(SyncExpertConfig(width=0.03, loss=loss, windows=4, learning_rate=3e-3)).train()
    logged: dict[str, float] = {}
    monkeypatch.setattr(expert, "log", lambda name, value, **_: logged.update({name: float(value)}))
    batch = make_batch(expert.input_spec, [0, 1, 2], seed=5)
    optimiser = torch.optim.AdamW(expert.parameters(), lr=3e-3)
    losses = []
    for step in range(16):
        value = expert.training_step(batch, step)
        optimiser.zero_grad()
        value.backward()
        if step == 0:
            # Plain bce knows no scale and offset: DDP must look for unused parameters, and does.
            without = {name for name, p in expert.named_parameters() if p.grad is None}
            assert without == ({"scale", "offset"} if loss == "bce" else set())
            convolutions = [m for m in expert.modules() if isinstance(m, torch.nn.Conv2d)]
            assert all(float(m.weight.grad.abs().sum()) > 0 for m in convolutions)  # type: ignore[union-attr]
        optimiser.step()
        losses.append(value.item())
        assert value.item() == pytest.approx(logged["train/loss"])
    assert sum(losses[-3:]) < 0.9 * sum(losses[:3])


def test_losses_by_hand():
    expert = SyncExpert(SyncExpertConfig(width=0.03, loss="bce"))
    half = torch.tensor([[1.0, 0.0, 0.0], [1.0, 0.0, 0.0]])[None]
    sound = torch.tensor([[0.5, math.sqrt(0.75), 0.0], [0.5, 0.0, math.sqrt(0.75)]])[None]
    assert expert._losses(half, sound)[0].item() == pytest.approx(math.log(2))  # the 0.693 of the warning
    for count in (2, 8):
        same = torch.eye(count)[None].expand(3, -1, -1)
        for _ in range(20):  # a window is never its own negative
            loss, bce, accuracy = expert._losses(same, same)
            assert loss == bce == 0
            assert accuracy == 1
    expert = SyncExpert(SyncExpertConfig(width=0.03, loss="matching"))
    same = torch.eye(4)[None]
    assert expert._losses(same, same)[0].item() == pytest.approx(math.log(1 + 3 * math.exp(-10)), rel=1e-2)
    loss, _, accuracy = expert._losses(same, same.roll(1, 1))
    assert loss.item() == pytest.approx(10 + math.log(1 + 3 * math.exp(-10)), rel=1e-3)
    assert accuracy == 0


def test_losses_of_nearly_equal_embeddings_do_not_round():
    """Cosines of 0.9995 to 1, all the same in bfloat16: what is missing to 1 is what the losses are of."""
    module = build(registry.expert("sync-expert"), SyncExpertConfig(width=0.06))
    ones = torch.ones(1, 4, 64)
    video, sound = (torch.nn.functional.normalize(ones + 0.02 * torch.rand_like(ones), dim=2) for _ in range(2))
    found = []
    for fast in (False, True):
        torch.manual_seed(0)
        with torch.autocast("cpu", torch.bfloat16, enabled=fast):
            found.append(torch.stack(module._losses(video, sound)[:2]))
            assert module.network.embed_faces(torch.rand(2, 15, 48, 96)).dtype == torch.float32
    assert torch.equal(*found)


def test_windows_are_matched_within_their_own_clip(make_batch: Any):
    """The loss of a batch is the mean of the losses of its clips, so no clip is compared with another."""
    expert = thin(loss="matching", windows=4)
    batch = make_batch(expert.input_spec, [0, 1], seed=2)
    video, sound = expert._embed(batch, batch.frames)
    assert video.shape == sound.shape == (2, 4, expert.network.dim)
    alone = [expert._losses(video[b : b + 1], sound[b : b + 1])[0].item() for b in range(2)]
    assert expert._losses(video, sound)[0].item() == pytest.approx(sum(alone) / 2, abs=1e-6)
    assert abs(alone[0] - alone[1]) > 1e-6


@torch.no_grad()
def test_training_windows_are_those_of_whole_clips(make_batch: Any):
    """The same five frames and the same sound, whether a window is drawn to train on or a clip is judged."""
    expert = thin(windows=4)
    drawn, whole = make_batch(expert.input_spec, [1], seed=2), make_batch(expert.input_spec, [1])
    video, sound = expert._embed(drawn, drawn.frames)
    every = expert.embed_clip(whole.frames[0], whole.given.sound[0])
    first = int(drawn.first[0])
    inside = [k for k in range(4) if first + 5 * k + 4 < len(whole.frames[0]) - 3]  # the clip's sound ends there
    for k in inside:
        assert (video[0, k] - every[0][first + 5 * k]).abs().max() < 1e-5
        assert (sound[0, k] - every[1][first + 5 * k]).abs().max() < 1e-5
    assert len(inside) >= 3


@pytest.mark.parametrize(("accuracy", "stuck"), [(0.5, True), (0.8, False)])
def test_being_stuck_at_chance_is_said(accuracy: float, stuck: bool):
    expert = SyncExpert(SyncExpertConfig(width=0.03))
    found = {"val/accuracy": torch.tensor(accuracy), "val/bce": torch.tensor(0.6931)}
    expert._trainer = SimpleNamespace(callback_metrics=found, current_epoch=3)  # type: ignore[assignment]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        expert.on_validation_epoch_end()
    texts = [str(warning.message) for warning in caught]
    assert any("at chance" in text and "0.693" in text and "epoch 3" in text for text in texts) == stuck
    assert bool(texts) == stuck


def test_validation_by_hand(make_batch: Any, monkeypatch: pytest.MonkeyPatch):
    expert = thin(windows=4)
    logged: dict[str, float] = {}
    monkeypatch.setattr(expert, "log", lambda name, value, **_: logged.update({name: float(value)}))
    same = torch.eye(4)[None]
    for video, sound, expected in ((same, same, 1.0), (same, same.roll(1, 1), 0.0), (same * 0, same, 0.5)):
        monkeypatch.setattr(expert, "_embed", lambda *_, v=video, s=sound: (v, s))
        expert.validation_step(make_batch(expert.input_spec, [0], seed=1), 0)
        # Rolled by one the negatives are those that match: sounds of the next window, here all or none.
        assert logged["val/accuracy"] == pytest.approx(expected, abs=0.51 if expected == 0 else 1e-6)
        assert (logged["val/accuracy"] < 0.55) == (expected < 1)


def test_speech_windows_by_hand():
    # Windows of 0.2 s start every 0.04 s; a word from 0.32 to 0.4 s is frames 8 and 9: windows 4 to 9.
    assert speech_windows([Word(0.32, 0.40, "a")], 14).nonzero().flatten().tolist() == [4, 5, 6, 7, 8, 9]
    # Half of frame 8 is not enough at the first window's end; the second has frame 9 as well.
    assert speech_windows([Word(0.34, 0.40, "a")], 14).nonzero().flatten().tolist() == [5, 6, 7, 8, 9]
    assert not speech_windows([Word(0.33, 0.35, "a")], 14).any()
    assert speech_windows([Word(0, 0.04, "a"), Word(0.5, 9, "b")], 14).nonzero().flatten().tolist() == [
        0, 9, 10, 11, 12, 13,
    ]  # fmt: skip
    assert speech_windows([], 3).tolist() == [False] * 3
    assert speech_windows([Word(0, 1, "a")], 0).tolist() == []


def test_rows_of_a_clip(make_batch: Any, monkeypatch: pytest.MonkeyPatch):
    expert = thin()
    batch = make_batch(expert.input_spec, [0])
    same = torch.eye(14)
    monkeypatch.setattr(expert, "embed_clip", lambda faces, wave: (same, same))
    (row,) = expert.test_step(batch, 0)["rows"]
    assert row["clip"] == batch.clip[0]
    assert row["positive"] == [1.0] * 14
    assert row["negative"] == [0.0] * 14  # another start of the same clip, for every one of 14 windows
    assert row["speech"] == row["negative_speech"] == speech_windows(batch.given.words[0], 14).int().tolist()
    monkeypatch.setattr(expert, "embed_clip", lambda faces, wave: (same[:7], same[:7]))
    (row,) = expert.test_step(batch, 0)["rows"]
    assert (len(row["positive"]), len(row["negative"])) == (7, 4)  # windows 2, 3 and 4 have none 5 frames away
    speech = speech_windows(batch.given.words[0], 7).int().tolist()
    assert row["negative_speech"] == speech[:2] + speech[5:]


def test_summary_by_hand():
    rows = [
        {"clip": "a", "speaker": "s", "positive": [0.9, 0.5, 0.6], "speech": [1, 1, 0], "negative": [0.2, 0.7],
         "negative_speech": [1, 0]},
        {"clip": "b", "speaker": "t", "positive": [0.8], "speech": [1], "negative": [0.5], "negative_speech": [1]},
    ]  # fmt: skip
    found = SyncExpert(SyncExpertConfig(width=0.03)).summarise(rows)
    assert (found["clips"], found["speakers"]) == (2, 2)
    # All: three of four above 0.5, two of three not above; of 12 pairs 9 in order and one equal.
    assert found["all_windows"] == {
        "pairs": 7, "balanced_accuracy": 0.7083, "true_positive_rate": 0.75, "true_negative_rate": 0.6667,
        "auc": round(9.5 / 12, 4),
    }  # fmt: skip
    # With speech: 0.9, 0.5, 0.8 against 0.2, 0.5.
    assert found["windows_with_speech"] == {
        "pairs": 5, "balanced_accuracy": 0.8333, "true_positive_rate": 0.6667, "true_negative_rate": 1.0,
        "auc": round(5.5 / 6, 4),
    }  # fmt: skip
    table = {row[0]: row[1] for row in found["table"]}
    assert table["balanced accuracy, all windows"] == "70.8%"
    assert table["balanced accuracy, windows with speech"] == "83.3%"
    assert "0.5" in found["protocol"]
    assert "5 frames" in found["protocol"]
    assert all(math.isnan(v) for k, v in SyncExpert(SyncExpertConfig(width=0.03)).summarise([])["all_windows"].items()
               if k != "pairs")  # fmt: skip


def run_of(out: Path) -> Path:
    (run,) = (out / "sync-expert" / "synthgrid").iterdir()
    return run


@pytest.fixture(scope="session")
def fitted(call: Any, short_store: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A run of two epochs and what it printed."""
    out = tmp_path_factory.mktemp("sync")
    said = call("fit", "sync-expert", f"data.root={short_store}", f"out={out}", *SETTINGS, "trainer.max_epochs=2")
    assert said.code == 0, said.err
    return run_of(out), said.out


def rows_of(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "own.jsonl").read_text().splitlines()]


def test_fit(fitted: tuple[Path, str]):
    run, out = fitted
    assert "balanced accuracy, windows with speech" in out
    assert "3 clips of 3 speakers" in " ".join(out.split())
    assert "sample" not in out
    assert [row["clip"] for row in rows_of(run)] == ["test0/c", "test1/c", "test2/c"]
    assert [len(row["positive"]) for row in rows_of(run)] == [26, 26, 26]
    assert rows_of(run)[2]["speaker"] == "test2"
    assert sum(rows_of(run)[2]["speech"]) == 0  # its words are not known
    summary = json.loads((run / "summary.json").read_text())
    assert (summary["dataset"], summary["clips"]) == ("synthgrid", 3)
    assert summary["all_windows"]["pairs"] == 2 * 78
    assert (run / "weights.safetensors").is_file()


def test_resumed_weights_are_those_of_one_go(call: Any, fitted: tuple[Path, str], short_store: Path, tmp_path: Path):
    fixed = ("fit", "sync-expert", f"data.root={short_store}", f"out={tmp_path}", *SETTINGS)
    # The learning rate follows from the number of all steps, so the run that is cut short must know it.
    assert call(*fixed, "trainer.max_epochs=1", "model.warmup=0", "model.decay=false").code == 0
    said = call(*fixed, "trainer.max_epochs=2", "model.warmup=0", "model.decay=false", "--resume", "last")
    assert said.code == 0, said.err
    at_once = tmp_path / "once"
    said = call(*fixed, f"out={at_once}", "trainer.max_epochs=2", "model.warmup=0", "model.decay=false")
    assert said.code == 0, said.err
    one, two = (
        torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)
        for run in (run_of(at_once), next((tmp_path / "sync-expert" / "synthgrid").iterdir()))
    )
    assert one["global_step"] == two["global_step"]
    assert all(torch.equal(value, two["state_dict"][name]) for name, value in one["state_dict"].items())
    assert str(one["optimizer_states"]) == str(two["optimizer_states"])
    start = build(registry.expert("sync-expert"), load_checkpoint(run_of(at_once) / "weights.safetensors").config)
    assert any(not torch.equal(v, one["state_dict"][n]) for n, v in start.named_parameters())


def test_weights_score_as_the_checkpoint_does(call: Any, fitted: tuple[Path, str], short_store: Path, tmp_path: Path):
    run, _ = fitted
    said = call(
        "test", "sync-expert", "--json", "--ckpt", run / "weights.safetensors", "--out", tmp_path,
        f"data.root={short_store}", "trainer.accelerator=cpu",
    )  # fmt: skip
    assert said.code == 0, said.err
    assert rows_of(tmp_path) == rows_of(run)
    assert json.loads(said.out[said.out.index("{") :]) == json.loads((run / "summary.json").read_text())


def test_two_processes_test_as_one_does(call: Any, short_store: Path, zoo: Zoo, tmp_path: Path):
    done = zoo(
        "fit", "sync-expert", f"data.root={short_store}", f"out={tmp_path}", *SETTINGS, "model.loss=bce",
        "trainer.max_epochs=1", "trainer.devices=2", "trainer.strategy=ddp", cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("balanced accuracy, all windows") == 1
    run = run_of(tmp_path)
    assert [row["clip"] for row in rows_of(run)] == ["test0/c", "test1/c", "test2/c"]
    said = call(
        "test", "sync-expert", "--ckpt", run / "checkpoints" / "last.ckpt", "--out", tmp_path / "one",
        f"data.root={short_store}", "trainer.accelerator=cpu",
    )  # fmt: skip
    assert said.code == 0, said.err
    assert rows_of(tmp_path / "one") == rows_of(run)


def test_an_expert_does_not_predict(call: Any, tmp_path: Path):
    paths = {f"--{name}": tmp_path / name for name in ("ckpt", "face", "audio", "out")}
    said = call("predict", "sync-expert", *[part for item in paths.items() for part in item])
    assert said.code != 0
    assert said.err.count("\n") == 1
    assert "sync-expert" in said.err
    assert said.err.startswith("zoo predict: ")


def test_list_and_info(call: Any):
    said = call("list", "experts", "--json")
    assert {spec["name"] for spec in json.loads(said.out)["experts"]} >= {"sync-expert", "lip-reader"}
    assert "Wav2Lip" in call("list", "experts").out
    said = call("info", "sync-expert")
    assert said.code == 0
    assert "model.loss" in said.out
    assert "zoo fit sync-expert" in said.out
