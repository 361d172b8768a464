"""What the zoo knows of LipGAN before anything heavy is imported."""

from zoo.registry.spec import MethodSpec, Paper, Uses

SPEC = MethodSpec(
    name="lipgan",
    summary="one frame at a time from a masked face, a reference face and 350 ms of sound; sync discriminator",
    target="zoo_lipgan.method:LipGAN",
    config="zoo_lipgan.config:LipGANConfig",
    api_version=2,
    licence="Apache-2.0; written from the paper and published facts, no code or weights of the authors",
    paper=Paper(
        title="Towards Automatic Face-to-Face Translation",
        authors="Prajwal K R, R. Mukhopadhyay, J. Philip, A. Jha, V. Namboodiri, C. V. Jawahar",
        venue="ACM Multimedia",
        year=2019,
        url="https://doi.org/10.1145/3343031.3351066",
    ),
    modes=(("dub", Uses(driver="upper half")), ("photo", Uses())),
    recipes="zoo_lipgan.recipes",
    trial=("model.width=0.06", "model.adversarial_start=0"),
    capabilities=("photo", "video", "any-length"),
)
