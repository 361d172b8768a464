"""AdversarialMethod under a real Trainer: whose turn it is, what a term costs, clipping, and whose gradients flow."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from tests.helpers.batches import random_windows
from zoo.data.batch import Batch
from zoo.methods.adversarial import AdversarialMethod, Step, Term, Terms, Turn
from zoo.methods.config import AdversarialConfig
from zoo.registry.spec import InputSpec
from zoo.support.errors import ConfigError, DataError

pytestmark = pytest.mark.usefixtures("one_thread")


@dataclass
class Notes:
    """What happened in a training, in order."""

    steps: list[tuple[int, str]] = field(default_factory=list)
    """The batch, and the player whose optimiser took a step."""
    norms: dict[str, list[float]] = field(default_factory=dict)
    """Norm of all gradients of a player as its optimiser took a step."""
    logged: dict[str, list[float]] = field(default_factory=dict)
    given: list[Step] = field(default_factory=list)


class Shades(AdversarialMethod):
    """Draws pictures of one shade; the discriminator tells shades apart."""

    def __init__(self, config: AdversarialConfig) -> None:
        super().__init__(config)
        self.notes = Notes()

    def build(self, config: Any) -> None:
        self.generator = nn.Linear(1, 1)
        self.discriminator = nn.Linear(1, 1)
        for network, value in ((self.generator, 0.5), (self.discriminator, 2.0)):
            for parameter in network.parameters():
                nn.init.constant_(parameter, value)

    @property
    def input_spec(self) -> InputSpec:
        return InputSpec(size=(8, 8), frames=2, context=640)

    def drawn(self, batch: Batch) -> Tensor:
        return self.generator(batch.given.stills.mean((2, 3, 4)))

    def reconstruct(self, batch: Batch) -> Tensor:
        return self.drawn(batch)[..., None, None, None].expand_as(batch.frames)

    def generate(self, request: Any) -> Tensor:
        shade = self.generator(request.stills.mean((2, 3, 4)))
        return shade[..., None, None, None].expand(-1, request.num_frames, 3, 8, 8)

    def generator_terms(self, step: Step) -> Terms:
        self.notes.given.append(step)
        step.generated = self.drawn(step.batch)
        yield Term("g", self.discriminator(step.generated).mean(), 100)

    def discriminator_terms(self, step: Step) -> Terms:
        yield Term("d", -self.discriminator(step.generated).mean(), 100)

    def log(self, name: str, value: Any, *_: Any, **__: Any) -> None:
        self.notes.logged.setdefault(name, []).append(float(value))

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        parameters = [value for group in optimizer.param_groups for value in group["params"]]
        (name,) = (name for name, groups in self.players().items() if has(groups[0].networks[0], parameters[0]))
        self.notes.steps.append((self.notes.given[-1].number if self.notes.given else 0, name))
        gradients = [value.grad for value in parameters if value.grad is not None]
        self.notes.norms.setdefault(name, []).append(float(torch.cat([g.flatten() for g in gradients]).norm()))


def has(network: nn.Module, parameter: Tensor) -> bool:
    return any(parameter is own for own in network.parameters())


def trained(module: AdversarialMethod, steps: int, epochs: int = 1, size: int = 2, frames: int = 2) -> None:
    trainer = pl.Trainer(
        max_epochs=epochs, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False,
    )  # fmt: skip
    batches: Any = [random_windows(size, frames, 8, 640)] * steps
    trainer.fit(module, DataLoader(batches, batch_size=None, collate_fn=lambda batch: batch))


def state(module: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in module.state_dict().items()}


def changed(module: nn.Module, before: dict[str, Tensor]) -> set[str]:
    """The networks that have other weights than before."""
    return {name.split(".")[0] for name, value in module.state_dict().items() if not torch.equal(value, before[name])}


def turns(module: Shades, player: str) -> list[int]:
    return [number for number, name in module.notes.steps if name == player]


# ---- whose turn it is ------------------------------------------------------------------------------------------------


def test_generator_and_discriminator_take_turns():
    module = Shades(AdversarialConfig())
    trained(module, 3)
    assert module.notes.steps == [(n, name) for n in range(3) for name in ("generator", "discriminator")]
    assert [len(module.notes.logged[f"train/{name}"]) for name in ("g", "g_loss", "d", "d_loss")] == [3] * 4
    assert module.notes.logged["train/g_loss"] == pytest.approx(
        [100 * value for value in module.notes.logged["train/g"]]
    )


def test_the_discriminator_every_third_step():
    module = Shades(AdversarialConfig(discriminator_every=3))
    trained(module, 5, epochs=2)
    assert turns(module, "generator") == [0, 1, 2, 3, 4] * 2
    assert turns(module, "discriminator") == [0, 3] * 2, "counted within an epoch, so that a resumed run is the same"


@pytest.mark.parametrize(("start", "joined"), [(0.0, [0, 1, 2, 3, 0, 1, 2, 3]), (0.4, [0, 1, 2, 3]), (1.0, [])])
def test_the_discriminator_joins_after_a_fraction_of_the_run(start: float, joined: list[int]):
    """Three eighths of the run are done before its fourth step, a half before the fifth."""
    module = Shades(AdversarialConfig(adversarial_start=start))
    trained(module, 4, epochs=2)
    assert turns(module, "discriminator") == joined
    assert [step.number for step in module.notes.given if step.adversarial] == joined
    assert len(turns(module, "generator")) == 8


def test_what_the_generator_keeps_reaches_the_discriminator_detached():
    class Keeps(Shades):
        def generator_terms(self, step: Step) -> Terms:
            yield from super().generator_terms(step)
            step.text, step.of_generator = "kept", step.generated
            assert step.generated.requires_grad

        def discriminator_terms(self, step: Step) -> Terms:
            assert step.text == "kept"
            assert not step.generated.requires_grad
            assert torch.equal(step.generated, step.of_generator)
            yield from super().discriminator_terms(step)

    module = Keeps(AdversarialConfig())
    trained(module, 2)
    assert [type(step.batch) for step in module.notes.given] == [Batch, Batch]
    assert len(turns(module, "discriminator")) == 2


class TwoJudges(Shades):
    """Two discriminators that have a turn each, and one for both whose sum is not logged."""

    def build(self, config: Any) -> None:
        super().build(config)
        self.other_discriminator = nn.Linear(1, 1)

    def turns(self, step: Step) -> Iterator[Turn]:
        yield Turn(self.other_terms, ["other_discriminator"], "other")
        yield Turn(self.both_terms, ["discriminator", "other_discriminator"], "")

    @staticmethod
    def shade(batch: Batch) -> Tensor:
        return batch.frames.mean((1, 2, 3, 4))[:, None]

    def other_terms(self, step: Step) -> Terms:
        yield Term("first", self.other_discriminator(self.shade(step.batch)).mean())

    def both_terms(self, step: Step) -> Terms:
        yield from self.other_terms(step)
        yield Term("second", self.discriminator(self.shade(step.batch)).mean())


def test_a_method_may_have_other_turns():
    module = TwoJudges(AdversarialConfig())
    assert list(module.players()) == ["generator", "discriminator", "other_discriminator"]
    before = state(module)
    trained(module, 1)
    assert [name for _, name in module.notes.steps] == ["other_discriminator", "discriminator", "other_discriminator"]
    assert changed(module, before) == {"discriminator", "other_discriminator"}
    assert module.notes.logged.keys() == {"train/first", "train/second", "train/other"}


# ---- terms -----------------------------------------------------------------------------------------------------------


class NoBackward(torch.autograd.Function):
    """A value whose gradient nobody may ask for."""

    @staticmethod
    def forward(_: Any, value: Tensor) -> Tensor:
        return value.clone()

    @staticmethod
    def backward(_: Any, *gradients: Tensor) -> Tensor:
        raise AssertionError("a term of weight 0 was differentiated")


class Weighted(Shades):
    """Terms with the weights of a test; only the second can be differentiated."""

    weights = (0.0, 0.0)

    def generator_terms(self, step: Step) -> Terms:
        generated = self.drawn(step.batch).mean()
        yield Term("watched", NoBackward.apply(generated), self.weights[0])
        yield Term("small", generated, self.weights[1])

    def discriminator_terms(self, step: Step) -> Terms:
        return ()


def test_a_term_of_weight_zero_is_logged_and_never_differentiated():
    module = Weighted(AdversarialConfig())
    module.weights = (0.0, 3.0)
    before = state(module)
    trained(module, 2)
    assert changed(module, before) == {"generator"}
    logged = module.notes.logged
    assert logged["train/watched"] == logged["train/small"]
    assert logged["train/g_loss"] == pytest.approx([3 * value for value in logged["train/small"]])
    module.weights = (1.0, 3.0)
    with pytest.raises(AssertionError, match="differentiated"):
        trained(module, 1)


def test_a_turn_whose_terms_all_weigh_nothing_takes_no_step():
    """Neither do a discriminator's without terms: Adam would move weights by what it remembers."""
    module = Weighted(AdversarialConfig())
    before = state(module)
    trained(module, 3)
    assert module.notes.steps == []
    assert changed(module, before) == set()
    assert module.notes.logged.keys() == {"train/watched", "train/small"}


