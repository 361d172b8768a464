"""Light specs of the metrics that come with the zoo."""

from zoo.spec import MetricSpec

LMD = MetricSpec(
    name="lmd",
    summary="landmark distance: mean distance of the 20 lip points after their centres are laid on each other",
    target="zoo.metrics.lmd:LandmarkDistance",
    unit="px",
    lower_is_better=True,
)
