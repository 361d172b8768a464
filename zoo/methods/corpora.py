"""The data sets that a network saw in training, as its file tells: whoever saw drawn faces only must say so."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo import registry
from zoo.support.errors import ZooError

_NAME = re.compile(r"[\w.:-]{1,64}", re.ASCII)  # a file may come from anybody, and what it says is printed


@dataclass(frozen=True)
class Corpus:
    """A data set that a network was trained on.

    Attributes:
        name: registered name.
        drawn: whether its faces are drawn (:attr:`zoo.registry.spec.DatasetSpec.drawn`); ``None`` where nobody knows.
    """

    name: str
    drawn: bool | None


UNKNOWN = Corpus("unknown", None)
"""Stands for whatever weights saw that others trained."""


def corpus(name: str) -> Corpus:
    """A data set by its name; of one that is not installed nothing else is known."""
    try:
        return Corpus(name, registry.dataset(name).drawn)
    except ZooError:
        return Corpus(name, None)


def join(*lineage: Iterable[Corpus]) -> tuple[Corpus, ...]:
    """All of them, each once, in the order in which they were seen."""
    return tuple(dict.fromkeys(each for part in lineage for each in part))


def as_plain(corpora: Iterable[Corpus]) -> list[dict[str, Any]]:
    """For a checkpoint: plain values only."""
    return [{"name": each.name, "drawn": each.drawn} for each in corpora]


def corpora_of(kept: Mapping[str, Any], path: str | Path | None = None) -> tuple[Corpus, ...]:
    """What a checkpoint says of its training.

    Args:
        kept: its own facts (``read_checkpoint(path)["zoo"]``).
        path: its file: an older checkpoint does not tell, but the settings of its run do.

    Returns:
        None where nobody knows: weights of others, of an older zoo, or damaged facts.
    """
    told = kept.get("trained_on")
    if isinstance(told, Sequence) and not isinstance(told, str):
        found = [_read(item) for item in told]
        return join([each for each in found if each is not None]) if all(found) else ()
    scores = kept.get("scores")
    name = scores.get("dataset") if isinstance(scores, Mapping) else None
    if not isinstance(name, str) and path is not None:
        name = _of_run(Path(path))
    return (corpus(name),) if isinstance(name, str) and _NAME.fullmatch(name) else ()


def _read(item: Any) -> Corpus | None:
    if not isinstance(item, Mapping):
        return None
    name, drawn = item.get("name"), item.get("drawn")
    if not (isinstance(name, str) and _NAME.fullmatch(name) and (drawn is None or isinstance(drawn, bool))):
        return None
    return Corpus(name, drawn)


def _of_run(checkpoint: Path) -> str | None:
    """The data set of the run whose folder a checkpoint lies in; none where it began with other weights."""
    import yaml

    run = checkpoint.parent.parent if checkpoint.parent.name == "checkpoints" else checkpoint.parent
    try:
        values = yaml.safe_load((run / "config.yaml").read_text(encoding="utf-8"))
        return None if values.get("init") else values["data"]["name"]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, yaml.YAMLError):
        return None


def drawn_only(corpora: Sequence[Corpus]) -> str:
    """Names of the data sets of a network that knows drawn faces only; empty where it saw others or nobody knows."""
    return ", ".join(each.name for each in corpora) if all(each.drawn for each in corpora) else ""
