"""Files with flipped, missing, zeroed or wrongly typed contents, and what the commands that read them make of it."""

from __future__ import annotations

import json
import random
import shutil
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from benchmarks.faults.found import Case, Fault
from benchmarks.faults.kills import content, troubles, values
from benchmarks.faults.warm import Ended, call
from benchmarks.faults.world import Arguments, World, alone

OTHERS: Sequence[Any] = (None, True, -1, 0, 1e300, "x", "", [], {}, ["x"], {"x": 1}, "NaN", 2**70)
"""What stands in the place of a JSON value."""

TYPED = (".json", ".jsonl", ".yaml", ".safetensors")


@dataclass(frozen=True)
class Target:
    """A file to damage, and who reads it.

    Attributes:
        path: the file, in the case's copy.
        command: reads it.
        verdict: what success with the damaged file must be: ``same`` as with the whole one; ``never``: whoever checks
            must say that it is damaged; ``free``: the content is the user's own, and no program can know that it was
            another before (videos, sounds and pictures, of which a decoder hides what it can; texts; settings).
    """

    path: Path
    command: Arguments
    verdict: str = "same"


def mutated(case: Case, world: World, folder: Path, seed: int) -> list[Fault]:
    """Damage one file, run one command that reads it, and see whether it says so."""
    name = f"{case.name} {seed}"
    cwd = folder / "case"
    cwd.mkdir()
    target = TARGETS[case.kind](random.Random(name), world, cwd)
    how = damage(target.path, random.Random(name))
    ended = _run(target, cwd)
    what = f"{target.path.relative_to(cwd)} {how}, zoo {target.command[0]}: "
    faults = [Fault(fault.kind, what + fault.what) for fault in troubles([ended])]
    if faults:
        return faults
    if ended.code:
        if not ended.err.strip():
            faults.append(Fault("lost", what + "no word"))
        if (cwd / "out.mp4").exists():
            faults.append(Fault("half-written", what + "a video though it failed"))
    elif target.verdict == "never":
        faults.append(Fault("lost", what + "not noticed"))
    elif target.verdict == "same" and "damaged" not in ended.out + ended.err:  # which may be all that it can do
        whole = _undamaged(name, case.kind, world, folder)
        faults += [Fault("lost", what + "another result without a word")] * (outcome(target, ended, cwd) != whole)
    return faults


def _run(target: Target, cwd: Path) -> Ended:
    return call(target.command, cwd, prepare=alone if target.command[0] == "benchmark" else None)


def _undamaged(name: str, kind: str, world: World, folder: Path) -> Any:
    """What the same command gives where nothing is damaged."""
    cwd = folder / "whole"
    cwd.mkdir()
    target = TARGETS[kind](random.Random(name), world, cwd)
    return outcome(target, _run(target, cwd), cwd)


def outcome(target: Target, ended: Ended, cwd: Path) -> Any:
    """What a command gave, without what is only shown, times and places."""
    match target.command[0]:
        case "test" | "compare":
            return values(json.loads(ended.out))
        case "leaderboard":
            return _numbers(json.loads(ended.out))
        case "benchmark":
            return {p.parent.name: p.read_bytes() for p in sorted((cwd / "out/cells").glob("*/rows.jsonl"))}
        case "fit":
            return [content(p) for p in sorted(cwd.glob("runs/*/*/*/weights.safetensors"))]
        case "predict":
            from zoo.media.video import read_video

            return read_video(cwd / "out.mp4").frames.numpy().tobytes()
    return None


def _numbers(board: Any) -> Any:
    """All numbers of a leaderboard that are no times, with where they stand."""
    if isinstance(board, dict):
        found = {key: _numbers(value) for key, value in values(board).items() if key not in ("training", "title")}
        return {key: value for key, value in found.items() if value not in (None, {}, [])}
    if isinstance(board, list):
        return [_numbers(item) for item in board]
    return board if isinstance(board, float) else None


# ---- which files ----------------------------------------------------------------------------------------------------


def _of_store(draw: random.Random, world: World, cwd: Path) -> Target:
    store = Path(shutil.copytree(world.store, cwd / "store"))
    path = draw.choice([store / "store.json", *sorted((store / "shards").iterdir())])
    checkpoint = _copied_run(world, cwd / "elsewhere") / "checkpoints/last.ckpt"  # the scores go beside it
    checked = "same" if path.name == "store.json" else "never"
    return draw.choice([
        Target(path, ("data", "verify", store), checked),
        Target(path, world.test(checkpoint, store)),
        Target(path, world.fit(store)),
        Target(path, world.benchmark(store)),
    ])  # fmt: skip


def _copied_run(world: World, cwd: Path) -> Path:
    return Path(shutil.copytree(world.run, cwd / "runs/lipgan/synthgrid" / world.run.name))


def _of_checkpoint(draw: random.Random, world: World, cwd: Path) -> Target:
    path = _copied_run(world, cwd) / "checkpoints/last.ckpt"
    further = (*world.fit(), "trainer.max_epochs=3", "--resume", str(path))
    return Target(path, draw.choice([world.test(path), world.predict(path), further]))


