"""How well the discriminator that LipGAN learns along the way tells sync from no sync (course project: about 63 %)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from zoo.data.batch import Batch
from zoo.data.store.store import Store
from zoo.evaluation.resampling import interval
from zoo.experts.sync_expert.quality import expert_quality, negative_starts
from zoo.methods.framewise import FramewiseMethod
from zoo_lipgan.config import LipGANConfig
from zoo_lipgan.networks import Discriminator

LEAST_SHIFT = 6
"""Frames between a face and the sound of a false pair, at least: as between a window and its reference in training."""

FARTHEST = 2.0
"""The largest distance of two unit vectors."""


class ScoresDiscriminator(FramewiseMethod):
    """Scores of a test tell how good the discriminator is, where there is one."""

    config: LipGANConfig
    discriminator: Discriminator

    def score(self, outputs: Any, batch: Batch, store: Store) -> list[dict[str, Any]]:
        """As any method's, and how far the discriminator tells real frames in sync from real frames that are not."""
        rows = super().score(outputs, batch, store)
        if self.config.adversarial_weight > 0:
            for b, row in enumerate(rows):
                count, context = int(batch.length[b]), self.input_spec.context
                windows = batch.given.part(0, count).audio_windows(context)[b]
                row |= distances(self.discriminator, batch.frames[b, :count], self.features(windows))
        return rows

    def summarise(self, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """As any method's, with the discriminator's accuracy."""
        found = summary(rows, self.config.margin) if self.config.adversarial_weight > 0 else {}
        return super().summarise(rows) | found


def distances(
    discriminator: Discriminator,
    frames: Float[Tensor, "T 3 96 96"],
    features: Float[Tensor, "T 1 bands columns"],
) -> dict[str, list[float]]:
    """Distances of every real frame of a clip from its own sound, and from that of another frame of the clip.

    Args:
        discriminator: whose they are.
        frames: RGB in [0, 1].
        features: what each frame hears.

    Returns:
        ``in_sync`` and ``out_of_sync``, 0 to 2; the latter without frames that have no other far enough away.
    """
    partner = negative_starts(len(frames), least=LEAST_SHIFT, seed=0)
    has = partner >= 0
    in_sync = discriminator(frames, features)
    out_of_sync = discriminator(frames[has], features[partner[has]]) if bool(has.any()) else in_sync[:0]
    return {
        "in_sync": [round(float(d), 4) for d in in_sync],
        "out_of_sync": [round(float(d), 4) for d in out_of_sync],
    }


def summary(rows: Sequence[dict[str, Any]], margin: float) -> dict[str, Any]:
    """Accuracy over the pairs of all test clips, with the line that the command prints.

    A pair counts as in sync below half the margin, where both sides of the contrastive loss cost the same.

    Args:
        rows: a clip each: what :func:`distances` gives, and its `speaker`.
        margin: of the contrastive loss.
    """
    true, false = (torch.tensor([d for row in rows for d in row[key]]) for key in ("in_sync", "out_of_sync"))
    quality = expert_quality(1 - true / FARTHEST, 1 - false / FARTHEST, 1 - margin / 2 / FARTHEST)
    found = {key: round(float(value), 4) for key, value in quality._asdict().items()}
    protocol = (
        f"real frames against their own sound and that of another frame of the clip at least {LEAST_SHIFT} frames "
        f"away; in sync: distance below {margin / 2:g}"
    )
    chance = " (at chance)" if at_chance(rows, margin) else ""
    told = (
        f"its discriminator tells sync from no sync: balanced accuracy {found['balanced_accuracy']:.1%}{chance} of "
        f"{len(true) + len(false)} pairs (true positives {found['true_positive_rate']:.1%}, true negatives "
        f"{found['true_negative_rate']:.1%}, area under ROC {found['auc']:.3f}; {protocol})"
    )
    return {"discriminator": found | {"pairs": len(true) + len(false), "protocol": protocol}, "remarks": [told]}


def at_chance(rows: Sequence[dict[str, Any]], margin: float) -> bool:
    """Whether a balanced accuracy of one half lies within its 95 % bootstrap interval, or below it."""
    told = [row for row in rows if row["in_sync"] and row["out_of_sync"]]
    if len(told) < 2:  # one clip tells nothing
        return False
    true = np.array([np.mean(np.array(row["in_sync"]) < margin / 2) for row in told])
    false = np.array([np.mean(np.array(row["out_of_sync"]) >= margin / 2) for row in told])
    return interval((true + false) / 2, speakers=[row["speaker"] for row in told])[0] <= 0.5
