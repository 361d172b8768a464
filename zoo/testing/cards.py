"""The card of a method or an expert, the README.md beside its class: it says of the spec's facts what the spec says.

Two lines of it are read, each with its words on one line::

    Conditioning: a still, sound.
    Licence: MIT, written from the paper.

A method of several modes has a line for each, ``Conditioning in mode MODE: ...``; a card of several methods may have
lines that begin ``NAME: Conditioning: ...``. Stars and backticks do not matter.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib import resources
from importlib.util import find_spec
from pathlib import Path

from zoo.registry.spec import MethodSpec, TrainableSpec
from zoo.testing.rules import Broken, Case, Rules, rule
from zoo.testing.specs import importable

RULES: Rules = []


def find_card(spec: TrainableSpec) -> Path:
    """The README.md beside the class, or in a package above it.

    Raises:
        Broken: there is none.
    """
    parts = spec.target.partition(":")[0].split(".")[:-1] or [spec.target.partition(":")[0]]
    for end in range(len(parts), 0, -1):
        package = find_spec(".".join(parts[:end]))
        if package is None or not package.submodule_search_locations:
            continue
        card = Path(str(resources.files(".".join(parts[:end])))) / "README.md"
        if card.is_file():
            return card
    raise Broken(f"it has no card: no README.md in {'.'.join(parts)}")


def card_line(text: str, titles: Sequence[str]) -> str | None:
    """What a card says after the first of these titles that it has; ``None`` where it has none."""
    plain = text.translate(str.maketrans("", "", "*`"))
    for title in titles:
        found = re.search(rf"^{re.escape(title)}:[ \t]*(.*)$", plain, re.MULTILINE | re.IGNORECASE)
        if found:
            return found[1].strip()
    return None


def _words(text: str) -> str:
    return " ".join(text.lower().split()).rstrip(".")


def _licence(text: str) -> str:
    """The licence's own name: what stands before the first comma, semicolon or full stop."""
    return _words(re.split(r"[,;(]|\.(?:\s|$)", text, maxsplit=1)[0])


@rule(
    RULES,
    "the card says what the spec says",
    "the README.md beside the class names it, and has a line `Conditioning:` with what the spec's mode uses "
    "(`Conditioning in mode MODE:` of several) and a line `Licence:` that begins with the spec's licence",
    "write both lines as the spec has them, or correct the spec: readers of a leaderboard trust both",
    needs=(importable,),
)
def _card(case: Case) -> None:
    spec = case.spec
    assert isinstance(spec, TrainableSpec)
    card = find_card(spec)
    text = card.read_text(encoding="utf-8")
    if spec.name.lower() not in text.lower():
        raise Broken(f"{card} does not name it")
    for title, wanted in _conditioning(spec).items():
        said = card_line(text, _titles(title, spec))
        if said is None or _words(said) != _words(wanted):
            raise Broken(_difference(card, title, said, wanted))
    said = card_line(text, _titles("Licence", spec))
    if said is None or _licence(said) != _licence(spec.licence):
        raise Broken(_difference(card, "Licence", said, spec.licence))


def _conditioning(spec: TrainableSpec) -> dict[str, str]:
    """What the card must say of each mode; nothing of an expert."""
    modes = spec.modes if isinstance(spec, MethodSpec) else ()
    if len(modes) == 1:
        return {"Conditioning": str(modes[0][1])}
    return {f"Conditioning in mode {mode}": str(uses) for mode, uses in modes}


def _titles(title: str, spec: TrainableSpec) -> list[str]:
    return [f"{spec.name}: {title}", title]


def _difference(card: Path, title: str, said: str | None, wanted: str) -> str:
    told = f"says `{title}: {said}`" if said is not None else f"has no line `{title}:`"
    return f"{card} {told}, and the spec says `{wanted}`"
