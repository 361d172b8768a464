"""What the zoo knows of Speech2Face before anything heavy is imported."""

from zoo.registry.spec import MethodSpec, Paper, Uses

SPEC = MethodSpec(
    name="speech2face",
    summary="a GAN of windows of face shape and sound; mouth and jaw are in-painted, and the photograph is warped",
    target="zoo_speech2face.method:Speech2Face",
    config="zoo_speech2face.config:Speech2FaceConfig",
    options="zoo_speech2face.config:Speech2FaceOptions",
    api_version=2,
    licence="Apache-2.0; written from the paper, of which nobody published code",
    paper=Paper(
        title="Speech2Face: Reconstructed Lip Syncing with Generative Adversarial Networks",
        authors="D. Bunker",
        venue="technical report",
        year=2017,
    ),
    modes=(("photo", Uses()),),
    recipes="zoo_speech2face.recipes",
    weights="zoo_speech2face.weights",
    trial=(
        "model.width=16",
        "model.window=5",
        "model.size=64",
        "model.updates=16",
        "model.learning_rate=1e-3",
        "model.discriminator_rate=2e-3",
    ),
    capabilities=("photo", "any-length"),
)