# ---- clipping --------------------------------------------------------------------------------------------------------


def test_the_gradient_of_each_optimiser_is_clipped_by_itself():
    free, bound = Shades(AdversarialConfig()), Shades(AdversarialConfig(gradient_clip=0.25))
    trained(free, 1)
    trained(bound, 1)
    for player in ("generator", "discriminator"):
        assert free.notes.norms[player][0] > 1
        assert bound.notes.norms[player] == pytest.approx([0.25], rel=1e-4)


def test_a_gradient_below_the_bound_stays_as_it_is():
    free, bound = Shades(AdversarialConfig()), Shades(AdversarialConfig(gradient_clip=1e6))
    trained(free, 2)
    trained(bound, 2)
    assert free.notes.norms == bound.notes.norms
    assert changed(free, state(bound)) == set()


# ---- whose gradients flow --------------------------------------------------------------------------------------------


class Looks(Shades):
    """Notes whose parameters ask for gradients in each turn; may fail in the discriminator's."""

    fails = False

    def build(self, config: Any) -> None:
        super().build(config)
        self.helper = nn.Linear(1, 1)
        self.generator.bias.requires_grad_(False)
        self.seen: dict[str, dict[str, bool]] = {}

    def asking(self) -> dict[str, bool]:
        return {name: value.requires_grad for name, value in self.named_parameters()}

    def generator_terms(self, step: Step) -> Terms:
        self.seen["generator"] = self.asking()
        yield from super().generator_terms(step)

    def discriminator_terms(self, step: Step) -> Terms:
        self.seen["discriminator"] = self.asking()
        yield from super().discriminator_terms(step)
        if self.fails:
            raise DataError("in the middle")


