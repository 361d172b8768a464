"""make(): what a method sees is cut by its spec, what it gives back is held to be a clip."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests.helpers.batches import pictures, request
from zoo.data.request import Request
from zoo.methods.method import TalkingFaceMethod
from zoo.methods.trainable import build
from zoo.registry.spec import InputSpec, MethodSpec, Uses
from zoo.support.errors import ConfigError, GenerationError
from zoo.synthesis.make import make, random_states_kept

SPEC = MethodSpec(
    name="peer",
    summary="",
    target="test_make:Peer",
    config="zoo_lipgan.config:LipGANConfig",
    modes=(("sound", Uses()), ("video", Uses(sound=False, driver="video"))),
)


class Peer(TalkingFaceMethod):
    """Repeats the still, and keeps what it is given; ``gives`` is given back instead, where there is something."""

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.gain = nn.Parameter(torch.ones(()))
        self.seen: list[Request] = []
        self.gives: Any = None

    @property
    def input_spec(self) -> InputSpec:
        return InputSpec(size=(8, 8))

    def generate(self, request: Request) -> Tensor:
        self.seen.append(request)
        if self.gives is not None:
            return self.gives  # type: ignore[no-any-return]
        return request.stills[:, :1].expand(-1, request.num_frames, -1, -1, -1) * self.gain

    def reconstruct(self, batch: Any) -> Tensor:
        return self.generate(batch.given)

    def for_inference(self) -> Peer:
        """Asks for the true video when nobody looks."""
        self.spec = replace(self.spec, modes=(("sound", Uses(stills=75, driver="video", words=True)),))
        return self

    def pose(self, frames: Tensor) -> Tensor:
        """What api_version 1 asked for."""
        return frames


@pytest.fixture
def peer() -> Peer:
    module = build(replace(SPEC, target=f"{__name__}:Peer"), SPEC.settings())
    assert isinstance(module, Peer)
    return module


@pytest.fixture
def known() -> Request:
    """Everything that there is to know of a clip of four frames."""
    given = request(torch.rand(1, 75, 3, 8, 8), torch.rand(1, 4 * 640), 4, driver=torch.rand(1, 4, 3, 8, 8))
    return replace(given, labels={"emotion": ("happy",)}, arrays={"pose": torch.rand(1, 4, 6)})


def test_the_spec_decides_what_is_given_whatever_the_module_says_of_itself(peer: Peer, known: Request):
    make(peer.for_inference(), SPEC, known)
    (seen,) = peer.seen
    assert (seen.mode, seen.stills.shape[1], seen.driver, seen.labels, seen.arrays) == ("sound", 1, None, {}, {})
    make(peer, SPEC, known, "video")
    assert peer.seen[1].sound is None
    assert peer.seen[1].driver is not None
    assert known.driver is not None
    assert peer.seen[1].driver.frames is known.driver.frames
    with pytest.raises(ConfigError, match="peer has no mode 'mood'; known: sound, video"):
        make(peer, SPEC, known, "mood")


@pytest.mark.parametrize(
    ("gives", "problem"),
    [
        ([1.0], "a list, not a tensor"),
        (torch.zeros(1, 3, 3, 8, 8), r"the shape \(1, 3, 3, 8, 8\), not \(1, 4, 3, 8, 8\)"),
        (torch.zeros(1, 4, 3, 8, 8, dtype=torch.uint8), r"torch.uint8, not floats in \[0, 1\]"),
        (torch.full((1, 4, 3, 8, 8), torch.nan), "numbers that are not finite"),
        (torch.full((1, 4, 3, 8, 8), 2.0), r"values in \[2, 2\], not in \[0, 1\]"),
        (torch.full((1, 4, 3, 8, 8), -0.1), r"values in \[-0.1, -0.1\], not in \[0, 1\]"),
    ],
)
def test_what_is_no_clip_is_refused_in_one_line(peer: Peer, known: Request, gives: Any, problem: str):
    peer.gives = gives
    with pytest.raises(GenerationError, match=rf"^peer: generate\(\) gives {problem}$"):
        make(peer, SPEC, known)


def test_rounding_beyond_the_range_is_cut_off(peer: Peer, known: Request):
    peer.gives = torch.full((1, 4, 3, 8, 8), 1 + 1e-5)
    assert float(make(peer, SPEC, known).max()) == 1


def test_gradients_are_off_unless_a_method_turns_them_on(peer: Peer, known: Request):
    assert not make(peer, SPEC, known).requires_grad

    def descending(given: Request) -> Tensor:
        with torch.enable_grad():
            loss = (given.stills[:, :1] * peer.gain).mean()
            (slope,) = torch.autograd.grad(loss, peer.gain)
        return given.stills[:, :1].expand(-1, 4, -1, -1, -1) * slope.clamp(0, 1)

    peer.generate = descending  # type: ignore[method-assign]
    assert make(peer, SPEC, known).mean() > 0


def test_random_states_stay_as_they_were(peer: Peer, known: Request):
    peer.generate = lambda given: torch.rand(1, 4, 3, 8, 8) + float(np.random.rand()) * 0  # type: ignore[method-assign]
    states = np.random.get_state(), torch.random.get_rng_state()
    make(peer, SPEC, known)
    assert np.array_equal(np.random.get_state()[1], states[0][1])
    assert torch.equal(torch.random.get_rng_state(), states[1])
    state = random.getstate()
    with random_states_kept():
        random.random()
    assert random.getstate() == state


class Former(TalkingFaceMethod):
    """As a method of api_version 1 is written."""

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.calls: list[tuple[Any, ...]] = []

    @property
    def input_spec(self) -> InputSpec:
        return InputSpec(size=(8, 8), num_identity=2)

    def generate(self, identity: Tensor, wave: Tensor, num_frames: int, pose: Any = None) -> Tensor:  # type: ignore[override]
        self.calls.append((identity, wave, num_frames, pose))
        return identity[:, :1].expand(-1, num_frames, -1, -1, -1)

    def reconstruct(self, batch: Any) -> Tensor:
        return self.generate(batch.identity, batch.wave, batch.frames.shape[1])


@pytest.mark.parametrize("shown", ["still", "upper half", "video"])
def test_a_method_of_api_version_1_is_adapted(known: Request, shown: Any):
    spec = MethodSpec(
        name="former", summary="", target=f"{__name__}:Former", config=SPEC.config, api_version=1, shown=shown
    )
    module: Any = build(spec, spec.settings())
    assert isinstance(module, Former)
    assert module.uses.stills == 2
    made = make(module, spec, known)
    ((identity, wave, num_frames, pose),) = module.calls
    assert torch.equal(identity, known.stills[:, :2])
    assert known.sound is not None
    assert torch.equal(wave, known.sound)
    assert num_frames == 4
    assert known.driver is not None
    assert known.driver.frames is not None
    if shown == "still":
        assert pose is None
    else:
        assert torch.equal(pose[..., :4, :], known.driver.frames[..., :4, :])
        assert bool(pose[..., 4:, :].any()) == (shown == "video")
    frames = torch.stack(list(module.stream(known, [replace(known, sound=part) for part in wave.split(1000, 1)])), 1)
    assert torch.equal(frames, made)


def test_stills_beyond_the_first_are_cut_to_their_number(peer: Peer, known: Request):
    spec = replace(SPEC, modes=(("many", Uses(stills=5)),))
    make(peer, spec, replace(known, identity=pictures(known.stills)))
    assert peer.seen[0].stills.shape[1] == 5


def test_a_method_of_api_version_1_may_call_its_own_generate(known: Request):
    """Its reconstruct() and what it inherited work as they did."""
    spec = MethodSpec(
        name="former", summary="", target=f"{__name__}:Former", config=SPEC.config, api_version=1, shown="upper half"
    )
    module: Any = build(spec, spec.settings())
    frames = torch.rand(1, 4, 3, 8, 8)
    assert torch.equal(module.generate(known.stills, known.sound, 4), known.stills[:, :1].expand(-1, 4, -1, -1, -1))
    pose = module.pose(frames)
    assert torch.equal(pose[..., :4, :], frames[..., :4, :])
    assert not pose[..., 4:, :].any()
    assert len(list(module.generate_stream(known.stills, [known.sound]))) == 4
