"""What ``torchrun`` tells the processes that it starts."""

from __future__ import annotations

import os


def world() -> int:
    """How many processes torchrun started; 0 where it did not."""
    return int(os.environ["WORLD_SIZE"]) if "TORCHELASTIC_RUN_ID" in os.environ else 0


def rank() -> int:
    """Number of this process; 0 without torchrun."""
    return int(os.environ["RANK"]) if world() else 0


def local_world() -> int:
    """How many of them run on this machine; 0 without torchrun."""
    return int(os.environ["LOCAL_WORLD_SIZE"]) if world() else 0


def local_rank() -> int:
    """Number of this process on its machine; 0 without torchrun."""
    return int(os.environ["LOCAL_RANK"]) if world() else 0
