"""What the zoo knows of NewDataset before anything heavy is imported: no torch here."""

from zoo.registry.spec import DatasetSpec

SPEC = DatasetSpec(
    name="new-dataset",
    summary="videos by speaker, their sentences in one table",
    target="zoo_new_dataset.source:NewDataset",
    api_version=2,
    licence="MIT for this package; of the recordings: say here what their owner allows",
    citation="AUTHOR NAME, NewDataset, 2026",
    url="",  # where the recordings can be had
    splits=("by-speaker", "by-clip"),  # the first is the default: it tests on speakers never trained on
    example="zoo_new_dataset.example:write",
)
