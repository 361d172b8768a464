"""Real GRID clips through the command line: prepared by one and by two processes, verified, and trained on."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from zoo.cli.main import run
from zoo.data.store.store import Store

pytestmark = pytest.mark.grid

CLIPS = ("s1/bbaf5a", "s1/sbbbzp", "s22/lbbc2a", "s3/sbia1a", "s5/lbax4n")
"""The second clip has 74 frames; alignments for s1 alone; s3 and s5 are for training, the others for the test."""


@pytest.fixture(scope="module")
def some(grid_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus of a few clips, and one file that a broken download left."""
    root = tmp_path_factory.mktemp("corpus") / "grid"
    for name in CLIPS:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / f"{name}.mpg").symlink_to(grid_root / f"{name}.mpg")
    (root / "alignments").symlink_to(grid_root / "alignments")
    whole = (grid_root / "s2" / "pwij3p.mpg").read_bytes()
    (root / "s1" / "pwij3p.mpg").write_bytes(whole[:2000])
    return root


@pytest.fixture(scope="module")
def stores(some: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    out = tmp_path_factory.mktemp("stores")
    for workers in ("1", "2"):
        command = ["data", "prepare", "grid", "--root", str(some), "--out", str(out / workers), "--workers", workers]
        assert run([*command, "--shard-clips", "2"]) == 1  # the broken one is missing
    return [out / "1", out / "2"]


def test_one_and_two_processes_agree(stores: list[Path]):
    one, two = ({path.name: path.read_bytes() for path in (store / "shards").iterdir()} for store in stores)
    assert one == two
    for store in stores:
        assert '"s1/pwij3p"' in (store / "report.jsonl").read_text()
        assert run(["data", "verify", str(store)]) == 0


def test_clips_are_what_grid_says(stores: list[Path]):
    store = Store(stores[0])
    clips = {clip.id: store.clip(number) for number, clip in enumerate(store.clips)}
    assert clips.keys() == set(CLIPS)
    assert clips["s1/bbaf5a"].text == "bin blue at f five again"
    for name, clip in clips.items():
        assert " ".join(word.text for word in clip.words) == (clip.text if clip.speaker == "s1" else "")
        assert len(clip.frames) == (74 if name == "s1/sbbbzp" else 75)
        assert len(clip.wave) == len(clip.frames) * 640
        assert clip.wave.abs().max() > 0.05
        opening = clip.landmarks[:, 66, 1] - clip.landmarks[:, 62, 1]  # pixels between the inner lips
        assert opening.max() > opening.min() + 3, name
        assert opening.min() > -2, name
        assert torch.isfinite(clip.landmarks).all()


def test_fit_and_predict_on_real_clips(
    stores: list[Path], some: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.delenv("ZOO_RUN", raising=False)
    settings = (
        "data=grid data.split=grid-unseen data.batch_size=2 data.windows_per_clip=4 data.num_workers=0 "
        "trainer.max_steps=1 trainer.limit_val_batches=1 trainer.limit_test_batches=1 "
        "trainer.accelerator=cpu model.width=0.06"
    )
    code = run(["fit", "lipgan", *settings.split(), f"data.root={stores[0]}", f"out={tmp_path / 'runs'}"])
    assert code == 0, capsys.readouterr().err
    (checkpoint,) = tmp_path.glob("runs/lipgan/grid/*/checkpoints/last.ckpt")
    clip = str(some / "s22" / "lbbc2a.mpg")
    out = tmp_path / "out.mp4"
    given = ["--ckpt", str(checkpoint), "--face", clip, "--audio", clip, "--out", str(out)]
    assert run(["predict", "lipgan", *given]) == 0
    assert "75 frames at 25 fps, 3.00 s" in capsys.readouterr().out
