"""Generators that are trained against discriminators: everything of their training that is no paper's."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from types import SimpleNamespace
from typing import Any, Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from zoo.data.batch import Batch
from zoo.methods.config import AdversarialConfig
from zoo.methods.losses.sync import SyncLoss
from zoo.methods.method import TalkingFaceMethod
from zoo.methods.nn.speed import is_planar
from zoo.methods.schedule import lr_factor, reached
from zoo.support.errors import ConfigError, DataError


class Term(NamedTuple):
    """One term of a loss, logged as ``train/NAME``; one of weight 0 is logged only."""

    name: str
    value: Float[Tensor, ""]
    weight: float = 1.0


Terms = Iterable[Term]


class Step(SimpleNamespace):
    """A training step. What the generator's terms keep here, such as ``step.generated``, the discriminators' find.

    They find it detached: no gradient of a discriminator's turn reaches the generator.

    Attributes:
        batch: windows, whole if the method needs them so (:attr:`AdversarialMethod.short_windows`).
        number: of the batch in its epoch.
        adversarial: whether :attr:`AdversarialMethod.adversarial_start` of the run is done.
    """

    batch: Batch
    number: int
    adversarial: bool

    def detach(self) -> None:
        """Cut all that is kept off its history."""
        for name, value in vars(self).items():
            if isinstance(value, Tensor):
                setattr(self, name, value.detach())


@dataclass(frozen=True)
class Group:
    """Networks that share a learning rate, and an optimiser with the other groups of their player."""

    networks: Sequence[nn.Module]
    learning_rate: float
    weight_decay: float = 0.0


class Turn(NamedTuple):
    """A backward pass: which terms, whose parameters, and as what their sum is logged; empty: not at all."""

    terms: Callable[[Step], Terms]
    players: Sequence[str]
    total: str


class AdversarialMethod(TalkingFaceMethod):
    """A generator, discriminators, and steps in which they take turns.

    Subclasses implement :meth:`build`, :meth:`generator_terms`, :meth:`discriminator_terms` and the contract's
    ``input_spec``, ``reconstruct`` and ``generate``.

    Args:
        config: settings.
    """

    config: AdversarialConfig
    frontend: Any
    """A module or method that turns sound into features."""

    least_windows = 1
    """Windows that a batch must have at least: 2 for batch normalisation, or for negatives from other windows."""

    short_windows: Literal["refuse", "extend", "keep"] = "refuse"
    """Clips shorter than a window: an error, extended by their last picture and silence, or as they are."""

    def __init__(self, config: AdversarialConfig) -> None:
        super().__init__(config)
        self.automatic_optimization = False  # so that DDP looks for parameters whose turn it is not
        self.build(config)
        if config.channels_last:
            for network in filter(is_planar, self.children()):
                network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @abstractmethod
    def build(self, config: Any) -> None:
        """Make the networks: ``self.generator``, and discriminators whose attributes end in ``discriminator``.

        Raises:
            ConfigError: settings that make no network.
        """

    @abstractmethod
    def generator_terms(self, step: Step) -> Terms:
        """What the generator makes small; renders, and keeps what :meth:`discriminator_terms` needs in ``step``."""

    @abstractmethod
    def discriminator_terms(self, step: Step) -> Terms:
        """What the discriminators make small; their total is logged as ``train/d_loss``."""

    # ---- who plays, and when ----------------------------------------------------------------------------------------

    def players(self) -> dict[str, list[Group]]:
        """Each optimiser's networks, the generator's first, with the learning rates of this epoch.

        Checkpoints hold optimisers by number: a new one goes to the end.
        """
        return {
            name: [Group([network], self.config.learning_rate)]
            for name, network in self.named_children()
            if name == "generator" or name.endswith("discriminator")
        }

    def turns(self, step: Step) -> Iterator[Turn]:
        """The backward passes of a step: the generator's, then one for all discriminators where they have joined."""
        yield Turn(self.generator_terms, ["generator"], "g_loss")
        if step.adversarial and step.number % self.config.discriminator_every == 0:
            others = [name for name in self.players() if name.endswith("discriminator")]
            yield Turn(self.discriminator_terms, others, "d_loss")

    @property
    def adversarial_start(self) -> float:
        """Fraction of the run after which the discriminators join."""
        return self.config.adversarial_start

    @property
    def expert(self) -> str | None:
        """Weights of the frozen sync expert whose loss is one more term (:attr:`sync_loss`); ``None``: no expert.

        The setting ``expert``, where a method has it.
        """
        return getattr(self.config, "expert", None)

    @cached_property
    def sync_loss(self) -> SyncLoss:
        """The frozen expert; read when it is first needed, since a trained generator does without."""
        assert self.expert is not None
        return SyncLoss(self.expert)

    # ---- a step -----------------------------------------------------------------------------------------------------

    def training_step(self, batch: Batch, batch_idx: int) -> None:
        """Everybody's turn, one after another."""
        if len(batch.clip) < self.least_windows:
            raise ConfigError(
                f"data.batch_size: {self.method_name} needs at least two windows per step, for batch normalisation or "
                "as one another's negatives"
            )
        step = Step(
            batch=self.whole_windows(batch), number=batch_idx, adversarial=reached(self, self.adversarial_start)
        )
        optimisers = self._optimisers()
        for turn in self.turns(step):
            step.detach()
            with self._only(optimisers, turn.players):
                self._descend(turn, step, [optimisers[name] for name in turn.players])

    def _descend(self, turn: Turn, step: Step, optimisers: list[Any]) -> None:
        loss: Tensor | float = 0.0
        for term in turn.terms(step):
            if term.weight:
                loss = loss + term.weight * term.value
            self.log(f"train/{term.name}", term.value.detach(), prog_bar=term.name == "l1")
        if not isinstance(loss, Tensor):  # every weight is zero
            return
        for optimiser in optimisers:
            optimiser.zero_grad()
        self.manual_backward(loss)
        for optimiser in optimisers:
            if self.config.gradient_clip:
                self.clip_gradients(optimiser, self.config.gradient_clip, "norm")
            optimiser.step()
        if turn.total:
            self.log(f"train/{turn.total}", loss.detach(), prog_bar=turn.total != "g_loss")

    @contextmanager
    def _only(self, optimisers: dict[str, Any], players: Sequence[str]) -> Iterator[None]:
        """Let the parameters of these players alone get gradients."""
        others = [
            parameter
            for name, optimiser in optimisers.items()
            for group in optimiser.param_groups
            for parameter in group["params"]
            if name not in players and parameter.requires_grad
        ]
        for parameter in others:
            parameter.requires_grad_(False)
        try:
            yield
        finally:
            for parameter in others:
                parameter.requires_grad_(True)

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        """Adam for every player."""
        return [
            torch.optim.Adam(
                [
                    {
                        "params": [value for network in group.networks for value in network.parameters()],
                        "lr": group.learning_rate,
                        "weight_decay": group.weight_decay,
                    }
                    for group in groups
                ],
                lr=self.config.learning_rate,
                betas=(self.config.beta1, 0.999),
            )
            for groups in self.players().values()
        ]

    def _optimisers(self) -> dict[str, Any]:
        """The optimisers with the learning rates of this step, and of nothing else: a resumed run has the same."""
        made: Any = self.optimizers()
        players, left = self.players(), lr_factor(self, self.config.lr_decay_fraction)
        named = dict(zip(players, made if isinstance(made, list) else [made], strict=True))
        for name, groups in players.items():
            for given, group in zip(named[name].param_groups, groups, strict=True):
                given["lr"] = group.learning_rate * (left if name == "generator" else 1)
        return named

    # ---- what methods share -----------------------------------------------------------------------------------------

    def features(self, sound: Float[Tensor, "N samples"]) -> Tensor:
        """Audio windows through ``self.frontend``, always in float32."""
        with torch.autocast(sound.device.type, enabled=False):
            return self.frontend(sound)

    def laid_out(self, pictures: Float[Tensor, "N C H W"]) -> Float[Tensor, "N C H W"]:
        """Pictures in the memory layout of the networks."""
        return pictures.contiguous(memory_format=torch.channels_last) if self.config.channels_last else pictures

    def whole_windows(self, batch: Batch) -> Batch:
        """The batch as :attr:`short_windows` wants it.

        Raises:
            DataError: a clip is too short.
        """
        frames = self.input_spec.frames
        if frames is None or self.short_windows == "keep":
            return batch
        if self.short_windows == "extend":
            return _extended(batch, frames)
        if int(batch.length.min()) < frames:
            short = batch.clip[int(batch.length.argmin())]
            raise DataError(f"{short}: {self.method_name} needs clips of at least {frames} frames")
        return batch

    # ---- around a run -----------------------------------------------------------------------------------------------

    def before_fit(self) -> None:
        """Read the expert (:meth:`zoo.methods.module.TrainableModule.before_fit`)."""
        if self.expert is not None:
            _ = self.sync_loss

    def on_train_start(self) -> None:
        """Say so where the expert knows no real faces."""
        if self.expert is not None:
            self.sync_loss.check_data(self.trainer.datamodule)  # type: ignore[attr-defined]


def _extended(batch: Batch, frames: int) -> Batch:
    """Windows of at least so many frames: the last picture is held, and the rest is silent."""
    missing = frames - batch.frames.shape[1]
    if missing <= 0:
        return batch
    held = batch.frames[:, -1:].expand(-1, missing, -1, -1, -1)
    points = batch.landmarks[:, -1:].expand(-1, missing, -1, -1)
    return replace(
        batch,
        given=batch.given.part(0, frames),
        frames=torch.cat([batch.frames, held], 1),
        landmarks=torch.cat([batch.landmarks, points], 1),
    )
