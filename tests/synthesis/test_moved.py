"""Methods of landmarks: their motion is checked, follows the face's turn, and moves the pictures themselves."""

from __future__ import annotations

import math
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.helpers.batches import request
from tests.helpers.inputs import drawn
from zoo import registry
from zoo.face.crop import upright
from zoo.face.mouth import close_mouth
from zoo.methods.landmarks import LandmarkMethod, MovedFace
from zoo.support.errors import GenerationError
from zoo.support.progress import Progress
from zoo.synthesis import predict
from zoo.synthesis.make import make, make_motion
from zoo.synthesis.portrait import Face

SPEC = registry.method("speech2face")

JAW_AND_LIP = [*range(5, 12), *range(55, 60), 65, 66, 67]


def opening(frames: int, far: float = 0.15) -> Tensor:
    """``(frames, 68, 2)``: jaw and lower lip fall, in distances of the eyes."""
    motion = torch.zeros(frames, 68, 2)
    motion[:, JAW_AND_LIP, 1] = far
    return motion


class Opens(LandmarkMethod):
    """Opens the mouth, or what it is told."""

    def __init__(self, given: Tensor | None = None) -> None:
        super().__init__(SimpleNamespace())
        self.given = given

    input_spec = SimpleNamespace(size=(256, 256), num_identity=1)  # type: ignore[assignment]

    def motion(self, request: Any) -> Tensor:
        return opening(request.num_frames)[None].expand(len(request), -1, -1, -1) if self.given is None else self.given


@pytest.fixture
def asked() -> Any:
    """Two clips of three frames of two drawn people."""
    clips = [drawn(number) for number in (0, 1)]
    stills = torch.stack([clip.frames[:1].float() / 255 for clip in clips])
    given = request(stills, torch.zeros(2, 3 * 640), 3)
    return replace(given, identity=replace(given.identity, points=torch.stack([c.landmarks[:1] for c in clips])))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (torch.zeros(2, 3, 20, 2), r"motion\(\) gives the shape \(2, 3, 20, 2\), not \(2, 3, 68, 2\)"),
        (torch.full((2, 3, 68, 2), math.nan), r"motion\(\) gives numbers that are not finite"),
    ],
)
def test_what_is_no_motion_is_refused(given: Tensor, said: str, asked: Any):
    with pytest.raises(GenerationError, match=said):
        make_motion(Opens(given), SPEC, asked)


def test_the_reference_frame_is_moved(asked: Any):
    made = make(Opens(), SPEC, asked)
    assert made.shape == (2, 3, 3, 256, 256)
    for clip in (0, 1):
        still, points = asked.stills[clip, 0], asked.identity.points[clip, 0]
        assert torch.equal(made[clip], MovedFace(still, points).render(opening(3)))
        changed = (made[clip, 0] - still).abs().amax(0) > 0
        brow = int(points[17:27, 1].min())
        assert not changed[:brow].any(), "what does not move is the picture, bit for bit"
        assert changed[int(points[62, 1]) : int(points[8, 1])].any()


@pytest.mark.parametrize("degrees", [0, 30, -90])
def test_down_is_down_the_face(degrees: int, monkeypatch: pytest.MonkeyPatch):
    turn = math.radians(degrees)
    spin = torch.tensor([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    points = drawn().landmarks[0] @ spin.T
    monkeypatch.setattr("zoo.face.warp.FaceWarp.render", lambda self, targets: targets)
    monkeypatch.setattr("jaxtyping.config.jaxtyping_disable", True)  # the points, not a picture
    wanted = MovedFace(torch.zeros(3, 8, 8), points).render(opening(1))[0]
    both = upright(torch.stack([close_mouth(points), wanted]))
    torch.testing.assert_close(both[1] - both[0], opening(1)[0], atol=1e-4, rtol=0)


def test_the_pictures_of_a_video_are_moved_each_at_its_time(monkeypatch: pytest.MonkeyPatch):
    """A video of 50 frames a second, which is shown forth and back, and motion of 25."""
    clip = drawn()
    face, seen = Face(clip.frames[:3], clip.landmarks[:3], 50.0), []

    class Watched(MovedFace):
        def render(self, motion: Tensor) -> Tensor:
            seen.append((self.picture, float(motion[0, 8, 1])))
            return super().render(motion)

    monkeypatch.setattr(predict, "MovedFace", Watched)
    motion = torch.stack([opening(1, far)[0] for far in (0.0, 0.1, 0.2)])
    with Progress("writing", 6, "frames", show=False) as bar:
        frames = list(predict.moved(face, motion, 6, bar))
    assert [frame.shape for frame in frames] == [(3, 256, 256)] * 6
    assert [far for _, far in seen] == pytest.approx([0.0, 0.025, 0.075, 0.125, 0.175, 0.2], abs=1e-6)
    order = [0, 1, 2, 1, 0, 1]
    for number, frame, (picture, _) in zip(order, frames, seen, strict=True):
        assert torch.equal((picture * 255).round().to(torch.uint8), clip.frames[number])
        brow = int(clip.landmarks[number, 17:27, 1].min())
        assert torch.equal(frame[:, :brow], clip.frames[number][:, :brow])


def test_one_frame_of_motion_holds():
    clip = drawn()
    with Progress("writing", 2, "frames", show=False) as bar:
        frames = list(predict.moved(Face(clip.frames[:1], clip.landmarks[:1], 25.0), opening(1), 2, bar))
    assert torch.equal(frames[0], frames[1])
