"""Methods of api_version 1 in contract 2: ``generate(identity, wave, num_frames, pose)`` as ``generate(request)``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from zoo.data.request import Pictures, Request
from zoo.media import audio
from zoo.media.clip import NUM_LANDMARKS
from zoo.methods.method import TalkingFaceMethod
from zoo.registry.spec import Uses


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

    def pose(self, frames: Float[Tensor, "B T 3 H W"]) -> Float[Tensor, "B T 3 H W"] | None:
        """What is given of the true video, for methods that ask in training; in a test it was cut before."""
        whole = Pictures(frames=frames, points=frames.new_zeros(*frames.shape[:2], NUM_LANDMARKS, 2))
        match self.shown:
            case "upper half":
                return whole.upper_half().frames
            case "video":
                return frames
        return None

    def generate(self, request: Any, *former: Any, **named: Any) -> Float[Tensor, "B T 3 H W"]:
        """See :meth:`zoo.methods.method.TalkingFaceMethod.generate`; its own code calls it as it was in version 1."""
        if not isinstance(request, Request):
            own: Any = super().generate  # type: ignore[safe-super]
            result: Float[Tensor, "B T 3 H W"] = own(request, *former, **named)
            return result
        assert request.sound is not None
        wave = audio.cut(request.sound, request.start, request.start + audio.num_samples(request.num_frames))
        pose = request.driver.frames if request.driver is not None else None
        generate: Any = super().generate  # type: ignore[safe-super]  # of the method itself, which has other arguments
        generated: Float[Tensor, "B T 3 H W"] = generate(request.stills, wave, request.num_frames, pose=pose)
        return generated

    def generate_stream(
        self, identity: Float[Tensor, "B N 3 H W"], audio_chunks: Iterable[Float[Tensor, "B _"]]
    ) -> Iterator[Float[Tensor, "B 3 H W"]]:
        """Of a method that has none of its own: all sound is waited for."""
        own: Any = getattr(super(), "generate_stream", None)
        if own is not None:
            yield from own(identity, audio_chunks)
            return
        wave = torch.cat([identity.new_zeros(len(identity), 0), *audio_chunks], 1)
        count = audio.num_frames(wave.shape[1])
        with torch.no_grad():
            generated = self.generate(identity, audio.cut(wave, 0, audio.num_samples(count)), count)
        yield from generated.unbind(1)

    def stream(self, start: Request, parts: Iterable[Request]) -> Iterator[Float[Tensor, "B 3 H W"]]:
        """See :meth:`zoo.methods.method.TalkingFaceMethod.stream`."""
        yield from self.generate_stream(start.stills, (part.sound for part in parts if part.sound is not None))


def adapted(kind: Any) -> Any:
    """A class of api_version 1 as one of version 2; what is no method is left as it is."""
    if not (isinstance(kind, type) and issubclass(kind, TalkingFaceMethod)):
        return kind
    return type(kind.__name__, (Contract1, kind), {"__module__": kind.__module__, "__doc__": kind.__doc__})
