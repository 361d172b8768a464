"""Fixtures of the experts' tests: a store of short clips with words, and the command line in this process."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest
import torch

from zoo.cli import main
from zoo.data.batch import Batch
from zoo.data.store.shard import write_store
from zoo.data.store.store import Store
from zoo.data.windows import Draw, Windows, collate
from zoo.media import audio
from zoo.media.clip import Word
from zoo.registry.spec import InputSpec

SPEAKERS = ("train0", "train1", "train2", "val0", "test0", "test1", "test2")

WORDS = (Word(0.08, 0.4, "set"), Word(0.48, 0.96, "green"))
"""Said, for all that the tests care, in every short clip of 1.2 s."""


class Said(NamedTuple):
    """What a command left behind on the terminal."""

    code: int
    out: str
    err: str


Call = Callable[..., Said]
MakeBatch = Callable[..., Batch]


@pytest.fixture(scope="session")
def one_thread() -> Iterator[None]:
    """The same sums in the same order."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def call(one_thread: None) -> Call:
    """``call("fit", "sync-expert", ...)`` runs a command line in this process."""

    def run(*arguments: str | Path) -> Said:
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main.run([str(argument) for argument in arguments])
        return Said(code, out.getvalue(), err.getvalue())

    return run


@pytest.fixture(scope="session")
def short_store(tiny_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seven clips of 1.2 s: three to train on, one to validate, three to test; the last one without words."""
    store = Store(tiny_store)
    clips = []
    for number, speaker in enumerate(SPEAKERS):
        clip = store.clip(number % len(store))
        first = 25 if number >= len(store) else 12
        words = () if number == len(SPEAKERS) - 1 else WORDS
        clips.append(
            replace(
                clip,
                id=f"{speaker}/c",
                speaker=speaker,
                frames=clip.frames[first : first + 30],
                landmarks=clip.landmarks[first : first + 30],
                wave=audio.cut(clip.wave, first * 640, (first + 30) * 640),
                words=words,
                text=" ".join(word.text for word in words),
            )
        )
    path = tmp_path_factory.mktemp("experts") / "store"
    write_store(path, clips, dataset="synthgrid")
    return path


@pytest.fixture(scope="session")
def make_batch(tiny_store: Path) -> MakeBatch:
    """``make_batch(spec, [0, 1], seed=3)``: windows of the tiny store, or its whole clips without a seed."""

    def make(spec: InputSpec, clips: Sequence[int], seed: int | None = None) -> Batch:
        windows = Windows(Store(tiny_store), spec)
        return collate([windows[Draw(clip, None if seed is None else (seed, clip))] for clip in clips]).unit()

    return make
