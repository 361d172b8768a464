"""Fitting and testing a method or an expert: settings in, a run's folder and its scores out."""

from __future__ import annotations

import dataclasses
import logging
import shlex
import shutil
import signal
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pytorch_lightning as pl
import torch
from lightning_fabric.utilities.exceptions import MisconfigurationException
from pytorch_lightning.callbacks import LearningRateMonitor, ModelCheckpoint
from pytorch_lightning.strategies import DDPStrategy

from zoo import registry
from zoo.data.batch import Batch
from zoo.data.loading import loader_errors
from zoo.data.module import TalkingFaceData
from zoo.data.splits import split_clips
from zoo.media.video import VIEWED_CRF, write_video
from zoo.methods import trainable
from zoo.methods.corpora import corpus, join
from zoo.methods.method import TalkingFaceMethod
from zoo.methods.nn.speed import BF16, speed_up
from zoo.methods.schedule import steps_done
from zoo.registry.config import RunConfig, TrainerConfig
from zoo.support import torchrun
from zoo.support.errors import ConfigError, DivergedError
from zoo.support.printable import say
from zoo.synthesis.provenance import provenance
from zoo.training import runs
from zoo.training.callbacks import CheckFinite, SameBuffers, StopAfter, training_progress
from zoo.training.loggers import log_video, make_table, more_loggers
from zoo.training.resume import CheckOptimisers, CheckpointFiles
from zoo.training.score_clips import ScoreClips, without_nan

if TYPE_CHECKING:
    from zoo.evaluation.single import SingleCell


@dataclass(frozen=True)
class FitResult:
    """Result of ``zoo fit``.

    Attributes:
        run: its folder.
        checkpoint: the last one.
        summary: see :class:`zoo.training.score_clips.ScoreClips`.
        sample: a sample video with sound, ``None`` where there was no test clip, or nothing to show.
        seconds: wall clock, data included.
    """

    run: Path
    checkpoint: Path
    summary: dict[str, Any]
    sample: Path | None
    seconds: float


@loader_errors()
def fit(config: RunConfig, *, resume: Path | None = None) -> FitResult | None:
    """Train a method or an expert, test it on speakers or clips held out; of a method, make a sample video.

    Args:
        config: all settings.
        resume: a checkpoint of an earlier run, which goes on in its own folder.

    Returns:
        The result on the first process, ``None`` on the others.
    """
    if resume is None:
        with runs.new_run(config) as run, _no_folder_without_a_step(run):
            return _fit(config, run, None)
    run = resume.resolve().parent.parent
    with runs.owned(run):
        return _fit(config, run, resume)


def _fit(config: RunConfig, run: Path, resume: Path | None) -> FitResult | None:
    started = time.monotonic()
    quiet()
    torch.set_float32_matmul_precision("high")
    spec = registry.trainable(config.method)
    module = trainable.build(spec, config.model, seed=config.seed)
    if config.init:
        _start_from(module, trainable.find_weights(spec, config.init), config.init)
    module.before_fit()
    if config.fast:
        speed_up(module)
    data = TalkingFaceData(config.data, module.input_spec, config.seed, module.uses)
    # Two: `save_last` of a callback that monitors something writes only where that got better.
    best = ModelCheckpoint(run / "checkpoints", filename="best", monitor=module.monitor, enable_version_counter=False)
    last = ModelCheckpoint(
        run / "checkpoints", filename="last", enable_version_counter=False, save_on_train_epoch_end=True
    )
    scored = isinstance(module, TalkingFaceMethod) and config.score
    with TemporaryDirectory() as scratch, closing(RunFolder(config, run, resume)) as folder:
        weights = Path(scratch) / "weights.safetensors"
        scores = ScoreClips(run, (lambda device: _cell(config, weights, device)) if scored else None)
        callbacks = [
            folder, CheckFinite(), SameBuffers(), best, last, scores, LearningRateMonitor(), training_progress(),
        ]  # fmt: skip
        unused = module.find_unused_parameters
        trainer = make_trainer(config, callbacks, [folder.table], run, find_unused_parameters=unused)
        split_clips([], data.split)
        if config.data.root is not None:  # otherwise the clips may have to be made first
            data.setup("fit")
        if resume is None and not config.init and isinstance(module, TalkingFaceMethod):
            module.fit_statistics(training_batches(data))
        seen = config.data.name if config.data.root is None else str(data.store.meta["dataset"])
        module.corpora = join(module.corpora, [corpus(seen)])
        with _divergence_told(run):
            _interruptible(lambda: trainer.fit(module, data, ckpt_path=resume, weights_only=True))
        if trainer.interrupted:
            return None
        folder.open(trainer)
        trainable.save_weights(module, weights)  # each process for itself; the run has weights once they are tested
        _interruptible(lambda: trainer.test(module, data, verbose=False))
        if not trainer.is_global_zero:
            return None
        sample = make_sample(module, data, run, trainer, scores.cell) if scores.cell is not None else None
        kept = {key: value for key, value in without_nan(scores.summary).items() if key != "table"}
        trainable.save_weights(module, run / "weights.safetensors", kept)
        seconds = time.monotonic() - started
        result = FitResult(run, run / "checkpoints" / "last.ckpt", scores.summary, sample, seconds)
        runs.update(run, summary=without_nan(result.summary), seconds=round(seconds, 1), steps=steps_done(trainer))
    return result


