"""Share of `zoo fit lipgan` that the training loop spends waiting for its next batch.

    python benchmarks/perf/data_wait.py [--clips 40] [--steps 60] [key=value ...] [--json out.json]

Runs the shipped recipe (fewer clips and steps; settings can be given as for `zoo fit`) under Lightning's SimpleProfiler
and compares the time inside the loader's ``next`` with that of all training batches and loads together.
"""

from __future__ import annotations

import argparse
import json
import platform
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pytorch_lightning as pl
import torch
from pytorch_lightning.profilers import SimpleProfiler
from rich.console import Console
from rich.table import Table

from zoo import registry
from zoo.data.module import TalkingFaceData
from zoo.methods import trainable
from zoo.registry import config
from zoo.training.fit import quiet

NEXT, STEP = "[_TrainingEpochLoop].train_dataloader_next", "run_training_batch"


def measure(settings: Sequence[str], steps: int, clips: int, scratch: Path) -> dict[str, float]:
    """Train for some steps and add up where the time went, the first two steps left out (they warm up)."""
    from zoo.data.prepare import prepare
    from zoo.data.sources.synthgrid.source import SynthGrid

    resolved = config.resolve(registry.method("lipgan"), settings)
    if resolved.data.root is None:
        prepare(SynthGrid(clips=clips), scratch / "store", dataset="synthgrid", splits=("by-speaker",))
        resolved.data.root = str(scratch / "store")
    resolved.data.windows_per_clip = max(resolved.data.windows_per_clip, steps * resolved.data.batch_size // clips + 1)
    module = trainable.build(registry.method("lipgan"), resolved.model, seed=resolved.seed)
    data = TalkingFaceData(resolved.data, module.input_spec, resolved.seed)
    profiler = SimpleProfiler()
    trainer = pl.Trainer(
        max_epochs=1, limit_train_batches=steps, accelerator=resolved.trainer.accelerator, devices=1,
        logger=False, enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
        limit_val_batches=0, profiler=profiler, default_root_dir=scratch,
    )  # fmt: skip
    trainer.fit(module, data)
    waits, works = profiler.recorded_durations[NEXT][2:], profiler.recorded_durations[STEP][2:]
    waited, worked = sum(waits), sum(works)
    return {
        "steps": len(works),
        "waiting_ms_per_step": 1000 * waited / len(works),
        "training_ms_per_step": 1000 * worked / len(works),
        "share_waiting": waited / (waited + worked),
    }


def main() -> None:
    """Measure, print a table, and write the numbers with ``--json``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("settings", nargs="*", metavar="key=value", help="as for `zoo fit lipgan`")
    parser.add_argument("--clips", type=int, default=40, help="SynthGRID clips made for it")
    parser.add_argument("--steps", type=int, default=60, help="training steps")
    parser.add_argument("--json", type=Path, help="file for all the numbers")
    args = parser.parse_args()
    quiet()
    with tempfile.TemporaryDirectory() as scratch:
        found = measure(args.settings, args.steps, args.clips, Path(scratch))
    table = Table(title=f"{found['steps']} steps on {torch.get_num_threads()} threads")
    for heading in ("waiting for data, ms per step", "training, ms per step", "share of time spent waiting"):
        table.add_column(heading)
    table.add_row(
        f"{found['waiting_ms_per_step']:.1f}", f"{found['training_ms_per_step']:.1f}", f"{found['share_waiting']:.1%}"
    )
    Console().print(table)
    if args.json:
        machine = {"machine": platform.machine(), "processor": platform.processor(), "torch": torch.__version__}
        args.json.write_text(json.dumps({**found, **machine}, indent=1) + "\n")


if __name__ == "__main__":
    main()
