"""The rooms of the zoo: imports run downwards, lazy and typed ones included, and no module leads back to itself."""

from benchmarks import house
from tests.helpers.paths import ROOT

GRAPH = house.graph(ROOT)


def test_every_module_lies_in_a_room():
    assert {house.room(module) for module in GRAPH} - {"", "__main__"} == set(house.ORDER)


def test_imports_run_downwards():
    assert house.climbing(GRAPH) == []


def test_no_module_leads_back_to_itself():
    assert house.circles(GRAPH) == []


def test_what_would_be_wrong_is_seen():
    wrong = GRAPH | {"zoo.support.files": {"zoo.cli.main"}, "zoo.cli.main": {"zoo.support.files"}}
    assert house.climbing(wrong) == ["zoo.support.files imports zoo.cli.main"]
    assert len(house.circles(wrong)) == 1
