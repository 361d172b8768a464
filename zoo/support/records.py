"""Reads JSON that somebody else may have written: into typed records, strictly, and what is wrong in one line."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, Field, TypeAdapter, ValidationError

from zoo.support.errors import DataError

LARGEST = 2**53
"""Whole numbers up to here are the same in every program that reads them."""

Count = Annotated[int, Field(ge=0, le=LARGEST)]
"""A number of things."""

Seconds = Annotated[float, Field(ge=0, le=LARGEST)]
"""A finite time that is not negative."""


def _plain(name: str) -> str:
    """Refuse a name that is more than the name of a file."""
    if name in ("", ".", "..") or "/" in name or "\0" in name:
        raise ValueError("not the plain name of a folder")
    return name


FolderName = Annotated[str, AfterValidator(_plain)]
"""The name of a folder in another one: it leads nowhere else."""

T = TypeVar("T")


def parse_record(text: str | bytes, kind: type[T], where: object) -> T:
    """Read JSON into a dataclass (or any other type), whose fields must have the types that they are declared with.

    Fields that ``kind`` does not know are left out: a later zoo added them. Numbers are never made of text, nor text of
    numbers.

    Args:
        text: JSON.
        kind: what it is to be.
        where: file that it was read from, for the message.

    Raises:
        DataError: it is no JSON, a field is missing, or one has another type; the message names the field.
    """
    try:
        found: T = adapter(kind).validate_json(text, strict=True)
    except ValidationError as error:
        raise DataError(f"{where}: {explain(error)}") from error
    return found


def check_record(value: Any, kind: type[T], where: object) -> T:
    """As :func:`parse_record`, of values that were read already."""
    try:
        found: T = adapter(kind).validate_python(value, strict=True)
    except ValidationError as error:
        raise DataError(f"{where}: {explain(error)}") from error
    return found


_adapters: dict[Any, Any] = {}


def adapter(kind: Any) -> Any:
    """Pydantic's ``TypeAdapter`` of a type, made once: making it takes longer than using it."""
    if kind not in _adapters:
        _adapters[kind] = TypeAdapter(kind)
    return _adapters[kind]


def explain(error: ValidationError) -> str:
    """The first thing that is wrong, as ``metrics.0.better: Input should be 'lower' or 'higher'``."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    place = ".".join(map(str, first["loc"]))
    return f"{place[:200]}: {first['msg']}" if place else first["msg"]
