"""The house in numbers: rooms and loose files, imports that climb, circles, lines, and the methods' own files.

    python benchmarks/house.py [CHECKOUT ...]

Several checkouts are set side by side, so that a change can be told in numbers.
"""

from __future__ import annotations

import ast
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

ORDER = (
    "cli", "testing", "benchmark", "leaderboard", "training", "evaluation", "synthesis", "experts", "methods", "data",
    "face", "media", "registry", "support",
)  # fmt: skip
"""Rooms from the top: a room imports those after it (``tests/test_rooms.py``)."""

METHODS = ("lipgan", "wav2lip", "at_a_glance", "temporal_gan")


def modules(root: Path) -> dict[str, Path]:
    """Files of the zoo by module."""
    return {
        ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__"): path
        for path in (root / "zoo").rglob("*.py")
        if "templates" not in path.parts
    }


def imports(path: Path, known: dict[str, Path]) -> set[str]:
    """Modules of the zoo that a file imports, wherever in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in known else node.module for name in names}
    return found & known.keys()


def graph(root: Path) -> dict[str, set[str]]:
    """What each module of the zoo imports of it; a package and what stands behind its front are one thing."""
    known = modules(root)
    found = {name: imports(path, known) - {name, "zoo"} for name, path in known.items()}
    return {name: {o for o in others if not f"{name}.".startswith(f"{o}.")} for name, others in found.items()}


def circles(found: dict[str, set[str]]) -> list[str]:
    """Imports that have to go until no module leads back to itself."""
    left, gone = {name: set(others) for name, others in found.items()}, []
    while True:
        try:
            TopologicalSorter(left).prepare()
        except CycleError as error:
            first, second = error.args[1][:2]
            left[second].discard(first)
            gone.append(f"{second} imports {first}")
        else:
            return gone


def room(module: str) -> str:
    """The room that a module lies in; empty for what lies in none."""
    return f"{module}.".split(".")[1]


def climbing(found: dict[str, set[str]]) -> list[str]:
    """Imports from a room to one above it."""
    return [
        f"{name} imports {other}"
        for name, others in found.items()
        for other in sorted(others)
        if room(name) in ORDER and room(other) in ORDER and ORDER.index(room(other)) < ORDER.index(room(name))
    ]


def lines(folder: Path) -> int:
    """Lines of Python below a folder."""
    return sum(len(path.read_text(encoding="utf-8").splitlines()) for path in folder.rglob("*.py"))


def measures(root: Path) -> dict[str, str]:
    """What is told of a checkout."""
    found_imports = graph(root)
    top = [path for path in (root / "zoo").iterdir() if path.suffix in (".py", ".typed")]
    rooms = [path for path in (root / "zoo").iterdir() if (path / "__init__.py").is_file()]
    found = {
        "files at the top of zoo/": str(len(top)),
        "rooms": str(len(rooms)),
        "circles": str(len(circles(found_imports))),
        "climbing imports": str(len(climbing(found_imports))),
        "lines of zoo/": f"{lines(root / 'zoo'):,}",
        "lines of plugins/": f"{lines(root / 'plugins'):,}",
        "lines of tests/": f"{lines(root / 'tests'):,}",
    }
    for name in METHODS:
        folder = root / "plugins" / f"zoo_{name}"
        files = [path for path in (folder / "method.py", folder / "module.py") if path.is_file()]
        found[f"lines of zoo_{name}'s method"] = str(sum(len(path.read_text().splitlines()) for path in files))
    return found


def main() -> None:
    """Print a line for each measure, a column for each checkout."""
    roots = [Path(argument) for argument in sys.argv[1:]] or [Path(__file__).parents[1]]
    columns = [measures(root) for root in roots]
    for name in columns[0]:
        print(f"{name:36}" + "".join(f"{column[name]:>12}" for column in columns))


if __name__ == "__main__":
    main()
