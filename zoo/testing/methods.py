"""Rules of methods: what generate() makes, of whom, of which sound, of what length, and at what cost."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import NoReturn

import torch

from zoo import registry
from zoo.media.audio import num_samples
from zoo.methods import trainable
from zoo.testing.cases import MethodCase, as_method
from zoo.testing.generation import VISIBLE, cut, generated, require_frames, seen
from zoo.testing.guards import watch_state
from zoo.testing.rules import Broken, NotHere, Rules, Undecided, rule
from zoo.testing.trainables import LOADED, comes_back, finite_weights, learns, trains

RULES: Rules = []

ALONE = 1e-4
"""Largest difference in [0, 1] between a clip made alone and the same clip beside another."""

AGREE = 1e-2
"""Largest difference in [0, 1] between what a CPU and an accelerator make."""


@rule(
    RULES,
    "generate() gives frames in [0, 1]",
    "for two clips at once: (2, T, 3, H, W) of the input spec's size, floats in [0, 1]; a driver may be missing",
    "clamp or squash what the network gives, and read the size from input_spec",
    needs=(finite_weights, trains),
)
def generates(case: MethodCase) -> None:
    """Have it generate, with a driver and without, and in training and in a test."""
    for driver in (False, True):
        generated(case.ready, case.both(8, driver=driver))
    if case.ready.input_spec.pictures:
        with torch.no_grad():
            drawn = case.ready.reconstruct(case.batch)
        require_frames(drawn, tuple(case.batch.frames.shape), "reconstruct()")
    generated(case.ready, case.clips[0].given)


@rule(
    RULES,
    "clips of 1, 16, 75 and 200 frames",
    "generate() makes clips of every length, whatever the window of training is",
    "go over the clip in windows and cut the sound with zoo.media.audio.frame_window, which gives silence beyond "
    "its ends",
    needs=(generates,),
)
def any_length(case: MethodCase) -> None:
    """Have it generate clips of each length."""
    _ = case.lengths


@rule(
    RULES,
    "determinism under a seed",
    "the same clip made twice is the same to the bit, whatever was made in between",
    "draw noise from a torch.Generator that generate() seeds itself, and do not keep anything from call to call",
    needs=(generates,),
)
def repeats(case: MethodCase) -> None:
    """Ask a method that made nothing yet; again after another clip; and one that made others before."""
    fresh = copy.deepcopy(case.fresh)
    one = case.make(20, module=fresh)
    for other, when in (
        (case.make(20, module=fresh), "at once again"),
        (case.make(12, who=1, sound=1, module=fresh), ""),
        (case.make(20, module=fresh), "after another clip"),
        (case.make(20), "after other clips"),
    ):
        if when and not torch.equal(one, other):
            raise Broken(f"a clip made {when} differs by up to {float((one - other).abs().max()):.3g}")


@rule(
    RULES,
    "what it generates comes back",
    "loaded from a checkpoint, and from safetensors, a method generates what it did as it was trained",
    "keep all that matters in parameters and buffers",
    needs=(repeats, comes_back),
    training=True,
)
def _loaded(case: MethodCase) -> None:
    loaded = {when: trainable.load_checkpoint(path, registry.full_name(case.spec)) for when, path in case.files.items()}
    made = [case.make(8, module=as_method(module.eval())) for module in (case.finished[0], *loaded.values())]
    for when, other in zip(loaded, made[1:], strict=True):
        if not torch.allclose(made[0], other, rtol=LOADED, atol=LOADED):
            raise Broken(
                f"frames that differ by up to {float((made[0] - other).abs().max()):.3g} when read from {when}"
            )


@rule(
    RULES,
    "clips of a batch do not mix",
    f"each of two clips made at once is the one that is made alone, to {ALONE:g} of the range",
    "let nothing pass from one clip of a batch to another: no mean over them, no noise that depends on their number",
    needs=(repeats,),
)
def _alone(case: MethodCase) -> None:
    both = generated(case.ready, case.both(8))
    alone = torch.cat([case.make(8, who=i, sound=i) for i in (0, 1)])
    apart = float((both - alone).abs().max())
    if not apart <= ALONE:
        raise Broken(f"a clip that differs by up to {apart:.3g} when another is made beside it")


@rule(
    RULES,
    "identity matters",
    "with another speaker's picture visibly other frames are made",
    "check that the identity picture reaches the network that draws",
    needs=(repeats, learns),
)
def _identity(case: MethodCase) -> None:
    one, other = case.make(8, who=0), case.make(8, who=1)
    moved = float(seen(one, other).max())
    if torch.equal(one, other):
        raise Broken("the same frames for two speakers")
    if moved < VISIBLE:
        tell_unseen(case, f"another speaker's picture changes frames by {moved:.2g}")


@rule(
    RULES,
    "sound matters",
    "with another sound visibly other frames are made, also early and late in the clip; with another middle or ending, "
    "those",
    "check that the sound of each frame, and of no other time, reaches the network that draws "
    "(zoo.media.audio.frame_window)",
    needs=(repeats, learns),
)
def sound_matters(case: MethodCase) -> None:
    """Compare clips of two sounds, and of sounds that differ in the middle or at the end."""
    if not case.spec.uses().sound:
        raise NotHere("its default mode uses no sound")
    early, late = case.moved.tolist()
    if not early * late:
        where = "" if not early + late else f" in the {'last' if early else 'first'} half of the clip"
        raise Broken(f"the same frames for two sounds{where}")
    _require_seen(case)
    for number, part in ((1, "middle"), (2, "last")):
        early, there = _moved(case, number)
        if not there > early:
            raise Broken(
                f"with another sound in the {part} third, frames of the first third differ by {early:.2g} on "
                f"average, those of the {part} by {there:.2g}"
            )


def _require_seen(case: MethodCase) -> None:
    """See that another sound moves the pictures visibly, if need be after a lesson."""
    if case.listener is case.ready:
        moved, learnt = case.moved, 0.0
    else:
        moved, learnt = case.taught.moved, max(map(case.taught.drawn, (case.ready, case.listener)))
    if float(moved.min()) >= VISIBLE:
        return
    told = "another sound changes frames of the first half by {:.2g}, of the last by {:.2g}".format(*moved.tolist())
    if learnt >= VISIBLE:
        raise Broken(f"{told}, where {VISIBLE:.2g} can be seen; what reconstruct() draws changes by {learnt:.2g}")
    tell_unseen(case, told)


def tell_unseen(case: MethodCase, told: str) -> NoReturn:
    """Tell of a difference that is there but cannot be seen: of trained weights a fault, of others not yet."""
    if case.ckpt:
        raise Broken(f"{told}, where {VISIBLE:.2g} can be seen")
    raise Undecided(
        f"{told}, where {VISIBLE:.2g} can be seen: too little trained to tell; ask trained weights with "
        "--ckpt CHECKPOINT"
    )


def _moved(case: MethodCase, number: int) -> tuple[float, float]:
    """By how much frames of the first third and of third ``number`` differ when the sound of that one is another."""
    third, (begin, end) = 20, (num_samples(20 * number), num_samples(20 * (number + 1)))
    one, other = case.wave(3 * third), case.wave(3 * third, 1)
    two = torch.cat([one[:, :begin], other[:, begin:end], one[:, end:]], 1)
    given = case.request(3 * third)
    made = [generated(case.listener, replace(given, sound=sound)) for sound in (one, two)]
    apart = (made[0] - made[1]).abs().mean((0, 2, 3, 4)).view(3, third).mean(1)
    return float(apart[0]), float(apart[number])


@rule(
    RULES,
    "generating changes nothing",
    "generate() leaves torch's, NumPy's and Python's settings and random numbers, and its own weights, as they were",
    "use a torch.Generator of your own, and keep nothing in buffers while generating",
    needs=(repeats,),
)
def _generate_state(case: MethodCase) -> None:
    weights = {name: value.clone() for name, value in case.ready.state_dict().items()}
    training, request = case.ready.training, cut(case.ready, case.request(20))
    with watch_state() as changed:
        case.ready.generate(request)
    changed += [name for name, value in case.ready.state_dict().items() if not torch.equal(value, weights[name])]
    changed += ["its training mode"] if case.ready.training != training else []
    if changed:
        raise Broken(f"generate() changes {', '.join(changed)}")


@rule(
    RULES,
    "CPU and accelerator agree",
    f"the same frames on both, to {AGREE:g} of the range",
    "create tensors on the device of what is given, and keep sound features in float32",
    needs=(repeats,),
)
def _accelerator(case: MethodCase) -> None:
    if not torch.accelerator.is_available():
        raise NotHere("no accelerator in this machine")
    device = str(torch.accelerator.current_accelerator())
    here = case.make(20)
    try:
        there = case.make(20, device=device).float().cpu()
    finally:
        case.ready.to("cpu")
    apart = float((here - there).abs().max())
    if not apart <= AGREE:
        raise Broken(f"frames that differ by up to {apart:.3g} between cpu and {device}")
