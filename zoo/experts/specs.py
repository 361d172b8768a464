"""Light specs of the experts that come with the zoo."""

from zoo.registry.spec import ExpertSpec, Paper

SYNC_EXPERT = ExpertSpec(
    name="sync-expert",
    summary="do 5 frames of the lower face and 0.2 s of sound belong together? (the expert of Wav2Lip)",
    target="zoo.experts.sync_expert.module:SyncExpert",
    config="zoo.experts.sync_expert.config:SyncExpertConfig",
    paper=Paper(
        title="A Lip Sync Expert Is All You Need for Speech to Lip Generation In The Wild",
        authors="Prajwal K R, Rudrabha Mukhopadhyay, Vinay Namboodiri, C V Jawahar",
        venue="ACM Multimedia",
        year=2020,
        url="https://arxiv.org/abs/2008.10010",
    ),
    licence="Apache-2.0; written from the paper and published facts",
    recipes="zoo.experts.sync_expert.recipes",
    trial=("model.width=0.06",),
    weights="zoo.experts.sync_expert.weights",
    importer="zoo.experts.sync_expert.released:read",
)

LIP_READER = ExpertSpec(
    name="lip-reader",
    summary="LipNet: reads a sentence off the lower face, character by character (CTC)",
    target="zoo.experts.lip_reader.module:LipReader",
    config="zoo.experts.lip_reader.config:LipReaderConfig",
    paper=Paper(
        title="LipNet: End-to-End Sentence-level Lipreading",
        authors="Yannis M. Assael, Brendan Shillingford, Shimon Whiteson, Nando de Freitas",
        venue="arXiv",
        year=2016,
        url="https://arxiv.org/abs/1611.01599",
    ),
    licence="Apache-2.0; written from the paper and published facts",
    recipes="zoo.experts.lip_reader.recipes",
    trial=("model.width=0.1",),
    weights="zoo.experts.lip_reader.weights",
)
