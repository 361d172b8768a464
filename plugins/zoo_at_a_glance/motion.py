"""Optical flow for At a Glance: what estimates it, and the size at which its networks take motion."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from zoo.methods import trainable
from zoo.methods.nn.flow import FlowEstimator, LucasKanade, Raft
from zoo.support.errors import ConfigError
from zoo_at_a_glance.config import AtAGlanceConfig
from zoo_at_a_glance.flow.module import MouthFlow
from zoo_at_a_glance.networks import FLOW_SIZE
from zoo_at_a_glance.spec import FLOW


def make_flow(config: AtAGlanceConfig) -> FlowEstimator:
    """The flow estimator of the settings.

    Raises:
        ConfigError: it needs weights and none are given.
        DataError: its weights are not there.
    """
    if config.flow == "raft":
        return Raft(config.flow_weights)
    if config.flow == "flownets":
        if config.flow_weights is None:
            raise ConfigError(f"model.flow_weights: flownets needs a checkpoint of `zoo fit {FLOW.name}`")
        loaded = trainable.load_checkpoint(trainable.find_weights(FLOW, config.flow_weights), FLOW.name)
        assert isinstance(loaded, MouthFlow)
        return loaded.network
    return LucasKanade(levels=3 if config.flow_shrink == 1 else 2, iterations=2, shrink=config.flow_shrink)


class Flow:
    """A frozen estimator that is no part of a module: whoever only generates needs no weights of it.

    Args:
        estimator: says how pictures move.
    """

    def __init__(self, estimator: FlowEstimator) -> None:
        self.estimator = estimator.eval().requires_grad_(False)

    def __call__(self, video: Float[Tensor, "batch 16 3 64 64"]) -> Float[Tensor, "batch 15 2 16 16"]:
        """Flow from frame to frame in pixels of the 64x64 picture, at a quarter of the size; video in [-1, 1]."""
        with torch.autocast(video.device.type, enabled=False):
            return pooled(self.estimator.to(video.device).video((video.float() + 1) / 2))


def pooled(pictures: Float[Tensor, "B T C H W"]) -> Float[Tensor, "B T C 16 16"]:
    """A series of pictures at the size that the encoders of motion take."""
    small = F.adaptive_avg_pool2d(pictures.flatten(0, 1), (FLOW_SIZE, FLOW_SIZE))
    return small.view(*pictures.shape[:3], FLOW_SIZE, FLOW_SIZE)
