"""From an open video to its clips: where the faces are, what becomes a clip, and what is set aside and why."""

from __future__ import annotations

from collections.abc import Container, Generator, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise

import torch
from jaxtyping import Float32, UInt8
from torch import Tensor

from zoo.data.report import SetAside
from zoo.data.sources.base import OpenClip, SourceItem, check_lengths
from zoo.data.splitting import SHORTEST_S, Splitting, Stretch, cut_long, name_persons, split_persons, words_within
from zoo.face.backends import Finders
from zoo.face.base import Embedder
from zoo.face.crop import store_box
from zoo.face.faces import Survey, iter_faces
from zoo.face.follow import Looks, Segment
from zoo.face.precomputed import boxes_around
from zoo.face.shots import shots
from zoo.face.track import EVERY, MAX_GAP, WANTED, iter_track, make_looks
from zoo.media.audio import match_length, num_samples
from zoo.media.clip import FPS, Clip
from zoo.support.errors import MediaError, NoFaceError, ZooError

_LOOK_S = 1.0  # from one look at who it is to the next
_LOOK_MARGIN = 0.6  # in sides of the face's box: the part of the picture that the embedder is given


@dataclass
class Piece:
    """A clip without its pictures.

    Attributes:
        clip: everything but the pictures; its ``frames`` have their shape and no contents.
        first: number of its first frame in the video.
        corner: where its pictures lie in the video's: x and y of the upper left pixel.
    """

    clip: Clip
    first: int
    corner: tuple[int, int]

    @property
    def stop(self) -> int:
        """The frame of the video after its last."""
        return self.first + len(self.clip.frames)

    def cut(self, picture: UInt8[Tensor, "3 H W"]) -> UInt8[Tensor, "3 h w"]:
        """Its part of a picture of the video."""
        (x, y), (height, width) = self.corner, self.clip.frames.shape[2:]
        return picture[:, y : y + height, x : x + width]


@dataclass
class Found:
    """What a video holds.

    Attributes:
        pieces: its clips, by their first frames.
        aside: parts of it that are no clips, with the reason.
        notes: what the user should know, by kind.
    """

    pieces: list[Piece] = field(default_factory=list)
    aside: list[SetAside] = field(default_factory=list)
    notes: list[tuple[str, str]] = field(default_factory=list)


class _Counted:
    """Pictures of one size, counted as they are read."""

    def __init__(self, pictures: Iterable[Tensor]) -> None:
        self._pictures = pictures
        self.count, self.size = 0, (0, 0)

    def __iter__(self) -> Iterator[Tensor]:
        for picture in self._pictures:
            size = (picture.shape[1], picture.shape[2])
            if self.count and size != self.size:
                raise MediaError("the picture size changes inside the video; convert it to one size first")
            self.size = size
            self.count += 1
            yield picture


def find_pieces(
    clip: OpenClip, item: SourceItem, *, finders: Finders, splitting: Splitting | None
) -> Generator[int, None, Found]:
    """Read a video once and say what clips it holds; yields the number of pictures that are read.

    Raises:
        NoFaceError: no face was found.
        MediaError: the sound is too short, or landmarks or arrays do not fit the pictures.
    """
    pictures = _Counted(clip.frames)
    looks = None if clip.landmarks is not None else make_looks(finders.detector, finders.landmarker, EVERY, FPS)
    if splitting is None:
        landmarks = yield from _one_track(pictures, clip, looks)
        check_lengths(clip.arrays, pictures.count)
        return Found([_piece(clip, item.id, item.speaker, Stretch(0, landmarks), pictures)])
    stretches, most = yield from _stretches(pictures, clip, looks, splitting)
    if not pictures.count:
        raise MediaError("the video has no frames")
    check_lengths(clip.arrays, pictures.count)
    found = _divide(clip, item, stretches, pictures, splitting)
    if most > 1 and splitting.faces == "largest":
        found.notes.append(
            (
                "faces",
                f"{item.path or item.id}: up to {most} faces in view; the largest is taken (--faces all takes each)",
            )
        )
    return found


def _one_track(
    pictures: _Counted, clip: OpenClip, looks: Looks | None
) -> Generator[int, None, Float32[Tensor, "T 68 2"]]:
    """Landmarks of the one face that is there from the first frame to the last."""
    if looks is None:
        assert clip.landmarks is not None
        for _ in pictures:
            yield pictures.count
        landmarks = clip.landmarks
    else:
        parts = []
        for segment in iter_track(pictures, looks):
            parts.append(segment.landmarks)
            del segment
            yield pictures.count
        landmarks = torch.cat(parts)
    if len(landmarks) != pictures.count or not torch.isfinite(landmarks).all():
        raise MediaError(f"{len(landmarks)} landmark sets for {pictures.count} frames, or some are not finite")
    return landmarks


