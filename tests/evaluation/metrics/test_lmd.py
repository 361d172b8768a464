"""LMD against the paper's formula in NumPy, and what it must and must not notice."""

import math

import jaxtyping
import numpy as np
import pytest
import torch
from skimage.transform import SimilarityTransform
from torch import Tensor

from zoo.evaluation.footage import Footage
from zoo.evaluation.judges import Judges
from zoo.evaluation.metrics.lmd import CHOSEN, PROTOCOLS, LandmarkDistance, landmark_distance


def points(seed: int, frames: int = 16) -> Tensor:
    return torch.randn(frames, 68, 2, generator=torch.Generator().manual_seed(seed)) * 5 + 100


def by_hand(pred: Tensor, target: Tensor, which: slice, align: bool) -> float:
    """(1/T)(1/P) sum over t and p of the length of (F - mean F) - (R - mean R)."""
    total = 0.0
    for made, real in zip(pred.double().numpy()[:, which], target.double().numpy()[:, which], strict=True):
        if align:
            made, real = made - made.mean(axis=0), real - real.mean(axis=0)
        total += sum(np.hypot(*(real[p] - made[p])) for p in range(len(made))) / len(made)
    return total / len(pred)


@pytest.mark.parametrize(("name", "which"), [("mouth20", slice(48, 68)), ("all68", slice(0, 68))])
@pytest.mark.parametrize("align", ["mean", "none"])
def test_the_formula(name: str, which: slice, align: str):
    pred, target = points(1), points(2)
    got = landmark_distance(pred, target, points=name, align=align).item()
    assert got == pytest.approx(by_hand(pred, target, which, align == "mean"), rel=1e-6)


def test_properties():
    pred, target = points(1), points(2)
    value = landmark_distance(pred, target)
    assert landmark_distance(pred, pred) == 0
    assert landmark_distance(target, pred) == value
    assert torch.isclose(landmark_distance(pred + torch.tensor([40.0, -7.0]), target), value, atol=1e-4)
    assert torch.isclose(landmark_distance(2 * pred, 2 * target), 2 * value)
    drift = torch.randn(16, 1, 2)
    assert torch.isclose(landmark_distance(pred + drift, target), value, atol=1e-4)  # frame by frame
    elsewhere = pred.clone()
    elsewhere[:, :48] += 50
    assert landmark_distance(elsewhere, target) == value  # the lips alone count
    assert landmark_distance(pred + 40, pred, align="none") == pytest.approx(40 * 2**0.5, rel=1e-5)


def test_wrong_lengths(monkeypatch: pytest.MonkeyPatch):
    # Users run without the tests' shape checks.
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    with pytest.raises(ValueError, match="equally many frames, at least one; got 3 and 4"):
        landmark_distance(points(0, 3), points(0, 4))
    with pytest.raises(ValueError, match="at least one"):
        landmark_distance(points(0, 0), points(0, 0))


def test_numpy_arrays_and_just_the_points_compared():
    pred, target = points(1), points(2)
    wanted = landmark_distance(pred, target)
    assert wanted.dtype == torch.float64
    assert landmark_distance(pred.numpy(), target.numpy()) == wanted
    assert landmark_distance(pred[:, 48:], target[:, 48:]) == wanted
    assert landmark_distance(pred.int(), target.int()) > 0
    with pytest.raises(ValueError, match="mouth20 needs 68 points, or exactly 20; got 21"):
        landmark_distance(pred[:, 47:], target[:, 47:])
    lists = [list(CHOSEN[name]) for name in ("all68", "fae24")]
    for name, chosen in zip(("all68", "fae24"), lists, strict=True):
        given = [side[:, chosen] for side in (pred, target)]
        assert landmark_distance(*given, points=name) == landmark_distance(pred, target, points=name)


def test_the_published_code_forgets_to_divide():
    """3d_gan and ATVGnet: sum over points of sqrt of summed squares, divided by the number of frames alone."""
    pred, target = points(1), points(2)
    total = 0.0
    for made, real in zip(pred.double().numpy()[:, 48:], target.double().numpy()[:, 48:], strict=True):
        made, real = made - np.mean(made, 0), real - np.mean(real, 0)
        for one, other in zip(made, real, strict=True):
            total += np.sqrt((one[0] - other[0]) ** 2 + (one[1] - other[1]) ** 2)
    got = landmark_distance(pred, target, **PROTOCOLS["published-code"]).item()
    assert got == pytest.approx(total / len(pred), rel=1e-12)
    assert got == pytest.approx(20 * landmark_distance(pred, target, **PROTOCOLS["paper"]).item())


