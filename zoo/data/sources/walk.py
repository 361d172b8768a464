"""Every file below a folder, through linked folders too, and a word on what was not looked at."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from zoo.support.names import storable

NAMED = 3
"""Of so many files that were not looked at the names are given."""

ENDINGS = 6
"""So many endings of such files are counted one by one."""


@dataclass(frozen=True)
class NotLookedAt:
    """What a source left out of the folder that it was given.

    Attributes:
        files: of no kind that the source reads.
        unreadable: folders that cannot be read, with the reason.
        twice: linked folders that would have brought the same files again.
    """

    files: tuple[Path, ...] = ()
    unreadable: tuple[tuple[Path, str], ...] = ()
    twice: tuple[Path, ...] = ()

    def __str__(self) -> str:
        parts = [
            _count(len(self.files), f"file ({_endings(self.files)})", f"files ({_endings(self.files)})", self.files),
            _count(
                len(self.unreadable),
                "folder that cannot be read",
                "folders that cannot be read",
                [f"{path}: {reason}" for path, reason in self.unreadable],
            ),
            _count(
                len(self.twice),
                "linked folder that leads to one already looked at",
                "linked folders that lead to ones already looked at",
                self.twice,
            ),
        ]
        told = "; ".join(filter(None, parts))
        return f"not looked at: {told}" if told else ""

    def __add__(self, other: NotLookedAt) -> NotLookedAt:
        return NotLookedAt(self.files + other.files, self.unreadable + other.unreadable, self.twice + other.twice)

    def below(self, folder: str) -> NotLookedAt:
        """The same, seen from a folder above."""
        return NotLookedAt(
            tuple(folder / path for path in self.files),
            tuple((folder / path, reason) for path, reason in self.unreadable),
            tuple(folder / path for path in self.twice),
        )


@dataclass
class Walk:
    """What is below a folder.

    Attributes:
        files: paths below the root, sorted; hidden ones too.
        unreadable: folders that cannot be read, with the reason.
        twice: linked folders that lead to one that was looked at already, or to a folder above the root.
    """

    files: list[Path] = field(default_factory=list)
    unreadable: dict[Path, str] = field(default_factory=dict)
    twice: list[Path] = field(default_factory=list)

    def without(self, known: Collection[Path]) -> NotLookedAt:
        """What was not looked at by a source that knows these files."""
        files = tuple(path for path in self.files if path not in known)
        return NotLookedAt(files, tuple(sorted(self.unreadable.items())), tuple(self.twice))


def walk(root: Path) -> Walk:
    """List every file below a folder.

    Linked folders are followed, each real folder is read once (under its own path rather than a link's), and a link
    that leads above the root is not followed: loops of links end.
    """
    found = Walk()
    top = root.resolve()
    seen: set[tuple[int, int]] = set()
    links = _scan(root, root, seen, found)
    while links:
        link = links.pop(0)
        path = root / link
        if top.is_relative_to(path.resolve()) or _identity(path) in seen:
            found.twice.append(link)
            continue
        links += _scan(path, root, seen, found)
    found.files.sort()
    return found


def _scan(top: Path, root: Path, seen: set[tuple[int, int]], found: Walk) -> list[Path]:
    """Add what is below a folder, without following links; these are returned."""
    links: list[Path] = []

    def unreadable(error: OSError) -> None:
        found.unreadable[Path(error.filename).relative_to(root)] = error.strerror or type(error).__name__

    for folder, folders, files in os.walk(top, onerror=unreadable):
        here = Path(folder)
        seen.add(_identity(here))
        found.files += ((here / name).relative_to(root) for name in files)
        folders.sort()
        links += ((here / name).relative_to(root) for name in folders if (here / name).is_symlink())
        folders[:] = [name for name in folders if (here / name).is_symlink() or _identity(here / name) not in seen]
    return links


def _identity(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_dev, status.st_ino


def _count(number: int, one: str, many: str, names: Iterable[object]) -> str:
    if not number:
        return ""
    listed = list(names)
    such = ", ".join(storable(str(name)) for name in listed[:NAMED])
    return f"{number} {one if number == 1 else many}, {'such as ' if len(listed) > NAMED else ''}{such}"


def _endings(files: Iterable[Path]) -> str:
    times = Counter(map(_ending, files)).most_common()
    told = [f"{ending} {count}" for ending, count in times[:ENDINGS]]
    rest = sum(count for _, count in times[ENDINGS:])
    return ", ".join([*told, f"others {rest}"] if rest else told)


def _ending(path: Path) -> str:
    if path.name.startswith("."):
        return "hidden"
    return storable(path.suffix.lower()) or "without an ending"
