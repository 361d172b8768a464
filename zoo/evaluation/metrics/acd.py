"""ACD, the average content distance: whether the face stays the same person (Tulyakov et al., MoCoGAN, CVPR 2018)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64
from torch import Tensor

from zoo.evaluation.metrics.base import Row
from zoo.evaluation.metrics.judged import UNNAMED, JudgedMetric
from zoo.evaluation.metrics.lmd import require_options
from zoo.evaluation.metrics.pairs import scored_frames

if TYPE_CHECKING:
    from zoo.evaluation.footage import Footage

Distance = Literal["l2", "l2sq", "cosine"]
Mode = Literal["still", "pairwise"]


def average_content_distance(
    embeddings: Float[Tensor | np.ndarray, "T D"],
    still: Float[Tensor | np.ndarray, " D"] | None = None,
    *,
    distance: Distance = "l2",
    mode: Mode = "still",
) -> Float64[Tensor, ""]:
    """Mean distance between embeddings of a face.

    ``still``: ``1/T sum_t d(e[t], still)`` (Vougioukas et al. 2019); ``pairwise``: the mean of ``d(e[t], e[u])`` over
    all ``T (T - 1) / 2`` pairs of frames (MoCoGAN), which says nothing about whose face it is.

    Args:
        embeddings: one per frame, from any face embedder; values depend on which.
        still: the embedding of the picture that the generator was shown; not used with ``pairwise``.
        distance: ``l2``, ``l2sq`` (squared, what OpenFace prints) or ``cosine`` (1 - cos, 0..2). For embeddings of unit
            length, ``l2sq`` is twice ``cosine``.
        mode: ``still`` or ``pairwise``.

    Returns:
        0 or more, in the embedder's unit; lower is better. A picture that stands still has an ACD of 0.

    Raises:
        ValueError: other names or shapes than those above, no frame (``pairwise``: no two), or with ``cosine`` an
            embedding of length 0.

    Example:
        >>> average_content_distance(torch.tensor([[3.0, 4.0], [0.0, 1.0]]), torch.zeros(2)).item()
        3.0
    """
    distances = _distances(embeddings, still, distance, mode)
    if not len(distances):
        raise ValueError(f"average_content_distance: {mode} needs {'two frames' if mode == 'pairwise' else 'a frame'}")
    return distances.mean()


class AverageContentDistance(JudgedMetric):
    """:func:`average_content_distance` of each clip, over the frames that show a face; the mean over clips.

    Args:
        distance: see :func:`average_content_distance`.
        mode: see :func:`average_content_distance`.
        embedder: name of the embedder; see :class:`zoo.evaluation.metrics.judged.JudgedMetric`.
    """

    name = "acd"
    higher_is_better = False
    role: ClassVar[str] = "embedder"

    def __init__(self, distance: Distance = "l2", mode: Mode = "still", embedder: str = UNNAMED) -> None:
        require_options({"distance": (distance, Distance), "mode": (mode, Mode)})
        super().__init__(embedder, distance=distance, mode=mode)
        self.distance, self.mode = distance, mode

    def update(
        self,
        clip: str,
        embeddings: Float[Tensor | np.ndarray, "T D"],
        still: Float[Tensor | np.ndarray, " D"] | None,
        seen: Bool[Tensor | np.ndarray, " T"] | None = None,
        total: int | None = None,
    ) -> None:
        """Add one clip.

        Args:
            clip: its id.
            embeddings: one per generated frame.
            still: of the picture that the generator was shown; ``None`` where that has no face (or with ``pairwise``).
            seen: frames that show a face; all where not given.
            total: frames that there should be, where some are missing at the end.
        """
        faces = torch.as_tensor(embeddings)
        due = max(len(faces), total or 0)
        shown = torch.ones(len(faces), dtype=torch.bool) if seen is None else torch.as_tensor(seen).bool()
        # A face that the embedder cannot tell anything of has no direction and no distance.
        usable = shown.to(faces.device) & faces.isfinite().all(1) & (faces != 0).any(1)
        count = int(usable.sum())
        _, reason = scored_frames(len(faces), due, usable)
        if self.mode == "still" and not _is_face(still):
            self.skip(clip, due, "no face in the real clip")
        elif count < (2 if self.mode == "pairwise" else 1):
            self.skip(clip, due, reason or "too few frames")
        else:
            distances = _distances(faces[usable], still, self.distance, self.mode)
            self.add(Row(clip, (float(distances.sum()), float(len(distances))), count, due, reason))

    def observe(self, clip: str, pred: Footage, real: Footage) -> None:
        """Add one clip: its faces against the real clip's first one, which the generator was shown.

        With the real clip on both sides this is how far a real face goes from its first frame.
        """
        self.judged_by(pred.judges.embedder.name)
        faces = real.seen.nonzero()
        still = real.embeddings[int(faces[0])] if self.mode == "still" and len(faces) else None
        self.update(clip, pred.embeddings, still, pred.seen, max(len(pred), len(real)))


def _is_face(still: Tensor | np.ndarray | None) -> bool:
    if still is None:
        return False
    values = torch.as_tensor(still)
    return bool(values.isfinite().all() and (values != 0).any())


def _distances(
    embeddings: Tensor | np.ndarray, still: Tensor | np.ndarray | None, distance: Distance, mode: Mode
) -> Float64[Tensor, " n"]:
    """Embedding distances to the reference frame, or between all frame pairs."""
    require_options({"distance": (distance, Distance), "mode": (mode, Mode)})
    faces = torch.as_tensor(embeddings).double()
    if faces.ndim != 2:
        raise ValueError(f"average_content_distance: needs embeddings of shape (T, D); got {tuple(faces.shape)}")
    if mode == "pairwise":
        others = None
    else:
        if still is None:
            raise ValueError("average_content_distance: mode still needs the embedding of the still picture")
        others = torch.as_tensor(still).double().to(faces.device)[None]
        if others.shape[1:] != faces.shape[1:]:
            raise ValueError(
                f"average_content_distance: the still has shape {tuple(others.shape[1:])}, the frames "
                f"{tuple(faces.shape)}"
            )
    if distance == "cosine":
        faces = _unit(faces)
        others = faces if others is None else _unit(others)
        cosines = faces @ others.T
        if mode == "pairwise":
            first, second = torch.triu_indices(len(faces), len(faces), offset=1, device=faces.device)
            return 1 - cosines[first, second]
        return 1 - cosines[:, 0]
    lengths = torch.pdist(faces) if others is None else (faces - others).norm(dim=-1)
    return lengths if distance == "l2" else lengths.square()


def _unit(vectors: Tensor) -> Tensor:
    lengths = vectors.norm(dim=-1, keepdim=True)
    if (lengths == 0).any():
        raise ValueError("average_content_distance: an embedding of length 0 has no direction, so no cosine")
    return vectors / lengths
