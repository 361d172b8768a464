"""Light specs of the data sets that come with the zoo."""

from zoo.registry.spec import DatasetSpec

SYNTHGRID = DatasetSpec(
    name="synthgrid",
    summary="embedded corpus: drawn faces speak GRID sentences with espeak-ng; made on the spot, any size",
    target="zoo.data.sources.synthgrid.source:SynthGrid",
    licence="made by this library; the voice is espeak-ng's (GPL-3.0 program, its output is yours)",
    citation="none: synthetic. Leaderboards on it rank code, not science.",
    splits=("by-speaker", "by-clip"),
    embedded=True,
    drawn=True,
)

GRID = DatasetSpec(
    name="grid",
    summary="GRID audiovisual sentence corpus: 34 speakers, 1000 sentences each, 3 s at 25 fps",
    target="zoo.data.sources.grid:Grid",
    example="zoo.data.sources.examples:grid",
    licence="CC BY 4.0 (Zenodo record 3625687)",
    citation=(
        "M. Cooke, J. Barker, S. Cunningham, X. Shao, 'An audio-visual corpus for speech perception and automatic "
        "speech recognition', JASA 120(5), 2006"
    ),
    url="https://zenodo.org/records/3625687",
    splits=("grid-unseen", "grid-overlapped", "by-clip", "by-speaker"),
)

FOLDER = DatasetSpec(
    name="folder",
    summary="your own videos: any folder of files with one talking face and sound",
    target="zoo.data.sources.folder:Folder",
    example="zoo.data.sources.examples:folder",
    licence="yours to know",
    citation="",
    splits=("by-speaker", "by-clip"),
    recipes_of="grid",
)
