"""Settings of LipGAN, each with its source."""

from __future__ import annotations

from dataclasses import dataclass

from zoo.methods.config import AdversarialConfig
from zoo.registry.spec import setting


@dataclass
class LipGANConfig(AdversarialConfig):
    """Settings of LipGAN; the defaults are the paper's network and the published training."""

    frontend: str = setting(
        "mel",
        "sound features: mel (80x27) or mfcc (12x35)",
        "code, branches fully_pythonic and master",
        choices=("mel", "mfcc"),
    )
    width: float = setting(1.0, "factor on all channel counts; 1 is the published network", "ours")
    margin: float = setting(2.0, "margin m of the contrastive loss", "project page, m = 2; the code has 1")
    adversarial_weight: float = setting(
        0.01, "weight of the contrastive loss for the generator; 0: no discriminator", "code"
    )
    expert: str | None = setting(
        None,
        "a frozen sync expert as a further loss, on windows of five frames: a checkpoint, weights.safetensors, or the "
        "name of weights that come with the zoo; none: no expert",
        'project page, "Need for an expert discriminator"',
    )
    expert_weight: float = setting(0.03, "weight of the expert's loss for the generator", "Wav2Lip's code", least=0)
    window: int = setting(
        1, "frames of a training window, all of one clip; where an expert judges they are five", "code", least=1
    )
    lip_weight: float = setting(
        1.0, "alpha of the weighted L1: weight of the lip region against 1 elsewhere", "project page", least=1
    )
    negatives: str = setting(
        "clip",
        "out-of-sync real samples: clip (a frame from elsewhere in the clip) or roll (another sample's sound)",
        "project page; code: roll by 10",
        choices=("clip", "roll"),
    )
    learning_rate: float = setting(1e-4, "Adam's learning rate of both networks", "code, train.py")
    beta1: float = setting(0.9, "Adam's first moment", "Keras default")
