"""The LightningModule that every method subclasses: one contract for training, generation and evaluation."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from zoo import audio
from zoo.data.batch import Batch
from zoo.data.store import Store
from zoo.nn.masked import mask_lower_half
from zoo.spec import MethodSpec, Shown, TrainableSpec
from zoo.trainable import TrainableModule


class TalkingFaceMethod(TrainableModule):
    """A method that makes a talking face from sound.

    Subclasses set up their networks in ``__init__``, implement :meth:`generate`, ``training_step`` and
    ``configure_optimizers``, and declare what they eat in :attr:`input_spec`.

    Args:
        config: the method's settings dataclass.
    """

    shown: Shown = "still"
    """What it is shown of the true video in a test: its spec's :attr:`zoo.spec.MethodSpec.shown`."""

    def take_spec(self, spec: TrainableSpec, seed: int) -> None:
        """See :meth:`zoo.trainable.TrainableModule.take_spec`."""
        super().take_spec(spec, seed)
        assert isinstance(spec, MethodSpec)
        self.shown = spec.shown

    def pose(self, frames: Float[Tensor, "B T 3 H W"]) -> Float[Tensor, "B T 3 H W"] | None:
        """What :meth:`generate` gets of the true video in a test: no more than :attr:`shown` says."""
        if self.shown == "still":
            return None
        if self.shown == "video":
            return frames
        return mask_lower_half(frames)

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
            pose: what may be seen of the true video (:meth:`pose`); ``None``: the first identity picture stands still.

        Returns:
            RGB in [0, 1].
        """

    def generate_stream(
        self, identity: Float[Tensor, "B N 3 H W"], audio_chunks: Iterable[Float[Tensor, "B _"]]
    ) -> Iterator[Float[Tensor, "B 3 H W"]]:
        """Make a clip while its sound is still coming.

        All frames together are those that :meth:`generate` makes of the whole sound, for :func:`zoo.audio.num_frames`
        frames. Here all sound is waited for; methods with the capability ``stream`` override it and give each frame as
        soon as they have heard enough.

        Args:
            identity: as for :meth:`generate`.
            audio_chunks: the sound in parts of any length, in [-1, 1] at 16 kHz; nothing but silence after the last.

        Yields:
            One frame of every clip, RGB in [0, 1], 25 for a second.
        """
        wave = torch.cat([identity.new_zeros(len(identity), 0), *audio_chunks], 1)
        count = audio.num_frames(wave.shape[1])
        with torch.no_grad():
            made = self.generate(identity, audio.cut(wave, 0, audio.num_samples(count)), count)
        yield from made.unbind(1)

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
        """Generate a whole clip from its first frame, its sound and what it may be :attr:`shown`."""
        return self.generate(batch.identity, batch.wave, batch.frames.shape[1], pose=self.pose(batch.frames))

    def score(self, outputs: Float[Tensor, "B T 3 h w"], batch: Batch, store: Store) -> list[dict[str, Any]]:
        """See :func:`zoo.evaluate.score_clip`."""
        from dataclasses import asdict

        from zoo.evaluate import score_clip

        real = [store.clip(store.index(clip)) for clip in batch.clip]
        return [
            asdict(score_clip(made.float().cpu(), clip, self.input_spec))
            for made, clip in zip(outputs, real, strict=True)
        ]

    def summarise(self, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """See :func:`zoo.evaluate.summary`."""
        from zoo.evaluate import summary

        return summary(rows)
