"""One that uses all that a mode can be given, and others that leave out one thing which they declare all the same."""

from __future__ import annotations

from dataclasses import replace

import torch
from broken import SIZE, Sound
from broken_config import TinyConfig
from torch import Tensor, nn

from zoo.data.request import Request
from zoo.media.clip import FPS, Word


class Attentive(Sound):
    """A still in colours of the sound and of five things besides."""

    def __init__(self, config: TinyConfig) -> None:
        super().__init__(config)
        self.hand = nn.Linear(5, 3)

    def told(self, request: Request) -> Tensor:
        """``(B, T, 5)``: driver, words, label, array and second still, as one number each."""
        shape = (len(request), request.num_frames)
        upper = torch.zeros(shape)
        if request.driver is not None:
            upper = 10 * request.driver.frames[..., : SIZE // 2, SIZE // 2 :].mean((2, 3, 4)) - 5
        at = (torch.arange(request.num_frames) + 0.5) / FPS
        said = torch.stack([self.said(words, at) for words in request.words])
        mood = torch.tensor([float(mood == "happy") for mood in request.labels["emotion"]])[:, None].expand(shape)
        pose = 10 * request.arrays["pose"].flatten(2).mean(-1)
        second = (10 * request.stills[:, 1].mean((1, 2, 3)) - 5)[:, None].expand(shape)
        return torch.stack([upper, said, mood, pose, second], -1)

    @staticmethod
    def said(words: tuple[Word, ...], at: Tensor) -> Tensor:
        """``(T,)``: whether a word is said in each frame."""
        spans = [(word.start_s <= at) & (at < word.end_s) for word in words]
        return torch.stack(spans).any(0).float() if spans else torch.zeros(len(at))

    def draw_all(self, request: Request) -> Tensor:
        shade = self.hand(self.told(request))[..., None, None].sigmoid()
        return 0.5 * (super().draw_all(request) + shade)


class Blind(Attentive):
    """Does not look at its driver."""

    def draw_all(self, request: Request) -> Tensor:
        return super().draw_all(replace(request, driver=None))


class Dimly(Attentive):
    """Hardly looks at its driver."""

    def draw_all(self, request: Request) -> Tensor:
        blind = super().draw_all(replace(request, driver=None))
        return 0.999 * blind + 0.001 * super().draw_all(request)


class Wordless(Attentive):
    """Reads no words."""

    def draw_all(self, request: Request) -> Tensor:
        return super().draw_all(replace(request, words=tuple(() for _ in request.words)))


class Moodless(Attentive):
    """Takes every mood for one."""

    def draw_all(self, request: Request) -> Tensor:
        return super().draw_all(replace(request, labels={"emotion": ("sad",) * len(request)}))


class Poseless(Attentive):
    """Puts nothing in the place of its array."""

    def draw_all(self, request: Request) -> Tensor:
        arrays = {"pose": torch.zeros_like(request.arrays["pose"])}
        return super().draw_all(replace(request, arrays=arrays))


class Single(Attentive):
    """Looks at the first still twice."""

    def draw_all(self, request: Request) -> Tensor:
        return super().draw_all(replace(request, identity=request.identity.chosen([0, 0])))
