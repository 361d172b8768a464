"""The one way in which the rules have a method generate, and what of a difference between two clips can be seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from zoo.data.request import Pictures, Request
from zoo.methods.method import TalkingFaceMethod
from zoo.synthesis.make import problem_of, uses_of
from zoo.testing.rules import Broken

VISIBLE = 1 / 255
"""Least difference in [0, 1] that a screen can show: one level of 8 bits."""

MOVED = 0.01
"""Share of the pixels of a frame that the mean of a visible difference is taken over: those that differ most."""


def cut(module: TalkingFaceMethod, request: Request, mode: str = "") -> Request:
    """The request with what a mode is given by the spec, and nothing else."""
    spec = module.spec
    given = request.only(mode or spec.default_mode, uses_of(module, spec, mode))
    return given if given.options else replace(given, options=spec.choices())


def generated(module: TalkingFaceMethod, request: Request, mode: str = "", seed: int = 0) -> Float[Tensor, "B T 3 H W"]:
    """Clips of a mode (the default), as :func:`zoo.synthesis.make.make` has them generated, but not cut to [0, 1].

    Raises:
        Broken: what comes is no clip.
    """
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        made = module.generate(cut(module, request, mode))
    require_frames(made, (len(request), request.num_frames, 3, *module.input_spec.size))
    return made


def require_frames(made: Any, shape: tuple[int, ...], who: str = "generate()") -> None:
    """See that these are pictures as the contract has them (:func:`zoo.synthesis.make.problem_of`).

    Raises:
        Broken: they are not.
    """
    problem = problem_of(made, shape)
    if problem:
        raise Broken(f"{who} gives {problem}")


def together(requests: Sequence[Request]) -> Request:
    """Several requests as one of several clips."""
    first, drivers = requests[0], [each.driver for each in requests if each.driver is not None]
    sounds = [each.sound for each in requests if each.sound is not None]
    return replace(
        first,
        identity=_stacked([each.identity for each in requests]),
        sound=torch.cat(sounds) if sounds else None,
        driver=_stacked(drivers) if drivers else None,
        words=tuple(words for each in requests for words in each.words),
        labels={name: tuple(label for each in requests for label in each.labels[name]) for name in first.labels},
        arrays={name: torch.cat([each.arrays[name] for each in requests]) for name in first.arrays},
    )


def _stacked(pictures: Sequence[Pictures]) -> Pictures:
    frames = [each.frames for each in pictures if each.frames is not None]
    return Pictures(frames=torch.cat(frames) if frames else None, points=torch.cat([each.points for each in pictures]))


def seen(one: Float[Tensor, "B T 3 H W"], other: Float[Tensor, "B T 3 H W"]) -> Float[Tensor, " T"]:
    """How much of the difference between two clips can be seen, frame by frame.

    The mean over the hundredth of the pixels that differ most (each by its colour that does), so that neither a still
    background hides a mouth that moves, nor one odd pixel passes for a mouth.

    Returns:
        In [0, 1], the largest of the clips of a batch; to be held against :data:`VISIBLE`.

    Example:
        >>> one = torch.zeros(1, 2, 3, 10, 10)
        >>> other = one.clone()
        >>> other[0, 1, 0, 4, 4] = 0.5
        >>> seen(one, other).tolist()
        [0.0, 0.5]
    """
    apart = (one - other).abs().amax(2).flatten(2)
    return apart.topk(max(1, round(MOVED * apart.shape[-1])), -1).values.mean(-1).amax(0)
