"""SynthGRID, the embedded corpus: sentences of the GRID grammar spoken by espeak-ng and mouthed by drawn faces."""

from zoo.data.synthgrid.source import SynthGrid

__all__ = ["SynthGrid"]