def _cell(config: RunConfig, weights: Path, device: torch.device) -> SingleCell:
    """What tests a method."""
    from zoo.evaluation.single import SingleCell

    return SingleCell(config, weights, device)


def training_batches(data: TalkingFaceData) -> Iterator[Batch]:
    """The training windows of one epoch on the CPU, the same on every process; none is made before it is asked for."""
    data.prepare_data()
    data.setup("fit")
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        for batch in data.train_dataloader():
            yield data.on_after_batch_transfer(batch, 0)


def _start_from(module: trainable.TrainableModule, path: Path, named: str) -> None:
    others = trainable.start_from(module, path)
    if others and runs.is_first_process():
        made = " ".join(shlex.quote(f"model.{name}={value}") for name, value in others.items())
        say(f"zoo fit: the weights of init={named} were made with {made}, unlike this run", file=sys.stderr)


class RunFolder(pl.Callback):
    """The folder of a run: made after the first step, so that what is refused or ended before leaves none behind.

    Args:
        config: all settings.
        run: the folder.
        resume: the checkpoint that the run goes on from; then the folder is there, and locked.
    """

    def __init__(self, config: RunConfig, run: Path, resume: Path | None) -> None:
        self.config, self.run, self.resume = config, run, resume
        self.table = make_table(config, run, resume is not None)
        self.opened = self.described = False
        self._lock = ExitStack()

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """The other loggers begin, which make the folder; the table goes on at the step that the run is at."""
        self._begin(trainer)

    def on_train_batch_end(self, trainer: pl.Trainer, *args: Any, **kwargs: Any) -> None:
        """The first step is done."""
        self._describe()

    def open(self, trainer: pl.Trainer) -> None:
        """After training: also where there was nothing to train."""
        self._begin(trainer)
        self._describe()

    def close(self) -> None:
        """Others may go on with the run."""
        self._lock.close()

    def _begin(self, trainer: pl.Trainer) -> None:
        if self.opened:
            return
        self.opened = True
        if self.resume is not None:
            self.table.go_on(trainer.fit_loop.epoch_loop._batches_that_stepped)
        trainer.loggers = [*trainer.loggers, *more_loggers(self.config, self.run)]

    def _describe(self) -> None:
        if self.described:
            return
        self.described = True
        if not runs.is_first_process():
            return
        if self.resume is None:
            self._lock.enter_context(runs.begun(self.run))  # first: a folder without facts is nobody's, if not locked
        runs.describe(self.run, self.config, runs.command_line(), str(self.resume) if self.resume else None)


@contextmanager
def _no_folder_without_a_step(run: Path) -> Iterator[None]:
    """Remove what loggers have made of a new run's folder where it ends before its first step.

    And what a run left of its folder that was killed while it made it.
    """
    if runs.is_first_process():
        runs.remove_unbegun(run.parent)
    try:
        yield
    finally:
        if runs.is_first_process() and run.is_dir() and not (run / "run.json").exists():
            shutil.rmtree(run, ignore_errors=True)
            with suppress(OSError):  # they hold others
                run.parent.rmdir()
                run.parent.parent.rmdir()


@contextmanager
def _divergence_told(run: Path) -> Iterator[None]:
    """Keep in the run's facts why its fit diverged, and say what is left of it.

    Raises:
        DivergedError: it did.
    """
    try:
        yield
    except DivergedError as error:
        if runs.is_first_process():
            runs.update(run, diverged=str(error))
        kept = runs.checkpoints(run)
        left = f"{kept[0]} is of before" if kept else "there is no checkpoint"
        raise DivergedError(f"{run}: the fit diverged: {error}; {left}; try a smaller learning rate") from error


def _interruptible(work: Callable[[], Any]) -> None:
    """Let an interrupt be one: Lightning ends the program by itself, deaf to any further."""
    try:
        work()
    except SystemExit as stop:
        if not isinstance(stop.__context__, KeyboardInterrupt):
            raise
        signal.signal(signal.SIGINT, signal.default_int_handler)
        raise KeyboardInterrupt from stop


