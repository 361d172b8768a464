"""What the zoo knows of Wav2Lip before anything heavy is imported."""

from zoo.registry.spec import MethodSpec, Paper, Uses

SPEC = MethodSpec(
    name="wav2lip",
    summary="windows of five frames from masked faces and 0.2 s of sound each; a frozen sync expert is the loss",
    target="zoo_wav2lip.method:Wav2Lip",
    config="zoo_wav2lip.config:Wav2LipConfig",
    api_version=2,
    licence="Apache-2.0; written from the paper and published facts, no code or weights of the authors",
    paper=Paper(
        title="A Lip Sync Expert Is All You Need for Speech to Lip Generation In The Wild",
        authors="Prajwal K R, Rudrabha Mukhopadhyay, Vinay Namboodiri, C V Jawahar",
        venue="ACM Multimedia",
        year=2020,
        url="https://arxiv.org/abs/2008.10010",
    ),
    requires=("sync-expert",),
    modes=(("dub", Uses(driver="upper half")), ("photo", Uses())),
    recipes="zoo_wav2lip.recipes",
    trial=("model.width=0.06", "model.adversarial_start=0", "data.batch_size=2"),
    importer="zoo_wav2lip.released:read",
    capabilities=("photo", "video", "any-length"),
)
