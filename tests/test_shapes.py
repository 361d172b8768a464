"""Shapes in signatures are enforced while the tests run."""

from __future__ import annotations

import sys
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from jaxtyping import TypeCheckError

from tests.helpers.shapes import Loader
from zoo.evaluation.metrics import lmd

SOURCE = """
from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from jaxtyping import Float, Float32

from zoo.evaluation.resampling import Mask

Map = Float[np.ndarray, "2 3"]

def plain(x: int) -> int:
    return x

def function(x: Map) -> None: ...

def masked(x: Mask) -> None: ...

def returns(x: Any) -> Float[np.ndarray, " N"] | None:
    return x

def outer(x: Any) -> None:
    def inner(*x: Float[np.ndarray, "4"]) -> None: ...

    inner(x)

class Thing:
    @staticmethod
    def method(*, x: Float32[np.ndarray, "N N"]) -> None: ...

@dataclass
class Data:
    x: Float[np.ndarray, " N"]
"""


@pytest.fixture
def shaped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module above, imported as the tests import the zoo."""
    path = tmp_path / "shaped.py"
    path.write_text(SOURCE)
    spec = spec_from_loader("shaped", Loader("shaped", str(path)))
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "shaped", module)
    spec.loader.exec_module(module)
    assert not (tmp_path / "__pycache__").exists()
    return module


@pytest.mark.parametrize(
    ("call", "right", "wrong"),
    [
        ("function", (2, 3), (3, 2)),
        ("returns", (5,), (5, 1)),
        ("outer", (4,), (3,)),
        ("Data", (2,), (2, 2)),
    ],
)
def test_a_wrong_shape_is_an_error(shaped: ModuleType, call: str, right: tuple[int, ...], wrong: tuple[int, ...]):
    getattr(shaped, call)(np.zeros(right))
    with pytest.raises(TypeCheckError):
        getattr(shaped, call)(np.zeros(wrong))


def test_names_for_arrays_are_known_from_other_modules(shaped: ModuleType):
    shaped.masked(np.zeros(3, bool))
    with pytest.raises(TypeCheckError):
        shaped.masked(np.zeros((3, 1), bool))


def test_so_is_a_wrong_type(shaped: ModuleType):
    shaped.Thing.method(x=np.zeros((2, 2), np.float32))
    with pytest.raises(TypeCheckError):
        shaped.Thing.method(x=np.zeros((2, 2)))
    assert shaped.plain("what says nothing of arrays is not looked at") is not None


def test_the_zoo_was_imported_so():
    with pytest.raises(TypeCheckError):
        lmd.landmark_distance(np.zeros((2, 68, 3)), np.zeros((2, 68, 3)))
