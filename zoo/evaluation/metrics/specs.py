"""Light specs of the metrics that come with the zoo."""

from zoo.registry.spec import MetricSpec

LMD = MetricSpec(
    name="lmd",
    summary="landmark distance: mean distance of the 20 lip points after their centres are laid on each other",
    target="zoo.evaluation.metrics.lmd:LandmarkDistance",
    unit="px",
    better="lower",
    bounds="0..",
    needs=("face",),
)

CPBD = MetricSpec(
    name="cpbd",
    summary="sharpness: share of the edges whose blur is not noticed",
    target="zoo.evaluation.metrics.cpbd:CPBD",
    better="higher",
    bounds="0..1",
    needs=("face",),
    real_row=True,
)

ACD = MetricSpec(
    name="acd",
    summary="average content distance: how far the face goes from the person in the first frame",
    target="zoo.evaluation.metrics.acd:AverageContentDistance",
    better="lower",
    bounds="0..",
    needs=("face", "embedder"),
    real_row=True,
)

MOTION = MetricSpec(
    name="motion",
    summary="mouth motion: that of the generated lips over that of the real ones",
    target="zoo.evaluation.metrics.motion:MotionRatio",
    better="near 1",
    bounds="0..",
    needs=("face",),
)

MOTION_OUTSIDE = MetricSpec(
    name="motion_outside",
    summary="motion outside the mouth: that of the generated face over that of the real one",
    target="zoo.evaluation.metrics.motion:MotionRatio",
    better="near 1",
    bounds="0..",
    needs=("face",),
    options=(("region", "outside"),),
)

SYNC_ACC = MetricSpec(
    name="sync_acc",
    summary="share of windows that the sync expert takes for a true pair of lips and sound",
    target="zoo.evaluation.metrics.sync_acc:SyncAccuracy",
    better="higher",
    bounds="0..1",
    needs=("face", "sync-expert"),
    real_row=True,
)

LSE_D = MetricSpec(
    name="lse_d",
    summary="lip-sync error, distance between lips and sound for the sync expert",
    target="zoo.evaluation.metrics.lse_d:LseD",
    better="lower",
    bounds="0..",
    needs=("face", "sync-expert"),
    real_row=True,
)

LSE_C = MetricSpec(
    name="lse_c",
    summary="lip-sync error, confidence: how much closer lips and sound are than at other shifts",
    target="zoo.evaluation.metrics.lse_c:LseC",
    better="higher",
    needs=("face", "sync-expert"),
    real_row=True,
)

AV_OFFSET = MetricSpec(
    name="av_offset",
    summary="frames by which the pictures come later than their sound",
    target="zoo.evaluation.metrics.av_offset:AVOffset",
    unit="frames",
    better="near 0",
    needs=("face", "sync-expert"),
    real_row=True,
)

WER = MetricSpec(
    name="wer",
    summary="word error rate of the lip reader",
    target="zoo.evaluation.metrics.wer:LipReadingWER",
    better="lower",
    bounds="0..",
    needs=("face", "lip-reader", "text"),
    real_row=True,
)

CER = MetricSpec(
    name="cer",
    summary="character error rate of the lip reader",
    target="zoo.evaluation.metrics.cer:LipReadingCER",
    better="lower",
    bounds="0..",
    needs=("face", "lip-reader", "text"),
    real_row=True,
)

WER_GRAMMAR = MetricSpec(
    name="wer_grammar",
    summary="word error rate of the lip reader where it may only say sentences of GRID",
    target="zoo.evaluation.metrics.wer:GrammarWER",
    better="lower",
    bounds="0..",
    needs=("face", "lip-reader", "text"),
    real_row=True,
)

CER_GRAMMAR = MetricSpec(
    name="cer_grammar",
    summary="character error rate of the lip reader where it may only say sentences of GRID",
    target="zoo.evaluation.metrics.cer:GrammarCER",
    better="lower",
    bounds="0..",
    needs=("face", "lip-reader", "text"),
    real_row=True,
)

PSNR = MetricSpec(
    name="psnr",
    summary="peak signal-to-noise ratio of the face",
    target="zoo.evaluation.metrics.psnr:PSNR",
    unit="dB",
    better="higher",
    bounds="..100",
)

SSIM = MetricSpec(
    name="ssim",
    summary="structural similarity of the face",
    target="zoo.evaluation.metrics.ssim:SSIM",
    better="higher",
    bounds="-1..1",
)

LPIPS = MetricSpec(
    name="lpips",
    summary="learned perceptual distance of the face",
    target="zoo.evaluation.metrics.lpips:LPIPS",
    better="lower",
    bounds="0..",
    needs=("backbone",),
)

FDBM = MetricSpec(
    name="fdbm",
    summary="sharpness: share of the spectrum above a threshold",
    target="zoo.evaluation.metrics.fdbm:FDBM",
    better="higher",
    bounds="0..1",
    needs=("face",),
    real_row=True,
)

FID = MetricSpec(
    name="fid",
    summary="Fréchet distance between the Inception features of all generated and all real faces",
    target="zoo.evaluation.metrics.fid:FID",
    better="lower",
    bounds="0..",
    needs=("face", "backbone"),
)