def _stretches(
    pictures: _Counted, clip: OpenClip, looks: Looks | None, splitting: Splitting
) -> Generator[int, None, tuple[list[Stretch], int]]:
    """All stretches of faces in a video, and the largest number of faces at once."""
    embedder = _embedder()
    stretches: list[Stretch] = []
    most = 0
    for first, shot in shots(pictures):
        growing: dict[int, _Growing] = {}
        steps: Iterable[Segment | Survey]
        if looks is not None:
            steps = iter_faces(shot, looks, faces=splitting.faces)
        else:
            assert clip.landmarks is not None
            steps = _given(shot, clip.landmarks[first:])
        for step in steps:
            if isinstance(step, Survey):
                most = max(most, step.faces)
            else:
                growing.setdefault(step.face, _Growing(first + step.first, embedder)).add(step)
            del step
            yield pictures.count
        stretches += [stretch.done() for stretch in growing.values()]
    if clip.landmarks is not None and len(clip.landmarks) != pictures.count:
        raise MediaError(f"{len(clip.landmarks)} sets of landmarks for {pictures.count} frames")
    return [part for stretch in stretches for part in split_persons(stretch)], most


def _given(shot: Iterable[Tensor], landmarks: Float32[Tensor, "T 68 2"]) -> Iterator[Segment]:
    """Landmarks that came with the video, frame by frame, where there is a face; after a gap it is another stretch."""
    face, seen = 0, False
    for t, (picture, points) in enumerate(zip(shot, landmarks, strict=False)):
        there = bool(torch.isfinite(points).all())
        if there:
            yield Segment(t, boxes_around(points[None]), points[None], picture, face)
        elif seen:
            face += 1
        seen = there


def _divide(
    clip: OpenClip, item: SourceItem, stretches: list[Stretch], pictures: _Counted, splitting: Splitting
) -> Found:
    """The clips that a video's stretches make, and what is left over."""
    if not stretches:
        raise NoFaceError(f"no face found in the video: {WANTED}")
    longest = splitting.clip_seconds * FPS
    if len(stretches) == 1 and len(stretches[0].landmarks) == pictures.count <= longest:
        return Found([_piece(clip, item.id, item.speaker, stretches[0], pictures)])
    found = Found(aside=_without_face(item, stretches, pictures.count))
    persons = name_persons(stretches)
    ordered = sorted(stretches, key=lambda stretch: stretch.first)
    parts = [part for stretch in ordered for part in cut_long(stretch, clip.wave, splitting.clip_seconds)]
    for name, part in zip(_names(item, parts), parts, strict=True):
        try:
            found.pieces.append(_piece(clip, name, _speaker(item, part.person), part, pictures))
        except MediaError as error:
            found.aside.append(SetAside(name, item.path, str(error)))
    if not found.pieces:
        reasons = sorted(found.aside, key=lambda entry: entry.id)
        raise MediaError(f"none of its {len(reasons)} parts can be used; the first: {reasons[0].reason}")
    found.notes = _notes(clip, item, found, persons)
    return found


def _without_face(item: SourceItem, stretches: list[Stretch], total: int) -> list[SetAside]:
    """The times in which no face is followed, where they are longer than what is bridged."""
    covered = torch.zeros(total + 1, dtype=torch.bool)
    covered[total] = True
    for stretch in stretches:
        covered[stretch.first : stretch.stop] = True
    edges = [-1, *covered.nonzero().flatten().tolist()]
    return [
        SetAside(
            _name(item, before + 1), item.path, f"no face that can be followed for {(after - before - 1) / FPS:.2f} s"
        )
        for before, after in pairwise(edges)
        if after - before - 1 > MAX_GAP
    ]


def _name(item: SourceItem, first: int) -> str:
    """The id of a part of a video: when it begins in seconds."""
    return f"{item.id}@{first / FPS:08.2f}"


def _names(item: SourceItem, parts: list[Stretch]) -> list[str]:
    """The ids of parts; those that begin at the same time are numbered."""
    names = [_name(item, part.first) for part in parts]
    return [f"{name}-{names[:k].count(name) + 1}" if name in names[:k] else name for k, name in enumerate(names)]


