"""Time of a training step of Wav2Lip against plain PyTorch code of the same networks, in the same run.

    python benchmarks/perf/train_step.py [--width 1.0] [--batch 1 2] [--threads 1 2] [--steps 4] [--fast]
                                         [--device cpu] [--json out.json]

The whole step counts: generator under L1, sync expert and quality discriminator, then the discriminator itself. The
zoo's side is the method under Lightning, as ``zoo fit wav2lip`` runs it, front end included. The plain side is a loop
in the order of the published one, with its mel given for free, default memory layout, and the expert as it was trained.
Both start from the same weights and batch; their steps take turns, the fastest of each counts, and the losses of the
first step must agree. ``--fast`` is the switch of ``zoo fit``: bfloat16, channels-last, compiled networks.
"""

from __future__ import annotations

import argparse
import json
import platform
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from rich.console import Console
from rich.table import Table
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, IterableDataset
from zoo_wav2lip.config import Wav2LipConfig
from zoo_wav2lip.method import Wav2Lip
from zoo_wav2lip.networks import Generator, QualityDiscriminator

from zoo import registry
from zoo.data.batch import Batch
from zoo.data.request import Pictures, Request
from zoo.experts.sync_expert.config import SyncExpertConfig
from zoo.experts.sync_expert.networks import SyncNetwork
from zoo.methods.nn.speed import BF16, speed_up
from zoo.methods.trainable import build, save_weights
from zoo.training.fit import quiet

TOLERANCE = {False: 1e-3, True: 2e-2}
"""Largest relative difference of the first step's losses, without and with ``--fast``."""


@dataclass
class Measured:
    """One batch size and number of threads: seconds of both sides, and how far their first losses differ."""

    batch: int
    threads: int
    plain_seconds: float
    zoo_seconds: float
    difference: float

    @property
    def ratio(self) -> float:
        """How many times faster the zoo is."""
        return self.plain_seconds / self.zoo_seconds


class Endless(IterableDataset[Batch]):
    """The same batch again and again."""

    def __init__(self, batch: Batch) -> None:
        self.batch = batch

    def __iter__(self) -> Iterator[Batch]:
        while True:
            yield self.batch


class Plain:
    """The same networks, weights and losses in a plain loop."""

    def __init__(self, method: Wav2Lip, batch: Batch, width: float, device: torch.device) -> None:
        self.generator, self.discriminator = Generator(width), QualityDiscriminator(width)
        self.generator.load_state_dict(method.generator.state_dict())
        self.discriminator.load_state_dict(method.discriminator.state_dict())
        self.expert = expert_network(width)
        for network in (self.generator, self.discriminator, self.expert):
            network.to(device)
        self.expert.eval().requires_grad_(False)
        betas = (0.5, 0.999)
        self.optimiser_g = torch.optim.Adam(self.generator.parameters(), lr=1e-4, betas=betas)
        self.optimiser_d = torch.optim.Adam(self.discriminator.parameters(), lr=1e-4, betas=betas)
        heard = batch.given.audio_windows(3800)
        self.mel = method.frontend(heard.flatten(0, 1)).to(device)
        self.middle = method.frontend(heard[:, 2]).to(device)
        self.real = batch.frames.to(device)
        masked = self.real.clone()
        masked[..., 48:, :] = 0
        reference = batch.given.stills.to(device).expand_as(self.real)
        self.faces = torch.cat([masked, reference], 2).flatten(0, 1)

    def step(self) -> float:
        """One step of both networks; the generator's loss."""
        generator, discriminator = self.generator, self.discriminator
        self.optimiser_g.zero_grad()
        self.optimiser_d.zero_grad()
        made = generator(self.faces, self.mel)
        lower = made[..., 48:, :]
        video = self.expert.embed_faces(lower.reshape(len(self.middle), 15, 48, 96))
        cosine = (video * self.expert.embed_sounds(self.middle)).sum(1)
        sync = F.binary_cross_entropy(cosine.clamp(1e-4, 1), torch.ones_like(cosine))
        verdict = discriminator(lower)
        quality = F.binary_cross_entropy_with_logits(verdict, torch.ones_like(verdict))
        real = self.real.flatten(0, 1)
        loss = 0.03 * sync + 0.07 * quality + 0.9 * F.l1_loss(made, real)
        torch.autograd.backward(loss)
        self.optimiser_g.step()
        self.optimiser_d.zero_grad()
        of_real = discriminator(real[..., 48:, :])
        torch.autograd.backward(F.binary_cross_entropy_with_logits(of_real, torch.ones_like(of_real)))
        of_made = discriminator(lower.detach())
        torch.autograd.backward(F.binary_cross_entropy_with_logits(of_made, torch.zeros_like(of_made)))
        self.optimiser_d.step()
        return loss.item()


