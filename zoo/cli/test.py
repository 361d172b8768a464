"""``zoo test METHOD --ckpt C``: score a checkpoint on the test clips."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from zoo.support.printable import say

HELP = "score a checkpoint on the test clips"


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    from zoo.cli import complete

    method = parser.add_argument("method", help="a method or an expert, as in `zoo list`")
    method.completer = complete.names("methods", "experts")  # type: ignore[attr-defined]
    overrides = parser.add_argument(
        "overrides", nargs="*", default=[], metavar="key=value", help="settings: data.*, trainer.*, options.*"
    )
    overrides.completer = complete.overrides  # type: ignore[attr-defined]
    parser.add_argument("--ckpt", type=Path, required=True, metavar="C", help="checkpoint of `zoo fit`")
    parser.add_argument("--config", type=Path, metavar="FILE", help="YAML file of settings")
    parser.add_argument(
        "--out", type=Path, metavar="DIR",
        help="where rows go (default: test-DATASET in the run's folder; test-DATASET-FILE beside weights "
        "that are not a run's last ones)",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Score and print."""
    from contextlib import nullcontext, redirect_stdout

    from zoo import registry
    from zoo.cli.output import print_json, print_scores
    from zoo.registry import config

    spec = registry.trainable(args.method)
    resolved = config.resolve(spec, args.overrides, args.config)
    registry.dataset(resolved.data.name)
    from zoo.methods.checkpoint_settings import check_settings, given_layers
    from zoo.training import fit as train

    check_settings(spec, args.ckpt, given_layers(spec, args.overrides, args.config))

    out = args.out or rows_folder(args.ckpt, resolved.data.name)
    with redirect_stdout(sys.stderr) if args.json else nullcontext():  # progress must not stand in the JSON
        scores = train.test(resolved, args.ckpt, out)
    if scores is None:
        return 0
    if args.json:
        print_json(scores)
        return 0
    print_scores(scores)
    for name in ("rows.jsonl", "own.jsonl"):
        if (out / name).is_file():
            say(f"{name.partition('.')[0]:11} {out / name}")
    return 0


def rows_folder(checkpoint: Path, dataset: str) -> Path:
    """Where the rows of a checkpoint go: into its run's folder, or else beside it, apart from those of other files.

    Args:
        checkpoint: ``RUN/checkpoints/x.ckpt``, ``RUN/weights.safetensors``, or any other file.
        dataset: what it is scored on.
    """
    file = checkpoint if checkpoint.parent.name else checkpoint.absolute()
    run = file.parent.parent if file.parent.name == "checkpoints" else file.parent
    if not (run / "config.yaml").is_file():
        return file.parent / f"test-{dataset}-{file.name}"
    # A run's exported weights are those of its last checkpoint.
    last = file.name in ("last.ckpt", "weights.safetensors")
    return run / (f"test-{dataset}" if last else f"test-{dataset}-{file.name}")
