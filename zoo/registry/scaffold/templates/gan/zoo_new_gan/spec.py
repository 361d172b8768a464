"""What the zoo knows of NewGan before anything heavy is imported: no torch here."""

from zoo.registry.spec import MethodSpec, Paper, Uses

SPEC = MethodSpec(
    name="new-gan",
    summary="draws the mouth of a still anew, one frame at a time, from 375 ms of sound; discriminator of frames",
    target="zoo_new_gan.method:NewGan",
    config="zoo_new_gan.config:NewGanConfig",
    api_version=2,
    licence="MIT",
    # Yours, once there is one.
    paper=Paper(
        title="NewGan",
        authors="AUTHOR NAME",
        venue="unpublished",
        year=2026,
    ),
    recipes="zoo_new_gan.recipes",
    # What it is given, in a test too: a still and the sound. Uses(driver="upper half") or "video" are easier tasks.
    modes=(("sound", Uses()),),
    capabilities=("photo", "video", "any-length"),
    # The smallest network with all its parts at work: what `zoo plugin check` trains.
    trial=("model.width=4", "model.adversarial_start=0"),
)
