"""The smallest run of ``zoo fit lipgan``, and the type of the fixture that runs commands."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

Zoo = Callable[..., "subprocess.CompletedProcess[str]"]

TINY = [
    "data.clips=6",
    "data.batch_size=4",
    "data.windows_per_clip=2",
    "trainer.max_epochs=1",
    "trainer.accelerator=cpu",
    "trainer.limit_test_batches=1",
    "model.width=0.06",
    "model.adversarial_start=0",
]
"""Settings of the smallest run of ``zoo fit lipgan``: two steps, one test clip."""
