"""Sync metrics against the published code window by window, signs by construction, quality against pair counts."""

from types import SimpleNamespace

import jaxtyping
import numpy as np
import pytest
import torch
from torch import Tensor

from zoo.evaluation.footage import Footage
from zoo.evaluation.judges import Judges
from zoo.evaluation.metrics.av_offset import AVOffset, av_offset
from zoo.evaluation.metrics.lse_c import LseC, lse_c
from zoo.evaluation.metrics.lse_d import LseD, lse_d
from zoo.evaluation.metrics.sync import sync_distances
from zoo.evaluation.metrics.sync_acc import SyncAccuracy, sync_acc
from zoo.experts.sync_expert.quality import expert_quality, negative_starts

METRICS = (LseD, LseC, AVOffset)


def embeddings(windows: int, size: int = 64, seed: int = 0, scale: float = 1.0) -> tuple[Tensor, Tensor]:
    """Sound, and pictures that mostly agree with it."""
    generator = torch.Generator().manual_seed(seed)
    sound = torch.randn(windows, size, generator=generator) * scale
    return sound + 0.7 * scale * torch.randn(windows, size, generator=generator), sound


def by_hand(video: Tensor, sound: Tensor, max_shift: int, padding: str) -> np.ndarray:
    """joonson/syncnet_python's ``calc_pdist`` and its mean, one window after the other."""
    pictures, tones = video.double().numpy(), sound.double().numpy()
    size = pictures.shape[1]
    padded = np.concatenate([np.zeros((max_shift, size)), tones, np.zeros((max_shift, size))])
    rows = []
    for i in range(len(pictures)):
        row = []
        for k in range(2 * max_shift + 1):
            exists = padding == "published" or 0 <= i + k - max_shift < len(tones)
            row.append(np.sqrt(((pictures[i] - padded[i + k] + 1e-6) ** 2).sum()) if exists else np.nan)
        rows.append(row)
    counts = (~np.isnan(rows)).sum(0)
    return np.where(counts > 0, np.nansum(rows, 0) / np.maximum(counts, 1), np.nan)


def published(video: Tensor, sound: Tensor, vshift: int = 15) -> tuple[float, float, int]:
    """The published lines (float32, PyTorch): LSE-D, LSE-C and offset."""
    padded = torch.nn.functional.pad(sound, (0, 0, vshift, vshift))
    window = 2 * vshift + 1
    distances = [
        torch.nn.functional.pairwise_distance(video[[i], :].repeat(window, 1), padded[i : i + window, :])
        for i in range(len(video))
    ]
    mean = torch.mean(torch.stack(distances, 1), 1)
    least, where = torch.min(mean, 0)
    return least.item(), (torch.median(mean) - least).item(), vshift - int(where)


@pytest.mark.parametrize("padding", ["published", "valid"])
@pytest.mark.parametrize(
    ("windows", "size", "scale"),
    [(2, 8, 1), (5, 8, 1), (31, 16, 1), (32, 16, 1), (71, 1024, 1), (97, 512, 0.05), (71, 1024, 30)],
)
def test_the_published_formula(padding: str, windows: int, size: int, scale: float):
    video, sound = embeddings(windows, size, seed=windows, scale=scale)
    expected = by_hand(video, sound, 15, padding)
    got = sync_distances(video, sound, padding=padding)
    assert got.shape == (31,)
    np.testing.assert_allclose(got.numpy(), expected, rtol=0, atol=1e-9 * max(1, scale))
    known = expected[~np.isnan(expected)]
    options = {"padding": padding}
    assert lse_d(video, sound, **options).item() == pytest.approx(known.min(), abs=1e-9)
    assert lse_c(video, sound, **options).item() == pytest.approx(np.median(known) - known.min(), abs=1e-9)
    assert av_offset(video, sound, **options).item() == 15 - np.nanargmin(expected)
    if padding == "published":
        distance, confidence, offset = published(video, sound)
        assert lse_d(video, sound).item() == pytest.approx(distance, rel=1e-5)
        assert lse_c(video, sound).item() == pytest.approx(confidence, abs=1e-5 * distance)
        assert av_offset(video, sound).item() == offset


