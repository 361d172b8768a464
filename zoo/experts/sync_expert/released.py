"""Wav2Lip's released sync expert (``lipsync_expert.pth``): its names and colours to ours."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from zoo.experts.sync_expert.networks import SyncNetwork
from zoo.methods.weights import ExternalCheckpoint, Translated, from_bgr, match_blocks
from zoo.support.errors import DataError


def read(files: Sequence[ExternalCheckpoint]) -> Translated:
    """Translate the one file: ``face_encoder.{j}`` and ``audio_encoder.{j}``, which saw BGR pictures.

    Raises:
        DataError: several files, or not the published names and shapes.
    """
    if len(files) != 1:
        raise DataError(f"{files[1].path}: the sync expert is one file")
    with torch.device("meta"):
        own = {f"network.{name}": value for name, value in SyncNetwork().state_dict().items()}
    state = match_blocks(files[0], "face_encoder", own, "network.face_encoder")
    state |= match_blocks(files[0], "audio_encoder", own, "network.sound_encoder")
    first = "network.face_encoder.0.0.weight"
    state[first] = from_bgr(state[first])
    return Translated(state)
