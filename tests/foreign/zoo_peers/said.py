"""A mouth from words with their times, and a label; no sound."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from zoo.data.request import Request
from zoo.media.clip import FPS
from zoo_peers.base import CODE, Peer


class Said(Peer):
    """The code of a frame is that of the letter that is said in it, and of the mood."""

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.letters = nn.Embedding(28, CODE)
        self.moods = nn.Embedding(len(config.moods), CODE)

    def codes(self, request: Request) -> Float[Tensor, "B T 8"]:
        """By letter and mood."""
        letters = torch.stack([self.spelt(request, b) for b in range(len(request))])
        known = {mood: number for number, mood in enumerate(self.config.moods)}
        told = request.labels.get("emotion", ("",) * len(request))
        moods = torch.tensor([known.get(mood, 0) for mood in told], device=letters.device)
        return self.letters(letters) + self.moods(moods)[:, None]

    def spelt(self, request: Request, clip: int) -> Int64[Tensor, " T"]:
        """The letter of each frame, 0 where nothing is said: words are spelt evenly over their time."""
        found = torch.zeros(request.num_frames, dtype=torch.long)
        for word in request.words[clip]:
            for t in range(request.num_frames):
                at = (t + 0.5) / FPS
                if word.start_s <= at < word.end_s:
                    letter = word.text[int((at - word.start_s) / (word.end_s - word.start_s) * len(word.text))]
                    found[t] = max(0, min(27, ord(letter) - 96))
        return found.to(request.stills.device)
