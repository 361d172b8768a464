"""Three packages written against the contract alone: each is listed, fits, keeps the contract, predicts, is ranked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from tests.helpers.inputs import drawn, photograph, save_picture, save_sound
from tests.helpers.paths import FOREIGN
from tests.helpers.tiny import Zoo
from zoo.media.video import read_video, write_video

PEERS = {"peer-points": "POINTS", "peer-driven": "DRIVEN", "peer-said": "SAID"}

SMALL = ("data.clips=6", "model.width=16", "trainer.max_steps=3", "data.batch_size=4")


@pytest.fixture(scope="module")
def peers() -> dict[str, str]:
    """Environment in which the three are found."""
    return {
        "ZOO_PLUGINS": ",".join(f"{name}=zoo_peers.spec:{spec}" for name, spec in PEERS.items()),
        "PYTHONPATH": str(FOREIGN),
    }


@pytest.fixture(scope="module")
def runs(
    zoo: Zoo, peers: dict[str, str], tiny_store: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    """A run of each, by name."""
    folder = tmp_path_factory.mktemp("peers")
    found = {}
    for name in PEERS:
        done = zoo("fit", name, *SMALL, f"out={folder}", **peers)
        assert done.returncode == 0, done.stderr
        (found[name],) = (folder / name / "synthgrid").glob("*")
    return found


def test_they_are_listed_with_what_they_are_given(zoo: Zoo, peers: dict[str, str]):
    listed = zoo("list", "methods", "--json", **peers)
    assert set(PEERS) <= {item["name"] for item in json.loads(listed.stdout)["methods"]}
    told = json.loads(zoo("info", "peer-driven", "--json", **peers).stdout)
    assert told["modes"] == {"sound": "a still, sound", "video": "a still, the whole driver"}
    told = json.loads(zoo("info", "peer-points", "--json", **peers).stdout)
    assert [option["name"] for option in told["options"]] == ["smoothness", "steps"]


def test_statistics_are_found_before_training_and_kept(runs: dict[str, Path]):
    weights = torch.load(runs["peer-points"] / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
    assert weights["basis"].norm(dim=1).min() > 0
    assert 0 < weights["mean"].abs().max() < 1


@pytest.mark.parametrize("name", PEERS)
def test_they_keep_the_contract(zoo: Zoo, peers: dict[str, str], name: str):
    done = zoo("plugin", "check", name, "--quick", **peers)
    assert done.returncode == 0, done.stdout


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("desk")
    save_picture(folder / "photo.png", photograph())
    save_sound(folder / "speech.wav", drawn().wave[:16_000])
    clip = drawn(1)
    write_video(folder / "driver.mp4", clip.frames[:20], wave=clip.wave[: 20 * 640])
    (folder / "said.align").write_text("0 10000 sil\n10000 20000 set\n20000 30000 red\n")
    return folder


def talk(zoo: Zoo, peers: dict[str, str], run: Path, desk: Path, name: str, *more: str) -> tuple[int, str, Path]:
    out = desk / f"{name}-{abs(hash(more))}.mp4"
    given = ("--ckpt", run / "checkpoints" / "last.ckpt", "--face", desk / "photo.png", "--out", out)
    done = zoo("predict", name, *map(str, given), *more, cwd=desk, **peers)
    return done.returncode, done.stdout + done.stderr, out


def test_sound_or_a_video_from_one_checkpoint(zoo: Zoo, peers: dict[str, str], runs: dict[str, Path], desk: Path):
    def run(*more: str) -> tuple[int, str, Path]:
        return talk(zoo, peers, runs["peer-driven"], desk, "peer-driven", *more)

    code, said, _ = run("--audio", "speech.wav")
    assert (code, "25 frames at 25 fps, 1.00 s, mode sound" in said) == (0, True), said
    code, said, seen = run("--driver", "driver.mp4")
    assert (code, "20 frames at 25 fps, 0.80 s, mode video" in said) == (0, True), said
    assert len(read_video(seen).frames) == 20
    code, said, _ = run("--driver", "driver.mp4", "--audio", "speech.wav", "--mode", "sound")
    assert code == 2
    assert "--driver: mode 'sound' of peer-driven does not use it; leave it out" in said
    code, said, _ = run()
    assert code == 2
    assert "mode 'sound' of peer-driven needs --audio SOUND; mode 'video' of peer-driven needs --driver VIDEO" in said
    code, said, _ = run("--audio", "speech.wav", "--mode", "mood")
    assert (code, "peer-driven has no mode 'mood'; known: sound, video" in said) == (2, True), said


def test_words_and_a_label(zoo: Zoo, peers: dict[str, str], runs: dict[str, Path], desk: Path):
    def run(*more: str) -> tuple[int, str, Path]:
        return talk(zoo, peers, runs["peer-said"], desk, "peer-said", *more)

    code, said, out = run("--text", "said.align", "--label", "emotion=happy")
    assert (code, "30 frames at 25 fps, 1.20 s, mode words" in said) == (0, True), said
    sad = run("--text", "said.align", "--label", "emotion=sad")[2]
    assert not torch.equal(read_video(out).frames, read_video(sad).frames)
    code, said, _ = run("--text", "set red", "--label", "emotion=happy")
    assert code == 0, said
    code, said, _ = run("--text", "set red", "--label", "emotion=happy", "--seconds", "3")
    assert (code, "--seconds: mode 'words' of peer-said does not use it; leave it out" in said) == (2, True), said
    code, said, _ = run("--text", "set red")
    assert (code, "mode 'words' of peer-said needs --label emotion=VALUE" in said) == (2, True), said
    code, said, _ = run("--text", "set red", "--label", "emotion=happy", "--label", "accent=none")
    assert (code, "--label accent: mode 'words' of peer-said does not use it" in said) == (2, True), said


def test_options_are_chosen_after_training(zoo: Zoo, peers: dict[str, str], runs: dict[str, Path], desk: Path):
    def run(*more: str) -> tuple[int, str, Path]:
        return talk(zoo, peers, runs["peer-points"], desk, "peer-points", "--audio", "speech.wav", *more)

    code, said, _ = run("options.steps=0")
    assert code == 0, said
    for wrong, problem in {
        "options.stepz=0": "unknown setting 'options.stepz'; did you mean 'options.steps'?",
        "options.steps=-1": "options.steps: must be at least 0, not -1",
        "model.width=8": "only options.KEY=VALUE can be chosen after training",
    }.items():
        code, said, _ = run(wrong)
        assert (code, problem in said) == (2, True), said


def test_they_take_part_in_a_benchmark(zoo: Zoo, peers: dict[str, str], runs: dict[str, Path], tmp_path: Path):
    given = [word for name, run in runs.items() for word in ("--ckpt", f"{name}={run / 'weights.safetensors'}")]
    done = zoo(
        "benchmark", "--methods", ",".join(PEERS), *given, "--out", str(tmp_path), "data.clips=16", "test_clips=1",
        "metrics=[motion,sync_acc]", "references=[still]", "modes=all",
        "tracks=[reconstruction,video,video-cross]", **peers,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    cells = sorted(path.parent.name for path in tmp_path.glob("cells/*/rows.jsonl"))
    assert cells == [
        "peer-driven-seed0-reconstruction", "peer-driven.video-seed0-video", "peer-driven.video-seed0-video-cross",
        "peer-points-seed0-reconstruction", "peer-said-seed0-reconstruction",
        "still-reconstruction", "still-video", "still-video-cross",
    ]  # fmt: skip
    table = (tmp_path / "leaderboard.md").read_text()
    assert "a still, the whole driver" in table
    assert "a still, words, emotion" in table


def test_a_method_without_a_place_on_the_tracks_is_told(zoo: Zoo, peers: dict[str, str], runs: dict[str, Path]):
    given = ("--ckpt", f"peer-points={runs['peer-points'] / 'weights.safetensors'}")
    done = zoo("benchmark", "--methods", "peer-points", *given, "--dry-run", "data.clips=16", "tracks=[video]", **peers)
    assert done.returncode == 2
    assert "peer-points: mode 'sound' (a still, sound) has no place on video; name other tracks" in done.stderr