def item_of(clip_id: str, items: Container[str]) -> str:
    """The item of a source that a clip of a store was made from."""
    return clip_id if clip_id in items else clip_id.rpartition("@")[0]


def _speaker(item: SourceItem, person: int) -> str:
    """Who talks: whom the source names is the person seen longest, others bear the video's name."""
    if not person:
        return item.speaker
    rest = "" if item.id == item.speaker else item.id.removeprefix(f"{item.speaker}/").replace("/", ".") + "."
    return f"{item.speaker}+{rest}face{person + 1}"


def _notes(clip: OpenClip, item: SourceItem, found: Found, persons: int) -> list[tuple[str, str]]:
    name = item.path or item.id
    notes = []
    if persons > 1:
        others = dict.fromkeys(_speaker(item, person) for person in range(1, persons))
        notes.append(
            (
                "persons",
                f"{name}: {persons} people; '{item.speaker}' is the one seen longest, others are {', '.join(others)}",
            )
        )
    if clip.text and not clip.words:
        notes.append(
            (
                "text",
                f"{name}: its text is left out, for it cannot be said which of {len(found.pieces)} clips says what",
            )
        )
    return notes


def _piece(clip: OpenClip, name: str, speaker: str, stretch: Stretch, pictures: _Counted) -> Piece:
    """A clip of a stretch: the face track's place in the picture, and the sound of the same length.

    Raises:
        MediaError: it is too short, its sound is, or its landmarks lie outside the picture.
    """
    landmarks, length = stretch.landmarks, len(stretch.landmarks)
    whole = length == pictures.count
    if not whole and length < SHORTEST_S * FPS:
        raise MediaError(f"too short: {length / FPS:.2f} s of a face at a time (at least {SHORTEST_S} s)")
    x0, y0, x1, y1 = store_box(landmarks, *pictures.size)
    if x1 <= x0 or y1 <= y0:
        raise MediaError("the landmarks lie outside the picture")
    words = clip.words if whole else words_within(clip.words, stretch.first, stretch.stop)
    made = Clip(
        id=name,
        speaker=speaker,
        text=clip.text if whole else " ".join(word.text for word in words),
        frames=torch.zeros(1, dtype=torch.uint8).expand(length, 3, y1 - y0, x1 - x0),
        wave=match_length(clip.wave[num_samples(stretch.first) :], length),
        landmarks=landmarks - landmarks.new_tensor([x0, y0]),
        words=words,
        labels=clip.labels,
        arrays={name: values[stretch.first : stretch.first + length] for name, values in clip.arrays.items()},
    )
    return Piece(made, stretch.first, (x0, y0))


class _Growing:
    """A stretch of a face while it is followed, looked at once a second to tell who it is."""

    def __init__(self, first: int, embedder: Embedder | None) -> None:
        self._first, self._embedder = first, embedder
        self._parts: list[Tensor] = []
        self._looks: list[tuple[int, Tensor]] = []
        self._frames = 0

    def add(self, segment: Segment) -> None:
        """The next frames."""
        at = self._first + self._frames
        self._parts.append(segment.landmarks)
        self._frames += len(segment.landmarks)
        if self._embedder is not None and (not self._looks or at - self._looks[-1][0] >= _LOOK_S * FPS):
            self._looks.append((at, _look(self._embedder, segment.picture, segment.landmarks[0])))

    def done(self) -> Stretch:
        """All frames."""
        return Stretch(self._first, torch.cat(self._parts), self._looks)


def _embedder() -> Embedder | None:
    """dlib's, where it is installed; without it persons are not told apart."""
    from zoo.face.backends import make_embedder

    try:
        return make_embedder("dlib")
    except ZooError:
        return None


def _look(embedder: Embedder, picture: Tensor, points: Tensor) -> Float32[Tensor, " D"]:
    """Embedding of a face, from the part of the picture around it."""
    low, high = points.amin(0), points.amax(0)
    margin = _LOOK_MARGIN * (high - low).max()
    limits = torch.tensor([picture.shape[2], picture.shape[1]])
    x0, y0 = ((low - margin).floor().long().clamp(min=0).minimum(limits - 1)).tolist()
    x1, y1 = ((high + margin).ceil().long().clamp(min=1).minimum(limits)).tolist()
    region = picture[:, y0 : max(y1, y0 + 1), x0 : max(x1, x0 + 1)]
    return embedder.embed(region[None], (points - torch.tensor([float(x0), float(y0)]))[None])[0]
