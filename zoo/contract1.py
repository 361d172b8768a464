"""Methods of api_version 1 in contract 2: ``generate(identity, wave, num_frames, pose)`` as ``generate(request)``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from jaxtyping import Float
from torch import Tensor

from zoo import audio
from zoo.data.request import Request
from zoo.method import TalkingFaceMethod
from zoo.spec import Uses


class Contract1(TalkingFaceMethod):
    """What stands between a request and a method of api_version 1; made by :func:`adapted`."""

    @property
    def uses(self) -> Uses:
        """What its spec's ``shown`` and its input format say."""
        return replace(self.spec.trained_with, stills=self.input_spec.num_identity, words=True)

    @property
    def shown(self) -> str:
        """What it is given of the true video in a test."""
        return self.spec.shown or "still"

    def pose(self, frames: Float[Tensor, "B T 3 H W"]) -> Float[Tensor, "B T 3 H W"]:
        """Nothing is hidden by a method: what it is given was cut before."""
        return frames

    def generate(self, request: Request) -> Float[Tensor, "B T 3 H W"]:
        """See :meth:`zoo.method.TalkingFaceMethod.generate`."""
        assert request.sound is not None
        wave = audio.cut(request.sound, request.start, request.start + audio.num_samples(request.num_frames))
        pose = request.driver.frames if request.driver is not None else None
        generate: Any = super().generate  # type: ignore[safe-super]  # of the method itself, which has other arguments
        generated: Float[Tensor, "B T 3 H W"] = generate(request.stills, wave, request.num_frames, pose=pose)
        return generated

    def stream(self, start: Request, parts: Iterable[Request]) -> Iterator[Float[Tensor, "B 3 H W"]]:
        """See :meth:`zoo.method.TalkingFaceMethod.stream`."""
        streamed: Any = getattr(super(), "generate_stream", None)
        if streamed is None:
            yield from super().stream(start, parts)
        else:
            yield from streamed(start.stills, (part.sound for part in parts))


def adapted(kind: Any) -> Any:
    """A class of api_version 1 as one of version 2; what is no method is left as it is."""
    if not (isinstance(kind, type) and issubclass(kind, TalkingFaceMethod)):
        return kind
    return type(kind.__name__, (Contract1, kind), {"__module__": kind.__module__, "__doc__": kind.__doc__})
