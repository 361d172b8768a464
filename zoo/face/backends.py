"""The detectors, landmark predictors and embedders by name; the library behind a name is imported on first use."""

from __future__ import annotations

from difflib import get_close_matches
from functools import cache
from typing import cast

from zoo.errors import ConfigError
from zoo.face.base import Detector, Embedder, Landmarker
from zoo.spec import load_object

DETECTORS: dict[str, str] = {
    "dlib": "zoo.face.dlib_backend:DlibDetector",
    "mtcnn": "zoo.face.mtcnn_backend:MtcnnDetector",
}
"""Name of each detector and where its class lives."""

LANDMARKERS: dict[str, str] = {"dlib": "zoo.face.dlib_backend:DlibLandmarker"}
"""Name of each landmark predictor and where its class lives."""

EMBEDDERS: dict[str, str] = {
    "dlib": "zoo.face.embed:DlibEmbedder",
    "facenet": "zoo.face.embed:FacenetEmbedder",
}
"""Name of each face embedder and where its class lives."""


def make_detector(name: str) -> Detector:
    """The detector of that name, made once per process.

    Raises:
        ConfigError: no detector has that name; the message lists those that there are.
        ZooError: its library is not installed.
    """
    return cast(Detector, _make(_target("face detector", name, DETECTORS)))


def make_landmarker(name: str) -> Landmarker:
    """The landmark predictor of that name, made once per process.

    Raises:
        ConfigError: no landmark predictor has that name; the message lists those that there are.
        ZooError: its library or its model is not installed.
    """
    return cast(Landmarker, _make(_target("landmark predictor", name, LANDMARKERS)))


def make_embedder(name: str) -> Embedder:
    """The face embedder of that name, made once per process.

    Raises:
        ConfigError: no face embedder has that name; the message lists those that there are.
        ZooError: its library or its weights are not installed.
    """
    return cast(Embedder, _make(_target("face embedder", name, EMBEDDERS)))


def _target(kind: str, name: str, known: dict[str, str]) -> str:
    if name in known:
        return known[name]
    close = get_close_matches(name, known, n=1)
    hint = f" (did you mean '{close[0]}'?)" if close else ""
    raise ConfigError(f"unknown {kind} '{name}'{hint}: choose one of {', '.join(sorted(known))}")


@cache
def _make(target: str) -> object:
    return load_object(target)()
