"""The LightningModule that every method subclasses: one contract for training, generation and evaluation."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from jaxtyping import Float
from torch import Tensor

from zoo import __version__
from zoo.data.batch import Batch
from zoo.errors import DataError
from zoo.spec import InputSpec, MethodSpec


class TalkingFaceMethod(pl.LightningModule, ABC):
    """A method that makes a talking face from sound.

    Subclasses set up their networks in ``__init__``, implement :meth:`generate`, ``training_step`` and
    ``configure_optimizers``, and declare what they eat in :attr:`input_spec`.

    Args:
        config: the method's settings dataclass.
    """

    seed = 0
    """Seed of the run; with the epoch it decides all that is random, so that a resumed run is the same run."""

    method_name = ""
    """The registered name, kept in checkpoints."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.config = config

    @property
    @abstractmethod
    def input_spec(self) -> InputSpec:
        """What the method eats."""

    @abstractmethod
    def generate(
        self,
        identity: Float[Tensor, "B N 3 H W"],
        wave: Float[Tensor, "B S"],
        num_frames: int,
        pose: Float[Tensor, "B T 3 H W"] | None = None,
    ) -> Float[Tensor, "B T 3 H W"]:
        """Make a whole clip.

        Args:
            identity: pictures of who is to talk, RGB in [0, 1], cut as :attr:`input_spec` says.
            wave: the clip's sound in [-1, 1] at 16 kHz; frame ``t`` is heard around :func:`zoo.audio.frame_centre`.
            num_frames: how many frames ``T`` to make, at 25 fps.
            pose: the true video, for methods shown part of it; ``None``: the first identity picture stands still.

        Returns:
            RGB in [0, 1].
        """

    def on_train_epoch_start(self) -> None:
        """Seed torch from the run, the epoch and the process: a run resumed at an epoch goes on as it would have."""
        torch.manual_seed(((self.seed * 1_000_003 + self.current_epoch) * 1009 + self.global_rank) % 2**63)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Mean absolute error of generated windows on clips held out, logged as ``val/l1`` ([0, 1] pictures).

        Methods that train on longer context than a window may override it.
        """
        made = self.reconstruct(batch)
        valid = torch.arange(made.shape[1], device=made.device)[None] < batch.length[:, None]
        error = (made - batch.frames).abs().mean((2, 3, 4))[valid].mean()
        self.log("val/l1", error, prog_bar=True, sync_dist=True, batch_size=len(batch.clip))

    @abstractmethod
    def reconstruct(self, batch: Batch) -> Float[Tensor, "B T 3 H W"]:
        """The frames of a training window as the method makes them now, RGB in [0, 1]."""

    def test_step(self, batch: Batch, batch_idx: int) -> Float[Tensor, "B T 3 H W"]:
        """Generate a whole clip from its first frame, its sound and what :attr:`MethodSpec.shown` declares."""
        return self.generate(batch.identity, batch.wave, batch.frames.shape[1], pose=batch.frames)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep what is needed to build the method again, as plain numbers and strings only."""
        checkpoint["zoo"] = {
            "method": self.method_name,
            "config": dataclasses.asdict(self.config),
            "seed": self.seed,
            "version": __version__,
        }


def build(spec: MethodSpec, config: Any, *, seed: int = 0) -> TalkingFaceMethod:
    """Make a method from its spec and settings; the same seed gives the same first weights."""
    torch.manual_seed(seed)
    method = spec.load()(config)
    if not isinstance(method, TalkingFaceMethod):
        raise spec.broken(f"{spec.target} is not a zoo.method.TalkingFaceMethod")
    method.method_name, method.seed = spec.name, seed
    return method


def load_checkpoint(path: str | Path, name: str | None = None) -> TalkingFaceMethod:
    """Load a method from a checkpoint of ``zoo fit``, in evaluation mode on the CPU.

    Nothing in the file is executed: it is read with ``weights_only=True``.

    Args:
        path: a ``.ckpt`` file.
        name: the method it must be of.

    Raises:
        DataError: the file is missing, no checkpoint of the zoo, or one of another method.
    """
    from zoo import config, registry

    checkpoint = read_checkpoint(path)
    kept = checkpoint["zoo"]
    if name is not None and name.rpartition(":")[2] != kept["method"]:
        raise DataError(f"{path}: a checkpoint of {kept['method']}, not of {name}")
    spec = registry.method(name or kept["method"])
    layer = config.Layer(str(path), {"model": kept["config"], "seed": kept["seed"]})
    method = build(spec, config.merge(spec, [layer]).model, seed=kept["seed"])
    try:
        method.load_state_dict(checkpoint["state_dict"])
    except RuntimeError as error:
        what = str(error).splitlines()[1:2] or [str(error)]  # the first line only says that something is wrong
        raise DataError(f"{path}: its weights do not fit this version of {spec.name}: {what[0].strip()}") from error
    return method.eval()


def read_checkpoint(path: str | Path) -> dict[str, Any]:
    """Read a checkpoint without executing anything in it.

    Raises:
        DataError: the file is missing, damaged, or not made by ``zoo fit``.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(f"{path}: no such checkpoint; `zoo fit METHOD` makes one")
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise DataError(f"{path}: not a checkpoint that can be read safely ({type(error).__name__})") from error
    kept = checkpoint.get("zoo") if isinstance(checkpoint, dict) else None
    if not (isinstance(kept, dict) and {"method", "config", "seed"} <= kept.keys() and "state_dict" in checkpoint):
        raise DataError(f"{path}: not a checkpoint of `zoo fit`")
    return checkpoint
