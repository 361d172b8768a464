"""Training windows per second of the zoo's loader against the usual way of this field, on the same clips.

    python benchmarks/perf/loader.py [--store DIR] [--clips 12] [--seconds 10] [--json out.json]

The usual way (LipGAN's and Wav2Lip's public loaders, written afresh here): one JPEG file per frame and a WAV file per
clip; every item opens the pictures it needs, scales them with OpenCV-like bilinear filtering, decodes the clip's whole
sound, makes the mel spectrogram of all of it with librosa and slices out what the window hears. Both ways run in one
process on one thread, from the page cache, with the same clips, window lengths and identity frames. Ours runs twice:
the loader alone, which is what training waits for, since sound travels as a waveform and features are made inside the
method; and with float pictures and the mel of its windows on top, which the usual way makes in its loader.
"""

from __future__ import annotations

import argparse
import io
import json
import platform
import tempfile
import time
import wave as wave_file
from collections.abc import Callable, Iterator
from functools import partial
from itertools import cycle, islice
from pathlib import Path

import librosa
import numpy as np
import torch
from PIL import Image
from rich.console import Console
from rich.table import Table
from torch.utils.data import DataLoader, Dataset

from zoo.data.module import TalkingFaceData
from zoo.data.store.store import Store
from zoo.data.windows import Draw, RandomWindows, place
from zoo.face.crop import crop_boxes
from zoo.methods.nn.frontend import Mel
from zoo.registry.config import DataConfig
from zoo.registry.spec import InputSpec

BATCH = 32
SIZE = 96
MEL = Mel(27)
BANK = librosa.filters.mel(sr=16_000, n_fft=800, n_mels=80, fmin=55, fmax=7600)
HOP_PER_SECOND = 80
"""Columns of the mel spectrogram per second of sound."""


