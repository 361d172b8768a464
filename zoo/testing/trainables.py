"""Rules of everything that `zoo fit` trains, methods and experts alike."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from zoo import registry
from zoo.methods import trainable
from zoo.registry import config as configs
from zoo.support.errors import ConfigError
from zoo.testing.cases import TrainableCase
from zoo.testing.guards import watch_state
from zoo.testing.rules import Broken, Rules, require_no_calls, rule
from zoo.testing.specs import importable
from zoo.testing.trial import FEW, STEPS, few_steps, fit, watched

if TYPE_CHECKING:
    from zoo.testing.processes import Rank

RULES: Rules = []

LOADED = 1e-5
"""By how much, also in parts, what a module makes may differ from what it made before it was kept and loaded."""

AS_ONE = 1e-3
"""By how much of its way a parameter may be elsewhere after two processes took the steps of one."""


@rule(
    RULES,
    "it is built from its settings",
    "the settings of its `trial` are taken, and its class makes a module of them; or the checkpoint is read",
    "correct `trial` or `config` of the spec, or what the class does with its settings",
    needs=(importable,),
)
def buildable(case: TrainableCase) -> None:
    """Build it."""
    _ = case.given if case.ckpt else case.build()


@rule(
    RULES,
    "weights are finite",
    "every weight is a number, before training and in a checkpoint",
    "look for a division by zero in what sets first weights; of a checkpoint, train anew with a smaller learning rate",
    needs=(buildable,),
)
def finite_weights(case: TrainableCase) -> None:
    """Look at all weights."""
    state = (case.given if case.ckpt else case.build()).state_dict()
    odd = [name for name, value in state.items() if value.is_floating_point() and not bool(value.isfinite().all())]
    if odd:
        raise Broken(f"{len(odd)} of {len(state)} weights with numbers that are not finite, first {odd[0]}")


@rule(
    RULES,
    "training stays finite",
    f"in {STEPS} steps on one batch all that is logged, all gradients and all weights are finite numbers",
    "take a smaller learning rate in `trial`, clip gradients, and keep divisions, logarithms and roots away from zero",
    needs=(finite_weights,),
    training=True,
)
def trains(case: TrainableCase) -> None:
    """Train it."""
    if case.practice.odd:
        raise Broken(case.practice.odd)
    odd = [name for name, value in case.practice.logged.items() if not math.isfinite(value)]
    odd += [name for name, value in case.practice.after.items() if not math.isfinite(value)]
    if odd:
        raise Broken(f"logged {', '.join(dict.fromkeys(odd))} that is not finite")


@rule(
    RULES,
    "settings come back from YAML",
    "every setting is documented by zoo.registry.spec.setting, and comes back unchanged from the YAML file of a run",
    "give every field of the settings `= setting(DEFAULT, TEXT, SOURCE)`; use numbers, words, lists and dicts only",
    needs=(buildable,),
    training=True,
)
def _round_trip(case: TrainableCase) -> None:
    found = case.spec.settings()
    bare = [item.name for item in dataclasses.fields(found) if not str(item.metadata.get("help", "")).strip()]
    if bare:
        raise Broken(f"no help for {', '.join(bare)}")
    path = case.folder / "settings.yaml"
    for wanted in (configs.resolve(case.spec), case.config):
        path.write_text(configs.to_yaml(wanted), encoding="utf-8")
        got = configs.resolve(case.spec, file=path)
        if got != wanted:
            raise Broken(_difference(configs.to_dict(wanted), configs.to_dict(got)))
    try:
        configs.resolve(case.spec, ["model.no_such_setting=1"])
    except ConfigError:
        return
    raise Broken("model.no_such_setting=1 is taken without a word")


def _difference(one: dict[str, Any], other: dict[str, Any], prefix: str = "") -> str:
    for key, value in one.items():
        if value != other.get(key):
            if isinstance(value, dict) and isinstance(other.get(key), dict):
                return _difference(value, other[key], f"{prefix}{key}.")
            return f"{prefix}{key}: {value!r} became {other.get(key)!r}"
    return "something was added"


@rule(
    RULES,
    "a few steps lower the loss on one batch",
    f"after {STEPS} steps on one batch the module's own validation loss on it is lower",
    "check that the optimiser owns the generating network, that its step is taken, and the learning rate in `trial`",
    needs=(trains,),
    training=True,
)
def learns(case: TrainableCase) -> None:
    """Compare the losses."""
    practice = case.practice
    for name, before in practice.before.items():
        after = practice.after[name]
        if after < before:
            return
        if after != before:  # a rate of errors, which does not move in a few steps, leaves the word to the next value
            break
    raise Broken(f"{name} was {before:.5g} before and is {after:.5g} after")


@rule(
    RULES,
    "every parameter gets a gradient",
    "each parameter that requires a gradient belongs to an optimiser and gets one that is not all zero",
    "remove what is not used, freeze what is not to be trained with requires_grad_(False), or set `trial` so that all "
    "losses are at work from the first steps",
    needs=(trains,),
    training=True,
)
def _gradients(case: TrainableCase) -> None:
    practice = case.practice
    wanted = {name for name, value in case.build().named_parameters() if value.requires_grad}
    if not wanted:
        raise Broken("it has no parameter to train")
    for names, problem in (
        (wanted - practice.owned, "no optimiser"),
        (wanted - practice.reached, "no gradient"),
    ):
        if names:
            shown = sorted(names)
            more = f" and {len(shown) - 4} more" if len(shown) > 4 else ""
            raise Broken(f"{problem}: {', '.join(shown[:4])}{more}")


@rule(
    RULES,
    "the seed decides the weights",
    "two modules built with one seed are the same, and another seed gives other weights",
    "draw first weights from torch's random numbers only, which the zoo has seeded",
    needs=(finite_weights,),
    training=True,
)
def _seeded(case: TrainableCase) -> None:
    one, two, other = (case.build(seed).state_dict() for seed in (3, 3, 4))
    differ = [name for name in one if not torch.equal(one[name], two[name])]
    if differ:
        raise Broken(f"the same seed gives another {differ[0]}")
    if all(torch.equal(one[name], other[name]) for name in one):
        raise Broken("another seed gives the same weights")


@rule(
    RULES,
    "a checkpoint comes back",
    "a checkpoint read with weights_only=True builds the same module: settings, weights and what it logs",
    "keep plain numbers, words, lists, dicts and tensors in checkpoints, and all that matters in the state_dict",
    needs=(trains,),
    training=True,
)
def comes_back(case: TrainableCase) -> None:
    """Keep it, and load it."""
    kept = torch.load(case.trained, map_location="cpu", weights_only=True)
    loaded = {when: trainable.load_checkpoint(path, registry.full_name(case.spec)) for when, path in case.files.items()}
    module = loaded["the checkpoint"]
    if dataclasses.asdict(module.config) != dataclasses.asdict(case.config.model):
        raise Broken("the settings changed on the way")
    _same(kept["state_dict"], module.state_dict(), "the weights")
    _same(loaded["safetensors"].state_dict(), module.state_dict(), "the weights, as safetensors,")
    said = watched(case.finished[0], case.batch)
    for when, other in loaded.items():
        for name, value in watched(other, case.batch).items():
            if not math.isclose(value, said[name], rel_tol=LOADED, abs_tol=LOADED):
                raise Broken(f"{name} is another when it is read from {when}: {value:.6g}, as trained {said[name]:.6g}")


def _same(one: dict[str, Tensor], other: dict[str, Tensor], what: str) -> None:
    if one.keys() != other.keys():
        raise Broken(f"{what} have other names: {', '.join(sorted(one.keys() ^ other.keys())[:4])}")
    for name, value in one.items():
        if not torch.equal(value, other[name]):
            raise Broken(f"{what} differ, first in {name}, by up to {(value - other[name]).abs().max().item():.3g}")


@rule(
    RULES,
    "a resumed run equals one go",
    "two epochs in one go, and the second one anew from the checkpoint of the first, give the same weights and "
    "optimisers, to the bit",
    "draw from torch's random numbers only, and keep counters in buffers (register_buffer): checkpoints hold those",
    slow=True,
    needs=(comes_back,),
    training=True,
)
def _resume(case: TrainableCase) -> None:
    _, second = fit(case.config, case.folder / "resumed", epochs=2, resume=case.trained.with_name("0.ckpt"))
    one, two = (torch.load(path, map_location="cpu", weights_only=True) for path in (case.trained, second))
    _same(one["state_dict"], two["state_dict"], "the weights")
    if one["global_step"] != two["global_step"]:
        raise Broken(f"{one['global_step']} steps in one go, {two['global_step']} with a resume")
    if str(one["optimizer_states"]) != str(two["optimizer_states"]):
        raise Broken("the optimisers' states differ")


def _both(case: TrainableCase) -> list[Rank]:
    """What two processes found that came to their end."""
    from zoo.testing.processes import two_processes

    ranks = two_processes(case)
    for rank in ranks:
        if rank.error:
            raise Broken(rank.error)
    return ranks


@rule(
    RULES,
    "two processes hold the same weights",
    "after two epochs with trainer.devices=2 trainer.strategy=ddp both processes have the same weights, to the bit",
    "call the networks inside training_step, step optimisers through self.optimizers() and manual_backward, and let "
    "every process take the same number of steps",
    slow=True,
    needs=(trains,),
    training=True,
)
def processes_agree(case: TrainableCase) -> None:
    """Compare two processes."""
    ranks = _both(case)
    if len({rank.weights for rank in ranks}) != 1:
        raise Broken("the two processes ended with different weights")


@rule(
    RULES,
    "two processes train as one",
    f"after {FEW} steps with trainer.devices=2 trainer.strategy=ddp in which both processes get the same batch "
    "and draw the same random numbers, the weights are those of one process",
    "gradients are averaged over the processes: scale neither losses nor learning rates by their number, and by "
    "nothing that differs between them",
    slow=True,
    needs=(processes_agree,),
    training=True,
)
def _one_or_two(case: TrainableCase) -> None:
    ranks = _both(case)
    fresh = dict(case.build(case.config.seed).named_parameters())
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as the two have it: sums of another order are no matter of this rule
    try:
        one = few_steps(case.config, case.folder / "few")
    finally:
        torch.set_num_threads(threads)
    for name, value in one.items():
        way = (value - fresh[name]).norm().item()
        apart = max((rank.few[name] - value).norm().item() for rank in ranks)
        if apart > AS_ONE * way:
            raise Broken(f"{name} is {apart:.3g} from where one process takes it, which moves it by {way:.3g}")


@rule(
    RULES,
    "importing changes nothing",
    "importing the class, in a fresh process, leaves all settings that code shares as they were, and asks nothing of "
    "other machines",
    "do at first use what is done at import now, and set nothing that others see",
    slow=True,
    needs=(trains,),
    training=True,
)
def _import_state(case: TrainableCase) -> None:
    from zoo.testing.processes import two_processes

    for rank in two_processes(case):
        if rank.shared:
            raise Broken(f"importing {case.spec.target} changes {', '.join(rank.shared)}")
        if rank.calls:
            raise Broken(f"importing {case.spec.target} asks for {', '.join(rank.calls)}")


@rule(
    RULES,
    "no global state",
    "building and training leave torch's, NumPy's and Python's settings, the environment and the working folder as "
    "they were",
    "use torch.Generator objects of your own, and context managers such as torch.no_grad() where a setting is needed",
    needs=(buildable,),
    training=True,
)
def _build_state(case: TrainableCase) -> None:
    torch.set_default_dtype(torch.float32)  # which building it for another rule may have changed
    with watch_state(drawing=False) as changed:
        case.spec.load()(case.config.model)
    if changed:
        raise Broken(f"building changes {', '.join(changed)}")
    try:
        changed = case.practice.changed
    except Exception:  # it does not train, which another rule tells
        return
    if changed:
        raise Broken(f"training changes {', '.join(changed)}")


@rule(
    RULES,
    "no network access",
    "nothing is asked of another machine while it is built, trained, or used",
    "read weights from files that the user names, and tell in the card where to get them",
    needs=(
        finite_weights,
        trains,
    ),
)
def _network(case: TrainableCase) -> None:
    require_no_calls(case, case.use)
