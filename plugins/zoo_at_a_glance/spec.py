"""What the zoo knows of At a Glance and its two helpers before anything heavy is imported."""

from zoo.registry.spec import ExpertSpec, MethodSpec, Paper, Uses

PAPER = Paper(
    title="Lip Movements Generation at a Glance",
    authors="Lele Chen, Zhiheng Li, Ross K. Maddox, Zhiyao Duan, Chenliang Xu",
    venue="ECCV",
    year=2018,
    url="https://arxiv.org/abs/1803.10404",
)

LICENCE = "Apache-2.0; written from the paper and published facts, no code or weights of the authors"

SPEC = MethodSpec(
    name="at-a-glance",
    summary="16 mouths at once from a still and 0.64 s of sound; correlation loss and three-stream discriminator",
    target="zoo_at_a_glance.method:AtAGlance",
    config="zoo_at_a_glance.config:AtAGlanceConfig",
    api_version=2,
    licence=LICENCE,
    paper=PAPER,
    modes=(("sound", Uses()),),
    recipes="zoo_at_a_glance.recipes",
    trial=(
        "model.width=0.06",
        "model.residual_blocks=1",
        "model.autoencoder_steps=2",
        "model.adversarial_start=0",
        "data.batch_size=2",
    ),
    capabilities=("photo", "video", "any-length"),
)

AUTOENCODER = ExpertSpec(
    name="mouth-autoencoder",
    summary="autoencoder of mouth pictures, whose frozen encoder is At a Glance's perceptual loss",
    target="zoo_at_a_glance.autoencoder.module:MouthAutoencoder",
    config="zoo_at_a_glance.config:AutoencoderConfig",
    api_version=2,
    licence=LICENCE,
    paper=PAPER,
    recipes="zoo_at_a_glance.autoencoder.recipes",
    trial=("model.width=0.06",),
)

FLOW = ExpertSpec(
    name="mouth-flow",
    summary="FlowNetS for mouth pictures, taught by warps whose flow is known",
    target="zoo_at_a_glance.flow.module:MouthFlow",
    config="zoo_at_a_glance.config:FlowConfig",
    api_version=2,
    licence=LICENCE,
    paper=Paper(
        title="FlowNet: Learning Optical Flow with Convolutional Networks",
        authors="A. Dosovitskiy, P. Fischer, E. Ilg, P. Häusser, C. Hazirbas, V. Golkov, P. van der Smagt, "
        "D. Cremers, T. Brox",
        venue="ICCV",
        year=2015,
        url="https://arxiv.org/abs/1504.06852",
    ),
    recipes="zoo_at_a_glance.flow.recipes",
    trial=("model.width=0.03",),
)