@loader_errors()
def test(config: RunConfig, checkpoint: Path, run: Path) -> dict[str, Any] | None:
    """Score a checkpoint on the test clips; rows are written to ``run``.

    Returns:
        See :class:`zoo.training.score_clips.ScoreClips`; ``None`` on processes other than the first.
    """
    quiet()
    module = trainable.load_checkpoint(checkpoint, config.method)
    data = TalkingFaceData(config.data, module.input_spec, config.seed, module.uses)
    method = isinstance(module, TalkingFaceMethod)
    scores = ScoreClips(run, (lambda device: _cell(config, checkpoint, device)) if method else None)
    trainer = make_trainer(config, [scores, training_progress()], [], run)
    trainer.test(module, data, verbose=False)
    return scores.summary if trainer.is_global_zero else None


def make_trainer(
    config: RunConfig, callbacks: list[Any], loggers: list[Any], run: Path, *, find_unused_parameters: bool = False
) -> pl.Trainer:
    """The Lightning trainer of the settings. Samplers are ours: Lightning's repeat clips in evaluation.

    Args:
        config: the settings.
        callbacks: besides those that every run has.
        loggers: where losses go.
        run: the run's folder.
        find_unused_parameters: see :attr:`zoo.methods.module.TrainableModule.find_unused_parameters`.

    Raises:
        ConfigError: Lightning refuses a setting.
    """
    given = dataclasses.asdict(config.trainer)
    steps = given.pop("max_steps")
    if steps >= 0:
        callbacks = [*callbacks, StopAfter(steps)]
    if config.fast:
        given["precision"] = BF16
    if torchrun.world():
        given |= _as_torchrun_started(given)
    given |= {
        "logger": loggers,
        "default_root_dir": run,
        "num_sanity_val_steps": 0,
        "use_distributed_sampler": False,
        "enable_model_summary": False,
        "enable_progress_bar": sys.stdout.isatty(),
    }
    files = CheckpointFiles()
    given |= {"callbacks": [*callbacks, CheckOptimisers(files)], "plugins": [files]}
    try:
        # What Lightning takes by itself where there are several devices.
        if given["strategy"] == "auto" and isinstance(pl.Trainer(**given | {"callbacks": []}).strategy, DDPStrategy):
            given["strategy"] = "ddp"
        if given["strategy"] == "ddp":
            given["strategy"] = DDPStrategy(find_unused_parameters=find_unused_parameters)
        files.trainer = pl.Trainer(**given)
        return files.trainer
    except (MisconfigurationException, ValueError, TypeError) as error:
        raise ConfigError(f"trainer: {error}") from error


def _as_torchrun_started(given: Mapping[str, Any]) -> dict[str, Any]:
    """Its processes are the devices, where the settings leave that open: alone, each would train for itself."""
    local = torchrun.local_world()
    mine = {"devices": local, "num_nodes": torchrun.world() // local, "strategy": "ddp"}
    plain = dataclasses.asdict(TrainerConfig())
    return {name: value for name, value in mine.items() if given[name] == plain[name]}


def make_sample(
    module: trainable.TrainableModule, data: TalkingFaceData, run: Path, trainer: pl.Trainer, cell: SingleCell
) -> Path | None:
    """A video of one test clip with sound, as it is scored: still, generated and real side by side."""
    if not data.clips["test"]:
        return None
    clip = data.store.clip(data.clips["test"][0])
    made = cell.video(clip.id)
    still = clip.frames[:1].expand_as(clip.frames)
    frames = torch.cat([still, made, clip.frames], dim=3)
    name = clip.id.replace("/", "-")
    path = run / "samples" / f"{name}.mp4"
    tags = provenance(module, run / "checkpoints/last.ckpt")
    write_video(path, frames, fps=clip.fps, wave=clip.wave, metadata=tags, crf=VIEWED_CRF)
    log_video(trainer, f"sample/{name}", path, frames, clip.wave)
    return path


def quiet() -> None:
    """Suppress Lightning's info messages and known harmless warnings."""
    for name in ("pytorch_lightning.utilities.rank_zero", "pytorch_lightning.accelerators.cuda", "lightning_fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for text in (
        ".*does not have many workers.*",
        ".*smaller than the logging interval.*",
        ".*exists and is not empty.*",
        ".*isn't available on your system.*",
        ".*find_unused_parameters=True was specified.*",
        ".*in eval mode at the start of training.*",
        ".*barrier.*using the device under current context.*",
        ".*`LeafSpec` is deprecated.*",
        ".*treespec, LeafSpec.*",
    ):
        warnings.filterwarnings("ignore", text)
