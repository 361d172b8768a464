"""`zoo score` on folders of videos that anybody made: numbers that order, and nothing unscored that looks like one."""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from tests.helpers.tiny import Zoo
from zoo import registry
from zoo.cli import main
from zoo.data.sources.base import RawClip
from zoo.data.sources.synthgrid.source import SynthGrid
from zoo.evaluation.metrics.base import ClipMetric
from zoo.evaluation.score import find_pairs
from zoo.media.video import write_video
from zoo.methods.trainable import build, save_weights
from zoo.support.errors import DataError

FRAMES = 42


def write(path: Path, frames: Tensor, wave: Tensor | None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_video(path, frames, wave=wave, crf=12)


@pytest.fixture(scope="module")
def clips() -> list[RawClip]:
    """Two speakers of SynthGRID."""
    source = SynthGrid(clips=3, frames=FRAMES)
    return [source.read(item) for item in source.items()[:2]]


@pytest.fixture(scope="module")
def folders(clips: list[RawClip], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``real``; ``still``: their first frames; ``other``: each with the pictures of the other one."""
    root = tmp_path_factory.mktemp("videos")
    for number, clip in enumerate(clips):
        write(root / f"real/s1/{number}.mp4", clip.frames, clip.wave)
        (root / f"real/s1/{number}.txt").write_text(clip.text)
        write(root / f"still/s1/{number}.mp4", clip.frames[:1].expand_as(clip.frames), clip.wave)
        write(root / f"other/s1/{number}.mp4", clips[1 - number].frames, clip.wave)
    return root


@pytest.fixture(scope="module")
def judges(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Settings that name small untrained experts, so that what is scored does not hang on weights that change."""
    folder = tmp_path_factory.mktemp("experts")
    for name, small in (("sync-expert", {"width": 0.1}), ("lip-reader", {"width": 0.1, "size": 64})):
        spec = registry.expert(name)
        save_weights(build(spec, replace(spec.settings(), **small), seed=1), folder / f"{name}.safetensors")
    return [f"sync={folder}/sync-expert.safetensors", f"reader={folder}/lip-reader.safetensors"]


def rows_of(out: Path, *, real: bool = False) -> list[dict[str, Any]]:
    """The rows of the generated videos, or of the real ones."""
    (cell,) = (path for path in (out / "cells").iterdir() if (path.name == "real-reconstruction") == real)
    return [json.loads(line) for line in (cell / "rows.jsonl").read_text().splitlines()]


class Run:
    """One run in this process: exit code, what it printed, and the files it wrote."""

    def __init__(self, capsys: pytest.CaptureFixture[str], out: Path, *arguments: object) -> None:
        self.code = main.run(["score", *map(str, arguments), "--json", "--out", str(out)])
        self.printed, self.err = capsys.readouterr()
        self.summary = json.loads(self.printed) if self.printed else {}
        self.out = out

    def __getitem__(self, metric: str) -> dict[str, Any]:
        return self.summary["metrics"][metric]

    def rows(self, metric: str) -> dict[str, dict[str, Any]]:
        return {row["clip"]: row for row in rows_of(self.out) if row["metric"] == metric}


def test_itself_a_still_and_another(
    folders: Path, judges: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    real = folders / "real"
    runs = {
        name: Run(capsys, tmp_path / name, "--pred", folders / name, "--real", real, *judges)
        for name in ("real", "still", "other")
    }
    assert {run.code for run in runs.values()} == {0}
    itself, still, other = runs.values()
    available = {record.entry.name for record in registry.records("zoo.metrics")}
    assert set(itself.summary["metrics"]) | set(itself.summary["left_out"]) == available
    assert set(itself.summary["left_out"]) <= {"lpips", "fid"}

    assert itself["lmd"]["value"] == 0
    assert 0.5 < still["lmd"]["value"] < 20
    assert 0.5 < other["lmd"]["value"] < 20
    assert (itself["psnr"]["value"], itself["ssim"]["value"]) == (100, 1)
    assert 15 < still["psnr"]["value"] < 60
    assert other["ssim"]["value"] < still["ssim"]["value"] < 1
    assert itself["motion"]["value"] == itself["motion_outside"]["value"] == 1
    assert still["motion"]["value"] < 0.2 < other["motion"]["value"]
    assert still["acd"]["value"] < itself["acd"]["value"] < other["acd"]["value"]
    for run in runs.values():
        for name, facts in run.summary["metrics"].items():
            assert (facts["clips"], facts["total"], facts["coverage"], facts["reason"]) == (2, 2, 1, ""), name
            alone = facts["real"]
            assert (alone is not None) == registry.metric(name).real_row
            if alone is not None:
                assert alone == itself[name]["value"]
    assert itself["lmd"]["real"] is None
    assert (itself["lmd"]["unit"], itself["lmd"]["better"], itself["motion"]["better"]) == ("px", "lower", "near 1")
    assert "expert:sync-expert-sync-expert-" in itself["lse_d"]["signature"]
    assert "embedder:dlib-resnet-v1" in itself["acd"]["signature"]


def test_what_cannot_be_scored_never_becomes_a_number(
    clips: list[RawClip], folders: Path, judges: list[str], tmp_path: Path, zoo: Zoo
):
    real, pred = tmp_path / "real", tmp_path / "pred"
    frames, wave = clips[0].frames, clips[0].wave
    third = slice(FRAMES // 3, 2 * FRAMES // 3)
    black = frames.clone()
    black[third] = 0
    made = {
        "black": (black, wave),
        "broken": (frames, wave),
        "faceless": (torch.zeros_like(frames), wave),
        "large": (interpolate(frames, scale_factor=1.5, mode="bilinear"), wave),
        "missing": None,
        "mute": (frames, None),
        "short": (frames[:30], wave[: 30 * 640]),
        "wide": (torch.cat([frames[..., :32], frames, frames[..., -32:]], -1), wave),
    }
    for name, parts in made.items():
        real.mkdir(exist_ok=True)
        shutil.copy(folders / "real/s1/0.mp4", real / f"{name}.mp4")
        if parts is not None:
            write(pred / f"{name}.mp4", *parts)
    (pred / "broken.mp4").write_bytes(b"no video at all")
    shutil.copy(folders / "real/s1/1.mp4", pred / "extra.mp4")
    names = "lmd,motion,psnr,lse_d,wer,fdbm"

    done = zoo("score", "--pred", pred, "--real", real, "--metrics", names, "--json", *judges, cwd=tmp_path)
    assert done.returncode == 1
    summary = json.loads(done.stdout)
    assert set(summary["failed"]) == {"broken", "missing", "extra"}
    for clip, reason in summary["failed"].items():
        assert f"zoo score: {clip}: {reason}" in done.stderr
    assert "broken.mp4" in summary["failed"]["broken"]
    assert "no generated video" in summary["failed"]["missing"]
    assert "no real video" in summary["failed"]["extra"]

    lines = rows_of(tmp_path / "score-pred")
    alone = {(line["metric"], line["clip"]): line for line in rows_of(tmp_path / "score-pred", real=True)}
    row = {(line["metric"], line["clip"]): line for line in lines}
    assert len(row) == 6 * 9
    for (metric, clip), line in row.items():
        assert (line["value"] is None) == (line["scored"] == 0), (metric, clip)
        assert line["scored"] == line["total"] or line["reason"], (metric, clip)
        if clip in summary["failed"]:
            assert line["scored"] == 0
            assert line["reason"] == summary["failed"][clip]
    hidden = third.stop - third.start
    assert row["lmd", "black"]["scored"] == FRAMES - hidden
    assert row["lmd", "black"]["reason"] == f"{hidden} frames without a face"
    assert row["psnr", "black"]["scored"] == FRAMES  # a face that is black is a bad picture of one
    assert row["lse_d", "black"]["scored"] == FRAMES - 4 - hidden - 4
    for metric in ("lmd", "motion", "lse_d", "fdbm"):
        assert row[metric, "faceless"]["reason"] == "no face found in the generated video"
    assert 0 < row["psnr", "faceless"]["value"] < 15
    for metric in ("lmd", "psnr"):
        assert (row[metric, "short"]["scored"], row[metric, "short"]["total"]) == (30, FRAMES)
        assert row[metric, "short"]["reason"] == f"{FRAMES - 30} frames missing"
    assert row["psnr", "short"]["value"] > 30
    assert (row["lse_d", "short"]["scored"], row["lse_d", "short"]["total"]) == (26, FRAMES - 4)
    # Without a sound of its own the pictures are judged with the real one's: the same clip, the same number.
    assert row["lse_d", "mute"]["value"] == pytest.approx(alone["lse_d", "mute"]["value"], rel=0.05)
    assert row["psnr", "large"]["value"] > 28
    assert row["lmd", "large"]["value"] < 1
    assert row["psnr", "wide"]["scored"] == 0
    assert "another shape" in row["psnr", "wide"]["reason"]
    assert row["lmd", "wide"]["value"] < 1
    assert "NAME.txt" in row["wer", "mute"]["reason"]
    assert summary["metrics"]["wer"]["value"] is None
    assert summary["metrics"]["lmd"]["coverage"] == pytest.approx(
        sum(row["lmd", clip]["scored"] for clip in [*made, "extra"]) / (9 * FRAMES)
    )
    assert json.loads((tmp_path / "score-pred/summary.json").read_text()) == summary
    with (tmp_path / "score-pred/rows.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    told = {(line["metric"], line["clip"]): float(line["value"]) if line["value"] else None for line in table}
    assert told == {place: line["value"] for place, line in row.items()}


def test_the_folder_holds_the_last_videos_and_is_no_benchmarks(
    folders: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    sides = ("--pred", folders / "still", "--real", folders / "real", "--metrics", "psnr")
    for name in ("mine", "theirs"):
        assert Run(capsys, tmp_path / "out", *sides, "--name", name).code == 0
        assert [path.name for path in (tmp_path / "out" / "cells").iterdir()] == [f"{name}-reconstruction"]
    suite = tmp_path / "out" / "suite.json"
    suite.write_text(suite.read_text().replace('"name": "videos"', '"name": "synth"'))
    before = suite.read_bytes()
    run = Run(capsys, tmp_path / "out", *sides)
    assert run.code == 2
    assert "holds results of a benchmark; name another folder" in run.err
    assert suite.read_bytes() == before


def test_a_number_of_all_clips_together_has_no_rows(tmp_path: Path):
    """The rest is written as ever; what is no number would be no JSON either."""
    from zoo.evaluation.metric_scorer import MetricScorer
    from zoo.evaluation.metrics.base import Row
    from zoo.evaluation.metrics.choose import make_metric
    from zoo.evaluation.score import Pair, Scores
    from zoo.evaluation.videos import write_results

    columns = {}
    for name in ("fid", "psnr"):
        spec, metric = make_metric(name, {}) if name == "psnr" else (registry.metric("fid"), Together())
        metric.add(Row("c", (30.0, 1.0), 1, 1))
        columns[name] = MetricScorer(spec, metric)
    write_results(tmp_path, "mine", Scores(columns, 1), [Pair("c", tmp_path, tmp_path, "s")])
    assert [row["metric"] for row in rows_of(tmp_path)] == ["psnr"]
    suite = json.loads((tmp_path / "suite.json").read_text())
    assert [metric["name"] for metric in suite["metrics"]] == ["psnr"]
    assert "of all clips together" in suite["left_out"]["fid"]


class Together(ClipMetric):
    """As FID, which has no value of a clip."""

    name = "fid"

    def observe(self, clip: str, pred: object, real: object) -> None:
        raise AssertionError("its rows are given")

    def update(self) -> None:
        raise AssertionError("its rows are given")

    def clip_values(self, stats: np.ndarray) -> np.ndarray:
        return np.full(stats.shape[:-1], np.nan)


def test_no_sound_anywhere_is_no_sync(clips: list[RawClip], judges: list[str], tmp_path: Path, capsys: Any):
    for side in ("pred", "real"):
        write(tmp_path / side / "pbib8p.mp4", clips[0].frames, None)
    run = Run(
        capsys, tmp_path / "out", "--pred", tmp_path / "pred", "--real", tmp_path / "real",
        "--metrics", "wer_grammar,lse_c,sync_acc", "sync_acc.windows=speech", *judges,
    )  # fmt: skip
    assert run.code == 0
    assert (run["lse_c"]["value"], run["lse_c"]["real"], run["lse_c"]["reason"]) == (None, None, "no sound")
    assert "NAME.align" in run["sync_acc"]["reason"]
    assert run["wer_grammar"]["coverage"] == 1  # the name of a GRID file is its text


def test_table_for_people(folders: Path, judges: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    sides = ("--pred", folders / "still", "--real", folders / "real", "--out", tmp_path)
    chosen = ["cpbd,psnr,sync_acc,cer", "cpbd.variant=at-a-glance", judges[0]]
    code = main.run(["score", *map(str, sides), "--metrics", *chosen])
    out = capsys.readouterr().out
    assert code == 0
    assert "cer by lip-reader-synthgrid-" in out
    assert "word error rate" in out
    assert "it knows drawn faces only" in out
    assert "sync_acc by sync-expert-sync-expert-" in out  # another one, of which nothing is known
    assert "how good it is, its file does not tell" in out
    assert "cpbd ↑" in out
    assert "2/2" in out
    assert "100.0%" in out
    assert "cpbd|variant:at-a-glance|crop:face|zoo:" in out
    assert "psnr|variant:float|zoo:" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--metrics", "lmdd"], "no metric is called 'lmdd'; did you mean lmd?"),
        (["--metrics", ","], "--metrics: names no metric"),
        (["cpbd.varant=python"], "cpbd.varant: cpbd has no such option; it has cpbd.variant"),
        (["cpbf.variant=python"], "cpbf.variant: no such setting; did you mean cpbd.variant?"),
        (["cpbd.variant=nonsense"], "cpbd.variant=nonsense: choose one of matlab, python, at-a-glance"),
        (["lse_d.max_shift=0"], "lse_d.max_shift=0: lse_d: max_shift is 1 or more, not 0"),
        (["lse_d.max_shift=many"], "lse_d.max_shift=many: needs a number"),
        (["fdbm.size=3"], "fdbm.size: fdbm has no such option; it has none"),
        (["motion_outside.region=mouth"], "motion_outside.region: motion_outside has no such option"),
        (["psnr"], "'psnr' is no setting: write key=value"),
        (["--metrics", "psnr", "cpbd.variant=python"], "cpbd.variant is set, but cpbd is not among --metrics"),
        (["--metrics", "lpips"], "lpips cannot be scored: lpips: no alexnet weights"),
        (["fid.weights=nowhere.pth"], "fid cannot be scored: fid: no inception_v3 weights in nowhere.pth"),
        (["reader=nowhere.ckpt"], "reader=nowhere.ckpt: nowhere.ckpt: no weights of lip-reader"),
        (["embedder=nobody"], "embedder=nobody: unknown face embedder 'nobody'"),
        (["--device", "abacus"], "--device: 'abacus' cannot be used here"),
    ],
)
def test_wrong_questions_are_refused_before_any_work(
    arguments: list[str], message: str, tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    code = main.run(["score", "--pred", str(tmp_path / "nothing"), "--real", str(tmp_path / "nothing"), *arguments])
    out, err = capsys.readouterr()
    assert (code, out) == (2, "")
    assert err.startswith(f"zoo score: {message}")
    assert err.count("\n") == 1


def test_pairs(tmp_path: Path):
    def make(*names: str) -> None:
        for name in names:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).touch()

    make("pred/s1/a.mp4", "pred/b.mp4", "pred/c.mp4", "pred/notes.txt")
    make("real/s1/a.mpg", "real/s2/a.mpg", "real/s2/b.avi", "real/s1/c.mpg", "real/s2/c.mpg")
    pairs = [(p.clip, p.pred and p.pred.name, p.real and str(p.real.relative_to(tmp_path))) for p in find_pairs(
        tmp_path / "pred", tmp_path / "real"
    )]  # fmt: skip
    assert pairs == [
        ("c", "c.mp4", None),  # two real videos have that name: neither is guessed
        ("s1/a", "a.mp4", "real/s1/a.mpg"),
        ("s1/c", None, "real/s1/c.mpg"),
        ("s2/a", None, "real/s2/a.mpg"),
        ("s2/b", "b.mp4", "real/s2/b.avi"),
        ("s2/c", None, "real/s2/c.mpg"),
    ]
    make("elsewhere/x.mp4", "empty/notes.txt")
    with pytest.raises(DataError, match=r"no pair: not one video in .*elsewhere has the name of one in .*\(such as x"):
        find_pairs(tmp_path / "elsewhere", tmp_path / "real")
    with pytest.raises(DataError, match=r"--real: .*nowhere is no folder"):
        find_pairs(tmp_path / "pred", tmp_path / "nowhere")
    with pytest.raises(DataError, match="no video in this folder"):
        find_pairs(tmp_path / "empty", tmp_path / "real")
    (only,) = find_pairs(tmp_path / "pred/b.mp4", tmp_path / "real/s2/b.avi")
    assert (only.clip, only.speaker) == ("b", "b")


def test_a_text_that_is_no_unicode_costs_its_own_metrics_only(
    folders: Path, judges: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    real = tmp_path / "real"
    shutil.copytree(folders / "real", real)
    (real / "s1/0.txt").write_bytes(b"caf\xe9")
    (real / "s1/1.txt").write_bytes(b"\xef\xbb\xbf" + (real / "s1/1.txt").read_bytes())
    (real / "s1/0.align").write_text("0 20000 bin\n20000 9000 blue\n")
    (real / "s1/1.align").write_text("0 90000 bin\n")
    names = ("--metrics", "psnr,wer,sync_acc", "sync_acc.windows=speech")
    run = Run(capsys, tmp_path / "out", "--pred", folders / "real", "--real", real, *names, *judges)
    assert run.code == 0
    assert "0.txt: the text is not UTF-8" in run.rows("wer")["s1/0"]["reason"]
    assert run.rows("wer")["s1/0"]["value"] is None
    before = Run(capsys, tmp_path / "before", "--pred", folders / "real", "--real", folders / "real", *names, *judges)
    assert run.rows("wer")["s1/1"]["value"] == before.rows("wer")["s1/1"]["value"]
    assert "0.align: 'blue' lasts from 0.8 s to 0.36 s" in run.rows("sync_acc")["s1/0"]["reason"]
    assert "its words end at 3.60 s" in run.rows("sync_acc")["s1/1"]["reason"]
    assert run["psnr"]["coverage"] == 1


def test_memory_and_damage_cost_one_pair(folders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """What one pair may do to a run: it is set aside with its reason, and the others are scored."""
    from zoo.evaluation import score as scoring
    from zoo.evaluation.judges import Judges
    from zoo.evaluation.metrics.choose import make_metric

    pairs = scoring.find_pairs(folders / "still", folders / "real")
    assert len(pairs) == 2
    torn = tmp_path / "torn.mp4"
    torn.write_bytes(pairs[0].pred.read_bytes()[:300])  # type: ignore[union-attr]
    damaged = replace(pairs[0], clip="torn", pred=torn)
    metrics = {"psnr": make_metric("psnr", {})}
    found = scoring.score([damaged, pairs[1]], metrics, Judges(), progress=False)
    assert list(found.failed) == ["torn"]
    assert "torn.mp4" in found.failed["torn"]
    assert found.summary()["metrics"]["psnr"]["clips"] == 1

    whole = scoring.probe_video

    def huge(path: Path) -> object:
        facts = whole(path)
        return replace(facts, seconds=1e6) if path == pairs[0].pred else facts

    monkeypatch.setattr(scoring, "probe_video", huge)
    found = scoring.score(pairs, metrics, Judges(), progress=False)
    assert list(found.failed) == [pairs[0].clip]
    assert "GB of memory, and there are" in found.failed[pairs[0].clip]

    def full(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr(scoring, "probe_video", whole)
    monkeypatch.setattr(scoring, "_read", full)
    found = scoring.score(pairs, metrics, Judges(), progress=False)
    assert set(found.failed.values()) == {scoring.NO_MEMORY}


def test_sound_that_cannot_be_read_is_told_and_not_replaced(
    folders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    from zoo.evaluation import score as scoring
    from zoo.evaluation.judges import Judges
    from zoo.support.errors import MediaError

    (pair, _) = scoring.find_pairs(folders / "still", folders / "real")
    reading = scoring.read_audio

    def broken(path: Path) -> object:
        if path == pair.pred:
            raise MediaError(f"{path}: the sound track cannot be read")
        return reading(path)

    monkeypatch.setattr(scoring, "read_audio", broken)
    seen = scoring.load_pair(pair, Judges())
    assert "the sound track cannot be read" in seen.silence[0]
    assert seen.silence[1] == ""


def test_progress_moves_while_a_video_is_read_and_followed(
    folders: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """One long pair would show nothing for minutes."""
    from zoo.evaluation import score as scoring
    from zoo.evaluation.metrics.choose import choose
    from zoo.support import progress

    monkeypatch.setattr(progress, "LINE_EVERY_S", 0.0)
    pair = next(iter(find_pairs(folders / "real", folders / "real")))
    metrics, _, judges = choose(["psnr"], {}, {}, device="cpu")
    scoring.score([pair], metrics, judges)
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("scoring: 0/1 pairs (")]
    shares = [int(line.partition("(")[2].partition("%")[0]) for line in lines]
    assert len(set(shares)) > 20
    assert shares == sorted(shares)
    assert max(shares) == 90