@pytest.mark.parametrize("max_shift", [1, 10, 40])
def test_other_shifts(max_shift: int):
    video, sound = embeddings(37)
    for padding in ("published", "valid"):
        expected = by_hand(video, sound, max_shift, padding)
        np.testing.assert_allclose(
            sync_distances(video, sound, max_shift=max_shift, padding=padding), expected, atol=1e-9
        )
    assert np.isnan(by_hand(video, sound, 40, "valid")).sum() == 8  # shifts with no term are left out


@pytest.mark.parametrize("padding", ["published", "valid"])
@pytest.mark.parametrize("late", [-7, -3, 0, 3, 15])
def test_the_sign_of_the_offset(padding: str, late: int):
    """Sound of one long recording, taken ``late`` windows after that of the pictures: it comes first by as many."""
    generator = torch.Generator().manual_seed(late + 20)
    recording = torch.randn(120, 32, generator=generator)
    video, sound = recording[20:91], recording[20 + late : 91 + late]
    # sound[i] is what the pictures show at i + late: the mouth follows its sound by `late` frames.
    assert av_offset(video, sound, padding=padding).item() == late
    assert lse_d(video, sound, padding="valid").item() == pytest.approx(1e-6 * 32**0.5, rel=1e-3)
    zero = lse_d(video, sound, padding="valid", at="zero").item()
    metric = LseD(padding="valid", at="zero")
    metric.update("clip", video, sound)
    assert metric.compute().item() == zero
    assert (zero < 1e-4) == (late == 0)  # LSE-D forgives a shift, the distance at no shift does not
    assert lse_c(video, sound, padding="valid") > 7


def test_padding_with_zeros_makes_the_value_depend_on_length_and_valid_does_not():
    video, sound = embeddings(400, size=1024, seed=3)
    short = {padding: sync_distances(video[:20], sound[:20], padding=padding) for padding in ("published", "valid")}
    long = sync_distances(video, sound, padding="valid")
    off = torch.arange(31) != 15
    assert (short["valid"] - long)[off].abs().mean() < 0.5
    assert (short["published"] - long)[off].mean() < -4  # |v| is less than |v - a|


def test_hidden_windows_are_left_out():
    video, sound = embeddings(71)
    seen = torch.ones(71, dtype=torch.bool)
    seen[[0, 30, 70]] = False
    broken = video.clone()
    broken[~seen] = torch.nan
    for padding in ("published", "valid"):
        expected = by_hand(torch.where(seen[:, None], video, torch.nan), sound, 15, padding)
        if padding == "published":
            rows = [by_hand(video[i : i + 1], sound.roll(-i, 0), 1, "valid")[1] for i in range(71) if seen[i]]
            assert sync_distances(broken, sound, seen=seen)[15].item() == pytest.approx(np.mean(rows), abs=1e-9)
        else:
            assert np.isfinite(expected).all()
            np.testing.assert_allclose(sync_distances(broken, sound, padding=padding, seen=seen), expected, atol=1e-9)


