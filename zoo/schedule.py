"""Step sizes over time that methods share."""

from __future__ import annotations


def faded(step: int, first: int, steps: int) -> float:
    """What is left of the step size when it falls linearly to zero from step ``first`` on, over ``steps`` steps.

    Args:
        step: training steps done.
        first: from which on it falls.
        steps: how many that takes; 0: it stays.

    Returns:
        1 to 0.
    """
    return min(1.0, max(0.0, 1 - (step - first) / steps)) if steps else 1.0
