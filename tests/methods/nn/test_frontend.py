"""Sound features against librosa and against the HTK book's formulas written out in NumPy."""

import numpy as np
import pytest
import scipy.fft
import torch

from zoo.methods.nn.frontend import Mel, Mfcc


def sounds(samples: int) -> np.ndarray:
    """``(4, samples)``: noise, a chirp, a click in silence, silence."""
    random = np.random.default_rng(3)
    time = np.arange(samples) / 16_000
    rows = np.zeros((4, samples), np.float32)
    rows[0] = random.normal(scale=0.1, size=samples).clip(-1, 1)
    rows[1] = 0.7 * np.sin(2 * np.pi * (200 + 4000 * time) * time)
    rows[2, samples // 2] = 1
    return rows


def test_columns_and_samples():
    assert Mel(27).samples == 800 + 26 * 200 == 6000
    assert Mfcc(35).samples == 400 + 34 * 160 == 5840
    assert Mel(27)(torch.zeros(2, 6000)).shape == (2, 1, 80, 27)
    assert Mfcc(35)(torch.zeros(2, 5840)).shape == (2, 1, 12, 35)


def test_mel_is_that_of_librosa():
    """Against librosa in double precision; what single precision rounds, the logarithm of a quiet band enlarges."""
    librosa = pytest.importorskip("librosa")
    rows = sounds(6000)
    got = Mel(27)(torch.tensor(rows)).numpy()
    bank = librosa.filters.mel(sr=16_000, n_fft=800, n_mels=80, fmin=55, fmax=7600, dtype=np.float64)
    for sound, features in zip(rows.astype(np.float64), got, strict=True):
        emphasised = np.append(sound[0], sound[1:] - 0.97 * sound[:-1])
        magnitude = np.abs(librosa.stft(emphasised, n_fft=800, hop_length=200, win_length=800, center=False))
        mel = np.maximum(1e-5, bank @ magnitude)
        expected = np.clip(8 * (20 * np.log10(mel) + 80) / 100 - 4, -4, 4)
        # An FFT of 800 samples and a sum over bins are off by some units in the last place of the loudest bin.
        rounding = 16 * np.finfo(np.float32).eps * magnitude.max(0) * bank.sum(1, keepdims=True)
        bound = 1e-5 + 1.6 * np.log10(1 + rounding / mel)
        assert (np.abs(features[0] - expected) <= bound).all()
        assert bound[mel >= 0.01 * mel.max()].max() < 1e-3, "loud bands are exact"
    assert got[3].max() == -4
    assert np.abs(got).max() <= 4


def htk_mfcc(sound: np.ndarray) -> np.ndarray:
    """``(12, columns)``: 25 ms windows every 10 ms, 40 filters from 300 to 3700 Hz, C1 to C12, lifter 22."""

    def mel(hertz: np.ndarray | float) -> np.ndarray:
        return 1127 * np.log(1 + np.asarray(hertz) / 700)

    emphasised = np.append(sound[0], sound[1:] - 0.97 * sound[:-1]).astype(np.float64)
    columns = 1 + (len(sound) - 400) // 160
    window = 0.54 - 0.46 * np.cos(2 * np.pi * np.arange(400) / 399)
    edges = np.linspace(mel(300), mel(3700), 42)
    edges_hz = 700 * (np.exp(edges / 1127) - 1)
    bins = np.arange(257) * 16_000 / 512
    bank = np.zeros((40, 257))
    for k in range(40):
        low, centre, high = edges_hz[k : k + 3]
        bank[k] = np.maximum(0, np.minimum((bins - low) / (centre - low), (high - bins) / (high - centre)))
    found = []
    for t in range(columns):
        spectrum = np.abs(np.fft.rfft(emphasised[160 * t : 160 * t + 400] * window, 512))
        cepstrum = scipy.fft.dct(np.log(np.maximum(bank @ spectrum, 1e-6)), type=2, norm="ortho")[1:13]
        found.append(cepstrum * (1 + 11 * np.sin(np.pi * np.arange(1, 13) / 22)))
    return np.stack(found, axis=1)


def test_mfcc_is_that_of_htk():
    rows = sounds(5840)
    got = Mfcc(35)(torch.tensor(rows)).numpy()
    for sound, features in zip(rows, got, strict=True):
        expected = htk_mfcc(sound)
        assert expected.shape == (12, 35)
        assert np.abs(features[0] - expected).max() < 2e-3
    assert np.isfinite(got).all()


@pytest.mark.parametrize("frontend", [Mel(27), Mfcc(35)])
def test_every_column_rests_on_its_own_samples(frontend: Mel | Mfcc):
    """No padding inside: a change of the last samples changes the last columns only."""
    wave = torch.tensor(sounds(frontend.samples)[:1])
    changed = wave.clone()
    changed[:, -frontend.hop :] += 0.1
    before, after = frontend(wave), frontend(changed)
    assert torch.equal(before[..., :-1], after[..., :-1])
    assert not torch.equal(before[..., -1], after[..., -1])
    double = frontend(torch.cat([wave, wave]))
    assert torch.allclose(double[0], double[1])