class InTurn(pl.Callback):
    """Times the zoo's steps and, after each of them, a plain one."""

    def __init__(self, plain: Plain) -> None:
        self.plain = plain
        self.zoo_s: list[float] = []
        self.plain_s: list[float] = []
        self.first: tuple[float, float] | None = None
        self.started = 0.0

    def on_train_batch_start(self, trainer: pl.Trainer, *_: Any) -> None:
        """Start the clock."""
        synchronise(trainer)
        self.started = time.perf_counter()

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        """Stop it, and run a plain step."""
        synchronise(trainer)
        middle = time.perf_counter()
        loss = self.plain.step()
        synchronise(trainer)
        stop = time.perf_counter()
        self.zoo_s.append(middle - self.started)
        self.plain_s.append(stop - middle)
        if self.first is None:
            self.first = (loss, float(trainer.callback_metrics["train/g_loss"]))


def synchronise(trainer: pl.Trainer) -> None:
    """Wait until a GPU has done its work."""
    if trainer.strategy.root_device.type == "cuda":
        torch.cuda.synchronize()


def expert_network(width: float) -> SyncNetwork:
    """An expert whose embeddings are of its inputs, not yet trained; the same at every call."""
    torch.manual_seed(0)
    network = SyncNetwork(width).train()
    with torch.no_grad():
        network.embed_faces(torch.rand(4, 15, 48, 96))
        network.embed_sounds(torch.randn(4, 1, 80, 16))
    return network


def random_batch(size: int) -> Batch:
    """Windows of noise: a step takes as long as on faces."""
    frames, stills = torch.rand(size, 5, 3, 96, 96), torch.rand(size, 1, 3, 96, 96)
    given = Request(
        num_frames=5,
        identity=Pictures(frames=stills, points=torch.rand(size, 1, 68, 2) * 20 + 40),
        sound=torch.rand(size, 3800 + 4 * 640) - 0.5,
        start=3800 // 2 - 320,
    )
    return Batch(
        given=given,
        clip=[f"c{k}" for k in range(size)],
        first=torch.zeros(size, dtype=torch.long),
        frames=frames,
        landmarks=torch.rand(size, 5, 68, 2) * 20 + 40,
        length=torch.full((size,), 5),
    )


def measure(width: float, size: int, threads: int, steps: int, fast: bool, device: str) -> Measured:
    """Run both sides in turn."""
    torch.set_num_threads(threads)
    quiet()
    with tempfile.TemporaryDirectory() as folder:
        expert = build(registry.expert("sync-expert"), SyncExpertConfig(width=width))
        assert isinstance(expert.network, nn.Module)
        expert.network.load_state_dict(expert_network(width).state_dict())
        save_weights(expert, Path(folder) / "expert.safetensors")
        config = Wav2LipConfig(width=width, expert=str(Path(folder) / "expert.safetensors"))
        method = build(registry.method("wav2lip"), config)
        assert isinstance(method, Wav2Lip)
        method.before_fit()
    method.sync_joined.fill_(1)
    method.on_train_start = lambda: None  # type: ignore[method-assign]  # it looks at the data module
    batch = random_batch(size)
    turns = InTurn(Plain(method, batch, width, torch.device(device)))
    if fast:
        speed_up(method)
    trainer = pl.Trainer(
        accelerator=device, devices=1, max_epochs=1, limit_train_batches=steps + 1, callbacks=[turns], logger=False,
        precision=BF16 if fast else "32-true", enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False,
    )  # fmt: skip
    trainer.fit(method, DataLoader(Endless(batch), batch_size=None), weights_only=True)
    assert turns.first is not None
    want, got = turns.first
    # The first step of each side warms up (and compiles).
    return Measured(size, threads, min(turns.plain_s[1:]), min(turns.zoo_s[1:]), abs(want - got) / want)


def main() -> None:
    """Measure, print a table, and write it to a file with ``--json``; exit code 1 where losses differ."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--width", type=float, default=1.0, help="of all networks; 1 is the published")
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 2], help="windows of five frames per step")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--steps", type=int, default=4, help="steps of each side, of which the fastest counts")
    parser.add_argument("--fast", action="store_true", help="the zoo's side with fast=true")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--json", type=Path, help="file for the numbers")
    args = parser.parse_args()
    rows = [
        measure(args.width, size, threads, args.steps, args.fast, args.device)
        for size in args.batch
        for threads in args.threads
    ]
    table = Table(title=f"a training step of Wav2Lip, width {args.width:g}{', fast=true' * args.fast}")
    for heading in ("batch", "threads", "plain PyTorch, s", "zoo, s", "ratio", "losses differ by"):
        table.add_column(heading)
    for row in rows:
        seconds = (f"{row.plain_seconds:.3f}", f"{row.zoo_seconds:.3f}")
        table.add_row(str(row.batch), str(row.threads), *seconds, f"{row.ratio:.2f}", f"{row.difference:.1e}")
    Console().print(table)
    if args.json:
        machine = {"machine": platform.machine(), "processor": platform.processor(), "torch": torch.__version__}
        found = {"width": args.width, "fast": args.fast, "device": args.device}
        found["rows"] = [asdict(row) | {"ratio": row.ratio} for row in rows]
        args.json.write_text(json.dumps({**found, **machine}, indent=1))
    if any(not row.difference < TOLERANCE[args.fast] for row in rows):
        raise SystemExit("the losses differ")


if __name__ == "__main__":
    main()