def test_only_the_parameters_whose_turn_it_is_ask_for_gradients():
    module = Looks(AdversarialConfig())
    before, weights = module.asking(), state(module)
    trained(module, 2)
    free, frozen = {"weight": True, "bias": True}, {"weight": False, "bias": False}
    others = {f"helper.{name}": True for name in free}
    assert module.seen["generator"] == {
        "generator.weight": True, "generator.bias": False, **others,
        **{f"discriminator.{name}": value for name, value in frozen.items()},
    }  # fmt: skip
    assert module.seen["discriminator"] == {
        "generator.weight": False, "generator.bias": False, **others,
        **{f"discriminator.{name}": value for name, value in free.items()},
    }  # fmt: skip
    assert module.asking() == before, "afterwards all is as it was, what the author froze too"
    assert torch.equal(module.generator.bias, weights["generator.bias"])


def test_a_step_that_fails_leaves_nothing_frozen():
    module = Looks(AdversarialConfig())
    before, module.fails = module.asking(), True
    with pytest.raises(DataError, match="in the middle"):
        trained(module, 1)
    assert module.asking() == before


# ---- batches ---------------------------------------------------------------------------------------------------------


def test_a_batch_of_too_few_windows_is_refused():
    module = Shades(AdversarialConfig())
    module.least_windows = 2
    trained(module, 1, size=2)
    with pytest.raises(ConfigError, match=r"data\.batch_size: .* at least two windows"):
        trained(module, 1, size=1)


@pytest.mark.parametrize(("short", "frames"), [("extend", 2), ("keep", 1)])
def test_windows_that_are_too_short(short: Any, frames: int):
    module = Shades(AdversarialConfig())
    with pytest.raises(DataError, match=r"c0: .* needs clips of at least 2 frames"):
        trained(module, 1, frames=1)
    module.short_windows = short
    trained(module, 1, frames=1)
    batch = module.notes.given[-1].batch
    assert batch.frames.shape[1] == batch.given.num_frames == frames
    assert torch.equal(batch.frames[:, -1], batch.frames[:, 0])
    assert batch.given.audio_windows(640).shape == (2, frames, 640)


# ---- learning rates --------------------------------------------------------------------------------------------------


def test_the_generators_learning_rate_alone_falls_at_the_end():
    rates: dict[str, list[float]] = {"generator": [], "discriminator": []}

    class Rates(Shades):
        on_step: Callable[..., None]

        def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
            super().on_before_optimizer_step(optimizer)
            rates[self.notes.steps[-1][1]].append(optimizer.param_groups[0]["lr"])

    trained(Rates(AdversarialConfig(learning_rate=0.01, lr_decay_fraction=0.5)), 8)
    assert rates["generator"] == pytest.approx([0.01] * 4 + [0.01, 0.0075, 0.005, 0.0025])
    assert rates["discriminator"] == [0.01] * 8
