"""Training and test of the flow network on warps whose flow is known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from zoo.data.batch import Batch
from zoo.data.store.store import Store
from zoo.experts.schedule import adam
from zoo.methods.module import TrainableModule
from zoo.methods.nn.flow import FlowEstimator, FlowNetS, LucasKanade, warp
from zoo.registry.spec import InputSpec
from zoo_at_a_glance.config import FlowConfig
from zoo_at_a_glance.networks import SIZE

LEVEL_WEIGHTS = (0.32, 0.08, 0.02, 0.01, 0.005)
"""Weights of the losses at 1/64 to 1/4 of the size (FlowNet's training schedule)."""

BORDER = 8
"""Pixels at the edge that are not scored: what lies there may have come from outside."""


class Motion(NamedTuple):
    """Two pictures and the true flow between them, in pixels."""

    first: Float[Tensor, "n 3 H W"]
    second: Float[Tensor, "n 3 H W"]
    flow: Float[Tensor, "n 2 H W"]


def known_motion(
    pictures: Float[Tensor, "n 3 H W"], largest: float, bend: float, random: torch.Generator | None = None
) -> Motion:
    """Pictures and what they were before a random smooth warp, exactly known.

    Args:
        pictures: the later ones, RGB in [0, 1].
        largest: largest shift of the whole picture, pixels.
        bend: largest bend on top, pixels: a grid of 4x4 random vectors, smoothly in between.
        random: ``None``: torch's own.
    """
    count, device = len(pictures), pictures.device

    def draw(*shape: int) -> Tensor:
        return (2 * torch.rand(*shape, generator=random) - 1).to(device)

    shift = largest * draw(count, 1, 1, 1) * draw(count, 2, 1, 1)
    bent = bend * draw(count, 1, 1, 1) * draw(count, 2, 4, 4)
    smooth = F.interpolate(bent, pictures.shape[-2:], mode="bicubic", align_corners=False)
    flow = shift + smooth
    return Motion(warp(pictures, flow), pictures, flow)


def endpoint_error(flow: Float[Tensor, "n 2 H W"], truth: Float[Tensor, "n 2 H W"]) -> Float[Tensor, " n"]:
    """Mean distance of the vectors inside the border, pixels."""
    inside = slice(BORDER, -BORDER)
    return (flow - truth).norm(dim=1)[:, inside, inside].mean((1, 2))


class MouthFlow(TrainableModule):
    """FlowNetS taught by warps of mouth pictures.

    Args:
        config: settings.
    """

    config: FlowConfig
    monitor = "val/epe"

    def __init__(self, config: FlowConfig) -> None:
        super().__init__(config)
        self.network = FlowNetS(config.width)
        self.classical = LucasKanade()

    @property
    def input_spec(self) -> InputSpec:
        """Some frames of 64x64 mouths; no sound."""
        return InputSpec(crop="mouth", size=(SIZE, SIZE), frames=self.config.frames, context=2, identity_gap=0)

    def motion(self, batch: Batch, seed: int | None = None) -> Motion:
        """Warps of all frames of a batch."""
        random = None if seed is None else torch.Generator().manual_seed(seed)
        return known_motion(batch.frames.flatten(0, 1), self.config.largest, self.config.bend, random)

    def training_step(self, batch: Batch, batch_idx: int) -> Float[Tensor, ""]:
        """Endpoint error at five sizes, weighted as FlowNet's."""
        first, second, flow = self.motion(batch)
        loss = flow.new_zeros(())
        for weight, found in zip(LEVEL_WEIGHTS, self.network.pyramid(first, second), strict=True):
            truth = F.adaptive_avg_pool2d(flow, (found.shape[2], found.shape[3])) / FlowNetS.scale
            loss = loss + weight * (found.float() - truth).norm(dim=1).sum((1, 2)).mean()
        self.log("train/loss", loss.detach(), prog_bar=True)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """``val/epe``: mean endpoint error in pixels, on clips held out."""
        first, second, flow = self.motion(batch, batch_idx)
        error = endpoint_error(self.network(first, second).float(), flow).mean()
        self.log("val/epe", error, prog_bar=True, sync_dist=True, batch_size=len(batch.clip))

    def test_step(self, batch: Batch, batch_idx: int) -> dict[str, Any]:
        """Errors on warps of whole clips: of the network, of Lucas-Kanade, and of saying that nothing moves."""
        rows = []
        for b, clip in enumerate(batch.clip):
            frames = batch.frames[b, : int(batch.length[b])]
            random = torch.Generator().manual_seed(len(frames))
            first, second, flow = known_motion(frames, self.config.largest, self.config.bend, random)
            row: dict[str, Any] = {"clip": clip, "still": float(endpoint_error(torch.zeros_like(flow), flow).mean())}
            estimators: dict[str, FlowEstimator] = {"epe": self.network, "classical": self.classical}
            for name, estimator in estimators.items():
                found = torch.cat(
                    [estimator(*pair) for pair in zip(torch.split(first, 32), torch.split(second, 32), strict=True)]
                )
                row[name] = float(endpoint_error(found, flow).mean())
            rows.append(row)
        return {"rows": rows}

    def score(self, outputs: Any, batch: Batch, store: Store) -> list[dict[str, Any]]:
        """See :meth:`zoo.methods.module.TrainableModule.score`."""
        return [row | {"speaker": store.clips[store.index(row["clip"])].speaker} for row in outputs["rows"]]

    def summarise(self, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """Mean endpoint errors on clips held out."""
        count = max(1, len(rows))
        epe, classical, still = (
            round(sum(row[key] for row in rows) / count, 4) for key in ("epe", "classical", "still")
        )
        return {
            "protocol": f"mouth-flow: mean endpoint error, px of 64x64 mouths, {BORDER} px of border left out; known "
            f"warps of up to {self.config.largest:g} px of shift and {self.config.bend:g} px of bend",
            "clips": len(rows),
            "speakers": len({row["speaker"] for row in rows}),
            "epe": epe,
            "epe_lucas_kanade": classical,
            "epe_still": still,
            "table": [
                ("endpoint error", f"{epe:.3f} px", "mean over pixels, lower is better"),
                ("  of Lucas-Kanade", f"{classical:.3f} px", "nothing learnt"),
                ("  of no movement", f"{still:.3f} px", "how long the true vectors are"),
            ],
        }

    def configure_optimizers(self) -> Any:
        """AdamW, with the schedule of the settings."""
        return adam(self, self.config)
