"""Speech2Face as users run it: fitted and scored, and used without a checkpoint."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.helpers.inputs import drawn, photograph, save_picture, save_sound
from tests.helpers.tiny import Zoo
from zoo.media.video import read_video

SMALL = (
    *("data.batch_size=2", "trainer.max_steps=2", "trainer.accelerator=cpu", "trainer.limit_test_batches=1"),
    *("model.width=16", "model.window=5", "model.size=64"),
)


def test_a_fit_is_scored(zoo: Zoo, tiny_store: Path, tmp_path: Path):
    """In Lightning's test nobody can turn gradients on, and in-painting needs them."""
    done = zoo("fit", "speech2face", f"data.root={tiny_store}", *SMALL, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    (run,) = (tmp_path / "runs" / "speech2face" / "synthgrid").iterdir()
    rows = [json.loads(line) for line in (run / "rows.jsonl").read_text().splitlines()]
    assert {row["metric"] for row in rows if row["method"] == "speech2face"} >= {"lmd", "motion", "sync_acc"}
    assert list((run / "samples").iterdir())
    assert (run / "weights.safetensors").is_file()


@pytest.mark.parametrize("face", ["photo", "video"])
def test_anybody_talks_without_a_checkpoint(face: str, zoo: Zoo, tmp_path: Path):
    sound = save_sound(tmp_path / "speech.wav", drawn().wave[16_000:22_400])
    shown = save_picture(tmp_path / "photo.png", photograph()[:, :300, 80:380])
    if face == "video":
        done = zoo("predict", "speech2face", "--face", shown, "--audio", sound, "--out", "shown.mp4", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        shown = tmp_path / "shown.mp4"
    done = zoo("predict", "speech2face", "--face", shown, "--audio", sound, "--out", "talk.mp4", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    frames = read_video(tmp_path / "talk.mp4").frames
    assert frames.shape == (10, 3, 300, 300)
    mouth = frames[:, :, 130:170, 120:190].float()
    assert float((mouth[1:] - mouth[:-1]).abs().amax()) > 10
