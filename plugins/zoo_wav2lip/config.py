"""Settings of Wav2Lip, each with its source."""

from __future__ import annotations

from dataclasses import dataclass

from zoo.methods.config import AdversarialConfig
from zoo.registry.spec import setting


@dataclass
class Wav2LipConfig(AdversarialConfig):
    """Settings of Wav2Lip; the defaults are the published network and training, with the discriminator of quality."""

    width: float = setting(1.0, "factor on all channel counts; 1 is the published network", "ours")
    expert: str = setting(
        "synthgrid",
        "the sync expert that judges while training: a checkpoint, weights.safetensors, or the name of weights that "
        "come with the zoo (synthgrid: of drawn faces)",
        "paper: one trained on the same data",
        weights="sync-expert",
        unless="sync_weight",
    )
    sync_weight: float = setting(
        0.03,
        "weight of the sync loss once it has joined; 0: no expert",
        "code, hq_wav2lip_train.py; 0.01 without GAN",
        least=0,
    )
    sync_bar: float = setting(
        0.75, "the sync loss joins, for good, when it falls below this on the validation windows", "code"
    )
    disc_weight: float = setting(
        0.07, "weight of the discriminator's loss; 0: no discriminator", "code, hq_wav2lip_train.py", least=0
    )
    lip_weight: float = setting(
        1.0, "weight of the lip region in the L1 loss against 1 elsewhere", "LipGAN's project page; code: 1", least=1
    )
    sound_delay: int = setting(
        0,
        "frames by which what the generator hears lies later than its frame; released weights were trained with 1",
        "ours: the frame itself; code: 1 in training, 2 in inference",
        least=0,
    )
    learning_rate: float = setting(1e-4, "Adam's learning rate of both networks", "code")
    beta1: float = setting(0.5, "Adam's first moment", "code")
