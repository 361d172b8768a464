"""The one data module that feeds every method, from the store, as its InputSpec says."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader, Sampler

from zoo import __version__, registry
from zoo.data.batch import Batch
from zoo.data.loading import IN_FLIGHT, PATIENCE_S, batch_bytes, check_shared_memory, share_by_name
from zoo.data.pool import usable_cores
from zoo.data.splits import Part, Split, require_train, split_clips
from zoo.data.store.store import Store
from zoo.data.windows import Draw, EveryClip, RandomWindows, Windows, collate
from zoo.media import audio
from zoo.registry.config import DataConfig
from zoo.registry.spec import InputSpec, Uses
from zoo.support.errors import ConfigError, DataError

VALIDATION_SEED = 7
"""Seed of the validation windows: the same in every epoch and every run."""


def cache_folder() -> Path:
    """Where made data is kept: ``$ZOO_CACHE``, or ``talking-face-zoo`` in the user's cache folder."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("ZOO_CACHE") or Path(base) / "talking-face-zoo")


def store_path(config: DataConfig) -> str:
    """Where the store of a data set lies.

    Raises:
        ConfigError: ``data.root`` is not given and the data set does not make its own clips.
    """
    if config.root is not None:
        return config.root
    if registry.dataset(config.name).embedded:
        return str(cache_folder() / f"{config.name}-{__version__}-{config.clips}clips-seed{config.seed}")
    raise ConfigError(
        f"data.root: say where the prepared clips are; `zoo data prepare {config.name} --root FOLDER --out DIR` "
        "makes them, then add data.root=DIR"
    )


class TalkingFaceData(pl.LightningDataModule):
    """Training windows, validation windows and whole test clips of one store.

    Args:
        config: which clips and how many at a time.
        spec: how windows and clips are cut.
        seed: seed of the run.
        uses: what else is given, in every batch; words, if it is not told.
    """

    store: Store
    clips: Split

    def __init__(self, config: DataConfig, spec: InputSpec, seed: int = 0, uses: Uses | None = None) -> None:
        super().__init__()
        self.config, self.spec, self.seed, self.uses = config, spec, seed, uses or Uses(words=True)
        self.path = store_path(config)
        self._sent = 0  # bytes that loading processes of this stage may have on their way
        self.split = config.split or registry.dataset(config.name).splits[0]

    def prepare_data(self) -> None:
        """Make the clips of an embedded data set where they are missing (on one process per machine)."""
        dataset = registry.dataset(self.config.name)
        if self.config.root is None and dataset.embedded:
            from zoo.data.prepare import prepare

            source = dataset.load()(clips=self.config.clips, seed=self.config.seed)
            prepare(
                source, self.path, dataset=dataset.name, splits=dataset.splits, licence=dataset.licence,
                citation=dataset.citation, wait=True,
            )  # fmt: skip

    def setup(self, stage: str | None = None) -> None:
        """Open the store and divide its clips.

        Raises:
            DataError: no store, no clip to train on, or clips at another rate than the method's.
        """
        self._sent = 0
        self.store = Store(self.path)
        self.clips = split_clips(self.store.clips, self.split)
        if self.config.max_clips is not None:
            self.clips = {name: clips[: self.config.max_clips] for name, clips in self.clips.items()}
        self.windows = Windows(self.store, self.spec, self.uses)
        self.windows.check_arrays(number for part in self.clips.values() for number in part)
        info = self.store.clips[0]
        if (info.fps, info.sample_rate) != (self.spec.fps, self.spec.sample_rate):
            raise DataError(
                f"{self.path}: clips at {info.fps} fps and {info.sample_rate} Hz, the method wants {self.spec.fps} and "
                f"{self.spec.sample_rate}; prepare them again"
            )
        if stage == "fit":
            require_train(self.clips, self.split)
        if stage == "test" and not self.clips["test"]:
            way_out = "prepare more clips" if self.split == "by-clip" else "try data.split=by-clip"
            raise DataError(
                f"{self.path}: split '{self.split}' leaves none of {len(self.store)} clips to test on; {way_out}"
            )

    def train_dataloader(self) -> DataLoader[Any]:
        """Random windows, ``data.windows_per_clip`` of each clip per epoch.

        Raises:
            DataError: ``data.num_workers`` processes would fill the shared memory.
        """
        rank, world = self._place()
        sampler = RandomWindows(self.clips["train"], self.config.windows_per_clip, self.seed, rank, world)
        return self._loader("train", sampler, self.config.batch_size, drop_last=len(sampler) >= self.config.batch_size)

    def val_dataloader(self) -> DataLoader[Any] | list[Any]:
        """One fixed window of each held-out clip."""
        if not self.clips["val"]:
            return []
        return self._loader(
            "val", EveryClip(self.clips["val"], VALIDATION_SEED, *self._place()), self.config.batch_size
        )

    def test_dataloader(self) -> DataLoader[Any]:
        """Whole test clips, one at a time."""
        return self._loader("test", EveryClip(self.clips["test"], None, *self._place()), 1)

    def on_after_batch_transfer(self, batch: Batch, dataloader_idx: int) -> Batch:
        """Pictures travel as bytes and become float32 in [0, 1] on the device; no more is given than is used."""
        return batch.unit().only("", self.uses)

    def _place(self) -> tuple[int, int]:
        return (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)

    def _loader(self, name: Part, sampler: Sampler[Draw], batch_size: int, drop_last: bool = False) -> DataLoader[Any]:
        workers = min(self.config.num_workers, usable_cores())
        if workers:
            frames = None if name == "test" else self.spec.frames
            self._check_room(name, frames, batch_size, workers)
        return DataLoader(
            self.windows,
            generator=torch.Generator(),  # of its own: drawing from torch's would shift what a resumed run draws
            batch_size=batch_size,
            sampler=sampler,
            num_workers=workers,
            collate_fn=collate,
            drop_last=drop_last,
            persistent_workers=workers > 0,
            timeout=PATIENCE_S if workers else 0,
            worker_init_fn=share_by_name if workers else None,
            pin_memory=workers > 0 and self.trainer is not None and self.trainer.strategy.root_device.type == "cuda",
        )

    def _check_room(self, name: Part, frames: int | None, batch_size: int, workers: int) -> None:
        """Before processes start: what they send, for all loaders of this stage, must fit into the shared memory."""
        if frames is None:  # whole clips
            frames = max(self.store.clips[number].num_frames for number in self.clips[name])
        first, last = audio.frame_window(0, frames, self.spec.context)
        shapes = self.store.shapes(self.clips[name][0])
        numbers = sum(math.prod(shapes[array]) for array in self.uses.arrays)
        size = batch_bytes(self.spec, self.windows.stills, batch_size, frames, last - first, numbers)
        self._sent += IN_FLIGHT * workers * size
        mine = self.trainer.world_size // self.trainer.num_nodes if self.trainer else 1  # processes on this machine
        check_shared_memory(self._sent * mine, workers * mine)