def _of_weights(draw: random.Random, world: World, cwd: Path) -> Target:
    path = _copied_run(world, cwd) / "weights.safetensors"
    return Target(path, draw.choice([world.test(path), world.predict(path), world.benchmark(weights=path)]))


def _of_run(draw: random.Random, world: World, cwd: Path) -> Target:
    run = _copied_run(world, cwd)
    path = run / draw.choice(["config.yaml", "run.json", "metrics.csv"])
    further = (*world.fit(), "trainer.max_epochs=3", "--resume", "last")
    command = draw.choice([further, world.test(run / "checkpoints/last.ckpt"), world.test(run / "weights.safetensors")])
    return Target(path, command, "free" if path.name == "config.yaml" else "same")


def _of_results(draw: random.Random, world: World, cwd: Path) -> Target:
    out = Path(shutil.copytree(world.results, cwd / "out"))
    rows = sorted(out.glob("cells/*/rows.jsonl"))
    others = [out / "suite.json", *sorted(out.glob("cells/*/cell.json")), *sorted(out.glob("cells/*/times.jsonl"))]
    path = draw.choice([path for path in draw.choice([rows, others]) if path.stat().st_size])
    compare = ("compare", "lipgan", "still", "--dir", out, "--json")
    return Target(path, draw.choice([("leaderboard", out, "--format", "json"), compare, world.benchmark()]))


def _of_videos(draw: random.Random, world: World, cwd: Path) -> Target:
    videos = Path(shutil.copytree(world.videos, cwd / "videos"))
    path = draw.choice(sorted(path for path in videos.rglob("*") if path.is_file()))
    return Target(path, world.prepare(videos=videos), "free")


def _of_media(draw: random.Random, world: World, cwd: Path) -> Target:
    video = sorted(world.videos.rglob("*.mp4"))[0]
    name = draw.choice(["face", "sound", "video"])
    given = {"face": world.folder / "face.png", "sound": world.folder / "sound.wav", "video": video}[name]
    path = Path(shutil.copy(given, cwd / given.name))
    return Target(path, world.predict(**{"sound" if name == "sound" else "face": path}), "free")


TARGETS: dict[str, Callable[[random.Random, World, Path], Target]] = {
    "store": _of_store,
    "checkpoint": _of_checkpoint,
    "weights": _of_weights,
    "run": _of_run,
    "results": _of_results,
    "videos": _of_videos,
    "media": _of_media,
}
"""Kinds of files, all as often."""


# ---- how they are damaged -------------------------------------------------------------------------------------------


def damage(path: Path, draw: random.Random) -> str:
    """Change a file, and say how."""
    whole = path.read_bytes()
    ways = ["flipped", "cut", "zeroed", "emptied"] + 2 * ["mistyped"] * (path.suffix in TYPED)
    way = draw.choice(ways[:3] + ways) if len(ways) > 4 else draw.choice(2 * ways[:3] + ways)
    changed = whole
    while changed == whole:
        place = draw.randrange(len(whole))
        match way:
            case "flipped":
                changed = whole[:place] + bytes([whole[place] ^ draw.randrange(1, 256)]) + whole[place + 1 :]
            case "cut":
                changed = whole[:place]
            case "zeroed":
                stop = min(len(whole), place + draw.choice([1, 16, 512, 4096]))
                changed = whole[:place] + bytes(stop - place) + whole[stop:]
            case "emptied":
                changed = b""
            case _:
                changed, place = mistyped(whole, path.suffix, draw), -1
    path.write_bytes(changed)
    return way if place < 0 or way == "emptied" else f"{way} at {place} of {len(whole)}"


def mistyped(whole: bytes, suffix: str, draw: random.Random) -> bytes:
    """The same with one value of another type."""
    if suffix == ".safetensors":
        (size,) = struct.unpack("<Q", whole[:8])
        header = json.dumps(_swapped(json.loads(whole[8 : 8 + size]), draw)).encode()
        return struct.pack("<Q", len(header)) + header + whole[8 + size :]
    if suffix == ".yaml":
        return yaml.safe_dump(_swapped(yaml.safe_load(whole), draw)).encode()
    lines = whole.decode().splitlines() if suffix == ".jsonl" else [whole.decode()]
    number = draw.randrange(len(lines))
    lines[number] = json.dumps(_swapped(json.loads(lines[number]), draw))
    return "\n".join([*lines, ""]).encode()


def _swapped(tree: Any, draw: random.Random) -> Any:
    places = list(_places(tree))
    holder, key = draw.choice(places)
    holder[key] = draw.choice([other for other in OTHERS if type(other) is not type(holder[key])])
    return tree


def _places(tree: Any) -> Iterator[tuple[Any, Any]]:
    """Every value below, as who holds it and where."""
    for key in list(tree) if isinstance(tree, dict) else range(len(tree)):
        yield tree, key
        if isinstance(tree[key], (dict, list)):
            yield from _places(tree[key])
