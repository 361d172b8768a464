"""The losses of the first training steps of every method, from noise, and the file that keeps them.

    python tests/plugins/first_steps_of_all/first_steps.py [--single] OUT

GANs amplify rounding from step to step: in single precision two orders of summation differ by a tenth after twenty
steps. So everything is double here, from the weights' draws on, whatever asks for single precision; pictures and sound
are the same to the bit. What is left of rounding is far below what a change of a method does.
``--single`` trains as usual.
"""

from __future__ import annotations

import json
import sys
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import DataLoader

from zoo import registry
from zoo.data.batch import Batch
from zoo.media import audio
from zoo.methods import trainable
from zoo.registry.spec import InputSpec
from zoo.training.callbacks import StopAfter

sys.path.append(str(Path(__file__).parents[3]))
from tests.helpers.batches import window_batch
from tests.methods.nn.rounding import InDouble

RECORDED = Path(__file__).with_name("first_steps.json")

EPOCHS, STEPS = 4, 5
"""Epochs, and steps of each; every epoch ends with a validation."""

CASES: dict[str, tuple[str, dict[str, Any], tuple[int, ...]]] = {
    "lipgan": ("lipgan", {"width": 0.02, "learning_rate": 1e-3, "lip_weight": 3.0}, (1, 1)),
    "lipgan with an expert": (
        "lipgan",
        {"width": 0.02, "learning_rate": 1e-3, "expert": "synthgrid", "negatives": "roll", "discriminator_every": 2},
        (5, 5),
    ),
    "wav2lip": ("wav2lip", {"width": 0.02, "learning_rate": 1e-3, "sync_bar": 100.0, "lip_weight": 3.0}, (5,)),
    "at-a-glance": (
        "at-a-glance",
        {"width": 0.02, "last_kernel": 3, "residual_blocks": 1, "flow_shrink": 2, "autoencoder_width": 0.03,
         "autoencoder_steps": 2, "norm_fixed_from": 0.7},
        (16, 16),
    ),
    "temporal-gan": (
        "temporal-gan",
        {"height": 32, "width": 0.05, "sampled_frames": 2, "decay_from": 2, "upper_weight": 0.1, "lip_weight": 3.0},
        (3, 5, 4),
    ),
    "temporal-gan-static": (
        "temporal-gan-static",
        {"height": 32, "width": 0.05, "generator_loss": "minimax", "decay_from": 2},
        (1, 1, 1, 1),
    ),
}  # fmt: skip
"""Method, settings in which every term is at work, and the lengths of a batch's windows."""

EARLY = {"adversarial_start": 0.15, "lr_decay_fraction": 0.5}
"""Discriminators join at the fourth step of twenty; learning rates fade from the eleventh."""


def noise(spec: InputSpec, lengths: tuple[int, ...], number: int) -> Batch:
    """Windows of smooth noise, the same on every machine."""
    random = torch.Generator().manual_seed(number)
    size, frames, (height, width) = len(lengths), max(lengths), spec.size
    coarse = torch.rand(size * (frames + 1), 3, 8, 8, generator=random, dtype=torch.float64)
    smooth = F.interpolate(coarse, (height, width), mode="bilinear")
    pictures = (smooth * 256).round().div(256).to(torch.get_default_dtype()).view(size, frames + 1, 3, height, width)
    start, stop = audio.frame_window(0, frames, spec.context)
    sound = torch.randint(-(2**14), 2**14, (size, stop - start), generator=random).to(pictures) / 2**15
    points = torch.randint(width // 3, 2 * width // 3, (size, frames, 68, 2), generator=random).to(pictures)
    return window_batch(
        pictures[:, :frames], pictures[:, frames:], sound, points, context=spec.context, length=torch.tensor(lengths)
    )


class Noise(pl.LightningDataModule):
    """:data:`STEPS` batches to train on and one to validate on."""

    def __init__(self, spec: InputSpec, lengths: tuple[int, ...]) -> None:
        super().__init__()
        self.clips, self.config, self.path = {"val": [0]}, SimpleNamespace(name="synthgrid"), "STORE"
        self.batches = [noise(spec, lengths, number) for number in range(STEPS + 1)]

    def train_dataloader(self) -> DataLoader[Any]:
        return DataLoader(self.batches[:STEPS], batch_size=None, collate_fn=lambda batch: batch)  # type: ignore[arg-type]

    def val_dataloader(self) -> DataLoader[Any]:
        return DataLoader(self.batches[STEPS:], batch_size=None, collate_fn=lambda batch: batch)  # type: ignore[arg-type]


class Record(pl.Callback):
    """Keeps all that is logged, in full precision."""

    def __init__(self) -> None:
        self.values: dict[str, list[float]] = {}

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Lightning's own log would round."""
        pl_module.log = self._note  # type: ignore[method-assign]

    def _note(self, name: str, value: Tensor, *_: Any, **__: Any) -> None:
        self.values.setdefault(name, []).append(float(value.detach()))
        if name == "val/sync":  # what Wav2Lip waits for
            self.trainer.callback_metrics[name] = value.detach()

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Where the values of a validation go."""
        self.trainer = trainer


def first_steps(case: str, double: bool = True) -> dict[str, list[float]]:
    """All that is logged in :data:`EPOCHS` times :data:`STEPS` steps, in order."""
    name, settings, lengths = CASES[case]
    spec = registry.method(name)
    torch.set_default_dtype(torch.float64 if double else torch.float32)
    module = trainable.build(spec, replace(spec.settings(), **settings, **EARLY), seed=1)
    module.before_fit()
    record = Record()
    trainer = pl.Trainer(
        max_epochs=EPOCHS, callbacks=[record, StopAfter(EPOCHS * STEPS)], accelerator="cpu", logger=False,
        enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False, num_sanity_val_steps=0,
    )  # fmt: skip
    with InDouble() if double else nullcontext():
        trainer.fit(module, Noise(module.input_spec, lengths), weights_only=True)
    return record.values


def main() -> None:
    """Write the file."""
    torch.set_num_threads(1)
    double = "--single" not in sys.argv
    lines = []
    for case in CASES:
        rows = [
            f"  {json.dumps(name)}: {json.dumps([float(f'{value:.10g}') for value in values])}"
            for name, values in sorted(first_steps(case, double).items())
        ]
        lines.append(f" {json.dumps(case)}: {{\n" + ",\n".join(rows) + "\n }")
    Path(sys.argv[-1]).write_text("{\n" + ",\n".join(lines) + "\n}\n", "utf-8")


if __name__ == "__main__":
    main()
