"""The README's two commands are the ones that CI runs, and every verb it names exists."""

from __future__ import annotations

import re
from pathlib import Path

from zoo.cli.main import VERBS

ROOT = Path(__file__).parents[1]
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


def test_links_and_pictures_exist():
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).exists(), target
