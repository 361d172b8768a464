"""What the zoo knows of the temporal GAN and of its static baseline before anything heavy is imported."""

from zoo.registry.spec import MethodSpec, Paper, Uses

PAPER = Paper(
    title="End-to-End Speech-Driven Realistic Facial Animation with Temporal GANs",
    authors="K. Vougioukas, S. Petridis, M. Pantic",
    venue="CVPR Workshops",
    year=2019,
    url="https://sites.google.com/view/facialsynthesis/home",
)

LICENCE = "Apache-2.0; written from the paper and published facts, no code or weights of the authors"

TRIAL = ("model.height=32", "model.width=0.06", "model.adversarial_start=0")

SPEC = MethodSpec(
    name="temporal-gan",
    summary="a whole face from one still and raw sound with recurrent networks; frame and sequence discriminators",
    target="zoo_temporal_gan.method:TemporalGAN",
    config="zoo_temporal_gan.config:TemporalGANConfig",
    api_version=2,
    licence=LICENCE,
    paper=PAPER,
    modes=(("sound", Uses()),),
    recipes="zoo_temporal_gan.recipes",
    trial=TRIAL,
    capabilities=("photo", "any-length", "stream"),
)

STATIC = MethodSpec(
    name="temporal-gan-static",
    summary="the temporal GAN's baseline: each frame by itself from one still and a sliding window of raw sound",
    target="zoo_temporal_gan.method:StaticGAN",
    config="zoo_temporal_gan.config:StaticGANConfig",
    api_version=2,
    licence=LICENCE,
    paper=PAPER,
    modes=(("sound", Uses()),),
    recipes="zoo_temporal_gan.static_recipes",
    trial=TRIAL,
    capabilities=("photo", "any-length", "stream"),
)
