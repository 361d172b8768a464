"""Settings of Speech2Face, each with its source."""

from __future__ import annotations

from dataclasses import dataclass

from zoo.methods.config import AdversarialConfig
from zoo.registry.spec import setting


@dataclass
class Speech2FaceConfig(AdversarialConfig):
    """Settings of training."""

    window: int = setting(11, "frames of a window of shape and sound", "ours; paper 4: to be found by trial", least=3)
    windows: int = setting(128, "windows per update, out of the clips of a batch", "ours; DCGAN: 128", least=2)
    updates: int = setting(4, "updates of both networks per step, each with other windows", "ours", least=1)
    components: int = setting(8, "coefficients of the deformable point model of mouth and jaw", "ours", least=1)
    sound: str = setting(
        "fft",
        "the audio frequencies: magnitudes of an FFT in bands, or raw samples",
        "paper 3 and 4",
        choices=("fft", "raw"),
    )
    sound_components: int = setting(12, "principal components of the sound of a frame", "ours", least=1)
    recurrent: bool = setting(False, "an LSTM in place of a window of fixed length", "paper 4")
    latent: int = setting(64, "length of z", "ours; DCGAN: 100", least=1)
    size: int = setting(256, "side of the face in pixels where it is scored", "ours", least=16)
    width: int = setting(256, "channels of the smallest layer", "ours", least=1)
    learning_rate: float = setting(2e-4, "Adam's, of the generator", "DCGAN (Radford et al. 2015)", least=0)
    discriminator_rate: float = setting(4e-4, "Adam's, of the discriminator", "ours", least=0)
    beta1: float = setting(0.5, "Adam's first moment", "DCGAN (Radford et al. 2015)", least=0)
    loss: str = setting(
        "hinge",
        "minimax of eq. 1 with the generator's log D, or hinge",
        "ours; paper eq. 1: minimax",
        choices=("minimax", "hinge"),
    )


@dataclass
class Speech2FaceOptions:
    """How in-painting is done, after training."""

    steps: int = setting(200, "steps of Adam on z", "Yeh et al. 2016: 1000", least=1)
    step_size: float = setting(0.05, "learning rate of z", "ours; Yeh et al.: 0.01", least=0)
    perceptual: float = setting(
        0.01, "lambda, weight of the perceptual loss", "eq. 5: below 1; Yeh et al.: 0.1", least=0
    )
    prior: float = setting(0.002, "weight of z's mean square", "ours; Yeh et al. clip z", least=0)
    strength: float = setting(1.0, "how far mouth and jaw move", "ours", least=0)