def test_fae():
    """facial-animation-evaluation 0.2: points 48..71 of face_recognition's lists, ``np.sqrt((a - b) ** 2).mean()``."""

    def listed(face: np.ndarray) -> np.ndarray:
        """face_recognition.face_landmarks, flattened in its order."""
        chin, brows, nose, eyes = face[0:17], face[17:27], face[27:36], face[36:48]
        top = [*face[48:55], face[64], face[63], face[62], face[61], face[60]]
        bottom = [*face[54:60], face[48], face[60], face[67], face[66], face[65], face[64]]
        return np.array([*chin, *brows, *nose, *eyes, *top, *bottom])

    pred, target = points(1), points(2)
    frames = [
        np.sqrt((listed(made)[48:72] - listed(real)[48:72]) ** 2).mean()
        for made, real in zip(pred.double().numpy(), target.double().numpy(), strict=True)
    ]
    assert landmark_distance(pred, target, **PROTOCOLS["fae"]).item() == pytest.approx(np.mean(frames), rel=1e-12)


def test_variants_spread_as_measured():
    """Noise of 1 px and a shift of (2, -1): one pair, numbers that differ by a factor of 20."""
    draw = torch.Generator().manual_seed(0)
    real = torch.randn(20_000, 20, 2, generator=draw) * 10 + 100
    made = real + torch.randn(real.shape, generator=draw) + torch.tensor([2.0, -1.0])
    expected = {
        "paper": (math.pi / 2 * 19 / 20)
        ** 0.5,  # mean length of a plane normal deviate, 19 of 20 parts of its variance
        "published-code": 20 * (math.pi / 2 * 19 / 20) ** 0.5,
        "unaligned": 2.476,  # mean of Rice's distribution, nu = sqrt(5)
    }
    measured = {"paper": 1.206, "published-code": 24.12, "unaligned": 2.518}  # on 16 frames
    for name, value in expected.items():
        assert landmark_distance(made, real, **PROTOCOLS[name]).item() == pytest.approx(value, rel=5e-3)
        assert measured[name] == pytest.approx(value, rel=0.03)
    fae = landmark_distance(made, real, align="none", reduce="fae").item()
    folded = [
        (2 / math.pi) ** 0.5 * math.exp(-mu * mu / 2) + mu * math.erf(mu / 2**0.5) for mu in (2, 1)
    ]  # mean of |N(mu, 1)|
    assert fae == pytest.approx(sum(folded) / 2, rel=5e-3)
    assert pytest.approx(sum(folded) / 2, rel=0.03) == 1.606


def test_similarity_is_umeyamas():
    pred, target = points(1, 6), points(2, 6) * torch.tensor([1.0, 0.6])
    errors = []
    for made, real in zip(pred[:, 48:].double().numpy(), target[:, 48:].double().numpy(), strict=True):
        fit = SimilarityTransform.from_estimate(made, real)
        errors.append(np.linalg.norm(fit(made) - real, axis=1).mean())
    got = landmark_distance(pred, target, align="similarity").item()
    assert got == pytest.approx(np.mean(errors), rel=1e-9)
    turn = 1.3 * torch.tensor([[0.8, -0.6], [0.6, 0.8]])
    moved = target @ turn.T + torch.tensor([30.0, -4.0])
    assert landmark_distance(moved, target, align="similarity") < 1e-4  # what it hides
    assert landmark_distance(moved, target) > 1
    flipped = target * torch.tensor([-1.0, 1.0])
    assert landmark_distance(flipped, target, align="similarity") > 0.5  # but no mirroring
    dot = torch.full_like(target, 7.0)
    centred = (target[:, 48:] - target[:, 48:].mean(1, keepdim=True)).norm(dim=-1).mean()
    assert landmark_distance(dot, target, align="similarity") == pytest.approx(centred.item(), rel=1e-6)


def test_norms():
    pred, target = points(1), points(2)
    plain = landmark_distance(pred, target)
    real = target.double().numpy()
    width = np.mean([np.hypot(*(frame[48] - frame[54])) for frame in real])
    eyes = np.mean([np.hypot(*(frame[36:42].mean(0) - frame[42:48].mean(0))) for frame in real])
    assert landmark_distance(pred, target, norm="mouth_width") == pytest.approx(plain.item() / width)
    assert landmark_distance(pred, target, norm="eye_distance") == pytest.approx(plain.item() / eyes)
    lips = pred[:, 48:], target[:, 48:]
    assert landmark_distance(*lips, norm="mouth_width") == pytest.approx(plain.item() / width)
    listed = [side[:, list(CHOSEN["fae24"])] for side in (pred, target)]
    assert landmark_distance(*listed, points="fae24", norm="mouth_width") == pytest.approx(
        landmark_distance(pred, target, points="fae24").item() / width
    )
    bigger = landmark_distance(3 * pred, 3 * target, norm="eye_distance")
    assert bigger == pytest.approx(landmark_distance(pred, target, norm="eye_distance").item())
    with pytest.raises(ValueError, match="eye_distance needs 68 points; got 20"):
        landmark_distance(*lips, norm="eye_distance")
    with pytest.raises(ValueError, match="mouth_width of the target is 0"):
        landmark_distance(pred, torch.zeros_like(target), norm="mouth_width")


