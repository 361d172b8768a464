"""A spec that imports torch and prints."""

import torch  # noqa: F401
from broken_specs import SOUND

print("hello")
HEAVY = SOUND
