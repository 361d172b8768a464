"""The README's two commands are the ones that CI runs, every verb it names exists, and all links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.helpers.paths import ROOT
from zoo import registry
from zoo.cli.main import VERBS
from zoo.registry import api, config

README = (ROOT / "README.md").read_text()


def test_ci_runs_the_two_commands_of_the_readme():
    section = README.split("## Try it")[1].split("\n## ")[0]
    commands = re.findall(r"^    (\S.*)$", section, flags=re.MULTILINE)
    ci = (ROOT / ".ci" / "run").read_text()
    assert len(commands) == 2
    for command in commands:
        assert f"({command})" in ci


def test_the_table_of_verbs_is_complete():
    named = set(re.findall(r"`zoo (\w+)", README))
    assert named <= set(VERBS)
    assert set(VERBS) <= named


PAGES = [
    path
    for pattern in (
        "*.md",
        "docs/*.md",
        "plugins/*/README.md",
        "zoo/experts/*/README.md",
        "benchmarks/results/*/README.md",
    )
    for path in sorted(ROOT.glob(pattern))
]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_and_pictures_exist(page: Path):
    for target, _, anchor in (link.partition("#") for link in re.findall(r"\]\(([^):]+)\)", page.read_text())):
        there = page.parent / target if target else page
        assert there.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.*)$", there.read_text(), flags=re.MULTILINE)
            assert anchor in [re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings]


def test_the_judges_of_grid_s1_can_be_fitted_again():
    for name in ("sync-expert", "lip-reader"):
        path = ROOT / "benchmarks" / "results" / "grid-s1" / f"{name}.yaml"
        assert f"$HERE/{path.name}" in (path.parent / "README.md").read_text()
        assert config.resolve(registry.trainable(name), ["data=grid"], path).model.shift == 3


def test_methods_stand_with_their_papers():
    """Authors, title, venue and year of the table are those of the specs, as far as they are given."""
    rows = re.findall(r"^\| (\[`.*) \| (.*), (.*), (.*) (\d{4}) \| (.*) \|$", README, flags=re.MULTILINE)
    told = {name: row for names, *row in rows for name in re.findall(r"`([\w-]+)`", names)}
    specs = {
        record.spec.name: record.spec for record in registry.records("zoo.methods") if record.entry.dist == api.OURS
    }
    assert told.keys() == specs.keys()
    for name, (authors, title, venue, year, shown) in told.items():
        paper = specs[name].paper
        assert authors.removesuffix(" et al.").split()[-1] in paper.authors.split(",")[0]
        assert paper.title.startswith(title), name
        assert venue.replace("ACM MM", "ACM Multimedia") == paper.venue, name
        assert int(year) == paper.year, name
        assert shown == str(specs[name].uses()), name
