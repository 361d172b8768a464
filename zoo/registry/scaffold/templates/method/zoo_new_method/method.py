"""NewMethod's training and generation: Lightning around the plain network."""

import torch
from jaxtyping import Float
from torch import Tensor
from zoo.data.batch import Batch
from zoo.data.request import Request
from zoo.methods.losses.reconstruction import lip_weights, weighted_l1
from zoo.methods.method import TalkingFaceMethod
from zoo.methods.nn.frontend import Mel
from zoo.registry.spec import InputSpec

from zoo_new_method.config import NewMethodConfig
from zoo_new_method.networks import COLUMNS, SIZE, Network

AT_ONCE = 32
"""Frames that are drawn together, so that the memory for a long clip does not grow with it."""


class NewMethod(TalkingFaceMethod):
    """Draws frame after frame from a still and the sound around each frame; L1 with weight on the lips.

    Args:
        config: settings.
    """

    config: NewMethodConfig

    def __init__(self, config: NewMethodConfig) -> None:
        super().__init__(config)
        self.frontend = Mel(COLUMNS)
        self.network = Network(config.width)

    @property
    def input_spec(self) -> InputSpec:
        """What the zoo is to feed: the lips at 64x64, one frame per window, and what the front end hears around it."""
        return InputSpec(crop="mouth", size=(SIZE, SIZE), frames=1, context=self.frontend.samples)

    def draw(self, still: Float[Tensor, "N 3 H W"], sound: Float[Tensor, "N samples"]) -> Float[Tensor, "N 3 H W"]:
        """One frame per still, RGB in [0, 1], from the samples around it."""
        with torch.autocast(sound.device.type, enabled=False):  # spectra need all their bits
            features = self.frontend(sound)
        return self.network(still, features)

    def reconstruct(self, batch: Batch) -> Float[Tensor, "B T 3 H W"]:
        """The frames of a training window, from a still of the same speaker and the window's sound."""
        windows = batch.given.audio_windows(self.frontend.samples)
        still = batch.given.stills[:, :1].expand_as(batch.frames)
        return self.draw(still.flatten(0, 1), windows.flatten(0, 1)).view_as(batch.frames)

    def training_step(self, batch: Batch, batch_idx: int) -> Float[Tensor, ""]:
        """The loss of one batch of windows."""
        made = self.reconstruct(batch).flatten(0, 1)
        weights = lip_weights(batch.landmarks.flatten(0, 1), (SIZE, SIZE), self.config.lip_weight)
        loss = weighted_l1(made, batch.frames.flatten(0, 1), weights)
        self.log("train/loss", loss.detach(), prog_bar=True)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Adam."""
        return torch.optim.Adam(self.parameters(), lr=self.config.learning_rate)

    def generate(self, request: Request) -> Float[Tensor, "B T 3 H W"]:
        """Whole clips of any length."""
        clips = []
        for part in request.parts(AT_ONCE):
            windows = part.audio_windows(self.frontend.samples)
            stills = part.stills[:, :1].expand(-1, part.num_frames, -1, -1, -1)
            clips.append(self.draw(stills.flatten(0, 1), windows.flatten(0, 1)).view_as(stills))
        return torch.cat(clips, 1).float()