def test_wrong_input(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    video, sound = embeddings(20)
    with pytest.raises(ValueError, match=r"\(19, 64\)"):
        lse_d(video, sound[:19])
    with pytest.raises(ValueError, match="at least 2 windows that show a face, got 1 of 1"):
        lse_c(video[:1], sound[:1])
    with pytest.raises(ValueError, match="got 0 of 20"):
        av_offset(video, sound, seen=torch.zeros(20, dtype=torch.bool))
    with pytest.raises(ValueError, match="published or valid, not 'same'"):
        lse_d(video, sound, padding="same")
    with pytest.raises(ValueError, match="1 or more, not 0"):
        lse_d(video, sound, max_shift=0)
    with pytest.raises(ValueError, match="best or zero, not 'first'"):
        lse_d(video, sound, at="first")
    with pytest.raises(ValueError, match="finite"):
        lse_d(video * torch.nan, sound)
    for made in METRICS:
        with pytest.raises(ValueError, match="published or valid, not 'same'"):
            made(padding="same")
        with pytest.raises(ValueError, match="1 or more, not 0"):
            made(max_shift=0)
    with pytest.raises(ValueError, match="best or zero"):
        LseD(at="first")
    with pytest.raises(ValueError, match="signed or absolute"):
        AVOffset(sign="both")
    with pytest.raises(ValueError, match="all or speech"):
        SyncAccuracy(windows="loud")
    assert lse_d(video.numpy(), sound.numpy()) == lse_d(video, sound)


@pytest.mark.parametrize(("made", "function"), [(LseD, lse_d), (LseC, lse_c), (AVOffset, av_offset)])
def test_the_metric_is_the_mean_over_clips(made: type, function: object):
    metric = made(padding="valid", max_shift=10, expert="toy-1")
    clips = {f"clip{seed}": embeddings(windows, seed=seed) for seed, windows in enumerate((71, 30, 12))}
    clips["late"] = clips["clip0"][0][:60], clips["clip0"][1][4:64]
    for clip, pair in clips.items():
        metric.update(clip, *pair)
        metric.update(clip, *pair)  # a sampler that repeats clips
    values = [function(*pair, padding="valid", max_shift=10).item() for pair in clips.values()]
    assert metric.compute().item() == pytest.approx(np.mean(values), abs=1e-12)
    assert [metric.clip_value(row) for row in metric.rows()] == pytest.approx(values)
    assert metric.result().coverage == 1
    assert "|padding:valid|max_shift:10|" in metric.signature
    assert "|expert:toy-1|" in metric.signature


def test_what_cannot_be_scored_lowers_coverage_and_never_becomes_a_number():
    video, sound = embeddings(71)
    half = torch.arange(71) < 40
    for made in METRICS:
        metric = made()
        metric.update("good", video, sound)
        metric.update("half", video, sound, seen=half)
        metric.update("short", video[:50], sound[:50], total=71)
        metric.update("one", video[:1], sound[:1])
        metric.update("empty", video[:0], sound[:0], total=71)
        metric.update("hidden", video, sound, seen=torch.zeros(71, dtype=torch.bool))
        metric.update("nan", video, sound * torch.nan)
        rows = {row.clip: row for row in metric.rows()}
        assert [bool(rows[clip].stats) for clip in ("good", "half", "short")] == [True] * 3
        for clip in ("one", "empty", "hidden", "nan"):
            assert rows[clip].stats == ()
            assert rows[clip].reason
        assert rows["half"].reason == "31 windows without a face"
        assert rows["short"].reason == "21 windows missing"
        result = metric.result()
        assert (result.clips, result.total) == (3, 7)
        assert result.coverage == pytest.approx((71 + 40 + 50) / (6 * 71 + 1))
        nothing = made()
        nothing.update("hidden", video, sound, seen=torch.zeros(71, dtype=torch.bool))
        assert nothing.compute().isnan()


def test_offsets_of_both_signs_cancel_unless_absolute():
    recording = torch.randn(80, 16, generator=torch.Generator().manual_seed(0))
    signed, absolute = AVOffset(), AVOffset(sign="absolute")
    for late in (-4, 4):
        for metric in (signed, absolute):
            metric.update(f"late{late}", recording[5:70], recording[5 + late : 70 + late])
    assert signed.compute() == 0
    assert absolute.compute() == 4
    assert "sign:absolute" in absolute.signature


def test_share_of_windows_that_pass():
    assert sync_acc(torch.tensor([0.5, 0.51, 1.0, 0.0])) == 0.5
    assert sync_acc(torch.tensor([0.5, 0.51, 1.0, 0.0]), threshold=0.7) == 0.25
    assert (
        sync_acc(torch.tensor([0.4, 0.7, 0.8, 0.9]), threshold=0.4) == 0.75
    )  # 0.4 in single precision is not above 0.4
    metric = SyncAccuracy(expert="toy-1")
    metric.update("a", torch.tensor([0.9, 0.9, 0.1, 0.1]))
    metric.update("b", torch.tensor([0.9] * 11 + [torch.nan]), seen=torch.arange(12) < 10, total=20)
    metric.update("c", torch.tensor([0.4]), threshold=0.3)
    metric.update("d", torch.zeros(0))
    rows = {row.clip: row for row in metric.rows()}
    assert rows["b"].stats == (10.0, 10.0)
    assert (rows["b"].scored, rows["b"].total) == (10, 20)
    assert rows["b"].reason == "8 windows missing, 2 windows without a face"
    assert rows["c"].stats == (1.0, 1.0)
    assert rows["d"].reason == "no window to score"
    assert metric.compute().item() == 13 / 15  # windows of all clips together
    assert "|threshold:expert|windows:all|expert:toy-1|" in metric.signature
    loud = SyncAccuracy(threshold=0.6, windows="speech")
    loud.update(
        "a", torch.tensor([0.9, 0.9, 0.1, 0.55]), threshold=0.1, speech=torch.tensor([True, False, False, True])
    )
    assert loud.compute() == 0.5
    assert loud.rows()[0].total == 2
    loud.update("silent", torch.tensor([0.9]), speech=torch.tensor([False]))
    assert loud.rows()[1].reason == "no window to score"
    assert "|threshold:0.6|windows:speech|" in loud.signature
    for wrong in ([1.2], [-0.1], [torch.nan]):
        with pytest.raises(ValueError, match="scores in"):
            sync_acc(torch.tensor(wrong))
    with pytest.raises(ValueError, match="needs a window"):
        sync_acc(torch.zeros(0))


@pytest.mark.parametrize("levels", [3, 10, 100_000])
def test_quality_of_an_expert(levels: int):
    generator = torch.Generator().manual_seed(levels)
    true = (torch.rand(83, generator=generator) ** 0.5 * levels).round() / levels  # few levels: many ties
    false = (torch.rand(131, generator=generator) ** 2 * levels).round() / levels
    quality = expert_quality(true, false, 0.4)
    pairs = [(p > q) + 0.5 * (p == q) for p in true.tolist() for q in false.tolist()]
    assert quality.auc == pytest.approx(sum(pairs) / len(pairs), abs=1e-15)
    assert quality.true_positive_rate == (true > 0.4).sum().item() / 83
    assert quality.true_negative_rate == (false <= 0.4).sum().item() / 131
    assert quality.balanced_accuracy == (quality.true_positive_rate + quality.true_negative_rate) / 2
    mirrored = expert_quality(false, true, 0.4)
    assert mirrored.auc == pytest.approx(1 - quality.auc, abs=1e-15)


def test_quality_agrees_with_sklearn():
    sklearn = pytest.importorskip("sklearn.metrics")
    generator = torch.Generator().manual_seed(5)
    true = torch.rand(500, generator=generator).mul(20).round() / 20
    false = torch.rand(700, generator=generator).mul(15).round() / 20
    quality = expert_quality(true, false)
    scores, labels = torch.cat([true, false]).numpy(), np.repeat([1, 0], [500, 700])
    assert quality.auc == pytest.approx(sklearn.roc_auc_score(labels, scores), abs=1e-12)
    assert quality.balanced_accuracy == pytest.approx(sklearn.balanced_accuracy_score(labels, scores > 0.5), abs=1e-12)


def test_quality_of_too_few_pairs_is_no_number():
    quality = expert_quality(torch.tensor([0.9]), torch.zeros(0))
    assert quality.true_positive_rate == 1
    assert np.isnan([quality.auc, quality.balanced_accuracy, quality.true_negative_rate]).all()
    with pytest.raises(ValueError, match="scores in"):
        expert_quality(torch.tensor([3.0]), torch.zeros(1))


def test_false_pairs_are_far_enough_and_equally_likely():
    for count in (0, 1, 5, 6, 9, 10, 71):
        partners = negative_starts(count, seed=count)
        assert partners.shape == (count,)
        for start, partner in enumerate(partners.tolist()):
            possible = [other for other in range(count) if abs(other - start) >= 5]
            assert partner in possible if possible else partner == -1
    draws = torch.stack([negative_starts(12, least=3, seed=seed) for seed in range(3000)])
    for start in range(12):
        possible = [other for other in range(12) if abs(other - start) >= 3]
        counts = draws[:, start].bincount(minlength=12)
        assert counts.nonzero()[:, 0].tolist() == possible
        assert (counts[possible] - 3000 / len(possible)).abs().max() < 5 * (3000 / len(possible)) ** 0.5
    assert (negative_starts(71, seed=1) == negative_starts(71, seed=1)).all()
    assert (negative_starts(71, seed=1) != negative_starts(71, seed=2)).any()


def test_false_pairs_among_chosen_starts():
    among = torch.zeros(30, dtype=torch.bool)
    among[[2, 3, 20]] = True
    draws = torch.stack([negative_starts(30, among=among, seed=seed) for seed in range(200)])
    assert set(draws[:, 2].tolist()) == {20}
    assert set(draws[:, 8].tolist()) == {2, 3, 20}
    assert set(draws[:, 24].tolist()) == {2, 3}
    assert (negative_starts(30, among=torch.zeros(30, dtype=torch.bool)) == -1).all()
    with pytest.raises(ValueError, match="least is 1 or more"):
        negative_starts(30, least=0)


def footage(frames: int, expert: str = "toy-1") -> Footage:
    made = Footage(
        frames=torch.zeros(frames, 3, 8, 8, dtype=torch.uint8),
        wave=torch.zeros(frames * 640),
        landmarks=torch.zeros(frames, 68, 2),
        seen=torch.ones(frames, dtype=torch.bool),
        judges=Judges(),
    )
    windows = max(0, frames - 4)
    video, sound = embeddings(windows)
    every = torch.ones(windows, dtype=torch.bool)
    made.__dict__["sync"] = SimpleNamespace(
        video=video,
        sound=sound,
        scores=torch.full((windows,), 0.6),
        threshold=0.7,
        expert=expert,
        seen=every,
        speech=every.clone(),
    )
    return made


@pytest.mark.parametrize("made", [*METRICS, SyncAccuracy])
def test_observed_footage(made: type):
    metric = made()
    assert "expert:unnamed" in metric.signature
    metric.observe("a", footage(75), footage(75))
    assert "expert:toy-1" in metric.signature
    metric.observe("short", footage(65), footage(75))
    metric.observe("tiny", footage(3), footage(75))
    hidden = footage(75)
    hidden.sync.seen[:2] = False
    metric.observe("hidden", hidden, footage(75))
    rows = {row.clip: row for row in metric.rows()}
    assert (rows["hidden"].scored, rows["hidden"].total) == (69, 71)
    assert (rows["a"].scored, rows["a"].total, rows["a"].reason) == (71, 71, "")
    assert (rows["short"].scored, rows["short"].total, rows["short"].reason) == (61, 71, "10 windows missing")
    assert (rows["tiny"].stats, rows["tiny"].total) == ((), 71)
    if made is SyncAccuracy:
        assert metric.compute() == 0  # the expert's own threshold of 0.7
        loud = SyncAccuracy(windows="speech")
        hidden.sync.speech[10:] = False
        loud.observe("hidden", hidden, footage(75))
        assert (loud.rows()[0].scored, loud.rows()[0].total) == (8, 10)
    with pytest.raises(ValueError, match="the expert is toy-1, but a clip was judged by toy-2"):
        metric.observe("b", footage(75, "toy-2"), footage(75))
