"""The detectors, landmark predictors and embedders by name; the library behind a name is imported on first use."""

from __future__ import annotations

from difflib import get_close_matches
from functools import cache
from typing import NamedTuple, cast

from zoo import registry
from zoo.face.base import Detector, Embedder, Landmarker
from zoo.registry.spec import load_object
from zoo.support.errors import ConfigError

DETECTORS: dict[str, str] = {
    "dlib": "zoo.face.dlib_backend:DlibDetector",
    "mtcnn": "zoo.face.mtcnn_backend:MtcnnDetector",
    "mesh": "zoo.face.mesh_backend:MeshDetector",
}
"""Name of each detector and where its class lives."""

LANDMARKERS: dict[str, str] = {
    "dlib": "zoo.face.dlib_backend:DlibLandmarker",
    "mesh": "zoo.face.mesh_backend:MeshLandmarker",
}
"""Name of each landmark predictor and where its class lives."""

EMBEDDERS: dict[str, str] = {
    "dlib": "zoo.face.embed:DlibEmbedder",
    "facenet": "zoo.face.embed:FacenetEmbedder",
}
"""Name of each face embedder and where its class lives."""


class Finders(NamedTuple):
    """Names of who finds faces, and of who finds their 68 points."""

    detector: str = "dlib"
    landmarker: str = "dlib"


USUAL = Finders()
"""Where nobody else is named."""


def make_detector(name: str) -> Detector:
    """The detector of that name, made once per process.

    Raises:
        ConfigError: no detector has that name; the message lists those that there are.
        ZooError: its library is not installed.
    """
    return cast(Detector, _make("detectors", name, DETECTORS))


def make_landmarker(name: str) -> Landmarker:
    """The landmark predictor of that name, made once per process.

    Raises:
        ConfigError: no landmark predictor has that name; the message lists those that there are.
        ZooError: its library or its model is not installed.
    """
    return cast(Landmarker, _make("landmarkers", name, LANDMARKERS))


def make_embedder(name: str) -> Embedder:
    """The face embedder of that name, made once per process.

    Raises:
        ConfigError: no face embedder has that name; the message lists those that there are.
        ZooError: its library or its weights are not installed.
    """
    return cast(Embedder, _make("embedders", name, EMBEDDERS))


_KINDS: dict[str, tuple[str, type]] = {
    "detectors": ("face detector", Detector),
    "landmarkers": ("landmark predictor", Landmarker),
    "embedders": ("face embedder", Embedder),
}


def _make(group: str, name: str, known: dict[str, str]) -> object:
    if name in known:
        return _instance(known[name])
    others = {entry.name for entry in registry.entries() if entry.group == f"zoo.{group}"}
    if name.rpartition(":")[2] in others:
        return _brought(group, name)
    names = [*known, *others]
    close = get_close_matches(name, names, n=1)
    hint = f" (did you mean '{close[0]}'?)" if close else ""
    raise ConfigError(f"unknown {_KINDS[group][0]} '{name}'{hint}: choose one of {', '.join(sorted(names))}")


@cache
def _instance(target: str) -> object:
    return load_object(target)()


@cache
def _brought(group: str, name: str) -> object:
    """A backend of another package."""
    spec = registry.get(f"zoo.{group}", name)
    kind, wanted = _KINDS[group]
    made = spec.load()()
    if not isinstance(made, wanted):
        raise spec.broken(f"{spec.target} is no {kind}; see zoo.face.base.{wanted.__name__}")
    return made