def write_peer_files(store: Store, clips: list[int], folder: Path) -> None:
    """One JPEG per frame (the face box, as LipGAN's and Wav2Lip's preprocessing leaves it) and one WAV per clip."""
    for number in clips:
        clip = store.clip(number)
        where = folder / str(number)
        where.mkdir()
        boxes = crop_boxes(clip.landmarks, "face")
        for t, (frame, (x0, y0, x1, y1)) in enumerate(zip(clip.frames, boxes.tolist(), strict=True)):
            face = frame[:, max(0, y0) : y1, max(0, x0) : x1].permute(1, 2, 0).contiguous().numpy()
            Image.fromarray(face).save(where / f"{t}.jpg", quality=95)
        with wave_file.open(str(where / "audio.wav"), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(clip.sample_rate)
            file.writeframes((clip.wave.clamp(-1, 1) * 32767).short().numpy().tobytes())


class PeerWindows(Dataset[dict[str, torch.Tensor]]):
    """Items made anew from files, as in the public loaders of LipGAN and Wav2Lip."""

    def __init__(self, store: Store, spec: InputSpec, folder: Path) -> None:
        self.store, self.spec, self.folder = store, spec, folder

    def __getitem__(self, draw: Draw) -> dict[str, torch.Tensor]:
        assert draw.seed is not None
        first, count, identity = place(self.store.clips[draw.clip].num_frames, self.spec, 1, draw.seed)
        where = self.folder / str(draw.clip)
        frames = [self._picture(where / f"{t}.jpg") for t in range(first, first + count)]
        others = [self._picture(where / f"{t}.jpg") for t in identity]
        sound, _ = librosa.load(where / "audio.wav", sr=16_000)
        mel = whole_mel(sound)
        slices = []
        for t in range(first, first + count):
            start = int(HOP_PER_SECOND * (t + 0.5) / 25) - MEL.columns // 2
            columns = np.clip(np.arange(start, start + MEL.columns), 0, mel.shape[1] - 1)
            slices.append(mel[:, columns])
        return {
            "frames": torch.from_numpy(np.stack(frames)),
            "identity": torch.from_numpy(np.stack(others)),
            "mel": torch.from_numpy(np.stack(slices)),
        }

    @staticmethod
    def _picture(path: Path) -> np.ndarray:
        with Image.open(io.BytesIO(path.read_bytes())) as image:
            scaled = image.convert("RGB").resize((SIZE, SIZE), Image.Resampling.BILINEAR)
        return np.asarray(scaled, dtype=np.float32).transpose(2, 0, 1) / 255


def whole_mel(sound: np.ndarray) -> np.ndarray:
    """The log-mel spectrogram of a whole file, ``(80, columns)``, in [-4, 4]."""
    emphasised = np.append(sound[0], sound[1:] - 0.97 * sound[:-1])
    magnitude = np.abs(librosa.stft(emphasised, n_fft=800, hop_length=200, win_length=800))
    decibel = 20 * np.log10(np.maximum(1e-5, BANK @ magnitude)) - 20
    return np.clip(8 * (decibel + 100) / 100 - 4, -4, 4)


def ours(store: Path, spec: InputSpec, name: str, features: bool) -> Iterator[int]:
    """Batches of the zoo, with float pictures and mel features on request; gives the number of windows in each."""
    data = TalkingFaceData(DataConfig(name=name, root=str(store), batch_size=BATCH, windows_per_clip=64), spec)
    data.setup("fit")
    loader = data.train_dataloader()
    for _ in cycle([0]):
        for batch in loader:
            if features:
                count = batch.unit().frames.shape[1]
                heard = batch.given.audio_windows(spec.context).flatten(0, 1)
                assert MEL(heard).shape == (BATCH * count, 1, 80, MEL.columns)
            yield len(batch.clip)


def peers(store: Store, spec: InputSpec, clips: list[int], folder: Path) -> Iterator[int]:
    """Batches of the usual way."""
    sampler = RandomWindows(clips, 64, 0)
    loader = DataLoader(PeerWindows(store, spec, folder), batch_size=BATCH, sampler=sampler, num_workers=0)
    for _ in cycle([0]):
        for batch in loader:
            yield len(batch["frames"])


def rate(batches: Iterator[int], seconds: float) -> float:
    """Windows per second of processor time, after a first batch that fills the caches."""
    next(batches)
    windows, start = 0, time.process_time()
    while time.process_time() - start < seconds:
        windows += next(batches)
    return windows / (time.process_time() - start)


def training_clips(store: Path, name: str, limit: int) -> list[int]:
    """The clips that ours trains on, so that the usual way gets the same."""
    data = TalkingFaceData(DataConfig(name=name, root=str(store)), InputSpec())
    data.setup("fit")
    return list(islice(data.clips["train"], limit))


def measure(make: Callable[[], Iterator[int]], seconds: float, repeat: int) -> float:
    """The best of a few runs: other work on the machine only slows."""
    return max(rate(make(), seconds / repeat) for _ in range(repeat))


def main() -> None:
    """Measure, print a table, and write the numbers with ``--json``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", type=Path, help="prepared clips (default: SynthGRID, made now)")
    parser.add_argument("--data", default="synthgrid", help="data set of the store, for its split")
    parser.add_argument("--clips", type=int, default=12, help="training clips to draw from")
    parser.add_argument("--seconds", type=float, default=9.0, help="processor time per measurement")
    parser.add_argument("--json", type=Path, help="file for all the numbers")
    args = parser.parse_args()
    torch.set_num_threads(1)
    console = Console()
    with tempfile.TemporaryDirectory() as scratch:
        store_path = args.store or Path(scratch) / "store"
        if args.store is None:
            from zoo.data.prepare import prepare
            from zoo.data.sources.synthgrid.source import SynthGrid

            prepare(SynthGrid(clips=args.clips), store_path, dataset="synthgrid")
        store = Store(store_path)
        clips = training_clips(store_path, args.data, args.clips)
        folder = Path(scratch) / "files"
        folder.mkdir()
        write_peer_files(store, clips, folder)
        found = {}
        table = Table(title=f"{len(clips)} clips, batches of {BATCH}, {SIZE} px, one process, one thread")
        for heading in ("window", "usual way, windows/s", "zoo, windows/s", "ratio", "with mel, windows/s", "ratio"):
            table.add_column(heading)
        for frames in (1, 5):
            spec = InputSpec(frames=frames, context=MEL.samples)
            slow = measure(partial(peers, store, spec, clips, folder), args.seconds, 3)
            bare, full = (
                measure(partial(ours, store_path, spec, args.data, features), args.seconds, 3)
                for features in (False, True)
            )
            found[f"{frames}_frames"] = {"peer_per_s": slow, "zoo_per_s": bare, "zoo_with_mel_per_s": full}
            rates = (f"{slow:.1f}", f"{bare:.1f}", f"{bare / slow:.1f}", f"{full:.1f}", f"{full / slow:.1f}")
            table.add_row(f"{frames} frames", *rates)
        console.print(table)
    if args.json:
        machine = {"machine": platform.machine(), "processor": platform.processor(), "torch": torch.__version__}
        args.json.write_text(json.dumps({**found, **machine}, indent=1) + "\n")


if __name__ == "__main__":
    main()
