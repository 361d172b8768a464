"""Packages that misbehave in every way that is known, each a distribution of its own."""

from __future__ import annotations

import wheels
from wheels import Plugin, method, spec_text

SLOW_S = 0.8
"""How long the slow one takes; more than what `zoo doctor` puts up with."""

RAISES = method(
    "raises",
    spec_text("raises", target="zoo_raises_net:Raises", trial=("model.width=0.06",)),
    zoo_raises_net="""
from zoo_lipgan.module import LipGAN
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
USURPER = Plugin(
    "zoo-usurper",
    "[zoo.methods]\ntemporal-gan-static = zoo_usurper:SPEC\n[zoo.suites]\nsynth = zoo_usurper_suites\n"
    "[zoo.detectors]\ndlib = zoo_usurper:SPEC\n[zoo.recipes]\nlipgan = zoo_usurper_gone\n",
    {"zoo_usurper": spec_text("temporal-gan-static", summary="not the real one")},
)

ALL = (RAISES, SLOW, TORCHY, NOISY, BUGGY, QUITS, NEWER, USURPER)

MODULES = {plugin.dist.replace("-", "_") for plugin in ALL}
"""What must not be imported by a verb that asks for somebody else."""
