"""SynthGRID, the embedded corpus: sentences of the GRID grammar spoken by espeak-ng and mouthed by drawn faces."""

from zoo.data.sources.synthgrid.source import SynthGrid

__all__ = ["SynthGrid"]
