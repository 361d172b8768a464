"""The rooms of the zoo: imports run downwards, lazy and typed ones included, and no room leads back to itself."""

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter

from tests.helpers.paths import ROOT

ORDER = (
    "cli", "testing", "benchmark", "leaderboard", "training", "evaluation", "synthesis", "experts", "methods", "data",
    "face", "media", "registry", "support",
)  # fmt: skip
"""From the top: a room imports those after it."""

FILES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in (ROOT / "zoo").rglob("*.py")
    if "templates" not in path.parts
}


def imports(module: str) -> Iterator[str]:
    """The modules of the zoo that a module imports, wherever in it."""
    for node in ast.walk(ast.parse(FILES[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in FILES)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{module}: imports are absolute"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (name if name in FILES else str(node.module) for name in names if node.module in FILES)


def room(module: str) -> str:
    return f"{module}.".split(".")[1]


def test_every_module_lies_in_a_room():
    assert {room(module) for module in FILES} - {"", "__main__"} == set(ORDER)


def test_imports_run_downwards():
    climbing = [
        f"{module} imports {other}"
        for module in FILES if room(module) in ORDER
        for other in imports(module)
        if room(other) in ORDER and ORDER.index(room(other)) < ORDER.index(room(module))
    ]  # fmt: skip
    assert climbing == []


def test_no_module_leads_back_to_itself():
    graph = {module: set(imports(module)) - {module, "zoo"} for module in FILES}
    for package in FILES:  # a package's own front and what stands behind it are one thing
        graph[package] = {other for other in graph[package] if not f"{package}.".startswith(f"{other}.")}
    assert len(list(TopologicalSorter(graph).static_order())) == len(FILES)
