"""Rules of metrics and data sets fail where one is broken in exactly that way."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from broken_others import SPECS

from tests.helpers.paths import FOREIGN
from zoo import registry
from zoo.registry import plugins
from zoo.registry.spec import MetricSpec
from zoo.testing import Check, kit
from zoo.testing.rules import hold


@pytest.fixture(autouse=True, scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The specs as if they were installed."""
    entries = [
        registry.Entry(
            "zoo.metrics" if isinstance(spec, MetricSpec) else "zoo.datasets", spec.name,
            f"broken_others:{name}", "zoo-broken", "1.0",
        )
        for name, spec in SPECS.items()
    ]  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(FOREIGN))
        patch.setenv("ZOO_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setattr(plugins, "_environment_entries", lambda: iter(entries))
        registry.refresh()
        load = plugins.load
        patch.setattr(plugins, "load", lambda entry: _record(entry) or load(entry))
        yield
    registry.refresh()


def _record(entry: registry.Entry) -> registry.Record | None:
    found = [spec for spec in SPECS.values() if entry.dist == "zoo-broken" and spec.name == entry.name]
    return registry.Record(entry, found[0]) if found else None


def outcomes(name: str) -> list[Check]:
    """What all rules but that of light specs say (these have none of their own)."""
    case = kit.make_case(SPECS[name])
    with kit.usual_torch():
        return [hold(case, rule) for rule in kit.rules_of(SPECS[name]) if rule.name != "spec is light"]


@pytest.mark.parametrize("name", ["Apart", "Few"])
def test_a_sound_one_keeps_all_rules(name: str):
    assert [(c.name, c.got) for c in outcomes(name) if c.status != "passed"] == []


BROKEN = [
    ("Turned", "values lie within the bounds", "the value -"),
    ("Remembering", "order and batches change nothing", "other rows in another order"),
    ("Local", "the number of processes changes nothing", "other rows on two processes"),
    ("Constant", "what was made decides the value", "0.5 for every clip"),
    ("Vain", "what was made decides the value", "the same rows for the real clips"),
    ("Choosy", "it can be made", "TypeError"),
    ("Picky", "it can be made", "ValueError: no such file as weights.bin"),
    ("Absent", "items are unique and stable", "names no `example`"),
    ("Random", "scoring is deterministic", "when they are scored again"),
    ("Biased", "a perfect clip gets the best value", "where 0 is the best"),
    ("Silent", "the signature tells the options", "whatever power is"),
    ("Hopeful", "a clip that cannot be scored is no number", "with a lost clip"),
    ("Unsigned", "rows carry their signature", "apart as it was last year"),
    ("Seeding", "scoring changes nothing", "torch's random state"),
    ("Asking", "no network access", "weights.example.org"),
    ("Fetching", "no network access", "weights.example.org"),
    ("Undivided", "splits are disjoint", "no split 'by-moon'"),
    ("Twice", "items are unique and stable", "twice"),
    ("Shuffled", "items are unique and stable", "in another order"),
    ("Late", "raw clips are as declared", "1.60 s of pictures and 0.53 s of sound"),
    ("Hidden", "raw clips become a store", "set aside"),
    ("Changing", "reading is deterministic", "another clip when it is read again"),
]


def test_every_rule_of_theirs_is_broken_by_someone():
    rules = {rule.name for name in ("Apart", "Few") for rule in kit.rules_of(SPECS[name])}
    elsewhere = {"spec is light", "spec is valid", "its code can be imported"}
    assert rules - {rule for _, rule, _ in BROKEN} == elsewhere, "those are in test_kit.py"


@pytest.mark.parametrize("name", dict.fromkeys(name for name, *_ in BROKEN))
def test_a_broken_one_is_found_out(name: str):
    found = {check.name: check for check in outcomes(name)}
    for title, got in [(title, got) for broken, title, got in BROKEN if broken == name]:
        assert found[title].status == "failed"
        assert got in found[title].got


@pytest.mark.parametrize("name", dict.fromkeys(name for name, *_ in BROKEN))
def test_nothing_else_is_said_of_it(name: str):
    """Rules that would only repeat the accusation in other words are not asked."""
    failed = [check.name for check in outcomes(name) if check.status == "failed"]
    assert failed == [title for broken, title, _ in BROKEN if broken == name]


def test_a_metric_that_cannot_be_made_is_asked_nothing_else():
    at = [check.name for check in outcomes("Picky")].index("it can be made")
    for check in outcomes("Picky")[at + 1 :]:
        assert (check.status, check.got) == ("not asked", "'it can be made' failed"), check.name


def test_a_data_set_without_clips_says_how_to_give_some():
    (found,) = [check for check in outcomes("Absent") if check.status == "failed"]
    assert "`zoo plugin check absent --root FOLDER`" in found.mend
