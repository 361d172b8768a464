"""The LightningModule that every method subclasses: one contract for training, generation and evaluation."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from zoo.data.batch import Batch
from zoo.data.request import Request
from zoo.data.store.store import Store
from zoo.methods.module import TrainableModule
from zoo.registry.spec import MethodSpec, Uses


class TalkingFaceMethod(TrainableModule):
    """A method that generates a talking face.

    Subclasses set up their networks in ``__init__``, implement :meth:`generate`, :meth:`reconstruct`, ``training_step``
    and ``configure_optimizers``, and declare their input format in :attr:`input_spec`. What else they are given, their
    spec says (:attr:`zoo.registry.spec.MethodSpec.modes`).

    Args:
        config: the method's settings dataclass.
    """

    spec: MethodSpec

    @property
    def uses(self) -> Uses:
        """What each batch gives: all that any mode of the method uses."""
        return self.spec.trained_with

    @abstractmethod
    def generate(self, request: Request) -> Float[Tensor, "B T 3 H W"]:
        """Generate whole clips. Called by :func:`zoo.synthesis.make.make` alone, without gradients.

        A method that needs gradients turns them on (``torch.enable_grad()``).

        Args:
            request: all that is known of the clips: reference frames, sound, and what else the mode uses.

        Returns:
            ``(B, T, 3, H, W)`` RGB in [0, 1], ``T = request.num_frames`` at 25 fps.
        """

    def stream(self, start: Request, parts: Iterable[Request]) -> Iterator[Float[Tensor, "B 3 H W"]]:
        """Generate clips while their sound or driver is still coming.

        All frames together are those that :meth:`generate` makes of the whole. Here everything is waited for; methods
        with the capability ``stream`` override it and give each frame as soon as they know enough.

        Args:
            start: what is known beforehand: reference frames, mode, words, labels, options.
            parts: what comes: sound in parts of any length, driver and arrays by the frame; after the last part there
                is nothing but silence.

        Yields:
            One frame of every clip, ``(B, 3, H, W)`` RGB in [0, 1], 25 for a second.
        """
        with torch.no_grad():
            generated = self.generate(start.joined(parts))
        yield from generated.unbind(1)

    def fit_statistics(self, batches: Iterable[Batch]) -> None:
        """Find statistics of the training clips and keep them in buffers, once, before training begins.

        Such as a PCA of landmarks. Each process reads the same batches, and DDP takes the first one's buffers. Here it
        does nothing.

        Args:
            batches: training windows on the CPU, pictures in [0, 1]: one epoch, read as they are asked for.
        """

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
        """The frames of a training window as the method generates them now, RGB in [0, 1]."""

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        """Nothing: what is tested are the weights that are kept (:class:`zoo.training.score_clips.ScoreClips`)."""

    def score(self, outputs: Any, batch: Batch, store: Store) -> list[dict[str, Any]]:
        """What the method finds out by itself about test clips, beside the metrics: here nothing."""
        return [{"clip": clip, "speaker": store.clips[store.index(clip)].speaker} for clip in batch.clip]

    def summarise(self, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """What that amounts to over all test clips; ``remarks`` are printed."""
        return {"clips": len(rows), "speakers": len({row["speaker"] for row in rows})}
