"""Settings are plain: YAML of words, numbers, lists and maps, in which nothing is looked up and nothing grows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import Enum
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from zoo.support.errors import ConfigError

if TYPE_CHECKING:
    from omegaconf import DictConfig

MOST_TEXT = 1_000_000
"""Characters of a file of settings; the longest that comes with the zoo has some thousand."""

MOST_VALUES = 100_000
"""Values of a file, each alias counted as often as it stands for something."""

MOST_LEVELS = 50
"""Maps and lists inside one another."""

MOST_NUMBER = 2**63
"""Whole numbers stay below it: beyond, NumPy and torch have none."""

LOOKUP = "${"
"""How OmegaConf begins to look something up: another setting, the environment, whatever a resolver does."""

_NO_MAP = "settings must be 'key: value' lines"

_NO_WORD = object()
"""Stands for a key that is none."""


def parse_mapping(text: str, source: str) -> DictConfig:
    """Settings out of YAML text.

    Raises:
        ConfigError: it is no YAML mapping, not plain, or larger than settings are.
    """
    from omegaconf import DictConfig, OmegaConf
    from omegaconf.errors import OmegaConfBaseException
    from yaml import YAMLError

    try:
        _check_size(text, source)
        values = OmegaConf.create(text) if text.strip() else OmegaConf.create({})
    except AssertionError as error:  # OmegaConf's, of what is neither a map nor a list
        raise ConfigError(f"{source}: {_NO_MAP}") from error
    except (YAMLError, OmegaConfBaseException, ValueError, TypeError, OverflowError, RecursionError) as error:
        raise ConfigError(f"{source}: not valid YAML ({first_line(error)})") from error
    if not isinstance(values, DictConfig):
        raise ConfigError(f"{source}: {_NO_MAP}")
    check_plain(values, source)
    return values


def check_plain(values: Any, source: str, *, defaults: bool = False) -> None:
    """Refuse what is no plain value: above all whatever would be looked up when it is read.

    A file of settings is often somebody else's. ``${oc.env:SECRET}`` in a path would send a secret to whoever owns the
    path, and a resolver may do anything; so nothing of the kind is done, in no setting and wherever it comes from.

    Args:
        values: of :func:`parse_mapping`, or plain dicts, for example out of a checkpoint.
        source: where they come from.
        defaults: they may leave values open (``???``), which others then give.

    Raises:
        ConfigError: with the key.
    """
    from omegaconf import OmegaConf

    tree = OmegaConf.to_container(values, resolve=False) if OmegaConf.is_config(values) else values
    if not isinstance(tree, Mapping):
        raise ConfigError(f"{source}: {_NO_MAP}")
    for number, (key, value) in enumerate(_leaves(tree, "", 0)):
        if number >= MOST_VALUES:
            raise ConfigError(f"{source}: more than {MOST_VALUES} values")
        if not (defaults and value == "???") and (problem := _problem(value)):
            raise ConfigError(f"{source}: {key}: {problem}")


def _problem(value: object) -> str:
    """Why a value is not plain; empty where it is."""
    if isinstance(value, (str, PurePath)):
        if LOOKUP in str(value):
            return f"'{str(value)[:80]}': settings are plain, nothing is looked up in them; write the value itself"
        if "\0" in str(value):
            return "holds a character that no text has (NUL)"
        return "'???' stands for no value; leave the setting out instead" if value == "???" else ""
    if value is _NO_WORD:
        return "the names of settings are words, and not deep inside one another"
    if isinstance(value, int) and not -MOST_NUMBER <= value < MOST_NUMBER:
        return "a number too large for any setting"
    return (
        ""
        if value is None or isinstance(value, (bool, int, float, Enum))
        else f"a value of the type {type(value).__name__} is no setting"
    )


def _leaves(value: Any, key: str, level: int) -> Iterator[tuple[str, Any]]:
    """Every value with its dotted key; a key that is no word is given as a value that is none."""
    if level > MOST_LEVELS:
        yield key[:80], _NO_WORD
    elif isinstance(value, Mapping):
        for name, part in value.items():
            here = f"{key}.{name}" if key else f"{name}"
            if not isinstance(name, str) or LOOKUP in name:
                yield here, name if isinstance(name, str) else _NO_WORD
            yield from _leaves(part, here, level + 1)
    elif isinstance(value, (list, tuple)):
        for number, part in enumerate(value):
            yield from _leaves(part, f"{key}[{number}]", level + 1)
    else:
        yield key, value


def _check_size(text: str, source: str) -> None:
    """Refuse a text that is deep, or that grows when its aliases are written out, before anything is made of it."""
    import yaml

    if len(text) > MOST_TEXT:
        raise ConfigError(f"{source}: {len(text)} characters are no settings")
    sizes: dict[str, int] = {}  # of what an anchor names, aliases written out
    inside: list[tuple[str | None, int]] = [(None, 0)]  # the maps and lists that are open: their anchors, sizes so far
    for event in yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
        line = event.start_mark.line + 1 if event.start_mark else 0
        anchor: str | None = getattr(event, "anchor", None)
        if isinstance(event, yaml.CollectionStartEvent):
            inside.append((anchor, 1))
            continue
        if isinstance(event, yaml.CollectionEndEvent):
            anchor, size = inside.pop()
        elif isinstance(event, yaml.AliasEvent):
            if anchor is None or anchor not in sizes:
                raise ConfigError(f"{source}: line {line}: *{anchor} stands inside itself, or for nothing")
            size, anchor = sizes[anchor], None
        else:
            size = int(isinstance(event, yaml.ScalarEvent))
        if anchor is not None:
            sizes[anchor] = size
        inside[-1] = (inside[-1][0], inside[-1][1] + size)
        if inside[-1][1] > MOST_VALUES or len(inside) > MOST_LEVELS:
            raise ConfigError(f"{source}: line {line}: deeper or larger than settings are, its aliases written out")


def first_line(error: Exception) -> str:
    """What is wrong in one line, for YAML with the line that it is in."""
    from yaml import MarkedYAMLError

    if isinstance(error, MarkedYAMLError) and error.problem_mark is not None:
        return f"line {error.problem_mark.line + 1}: {error.problem}"
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
