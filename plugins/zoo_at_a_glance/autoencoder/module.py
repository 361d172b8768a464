"""Training and test of the mouth autoencoder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from zoo.data.batch import Batch
from zoo.data.store.store import Store
from zoo.experts.schedule import adam
from zoo.methods import trainable
from zoo.methods.module import TrainableModule
from zoo.registry.spec import InputSpec
from zoo.support.errors import DataError
from zoo_at_a_glance.autoencoder.networks import Autoencoder
from zoo_at_a_glance.config import AutoencoderConfig
from zoo_at_a_glance.networks import SIZE, initialise
from zoo_at_a_glance.spec import AUTOENCODER


class MouthAutoencoder(TrainableModule):
    """Learns to draw mouths again; its encoder is then a measure of how alike two of them look.

    Args:
        config: settings.
    """

    config: AutoencoderConfig
    monitor = "val/mse"

    def __init__(self, config: AutoencoderConfig) -> None:
        super().__init__(config)
        self.network = Autoencoder(config.width)
        initialise(self.network)

    @property
    def input_spec(self) -> InputSpec:
        """Some frames of 64x64 mouths; no sound."""
        return InputSpec(crop="mouth", size=(SIZE, SIZE), frames=self.config.frames, context=2, identity_gap=0)

    def _error(self, frames: Float[Tensor, "B T 3 64 64"]) -> Float[Tensor, " BT"]:
        pictures = 2 * frames.flatten(0, 1) - 1
        return (self.network(pictures).float() - pictures).square().mean((1, 2, 3))

    def training_step(self, batch: Batch, batch_idx: int) -> Float[Tensor, ""]:
        """Mean squared error of the frames of the batch and their mirror images, in [-1, 1]."""
        mirrored = torch.rand(len(batch.clip), device=batch.frames.device) < 0.5
        frames = torch.where(mirrored[:, None, None, None, None], batch.frames.flip(-1), batch.frames)
        loss = self._error(frames).mean()
        self.log("train/mse", loss.detach(), prog_bar=True)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """``val/mse`` on clips held out."""
        loss = self._error(batch.frames).mean()
        self.log("val/mse", loss, prog_bar=True, sync_dist=True, batch_size=len(batch.clip))

    def test_step(self, batch: Batch, batch_idx: int) -> dict[str, Any]:
        """Squared error of whole clips, and of their mean picture in its place."""
        rows = []
        for b, clip in enumerate(batch.clip):
            frames = batch.frames[b : b + 1, : int(batch.length[b])]
            parts = [self._error(part) for part in torch.split(frames, 64, 1)]
            mean = F.mse_loss(2 * frames.mean(1, keepdim=True).expand_as(frames), 2 * frames)
            rows.append({"clip": clip, "mse": float(torch.cat(parts).mean()), "mean_mse": float(mean)})
        return {"rows": rows}

    def score(self, outputs: Any, batch: Batch, store: Store) -> list[dict[str, Any]]:
        """See :meth:`zoo.methods.module.TrainableModule.score`."""
        return [row | {"speaker": store.clips[store.index(row["clip"])].speaker} for row in outputs["rows"]]

    def summarise(self, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """Mean squared error on clips held out, beside that of each clip's mean picture."""
        count = max(1, len(rows))
        mse, mean = (round(sum(row[key] for row in rows) / count, 6) for key in ("mse", "mean_mse"))
        return {
            "protocol": "mouth-autoencoder: mean squared error of 64x64 mouths, RGB in [-1, 1]",
            "clips": len(rows),
            "speakers": len({row["speaker"] for row in rows}),
            "mse": mse,
            "mean_mse": mean,
            "table": [
                ("squared error", f"{mse:.5f}", "RGB in [-1, 1], lower is better"),
                ("  of the clip's mean picture", f"{mean:.5f}", "what a network that ignores movement would get"),
            ],
        }

    def configure_optimizers(self) -> Any:
        """AdamW, with the schedule of the settings."""
        return adam(self, self.config)


def load_autoencoder(weights: str, width: float) -> Autoencoder:
    """The network of a trained mouth autoencoder.

    Args:
        weights: a checkpoint of `zoo fit mouth-autoencoder`.
        width: what it must have been made with.

    Raises:
        DataError: there is no such file, or its network is of another width.
    """
    loaded = trainable.load_checkpoint(trainable.find_weights(AUTOENCODER, weights), AUTOENCODER.name)
    assert isinstance(loaded, MouthAutoencoder)
    if loaded.config.width != width:
        raise DataError(f"model.autoencoder_width: {weights} has {loaded.config.width}, not {width}")
    return loaded.network
