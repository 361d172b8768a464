"""ACD against NumPy and against what follows from its definition."""

from __future__ import annotations

from itertools import combinations
from types import SimpleNamespace

import jaxtyping
import numpy as np
import pytest
import torch
from torch import Tensor

from zoo.evaluation.footage import Footage
from zoo.evaluation.judges import Judges
from zoo.evaluation.metrics.acd import AverageContentDistance, average_content_distance


def faces(seed: int, frames: int = 9, dim: int = 128) -> Tensor:
    return torch.randn(frames, dim, generator=torch.Generator().manual_seed(seed))


def between(a: np.ndarray, b: np.ndarray, distance: str) -> float:
    if distance == "cosine":
        return float(1 - a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))
    squared = float(((a - b) ** 2).sum())
    return squared if distance == "l2sq" else squared**0.5


@pytest.mark.parametrize("distance", ["l2", "l2sq", "cosine"])
@pytest.mark.parametrize("mode", ["still", "pairwise"])
def test_the_formula(distance: str, mode: str) -> None:
    frames, still = faces(1), faces(2, 1)[0]
    arrays, one = frames.double().numpy(), still.double().numpy()
    pairs = [(a, one) for a in arrays] if mode == "still" else list(combinations(arrays, 2))
    wanted = np.mean([between(a, b, distance) for a, b in pairs])
    got = average_content_distance(frames, still, distance=distance, mode=mode)
    assert got.item() == pytest.approx(wanted, rel=1e-10)
    assert average_content_distance(frames.numpy(), still.numpy(), distance=distance, mode=mode) == got
    metric = AverageContentDistance(distance=distance, mode=mode)
    metric.update("a", frames, still)
    assert metric.compute().item() == pytest.approx(wanted, rel=1e-10)
    assert metric.signature.startswith(f"acd|distance:{distance}|mode:{mode}|embedder:unnamed|zoo:")


@pytest.mark.parametrize("mode", ["still", "pairwise"])
def test_properties(mode: str) -> None:
    unit = torch.nn.functional.normalize(faces(1).double(), dim=1)
    still = torch.nn.functional.normalize(faces(2, 1).double(), dim=1)[0]
    squared, cosine = (average_content_distance(unit, still, distance=d, mode=mode) for d in ("l2sq", "cosine"))
    assert squared.item() == pytest.approx(2 * cosine.item(), rel=1e-12)
    same = still.expand(5, 128)
    for distance in ("l2", "l2sq", "cosine"):
        assert average_content_distance(same, still, distance=distance, mode=mode).abs() < 1e-12
    turn = torch.linalg.qr(torch.randn(128, 128, dtype=torch.float64, generator=torch.Generator().manual_seed(0)))[0]
    turned = average_content_distance(unit @ turn, still @ turn, mode=mode)
    assert turned.item() == pytest.approx(average_content_distance(unit, still, mode=mode).item())
    shuffled = average_content_distance(unit.flip(0), still, mode=mode)
    assert shuffled.item() == pytest.approx(average_content_distance(unit, still, mode=mode).item())
    grown = average_content_distance(3 * unit, 3 * still, distance="cosine", mode=mode)
    assert grown.item() == pytest.approx(cosine.item())


def test_pairwise_says_nothing_about_who_it_is() -> None:
    frames = faces(1)
    assert average_content_distance(frames, mode="pairwise") == average_content_distance(
        frames, faces(3, 1)[0], mode="pairwise"
    )


def test_wrong_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    frames, still = faces(1), faces(2, 1)[0]
    with pytest.raises(ValueError, match="distance is one of l2, l2sq, cosine, not 'l1'"):
        average_content_distance(frames, still, distance="l1")
    with pytest.raises(ValueError, match="mode is one of still, pairwise, not 'pairs'"):
        AverageContentDistance(mode="pairs")
    with pytest.raises(ValueError, match="needs the embedding of the still"):
        average_content_distance(frames)
    with pytest.raises(ValueError, match=r"still has shape \(64,\), the frames \(9, 128\)"):
        average_content_distance(frames, still[:64])
    with pytest.raises(ValueError, match=r"shape \(T, D\); got \(128,\)"):
        average_content_distance(frames[0], still)
    with pytest.raises(ValueError, match="still needs a frame"):
        average_content_distance(frames[:0], still)
    with pytest.raises(ValueError, match="pairwise needs two frames"):
        average_content_distance(frames[:1], mode="pairwise")
    with pytest.raises(ValueError, match="length 0 has no direction"):
        average_content_distance(frames, 0 * still, distance="cosine")


def test_frames_that_cannot_be_scored_lower_coverage() -> None:
    frames, still = faces(1, 8), faces(2, 1)[0]
    frames[2], frames[4] = torch.nan, 0
    seen = torch.ones(8, dtype=torch.bool)
    seen[6] = False
    metric = AverageContentDistance()
    metric.update("a", frames, still, seen, total=10)
    (row,) = metric.rows()
    assert (row.scored, row.total, row.reason) == (5, 10, "2 frames missing, 3 frames without a face")
    assert metric.compute() == average_content_distance(frames[[0, 1, 3, 5, 7]], still)
    metric.update("b", frames, None)
    metric.update("c", frames, 0 * still)
    metric.update("d", frames[:0], still)
    metric.update("e", faces(1, 2), still)
    result = metric.result()
    assert (result.clips, result.total, result.coverage) == (2, 5, 7 / 28)
    assert "no face in the real clip (2 clips)" in result.reason
    pairs = AverageContentDistance(mode="pairwise")
    pairs.update("a", faces(1, 1), None)
    assert pairs.compute().isnan()
    assert pairs.result().reason == "too few frames"


def footage(embeddings: Tensor, seen: list[int], embedder: str = "toy-v1") -> Footage:
    frames = torch.zeros(len(embeddings), 3, 8, 8, dtype=torch.uint8)
    judges = Judges()
    judges.__dict__["embedder"] = SimpleNamespace(name=embedder)
    side = Footage(
        frames, torch.zeros(640 * len(frames)), torch.zeros(len(frames), 68, 2), torch.tensor(seen).bool(), judges
    )
    side.__dict__["embeddings"] = embeddings  # what is found once and kept
    return side


def test_observe_compares_with_the_first_real_face() -> None:
    made, truth = faces(1, 5), faces(2, 6)
    pred, real = footage(made, [1, 1, 0, 1, 1]), footage(truth, [0, 1, 1, 1, 1, 1])
    metric = AverageContentDistance()
    metric.observe("a", pred, real)
    (row,) = metric.rows()
    assert (row.scored, row.total, row.reason) == (4, 6, "1 frame missing, 1 frame without a face")
    assert metric.compute() == average_content_distance(made[[0, 1, 3, 4]], truth[1])
    assert "|embedder:toy-v1|" in metric.signature
    own = AverageContentDistance()
    own.observe("a", real, real)
    assert own.compute() == average_content_distance(truth[1:], truth[1])
    blind = AverageContentDistance()
    blind.observe("a", pred, footage(truth, [0] * 6))
    assert blind.result().reason == "no face in the real clip"
    pairs = AverageContentDistance(mode="pairwise")
    pairs.observe("a", pred, footage(truth, [0] * 6))
    assert pairs.compute() == average_content_distance(made[[0, 1, 3, 4]], mode="pairwise")
    with pytest.raises(ValueError, match="the embedder is toy-v1, but a clip was judged by other"):
        metric.observe("b", footage(made, [1] * 5, "other"), real)
