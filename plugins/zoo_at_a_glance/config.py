"""Settings of At a Glance and of its helpers, each with its source; the ablations of the paper's Table 2."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from zoo.methods.config import AdversarialConfig
from zoo.registry.spec import setting


@dataclass(frozen=True)
class Ablation:
    """A column of Table 2: which losses there are, and what the discriminator sees.

    Attributes:
        description: in the paper's words.
        pixel: the pixel-level reconstruction loss.
        perceptual: the perceptual loss on the autoencoder's features.
        correlation: of derivatives of the sound's features and optical flow (``derivative``), of the sound's features
            and frames themselves (``direct``), or none.
        discriminator: ``three`` streams (sound, video, flow), ``two`` (no flow), ``difference`` (differences of
            frames in place of flow), or none.
    """

    description: str
    pixel: bool
    perceptual: bool
    correlation: Literal["none", "derivative", "direct"]
    discriminator: Literal["none", "two", "three", "difference"]


ABLATIONS = {
    "a": Ablation("adversarial loss alone, three-stream D.", False, False, "none", "three"),
    "b": Ablation("pixel loss alone", True, False, "none", "none"),
    "c": Ablation("pixel and adversarial loss, three-stream D.", True, False, "none", "three"),
    "d": Ablation("full model without correlation loss", True, True, "none", "three"),
    "e": Ablation("full model", True, True, "derivative", "three"),
    "f": Ablation("full model with non-derivative correlation", True, True, "direct", "three"),
    "g": Ablation("full model with two-stream D.", True, True, "derivative", "two"),
    "h": Ablation("two-stream D., no correlation loss", True, True, "none", "two"),
    "i": Ablation("full model with three-stream D. (frame-diff.)", True, True, "derivative", "difference"),
}
"""Table 2 of the paper, column by column."""

FLOWS = ("lucas-kanade", "flownets", "raft")
"""What estimates the optical flow (:mod:`zoo.methods.nn.flow`)."""


@dataclass
class AtAGlanceConfig(AdversarialConfig):
    """Settings of At a Glance; the defaults are the paper's full model and its published training."""

    ablation: str = setting("e", "column of Table 2, a to i; e is the full model", "Table 2", choices=tuple(ABLATIONS))
    width: float = setting(1.0, "factor on all channel counts; 1 is the published network", "ours")
    last_kernel: int = setting(7, "side of the decoder's last 3-D convolution, odd", "Table 6: 7", least=1)
    residual_blocks: int = setting(9, "residual blocks of the decoder", "Table 6: 9", least=1)
    pixel_weight: float = setting(1.0, "weight of the L1 of pixels in [-1, 1]", "Sec. 4; the code has 0.2")
    perceptual_weight: float = setting(1.0, "weight of the squared distance of features", "Sec. 4")
    correlation_weight: float = setting(0.5, "weight of the correlation losses on real and on made flow", "Sec. 4")
    adversarial_weight: float = setting(1.0, "weight of the adversarial loss", "eq. 2")
    fake_weight: float = setting(0.5, "discriminator: weight of made videos", "eq. 4, Sec. 4.2")
    mismatch_weight: float = setting(0.5, "discriminator: weight of real videos with another's sound", "eq. 4")
    learning_rate: float = setting(2e-4, "Adam's learning rate of generator and discriminator", "code")
    correlation_rate: float = setting(1e-4, "Adam's learning rate of the correlation networks", "code")
    correlation_decay: float = setting(5e-4, "weight decay of the correlation networks", "code")
    beta1: float = setting(0.5, "Adam's first moment", "code")
    norm_fixed_from: float = setting(
        1.0,
        "share of the run after which the generator's batch normalisation keeps its statistics: small batches have "
        "other colours every time",
        "ours; 1: never",
        least=0,
    )
    flow: str = setting(
        "lucas-kanade", "optical flow: lucas-kanade, flownets, or raft (torchvision's weights)", "ours; code: FlowNetS",
        choices=FLOWS,
    )  # fmt: skip
    flow_weights: str | None = setting(
        None, "of flownets: a checkpoint of mouth-flow; of raft: a file, none: where torch keeps its downloads", "ours"
    )
    flow_shrink: int = setting(
        1, "lucas-kanade: by how much pictures are shrunk for it; 2 is five times as fast", "ours", least=1
    )
    autoencoder: str | None = setting(
        None,
        "perceptual loss: a checkpoint of mouth-autoencoder; none: it is trained first, in the same run",
        "Sec. 4.1: trained from scratch, then fixed",
    )  # fmt: skip
    autoencoder_width: float = setting(1.0, "factor on the autoencoder's channel counts", "ours")
    autoencoder_steps: int = setting(
        2000, "steps of the autoencoder before the generator's first, where it has no weights", "ours", least=1
    )  # fmt: skip


@dataclass
class AutoencoderConfig:
    """Settings of the mouth autoencoder; the defaults are the published network."""

    width: float = setting(1.0, "factor on all channel counts; 1 is the published network", "ours")
    frames: int = setting(4, "frames drawn from a clip at once", "ours", least=1)
    learning_rate: float = setting(2e-4, "AdamW's learning rate (its highest)", "code: the generator's")
    warmup: float = setting(0.0, "share of the steps in which the learning rate rises", "ours")
    decay: bool = setting(False, "let the learning rate fall to zero along a cosine", "ours")
    weight_decay: float = setting(0.0, "AdamW's weight decay", "ours")


@dataclass
class FlowConfig:
    """Settings of the flow network; the defaults are FlowNetS."""

    width: float = setting(1.0, "factor on all channel counts; 1 is FlowNetS", "ours")
    frames: int = setting(4, "frames drawn from a clip at once", "ours", least=1)
    largest: float = setting(4.0, "largest shift of a whole picture in pixels", "ours")
    bend: float = setting(4.0, "largest bend of a picture in pixels, on top", "ours")
    learning_rate: float = setting(1e-4, "AdamW's learning rate (its highest)", "code")
    warmup: float = setting(0.0, "share of the steps in which the learning rate rises", "ours")
    decay: bool = setting(False, "let the learning rate fall to zero along a cosine", "ours")
    weight_decay: float = setting(4e-4, "AdamW's weight decay", "code: of Adam, where it is part of the gradient")
