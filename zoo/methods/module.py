"""The LightningModule under methods and experts."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import pytorch_lightning as pl
import torch

from zoo import __version__
from zoo.data.batch import Batch
from zoo.data.store.store import Store
from zoo.methods.corpora import Corpus, as_plain, corpora_of, join
from zoo.registry.spec import InputSpec, TrainableSpec, Uses


class TrainableModule(pl.LightningModule, ABC):
    """A network that is trained on windows of clips and then scored on whole test clips.

    Args:
        config: its settings dataclass.
    """

    seed = 0
    """Seed of the run; with the epoch it decides all that is random, so that a resumed run is the same run."""

    method_name = ""
    """The registered name, kept in checkpoints."""

    spec: TrainableSpec
    """How it was registered."""

    corpora: tuple[Corpus, ...] = ()
    """What it was trained on, kept in checkpoints; none where nobody knows."""

    monitor = "val/l1"
    """The logged value whose lowest marks the best checkpoint."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.config = config

    @property
    def find_unused_parameters(self) -> bool:
        """Whether a backward pass may leave parameters without gradient, which DDP must know.

        Where the module takes the steps itself, as networks that take turns do; others say so by a class attribute.
        """
        return not self.automatic_optimization

    def take_spec(self, spec: TrainableSpec, seed: int) -> None:
        """Keep what the module must know of how it was registered and built."""
        self.spec, self.method_name, self.seed = spec, spec.name, seed

    @property
    @abstractmethod
    def input_spec(self) -> InputSpec:
        """Input format: how windows and clips are cut for it."""

    @property
    def uses(self) -> Uses:
        """What each batch gives beside: the words."""
        return Uses(words=True)

    @abstractmethod
    def score(self, outputs: Any, batch: Batch, store: Store) -> list[dict[str, Any]]:
        """Rows of plain values, one per test clip of the batch, each with ``clip`` and ``speaker``.

        Args:
            outputs: what ``test_step`` returned.
            batch: whole clips.
            store: where they come from.
        """

    @abstractmethod
    def summarise(self, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """The scores over all test clips, each clip once. ``table``, if there, is what the command line prints."""

    def quality(self, scores: dict[str, Any]) -> str:
        """What :meth:`summarise` found, in a few words."""
        return ", ".join(f"{key} {value}" for key, value in scores.items() if isinstance(value, float))

    def before_fit(self) -> None:
        """Load and check what only training needs; called before a run has a folder, so that a refusal leaves none."""

    def on_train_epoch_start(self) -> None:
        """Seed torch from the run, the epoch and the process: a run resumed at an epoch goes on as it would have."""
        torch.manual_seed(((self.seed * 1_000_003 + self.current_epoch) * 1009 + self.global_rank) % 2**63)

    def for_inference(self) -> TrainableModule:
        """Get ready to be asked only; modules that can be made faster for it override this."""
        return self.eval().requires_grad_(False)

    def checkpoint_metadata(self) -> dict[str, Any]:
        """What is needed to build the module again, as plain numbers and strings only."""
        return {
            "method": self.method_name,
            "config": dataclasses.asdict(self.config),
            "seed": self.seed,
            "version": __version__,
            "trained_on": as_plain(self.corpora),
        }

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep :meth:`checkpoint_metadata`."""
        checkpoint["zoo"] = self.checkpoint_metadata()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """A run that goes on has seen what it saw before, too."""
        self.corpora = join(corpora_of(checkpoint.get("zoo") or {}), self.corpora)
