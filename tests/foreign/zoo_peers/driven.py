"""One checkpoint, two ways to drive it: by sound, or by another video's mouth."""

from __future__ import annotations

from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from zoo.data.request import Request
from zoo_peers.base import CODE, SIZE, Hearing, Peer


class Driven(Peer):
    """The code of a frame comes from its audio window, or from the driver's frame."""

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.hearing = Hearing(config.width)
        self.seeing = nn.Sequential(
            nn.Conv2d(3, config.width, 4, 4), nn.ReLU(), nn.Flatten(), nn.Linear(config.width * (SIZE // 4) ** 2, CODE)
        )

    def codes(self, request: Request) -> Float[Tensor, "B T 8"]:
        """By what the mode gives."""
        if request.mode == "video":
            assert request.driver is not None
            assert request.driver.frames is not None
            seen = (request.driver.frames - 0.5) / 0.25
            return self.seeing(seen.flatten(0, 1)).unflatten(0, seen.shape[:2])
        windows = request.audio_windows(self.context)
        return self.hearing(windows.flatten(0, 1)).unflatten(0, windows.shape[:2])
