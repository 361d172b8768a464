"""Packages that misbehave in every way that is known, each a distribution of its own."""

from __future__ import annotations

from tests.helpers import wheels
from tests.helpers.wheels import Plugin, method, spec_text

SLOW_S = 5
"""How long the slow one takes to import."""

RAISES = method(
    "raises",
    spec_text("raises", target="zoo_raises_net:Raises", trial=("model.width=0.06",)),
    zoo_raises_net="""
from zoo_lipgan.method import LipGAN
class Raises(LipGAN):
    def training_step(self, batch, batch_idx):
        raise RuntimeError("no idea what a mouth is")
""",
)
SLOW = method("slow", f"import time\ntime.sleep({SLOW_S})\n" + spec_text("slow"))
TORCHY = method("torchy", "import torch\n" + spec_text("torchy"))
NOISY = method("noisy", "print('NOISE')\n" + spec_text("noisy"))
BUGGY, _ = wheels.BROKEN["buggy"]
QUITS, _ = wheels.BROKEN["quits"]
NEWER, _ = wheels.BROKEN["newer"]
VOICED = method("voiced", spec_text("voiced", api_version=3, voice="any"))
USURPER = Plugin(
    "zoo-usurper",
    "[zoo.methods]\ntemporal-gan-static = zoo_usurper:SPEC\nsync-expert = zoo_usurper:SPEC\n"
    "[zoo.suites]\nsynth = zoo_usurper_suites\n"
    "[zoo.detectors]\ndlib = zoo_usurper:SPEC\n[zoo.recipes]\nlipgan = zoo_usurper_gone\n"
    "[zoo.datasets]\nsynthgrid = zoo_usurper:SPEC\n[zoo.metrics]\npsnr = zoo_usurper:SPEC\n"
    "[zoo.experts]\nsync-expert = zoo_usurper:SPEC\n",
    {"zoo_usurper": spec_text("temporal-gan-static", summary="not the real one")},
)

SCORES = Plugin(
    "zoo-scores",
    "[zoo.metrics]\nraiser = zoo_scores:RAISER\nneedy = zoo_scores:NEEDY\nquitter = zoo_scores:QUITTER\n",
    {
        "zoo_scores": """
from zoo.registry.spec import MetricSpec
RAISER = MetricSpec(name="raiser", summary="its module cannot be imported", target="zoo_scores_gone:Metric")
NEEDY = MetricSpec(name="needy", summary="its constructor raises", target="zoo_scores_net:Needy")
QUITTER = MetricSpec(name="quitter", summary="ends the program", target="zoo_scores_net:Quitter")
""",
        "zoo_scores_net": """
from zoo.evaluation.metrics.psnr import PSNR
class Needy(PSNR):
    def __init__(self, level: int = 1) -> None:
        raise TypeError("no level is high enough")
class Quitter(PSNR):
    name = "quitter"
    def observe(self, clip, pred, real):
        raise SystemExit(0)
""",
    },
)
EXITS = method(
    "exits",
    spec_text("exits", target="zoo_exits_net:Exits", trial=("model.width=0.06",)),
    zoo_exits_net="""
from zoo_lipgan.method import LipGAN
class Exits(LipGAN):
    def training_step(self, batch, batch_idx):
        raise SystemExit(0)
""",
)

ALL = (RAISES, EXITS, SLOW, TORCHY, NOISY, BUGGY, QUITS, NEWER, VOICED, USURPER, SCORES)

MODULES = {plugin.dist.replace("-", "_") for plugin in ALL}
"""What must not be imported by a verb that asks for somebody else."""
