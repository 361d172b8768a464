"""The evaluation set of a suite, and the suite as a results folder describes it."""

from __future__ import annotations

import dataclasses
from typing import get_args

from zoo import registry
from zoo.benchmark.suite import NamedSuite
from zoo.data.splits import SPEAKER_DEPENDENT
from zoo.evaluation.evaluation_set import EvaluationSet
from zoo.evaluation.metric_scorer import describe_metric
from zoo.evaluation.metrics.choose import JUDGES
from zoo.evaluation.results import Suite, Track
from zoo.evaluation.tracks import TRACKS
from zoo.registry.config import DataConfig
from zoo.support.errors import ConfigError


class SuiteSet(EvaluationSet):
    """Test clips, metrics and experts of a suite, in one process.

    Args:
        suite: what is to be run.
        device: for the experts.

    Attributes:
        left_out: metrics of the suite that cannot be had, with the reason.

    Raises:
        ZooError: no store, no test clip, or a metric or expert that cannot be had.
    """

    def __init__(self, suite: NamedSuite, device: str = "cpu") -> None:
        self.suite, config = suite, suite.config
        experts = {key: str(value) for key in JUDGES if (value := getattr(config.judges, key)) is not None}
        self.left_out = _left_out(config.metrics, experts)
        names = [name for name in config.metrics if name not in self.left_out]
        if not names:
            raise ConfigError(f"metrics: none of {', '.join(config.metrics)} can be had without judges")
        clips = config.data
        super().__init__(
            DataConfig(clips.name, clips.root, clips.split, clips.clips, clips.seed),
            names,
            options=[
                f"{name}.{key}={value}"
                for name, chosen in config.options.items()
                for key, value in dict(chosen).items()
            ],
            experts=experts,
            device=device,
            test_clips=config.test_clips,
            train_clips=config.retrieval_clips,
        )

    def describe(self) -> Suite:
        """The suite as it is written into a results folder."""
        config = self.suite.config
        infos, partners = [self.info(index) for index in self.test], self.partners
        cross = any(TRACKS[track].foreign for track in config.tracks)
        settings = dataclasses.asdict(config)
        return Suite(
            name=self.suite.name,
            title=config.title or self.suite.name,
            dataset=config.data.name,
            split=self.data.split,
            speaker_dependent=self.data.split in SPEAKER_DEPENDENT,
            clips={info.id: info.speaker for info in sorted(infos, key=lambda info: info.id)},
            tracks=[name for name in get_args(Track) if name in config.tracks],
            metrics=[describe_metric(name, *pair) for name, pair in self.metrics.items()],
            settings=settings | {"data": settings["data"] | {"root": None}, "runs": None},
            data=self.fingerprint,
            left_out=self.left_out,
            cross_speaker=not cross or all(map(partners.has_another_speaker, infos)),
            remarks=[
                f"{', '.join(each.metrics)}: {each.name} knows drawn faces only ({each.corpora}) and judges real ones "
                f"here; {each.way_out('judges.')}"
                for each in ([] if self.drawn else self.judges.drawn_only(self.metrics))
            ],
        )


def _left_out(metrics: list[str], experts: dict[str, str]) -> dict[str, str]:
    """Metrics that need an expert which the suite does not name, with what to do about it."""
    found = {}
    for name in metrics:
        without = [key for key, need in JUDGES.items() if need in registry.metric(name).needs and key not in experts]
        if without:
            found[name] = f"the suite has no judge for it: give judges.{without[0]}=PATH"
    return found
