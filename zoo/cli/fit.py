"""``zoo fit METHOD``: train, test and show the result."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.support.printable import say

if TYPE_CHECKING:
    from zoo.registry.config import RunConfig
    from zoo.training.fit import FitResult

HELP = "train a method, then test it on clips held out"
DESCRIPTION = (
    "Train a method. Without settings it learns on the embedded corpus in minutes on two cores. "
    "Settings are key=value: data=grid data.root=STORE trainer.max_epochs=3 model.width=0.5 seed=1 logger=wandb."
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    from zoo.cli import complete

    method = parser.add_argument("method", help="a method or an expert, as in `zoo list`")
    method.completer = complete.names("methods", "experts")  # type: ignore[attr-defined]
    overrides = parser.add_argument(
        "overrides",
        nargs="*",
        default=[],
        metavar="key=value",
        help="settings; `zoo info METHOD` tells the method's own, --print-config all",
    )
    overrides.completer = complete.overrides  # type: ignore[attr-defined]
    parser.add_argument("--config", type=Path, metavar="FILE", help="YAML file of settings")
    parser.add_argument("--with-requirements", action="store_true", help="train the experts first that it needs")
    parser.add_argument(
        "--requirements", type=Path, metavar="FOLDER", help="where runs of experts lie; without it: out"
    )
    parser.add_argument("--print-config", action="store_true", help="print all settings as YAML and stop")
    parser.add_argument(
        "--resume", metavar="last|PATH", help="go on with the newest run, a run's folder or a checkpoint"
    )


def run(args: argparse.Namespace) -> int:
    """Resolve the settings, train and print the scores."""
    from zoo import registry
    from zoo.registry import config
    from zoo.training import runs

    spec = registry.trainable(args.method)
    resolved = config.resolve(spec, args.overrides, args.config)
    checkpoint = None
    if args.resume:
        _check_resume(args.resume)
        checkpoint = runs.find_checkpoint(resolved.out, args.method, resolved.data.name, args.resume)
        _, saved = runs.saved_config(checkpoint)
        resolved = config.resolve(spec, args.overrides, args.config, base=saved)
    registry.dataset(resolved.data.name)
    if args.print_config:
        say(config.to_yaml(resolved), end="")
        return 0
    if checkpoint is not None:
        from zoo.methods.checkpoint_settings import check_settings, given_layers

        check_settings(spec, checkpoint, given_layers(spec, args.overrides, args.config))
    from zoo.training import fit as train

    if checkpoint is None:
        resolved = _required(resolved, args.with_requirements, args.requirements)
    result = train.fit(resolved, resume=checkpoint)
    if result is not None:
        show(result)
    return 0


def _required(config: RunConfig, training: bool, folder: Path | None) -> RunConfig:
    """The settings with the experts that the method needs (:mod:`zoo.training.requirements`)."""
    from zoo.training import requirements

    where = folder or Path(config.out)
    if training:
        return requirements.with_requirements(config, where)
    return requirements.refuse_unmet(config, where)


def _check_resume(given: str) -> None:
    """Weights without optimisers and steps are not what ``--resume`` takes."""
    if Path(given).suffix == ".safetensors":
        from zoo.support.errors import ConfigError

        raise ConfigError(
            f"--resume {given}: weights alone cannot go on; give the run's folder or its checkpoints/last.ckpt, or "
            f"start anew from them with init={given}"
        )


def show(result: FitResult) -> None:
    """Print the table, the checkpoint and the sample."""
    from zoo.cli.output import print_scores

    print_scores(result.summary)
    say(f"checkpoint  {result.checkpoint}")
    if result.sample:
        say(f"sample      {result.sample}  (still | generated | real, with sound)")
    say(f"took        {int(result.seconds) // 60} min {int(result.seconds) % 60} s, everything included")