@pytest.mark.parametrize(
    ("option", "names"),
    [
        ("points", "mouth20, all68, fae24"),
        ("align", "mean, none, similarity"),
        ("reduce", "mean, sum, fae"),
        ("norm", "none, mouth_width, eye_distance"),
    ],
)
def test_wrong_options_name_the_right_ones(option: str, names: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    with pytest.raises(ValueError, match=f"{option} is one of {names}, not 'lips'"):
        landmark_distance(points(1), points(2), **{option: "lips"})
    with pytest.raises(ValueError, match=f"{option} is one of {names}, not 'lips'"):
        LandmarkDistance(**{option: "lips"})


def test_it_can_be_a_loss():
    pred = points(1).requires_grad_()
    landmark_distance(pred, points(2), align="similarity", norm="eye_distance").backward()
    assert pred.grad[:, 48:].abs().sum() > 0


def test_the_metric_is_the_mean_over_clips():
    metric = LandmarkDistance()
    pairs = {"b": (points(1, 5), points(2, 5)), "a": (points(3, 20), points(4, 20))}
    for clip, (pred, target) in pairs.items():
        metric.update(clip, pred, target)
    by_clip = {clip: by_hand(*pair, slice(48, 68), True) for clip, pair in pairs.items()}
    assert metric.compute().item() == pytest.approx((by_clip["a"] + by_clip["b"]) / 2, rel=1e-9)
    assert [(row.clip, row.scored, row.total, row.reason) for row in metric.rows()] == [
        ("a", 20, 20, ""),
        ("b", 5, 5, ""),
    ]
    for row in metric.rows():
        assert metric.clip_value(row) == pytest.approx(by_clip[row.clip], rel=1e-9)
    assert metric.signature.startswith("lmd|points:mouth20|align:mean|reduce:mean|norm:none|zoo:")
    assert metric.higher_is_better is False
    fae = LandmarkDistance(**PROTOCOLS["fae"])
    fae.update("a", *pairs["a"])
    assert fae.compute() == landmark_distance(*pairs["a"], **PROTOCOLS["fae"])
    assert fae.signature.startswith("lmd|points:fae24|align:none|reduce:fae")


def test_frames_that_cannot_be_compared_lower_coverage():
    pred, target = points(1, 10), points(2, 12)
    seen = torch.ones(10, dtype=torch.bool)
    seen[3] = False
    pred[5, 50] = torch.nan
    keep = [0, 1, 2, 4, 6, 7, 8, 9]
    metric = LandmarkDistance()
    metric.update("a", pred, target, seen)
    (row,) = metric.rows()
    assert (row.scored, row.total) == (8, 12)
    assert row.reason == "2 frames missing, 2 frames without a face"
    assert metric.compute().item() == pytest.approx(by_hand(pred[keep], target[keep], slice(48, 68), True), rel=1e-9)
    metric.update("b", pred, target, torch.zeros(10, dtype=torch.bool))
    metric.update("c", points(1, 0), target)
    result = metric.result()
    assert result.value == metric.clip_value(row)
    assert result.coverage == 8 / 36
    assert "12 frames missing" in result.reason
    flat = LandmarkDistance(norm="mouth_width")
    flat.update("a", points(1, 3), torch.zeros(3, 68, 2))
    assert flat.compute().isnan()
    assert flat.result().reason == "the real clip's mouth_width is 0"


def footage(landmarks: Tensor, seen: list[int]) -> Footage:
    """One side as the judges see it, with given points."""
    frames = torch.zeros(len(landmarks), 3, 8, 8, dtype=torch.uint8)
    side = Footage(frames, torch.zeros(640 * len(landmarks)), landmarks, torch.tensor(seen).bool(), Judges())
    side.__dict__["points"] = landmarks  # what is found once and kept
    return side


def test_observe_takes_frames_in_which_both_have_a_face():
    real, pred = footage(points(1, 6), [1, 1, 0, 1, 1, 1]), footage(points(2, 5), [1, 0, 1, 1, 1])
    metric = LandmarkDistance()
    metric.observe("a", pred, real)
    (row,) = metric.rows()
    assert (row.scored, row.total, row.reason) == (3, 6, "1 frame missing, 2 frames without a face")
    assert metric.compute() == landmark_distance(pred.points[[0, 3, 4]], real.points[[0, 3, 4]])
