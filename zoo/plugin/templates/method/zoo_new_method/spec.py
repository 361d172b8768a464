"""What the zoo knows of NewMethod before anything heavy is imported: no torch here."""

from zoo.spec import MethodSpec, Paper

SPEC = MethodSpec(
    name="new-method",
    summary="draws the mouth of a still anew, one frame at a time, from 375 ms of sound",
    target="zoo_new_method.module:NewMethod",
    config="zoo_new_method.config:NewMethodConfig",
    api_version=1,
    licence="MIT",
    # Yours, once there is one.
    paper=Paper(
        title="NewMethod",
        authors="AUTHOR NAME",
        venue="unpublished",
        year=2026,
    ),
    recipes="zoo_new_method.recipes",
    # What it sees of the true video in a test. "upper half" and "video" are other, easier tasks; leaderboards tell.
    shown="still",
    capabilities=("photo", "video", "any-length"),
    # The smallest network with all its parts at work: what `zoo plugin check` trains.
    trial=("model.width=4",),
)
