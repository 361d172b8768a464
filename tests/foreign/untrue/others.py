"""Those of ``broken`` that say or do what is not so, beside the card of this package."""

from broken import Bytes, LipReading, Mixing, Prompted, Signed

__all__ = ["Bytes", "LipReading", "Mixing", "Prompted", "Signed"]
