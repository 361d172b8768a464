"""A small world for the campaign: videos, a store, a run, results, and the commands that make and read them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from benchmarks.faults.warm import Ended, call, preload

STORE = ("data.batch_size=2", "data.windows_per_clip=1", "data.num_workers=0")

FIT = (
    "fit", "lipgan", *STORE, "trainer.max_epochs=2", "trainer.accelerator=cpu", "trainer.log_every_n_steps=1",
    "model.width=0.06", "model.adversarial_start=0",
)  # fmt: skip
"""Two epochs of LipGAN at its thinnest; ``data.root`` is missing."""

FRAMES = 12
"""Frames per clip."""

Arguments = Sequence[str | Path]


@dataclass(frozen=True)
class World:
    """Where everything lies.

    Attributes:
        folder: all of it.
    """

    folder: Path

    @property
    def videos(self) -> Path:
        """Four speakers with two videos each, landmarks and texts beside them."""
        return self.folder / "videos"

    @property
    def store(self) -> Path:
        """The same clips as a store of the embedded corpus, in three shards."""
        return self.folder / "store"

    @cached_property
    def run(self) -> Path:
        """A finished run of LipGAN."""
        (run,) = (self.folder / "fit" / "runs" / "lipgan" / "synthgrid").iterdir()
        return run

    @property
    def results(self) -> Path:
        """Results of a benchmark."""
        return self.folder / "benchmark" / "out"

    @property
    def prepared(self) -> Path:
        """The store that ``zoo data prepare folder`` makes of the videos."""
        return self.folder / "prepare" / "out"

    def prepare(self, *, workers: int = 1, videos: Path | None = None) -> Arguments:
        """``zoo data prepare``."""
        return ("data", "prepare", "folder", "--root", videos or self.videos, "--out", "out", "--shard-clips", "2",
                "--workers", str(workers))  # fmt: skip

    def fit(self, store: Path | None = None) -> Arguments:
        """``zoo fit``."""
        return (*FIT, f"data.root={store or self.store}")

    def benchmark(self, store: Path | None = None, weights: Path | None = None) -> Arguments:
        """``zoo benchmark``."""
        weights = weights or self.run / "weights.safetensors"
        return (
            "benchmark", "--methods", "lipgan", "--ckpt", f"lipgan={weights}", "--out", "out", "--devices", "1",
            f"data.root={store or self.store}", "metrics=[lmd,psnr,motion]", "references=[still,real]", "test_clips=2",
            "runs=null",
        )  # fmt: skip

    def test(self, checkpoint: Path, store: Path | None = None) -> Arguments:
        """``zoo test``."""
        return ("test", "lipgan", "--ckpt", checkpoint, "--json", *STORE, f"data.root={store or self.store}",
                "trainer.accelerator=cpu")  # fmt: skip

    def predict(self, checkpoint: Path | None = None, face: Path | None = None, sound: Path | None = None) -> Arguments:
        """``zoo predict``."""
        checkpoint = checkpoint or self.run / "checkpoints" / "last.ckpt"
        return ("predict", "lipgan", "--ckpt", checkpoint, "--face", face or self.folder / "face.png",
                "--audio", sound or self.folder / "sound.wav", "--out", "out.mp4", "--device", "cpu")  # fmt: skip


def make_world(folder: Path) -> tuple[World, dict[str, Ended]]:
    """Draw the clips, run every command once undisturbed, and import here what they had to import.

    Returns:
        The world, and how ``prepare``, ``fit`` and ``benchmark`` ended.
    """
    os.environ |= {
        "OMP_NUM_THREADS": "1",
        "WANDB_MODE": "offline",
        "COLUMNS": "160",
        "ZOO_CACHE": str(folder / "cache"),
    }
    preload(("zoo.cli.main", "zoo.training.fit", "zoo.synthesis.predict", "zoo.benchmark.run"))
    world = World(folder)
    _draw(world)
    ended = {}
    for name in ("prepare", "fit", "benchmark"):
        (folder / name).mkdir()
        arguments = getattr(world, name)()
        ended[name] = _undisturbed(arguments, folder / name)
        again = folder / f"{name}-again"
        again.mkdir()
        ended[name] = replace(_undisturbed(arguments, again), modules=[])  # warm: times are those of the moments
    return world, ended


def _undisturbed(arguments: Arguments, cwd: Path) -> Ended:
    ended = call(arguments, cwd, limit=600, prepare=alone if arguments[0] == "benchmark" else None)
    if ended.code != 0:
        raise SystemExit(f"zoo {' '.join(map(str, arguments))} fails undisturbed: {ended.code}\n{ended.out}{ended.err}")
    preload(ended.modules)
    return ended


def alone() -> None:
    """Let the worker of a benchmark work in the benchmark's own process, which need not import everything again."""
    from dataclasses import replace

    from zoo.benchmark import run
    from zoo.benchmark.worker import Worker

    def run_pool(crew: object, shares: object) -> None:
        for rank, tasks in shares.items():  # type: ignore[attr-defined]
            job = replace(crew.job, tasks=[(t.cell, t.clip, list(t.metrics)) for t in tasks])  # type: ignore[attr-defined]

            def tell(state: str, number: int, tasks: object = tasks) -> None:
                if state == "done":
                    crew.done(tasks[number])  # type: ignore[attr-defined, index]

            Worker(job, rank).run(tell)

    run.run_pool = run_pool  # type: ignore[attr-defined]


def _draw(world: World) -> None:
    """Videos, the store, and a photo and a sound for ``predict``."""
    import av
    import torch
    from PIL import Image

    from zoo.data.sources.synthgrid.source import SynthGrid
    from zoo.data.store.shard import write_store
    from zoo.face.crop import store_box
    from zoo.media.audio import cut, num_samples
    from zoo.media.clip import Clip
    from zoo.media.video import write_video

    clips = []
    source = SynthGrid(clips=14, speakers=4, frames=40)
    for item in source.items()[-8:]:  # five to train on, one to validate, two to test
        raw = source.read(item)
        assert raw.landmarks is not None
        frames, landmarks = raw.frames[10 : 10 + FRAMES], raw.landmarks[10 : 10 + FRAMES]
        wave = cut(raw.wave, num_samples(10), num_samples(10 + FRAMES))
        path = world.videos / f"{item.id}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_video(path, frames, fps=25.0, wave=wave)
        np.save(path.with_suffix(".landmarks.npy"), landmarks.numpy())
        path.with_suffix(".txt").write_text(raw.text)
        x0, y0, x1, y1 = store_box(landmarks, *frames.shape[-2:])
        face = frames[:, :, y0:y1, x0:x1].contiguous()
        clips.append(Clip(item.id, item.speaker, raw.text, face, wave, landmarks - torch.tensor([x0, y0])))
    write_store(world.store, clips, dataset="synthgrid", shard_clips=3)
    Image.fromarray(frames[0].permute(1, 2, 0).numpy()).save(world.folder / "face.png")
    with av.open(str(world.folder / "sound.wav"), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=16_000, layout="mono")
        sound = av.AudioFrame.from_ndarray((wave.numpy()[None] * 32767).astype("<i2"), format="s16", layout="mono")
        sound.sample_rate = 16_000
        container.mux([*stream.encode(sound), *stream.encode(None)])
