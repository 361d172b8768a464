"""What the zoo knows of NewMetric before anything heavy is imported: no torch here."""

from zoo.registry.spec import MetricSpec

SPEC = MetricSpec(
    name="new-metric",
    summary="whether the mouth opens when the real one does: correlation of the lip gaps over time",
    target="zoo_new_metric.metric:NewMetric",
    api_version=2,
    licence="MIT",
    better="higher",
    needs=("face",),
    bounds="-1..1",
)
