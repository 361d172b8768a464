"""A frozen sync expert as a loss: do the drawn faces belong to the sound? (Wav2Lip, eq. 1 and 2)"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from pytorch_lightning.utilities import rank_zero_warn
from torch import Tensor

from zoo import registry
from zoo.data.module import TalkingFaceData
from zoo.methods.corpora import corpus, drawn_only
from zoo.methods.trainable import find_weights, load_checkpoint, read_checkpoint

FRAMES = 5
"""Frames per window of the expert."""

LEAST_COSINE = 1e-4
"""Below it the logarithm is cut: its slope grows without bound, and one such window would undo all others."""


class SyncLoss:
    """Binary cross-entropy of the expert's cosine against 1, differentiable in the faces.

    It is no part of the method that uses it: the expert's weights are neither trained nor kept in the method's
    checkpoints, which therefore load where the expert is not at hand.

    Args:
        which: weights of the sync expert: a checkpoint, a safetensors file, or the name of weights that come with it.

    Attributes:
        scores: the expert's own on clips held out; empty where its file does not tell.

    Raises:
        DataError: there is no such file, or it holds another network.
    """

    frames = FRAMES
    """Frames per window."""

    def __init__(self, which: str | Path) -> None:
        self.which = which
        path = find_weights(registry.expert("sync-expert"), which)
        # Building a network draws weights, which the run must not notice; and one that validation asks first is asked
        # in training, too, where tensors of inference mode cannot be used.
        with torch.random.fork_rng(devices=[]), torch.inference_mode(False):
            self.expert: Any = load_checkpoint(path, "sync-expert").for_inference()
        self.scores: dict[str, Any] = read_checkpoint(path)["zoo"].get("scores", {})

    def check_data(self, data: TalkingFaceData) -> None:
        """Warn where the expert knows drawn faces only and these are others."""
        if drawn_only(self.expert.corpora) and not corpus(data.config.name).drawn:
            rank_zero_warn(
                f"model.expert={self.which} knows drawn faces only; `zoo fit sync-expert data={data.config.name} "
                f"data.root={data.path}` makes one for these clips, then give model.expert=WEIGHTS"
            )

    def __call__(
        self, faces: Float[Tensor, "batch 5 3 96 96"], windows: Float[Tensor, "batch 5 context"]
    ) -> Float[Tensor, ""]:
        """Mean over windows.

        Args:
            faces: RGB in [0, 1], drawn.
            windows: the audio window of each frame, centred on it (:func:`zoo.media.audio.per_frame`); the expert is
                given the middle 0.2 s of the middle frame's.

        Returns:
            0 where it is certain of all; 0.69 where it does not know.
        """
        expert = self.expert.to(faces.device)
        first = windows.shape[-1] // 2 - expert.mel.samples // 2
        sound = windows[:, FRAMES // 2, first : first + expert.mel.samples]
        cosine = (expert.embed_faces(faces).float() * expert.embed_sounds(sound).float()).sum(1)
        return -cosine.clamp(LEAST_COSINE, 1).log().mean()
