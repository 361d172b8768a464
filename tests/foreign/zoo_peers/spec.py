"""What the zoo knows of the three before anything heavy is imported."""

from zoo.registry.spec import MethodSpec, Paper, Uses

PAPER = Paper("Three small peers", "The authors of the tests", "unpublished", 2026)

SHARED = {
    "api_version": 2,
    "licence": "Apache-2.0",
    "paper": PAPER,
    "recipes": "zoo_peers.recipes",
    "trial": ("model.width=32", "model.learning_rate=0.01", "data.batch_size=4"),
    "capabilities": ("photo", "any-length"),
}

POINTS = MethodSpec(
    name="peer-points",
    summary="landmarks from sound: a PCA of lips, coefficients smoothed by gradients, a still warped to them",
    target="zoo_peers.points:Points",
    config="zoo_peers.config:PeerConfig",
    options="zoo_peers.config:PointsOptions",
    modes=(("sound", Uses()),),
    **SHARED,
)

DRIVEN = MethodSpec(
    name="peer-driven",
    summary="one code of the mouth, from sound or from a driving video",
    target="zoo_peers.driven:Driven",
    config="zoo_peers.config:PeerConfig",
    modes=(("sound", Uses()), ("video", Uses(sound=False, driver="video"))),
    **SHARED | {"trial": ("model.width=32", "data.batch_size=4")},
)

SAID = MethodSpec(
    name="peer-said",
    summary="a mouth from the letters that are said, and a mood",
    target="zoo_peers.said:Said",
    config="zoo_peers.config:SaidConfig",
    modes=(("words", Uses(sound=False, words=True, labels=("emotion",))),),
    label_values=(("emotion", ("happy", "sad")),),
    **SHARED,
)
