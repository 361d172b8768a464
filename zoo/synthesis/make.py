"""make(): the only caller of ``generate()``. It cuts what a method is given and checks what it gives back."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from zoo.data.request import Request, map_tensors
from zoo.media.clip import NUM_LANDMARKS
from zoo.methods.landmarks import LandmarkMethod
from zoo.methods.method import TalkingFaceMethod
from zoo.registry.spec import MethodSpec, Uses
from zoo.support.errors import GenerationError

SLACK = 1e-3
"""How far beyond [0, 1] values may lie, a quarter of a grey level: they are cut off."""


def make(module: TalkingFaceMethod, spec: MethodSpec, request: Request, mode: str = "") -> Float[Tensor, "B T 3 H W"]:
    """Generate clips: with no more than the spec allows, without gradients, and all random states left as they were.

    Args:
        module: the method, on the device of the request.
        spec: how it is registered: the spec alone says what is given, whatever the module says of itself.
        request: all that is known; what the mode does not use is taken away.
        mode: name of the mode; empty: the default.

    Returns:
        ``(B, T, 3, H, W)`` float RGB in [0, 1].

    Raises:
        ConfigError: there is no such mode.
        GenerationError: what the method gives back is no clip: another shape, no floats, not finite, not in [0, 1].
    """
    generated = _asked(module.generate, module, spec, request, mode)
    size = module.input_spec.size
    problem = problem_of(generated, (len(request), request.num_frames, 3, *size))
    if problem:
        raise GenerationError(f"{spec.name}: generate() gives {problem}")
    clips: Tensor = generated
    return clips.clamp(0, 1)


def make_motion(
    module: LandmarkMethod, spec: MethodSpec, request: Request, mode: str = ""
) -> Float[Tensor, "B T 68 2"]:
    """The same for a method's landmarks: how far they are from the closed mouth, an upright face's, in eye distances.

    Args:
        module: see :func:`make`.
        spec: see :func:`make`.
        request: see :func:`make`.
        mode: see :func:`make`.

    Raises:
        ConfigError: there is no such mode.
        GenerationError: another shape, or numbers that are not finite.
    """
    motion = _asked(module.motion, module, spec, request, mode)
    shape = (len(request), request.num_frames, NUM_LANDMARKS, 2)
    if tuple(motion.shape) != shape:
        raise GenerationError(f"{spec.name}: motion() gives the shape {tuple(motion.shape)}, not {shape}")
    if not bool(motion.isfinite().all()):
        raise GenerationError(f"{spec.name}: motion() gives numbers that are not finite")
    return motion


def _asked(
    what: Callable[[Request], Any], module: TalkingFaceMethod, spec: MethodSpec, request: Request, mode: str
) -> Any:
    given = request.only(mode or spec.default_mode, uses_of(module, spec, mode))
    if given.options is None:
        given = replace(given, options=spec.choices())
    # Lightning tests in inference mode, in which nobody can turn gradients on.
    with random_states_kept(), torch.inference_mode(False), torch.no_grad():
        return what(map_tensors(given, _usable))


def uses_of(module: TalkingFaceMethod, spec: MethodSpec, mode: str = "") -> Uses:
    """What a mode is given; in api_version 1 the number of reference frames stands in the input format."""
    uses = spec.uses(mode)
    return uses if spec.api_version > 1 else replace(uses, stills=module.input_spec.num_identity)


def problem_of(generated: Any, shape: tuple[int, ...]) -> str:
    """Why something is no clip of this shape; empty where it is.

    Args:
        generated: what ``generate()`` gave back.
        shape: ``(B, T, 3, H, W)``.
    """
    if not isinstance(generated, Tensor):
        return f"a {type(generated).__name__}, not a tensor"
    if tuple(generated.shape) != shape:
        return f"the shape {tuple(generated.shape)}, not {shape}"
    if not generated.is_floating_point():
        return f"{generated.dtype}, not floats in [0, 1]"
    if not bool(generated.isfinite().all()):
        return "numbers that are not finite"
    low, high = float(generated.min()), float(generated.max())
    if low < -SLACK or high > 1 + SLACK:
        return f"values in [{low:.3g}, {high:.3g}], not in [0, 1]"
    return ""


def _usable(tensor: Tensor) -> Tensor:
    """The tensor as one that may take part in a gradient."""
    return tensor.clone() if tensor.is_inference() else tensor


@contextmanager
def random_states_kept() -> Iterator[None]:
    """A method that draws numbers shifts nobody else's."""
    states = random.getstate(), np.random.get_state()
    with torch.random.fork_rng():
        try:
            yield
        finally:
            random.setstate(states[0])
            np.random.set_state(states[1])
