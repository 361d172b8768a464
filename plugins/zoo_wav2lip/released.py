"""Wav2Lip's released generators and discriminator: their names and colours to ours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from zoo.experts.sync_expert import released as expert
from zoo.methods.weights import ExternalCheckpoint, Translated, from_bgr, match_blocks, take
from zoo.support.errors import DataError
from zoo_wav2lip.networks import Generator, QualityDiscriminator

SOUND_DELAY = 1
"""The released generators were trained on sound that begins one frame before the frame: centred one frame after it."""


def read(files: Sequence[ExternalCheckpoint]) -> Translated:
    """Translate a generator, alone or with the visual-quality discriminator; a sync expert alone is passed on.

    Raises:
        DataError: none of the published networks, or two of a kind, or other shapes.
    """
    kinds: dict[str, ExternalCheckpoint] = {}
    for file in files:
        kind = _kind(file)
        if kind in kinds:
            raise DataError(f"{file.path}: a second {kind}; give one of each")
        kinds[kind] = file
    if kinds.keys() == {"sync expert"}:
        return replace(expert.read(files), name="sync-expert")
    if "sync expert" in kinds:
        raise DataError(f"{kinds['sync expert'].path}: the sync expert; import it alone")
    if "generator" not in kinds:
        raise DataError(
            f"{files[0].path}: the discriminator alone; give the generator's file beside it, "
            "`zoo weights import wav2lip GENERATOR DISCRIMINATOR`"
        )
    state = _generator(kinds["generator"])
    if "discriminator" in kinds:
        state |= _discriminator(kinds["discriminator"])
    return Translated(state, {"sound_delay": SOUND_DELAY})


def _kind(file: ExternalCheckpoint) -> str:
    heads = {name.partition(".")[0] for name in file.state}
    for head, kind in (
        ("face_decoder_blocks", "generator"),
        ("binary_pred", "discriminator"),
        ("face_encoder", "sync expert"),
    ):
        if head in heads:
            return kind
    raise DataError(f"{file.path}: none of Wav2Lip's networks; its names begin with {', '.join(sorted(heads)[:3])}")


def _shapes(network: type[nn.Module], part: str) -> dict[str, Tensor]:
    with torch.device("meta"):
        return {f"{part}.{name}": value for name, value in network().state_dict().items()}


def _generator(file: ExternalCheckpoint) -> dict[str, Tensor]:
    own = _shapes(Generator, "generator")
    state: dict[str, Tensor] = {}
    for theirs, ours in (
        ("face_encoder_blocks", "face_encoder"),
        ("audio_encoder", "audio_encoder"),
        ("face_decoder_blocks", "decoder"),
        ("output_block", "output"),
    ):
        state |= match_blocks(file, theirs, own, f"generator.{ours}")
    for part in ("weight", "bias"):
        state[f"generator.output.1.{part}"] = take(
            file, f"output_block.1.{part}", own[f"generator.output.1.{part}"]
        ).flip(0)
    first = "generator.face_encoder.0.0.0.weight"
    state[first] = from_bgr(state[first])
    return state


def _discriminator(file: ExternalCheckpoint) -> dict[str, Tensor]:
    own = _shapes(QualityDiscriminator, "discriminator")
    state = match_blocks(file, "face_encoder_blocks", own, "discriminator.face_encoder")
    for part in ("weight", "bias"):
        state[f"discriminator.verdict.{part}"] = take(
            file, f"binary_pred.0.{part}", own[f"discriminator.verdict.{part}"]
        )
    first = "discriminator.face_encoder.0.0.weight"
    state[first] = from_bgr(state[first])
    return state
