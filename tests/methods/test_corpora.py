"""What a network was trained on: kept in checkpoints, decided by the data set's spec, never guessed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from zoo import registry
from zoo.data.sources.specs import GRID, SYNTHGRID
from zoo.methods import corpora, trainable
from zoo.methods.corpora import UNKNOWN, Corpus, corpora_of, drawn_only, join
from zoo.support.errors import UnknownNameError

CARTOON = replace(SYNTHGRID, name="cartoon", embedded=False)
"""A data set of drawn faces that somebody else published."""


@pytest.fixture(autouse=True)
def datasets(monkeypatch: pytest.MonkeyPatch):
    specs = {spec.name: spec for spec in (CARTOON, GRID, SYNTHGRID)}

    def find(name: str) -> Any:
        if name not in specs:
            raise UnknownNameError(name)
        return specs[name]

    monkeypatch.setattr(corpora.registry, "dataset", find)


@pytest.mark.parametrize(
    ("kept", "known"),
    [
        ({"trained_on": [{"name": "cartoon", "drawn": True}]}, "cartoon"),
        ({"trained_on": [{"name": "gone", "drawn": True}]}, "gone"),  # its plugin is not installed here
        ({"trained_on": [{"name": "synthgrid", "drawn": True}, {"name": "grid", "drawn": False}]}, ""),
        ({"trained_on": [{"name": "unknown", "drawn": None}, {"name": "synthgrid", "drawn": True}]}, ""),
        ({"trained_on": []}, ""),
        ({"scores": {"dataset": "cartoon"}}, "cartoon"),
        ({"scores": {"dataset": "grid"}}, ""),
        ({"scores": {"dataset": "nobody-knows-it"}}, ""),
        ({}, ""),
        ({"trained_on": "synthgrid"}, ""),
        ({"trained_on": [{"name": "\x1b[31mred", "drawn": True}]}, ""),
        ({"trained_on": [{"name": "synthgrid", "drawn": "yes"}]}, ""),
        ({"trained_on": [None]}, ""),
        ({"scores": {"dataset": ["synthgrid"]}}, ""),
        ({"scores": None}, ""),
    ],
)
def test_who_knows_drawn_faces_only(kept: dict[str, Any], known: str):
    assert drawn_only(corpora_of(kept)) == known


def test_an_older_checkpoint_asks_the_settings_of_its_run(tmp_path: Path):
    checkpoint = tmp_path / "checkpoints" / "last.ckpt"
    assert corpora_of({}, checkpoint) == ()
    for text, known in (("data: {name: cartoon}", "cartoon"), ("data: {name: grid}", ""), ("data: 3", ""), ("]", "")):
        (tmp_path / "config.yaml").write_text(text)
        assert drawn_only(corpora_of({}, checkpoint)) == known
    (tmp_path / "config.yaml").write_text("data: {name: cartoon}\ninit: elsewhere.ckpt")
    assert corpora_of({}, checkpoint) == ()


def test_weights_carry_what_they_saw_before():
    drawn, filmed = corpora.corpus("synthgrid"), corpora.corpus("grid")
    assert join([filmed], [drawn], [filmed]) == (filmed, drawn)
    assert drawn_only(join([drawn], [drawn])) == "synthgrid"
    assert drawn_only(join([UNKNOWN], [drawn])) == ""
    assert drawn_only(join([Corpus("elsewhere", None)])) == ""


def test_weights_keep_it_when_they_are_written_again(tmp_path: Path):
    spec = registry.expert("sync-expert")
    module = trainable.load_checkpoint(trainable.find_weights(spec, "synthgrid"))
    assert drawn_only(module.corpora) == "synthgrid"
    trainable.save_weights(module, tmp_path / "again.safetensors")
    again = trainable.load_checkpoint(tmp_path / "again.safetensors")
    assert drawn_only(again.corpora) == "synthgrid"
    other = trainable.build(spec, module.config)
    trainable.start_from(other, tmp_path / "again.safetensors")
    assert other.corpora == module.corpora
