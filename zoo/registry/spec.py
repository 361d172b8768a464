"""Light descriptions of methods, data sets and metrics: what entry points point at. Nothing here imports torch."""

from __future__ import annotations

import dataclasses
import sys
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from functools import reduce
from importlib import import_module
from operator import attrgetter, or_
from typing import Any, Literal

from zoo.registry.api import API_VERSION
from zoo.support.errors import BrokenPluginError, ConfigError

Crop = Literal["face", "aligned", "mouth"]

REFERENCES = {
    "real": "the real video through the same pipeline",
    "still": "the first frame, standing still",
    "closed-still": "the first frame, its mouth closed where it is open",
    "warp-true": "the first frame, warped by the true landmarks of mouth and jaw",
    "wrong-sound": "the real video with the sound of another clip",
    "retrieval": "for every frame the training frame that sounds most like it, its lower face laid over the still",
}
"""Rows that every leaderboard is read against, in its order."""


@dataclass(frozen=True)
class InputSpec:
    """Input format of a method; the shared data module yields exactly this.

    Attributes:
        crop: which part of the picture: ``face`` (upright square around the face), ``aligned`` (face brought onto
            a mean face by a similarity transform) or ``mouth`` (square box around the lips).
        size: height and width of that crop in pixels.
        frames: frames per training window; ``None`` is the whole clip.
        context: samples of sound around the centre of each frame (:func:`zoo.media.audio.frame_centre`).
        identity: where the reference frames of a training window lie: ``still``: elsewhere in the clip, or all are the
            ``first`` frame of the clip.
        num_identity: how many reference frames in api_version 1; from 2 on :attr:`Uses.stills` says it.
        identity_gap: least distance in frames between a reference frame and the window.
        pictures: whether training windows hold pictures; a method that is trained on landmarks and sound alone gets
            windows of pictures without pixels, and whole clips of hundreds fit into a batch. It needs a
            ``validation_step`` of its own, and nobody asks it to ``reconstruct``. Test clips have their pictures.
        paste: which part of the crop the method draws and ``zoo predict`` puts back: ``all``, or the ``lower`` half.
        fps: frames per second that the method was made for.
        sample_rate: samples per second that the method was made for.
    """

    crop: Crop = "face"
    size: tuple[int, int] = (96, 96)
    frames: int | None = 1
    context: int = 6000
    identity: Literal["still", "first"] = "still"
    num_identity: int = 1
    identity_gap: int = 6
    pictures: bool = True
    paste: Literal["all", "lower"] = "all"
    fps: float = 25.0
    sample_rate: int = 16_000


@dataclass(frozen=True)
class Paper:
    """Where a method comes from."""

    title: str
    authors: str
    venue: str
    year: int
    url: str = ""


@dataclass(frozen=True)
class Spec:
    """What all specs share.

    Attributes:
        name: how users call it; equal to the entry point's name.
        summary: one line for ``zoo list``.
        target: ``"package.module:attribute"`` of the heavy class or function, imported only when it is used.
        api_version: the contract it was written for (:data:`zoo.registry.api.API_VERSION`).
        licence: licence of the code, and what else a user must know about rights.
        dist: the distribution it came with; the registry fills it in.
    """

    name: str
    summary: str
    target: str
    api_version: int = API_VERSION
    licence: str = ""
    dist: str = field(default="", compare=False, kw_only=True)

    def load(self) -> Any:
        """Import the class or function that this spec describes.

        Raises:
            BrokenPluginError: its module cannot be imported; the distribution and the reason are named.
        """
        return self.load_part(self.target)

    def load_part(self, path: str) -> Any:
        """Import ``"package.module:attribute"`` on behalf of this spec (see :meth:`load`)."""
        try:
            return load_object(path)
        except (Exception, SystemExit) as error:
            raise self.broken(f"{path} cannot be imported: {reason(error)}") from error

    def broken(self, why: str) -> BrokenPluginError:
        """The error for a plugin that keeps the contract in its spec but not beyond it."""
        return BrokenPluginError(f"'{self.name}' ({self.dist or 'not installed'}) cannot be used: {why}")


@dataclass(frozen=True)
class TrainableSpec(Spec):
    """Anything that ``zoo fit`` trains. ``target`` is a :class:`zoo.methods.module.TrainableModule`.

    Attributes:
        config: ``"package.module:Class"`` of the typed dataclass of its settings (light: no torch).
        paper: where it comes from.
        recipes: package whose ``<dataset>.yaml`` files hold the settings for each data set; may be empty.
        default_dataset: the recipe that ``zoo fit NAME`` means.
        weights: package whose ``<name>.safetensors`` files are trained weights that come with it; ``default`` are those
            that ``zoo predict`` takes without ``--ckpt``; may be empty.
        importer: ``"package.module:function"`` that reads weights published by others
            (:data:`zoo.methods.weights.Importer`), for ``zoo weights import NAME``; may be empty.
        trial: settings, as ``key=value``, over the recipe of ``synthgrid``, that make the smallest network whose parts
            are all at work within the first steps: what :mod:`zoo.testing` trains, in seconds.
    """

    config: str = ""
    paper: Paper = field(default_factory=lambda: Paper("", "", "", 0))
    recipes: str = ""
    default_dataset: str = "synthgrid"
    weights: str = ""
    importer: str = ""
    trial: tuple[str, ...] = ()

    def settings(self) -> Any:
        """A new instance of the settings with all defaults.

        Raises:
            BrokenPluginError: the class cannot be imported, or is no dataclass with a default for every field.
        """
        return self.dataclass_of(self.config)

    def dataclass_of(self, path: str) -> Any:
        """A new instance of a dataclass of the plugin's (see :meth:`settings`)."""
        kind = self.load_part(path)
        if not (isinstance(kind, type) and dataclasses.is_dataclass(kind)):
            raise self.broken(f"{path} is not a dataclass")
        try:
            return kind()
        except Exception as error:
            raise self.broken(f"{path} has no default for every setting ({reason(error)})") from error


Driver = Literal["", "points", "upper half", "video"]
"""What a mode is given of a driving video: nothing, landmarks without mouth and jaw, its upper half, or all of it."""

DRIVERS: dict[Driver, str] = {
    "": "",
    "points": "the driver's landmarks without mouth and jaw",
    "upper half": "the driver's upper half",
    "video": "the whole driver",
}
"""Readable labels of :data:`Driver`; each is given all that the ones before it are."""


Shown = Literal["", "still", "upper half", "video"]
"""What a method of api_version 1 is given of the true video in a test."""


@dataclass(frozen=True)
class Uses:
    """Conditioning of one mode of a method: all that it is given, in a test too.

    ``str(uses)`` is what leaderboards and cards print.

    Attributes:
        stills: reference frames of the speaker, at least 1; in a test the first is the first frame of the clip, the
            others come from other clips of the speaker.
        sound: whether it hears the speech.
        driver: what it sees of a driving video. In a test that is the true video, or another clip's.
        words: whether it is given the words that are spoken, with their times.
        labels: names of the clip's labels that it is given, such as ``emotion``.
        arrays: names of further arrays of the clip that it is given, one entry per frame.
    """

    stills: int = 1
    sound: bool = True
    driver: Driver = ""
    words: bool = False
    labels: tuple[str, ...] = ()
    arrays: tuple[str, ...] = ()

    def __str__(self) -> str:
        stills = "a still" if self.stills == 1 else f"{self.stills} stills"
        named = ["sound" if self.sound else "", DRIVERS[self.driver], "words" if self.words else ""]
        return ", ".join(filter(None, [stills, *named, *self.labels, *self.arrays]))

    def __or__(self, other: Uses) -> Uses:
        """All that either is given."""
        order = list(DRIVERS)
        return Uses(
            stills=max(self.stills, other.stills),
            sound=self.sound or other.sound,
            driver=max(self.driver, other.driver, key=order.index),
            words=self.words or other.words,
            labels=tuple(dict.fromkeys((*self.labels, *other.labels))),
            arrays=tuple(dict.fromkeys((*self.arrays, *other.arrays))),
        )


CAPABILITIES = {
    "photo": "one picture of anybody is enough: `zoo predict --face PHOTO`",
    "video": "it gives the face of a video another mouth",
    "any-length": "a clip may be of any length: each further frame needs little more memory than its own",
    "stream": "frames come while the sound is still coming",
}
"""What a method may say of itself, with what it means."""


@dataclass(frozen=True)
class MethodSpec(TrainableSpec):
    """A talking-face method. ``target`` is a :class:`zoo.methods.method.TalkingFaceMethod`.

    Attributes:
        modes: names of the ways to use it, each with what it is given then; the first is the default. It gets no more.
        options: ``"package.config:Options"`` of the dataclass of what may be chosen after training, such as a noise
            seed or a number of steps; may be empty.
        requires: names of the experts that must be trained or found before it is.
        capabilities: what it can do (:data:`CAPABILITIES`), beside what every method must; :mod:`zoo.testing` holds it
            to that, and leaves out what is not declared.
        label_values: of each label that a mode uses two values or more, which the method tells apart:
            ``(("emotion", ("happy", "sad")),)``; :mod:`zoo.testing` asks for them.
        array_shapes: of each array that a mode uses the shape of one frame's entry, for the trial:
            ``(("pose", (6,)),)``.
        shown: the one driver of api_version 1: ``still``, ``upper half`` or ``video``; ``modes`` replaces it.
    """

    modes: tuple[tuple[str, Uses], ...] = ()
    options: str = ""
    requires: tuple[str, ...] = ()
    capabilities: tuple[str, ...] = ()
    label_values: tuple[tuple[str, tuple[str, ...]], ...] = ()
    array_shapes: tuple[tuple[str, tuple[int, ...]], ...] = ()
    shown: Shown = ""

    def __post_init__(self) -> None:
        if not self.modes:
            driver: Driver = self.shown if self.shown in ("upper half", "video") else ""
            object.__setattr__(self, "modes", (("sound", Uses(driver=driver)),))

    @property
    def default_mode(self) -> str:
        """The mode that is meant where none is named."""
        return self.modes[0][0]

    def uses(self, mode: str = "") -> Uses:
        """What a mode is given.

        Args:
            mode: its name; empty: the default.

        Raises:
            ConfigError: there is no such mode.
        """
        modes = dict(self.modes)
        if (mode or self.default_mode) not in modes:
            raise ConfigError(f"{self.name} has no mode '{mode}'; known: {', '.join(modes)}")
        return modes[mode or self.default_mode]

    def choices(self) -> Any:
        """A new instance of the options with all defaults; ``None`` where the method has none.

        Raises:
            BrokenPluginError: the class cannot be imported, or is no dataclass with a default for every field.
        """
        return self.dataclass_of(self.options) if self.options else None

    @property
    def trained_with(self) -> Uses:
        """All that any mode is given."""
        return reduce(or_, (uses for _, uses in self.modes))


@dataclass(frozen=True)
class ExpertSpec(TrainableSpec):
    """A network that judges, or that a method needs trained first: sync expert, lip reader, perceptual autoencoder."""


@dataclass(frozen=True)
class DatasetSpec(Spec):
    """A source of clips. ``target`` is a :class:`zoo.data.sources.base.Source`.

    Attributes:
        citation: whom to credit.
        url: where its owner publishes it.
        splits: named ways to divide it (:mod:`zoo.data.splits`), the default first.
        embedded: whether it makes its own clips, so that no root is needed.
        drawn: whether its faces are drawn, not filmed: a network that saw no others says so wherever it meets real
            people (:mod:`zoo.methods.corpora`).
        example: ``"package.module:function"`` that lays a few raw clips into a folder (a ``Path``), as its owner
            publishes them, for :mod:`zoo.testing`; may be empty.
        recipes_of: data set whose recipes fit, where a method has none for this one; may be empty.
    """

    citation: str = ""
    url: str = ""
    splits: tuple[str, ...] = ("by-speaker",)
    embedded: bool = False
    example: str = ""
    drawn: bool = False
    recipes_of: str = ""


@dataclass(frozen=True)
class FaceSpec(Spec):
    """A face backend. ``target`` is a class made without arguments.

    It is the :class:`zoo.face.base.Detector`, ``Landmarker`` or ``Embedder`` that its group says (``zoo.detectors``,
    ``zoo.landmarkers``, ``zoo.embedders``).
    """


Better = Literal["lower", "higher", "near 0", "near 1"]

Need = Literal["face", "embedder", "sync-expert", "lip-reader", "text", "backbone"]


@dataclass(frozen=True)
class MetricSpec(Spec):
    """A measure. ``target`` is a :class:`zoo.evaluation.metrics.base.ClipMetric`.

    Attributes:
        unit: of its values, for example ``px``; empty where they have none.
        better: which values are better.
        needs: what must be there beside the two videos: a ``face`` in the generated one, a judge (``embedder``,
            ``sync-expert``, ``lip-reader``), the ``text`` that is spoken, or the weights of a ``backbone`` that does
            not come with the zoo.
        real_row: whether its value for the real video itself tells something (what a perfect generator would get);
            where it does not, that is the best value there is.
        bounds: least and greatest value that it can have, as ``0..1``; either may be missing, as in ``0..``.
        options: constructor arguments that make this measure out of its class, as pairs of name and value.
    """

    unit: str = ""
    better: Better = "lower"
    needs: tuple[Need, ...] = ()
    real_row: bool = False
    bounds: str = ""
    options: tuple[tuple[str, str], ...] = ()


def load_object(path: str) -> Any:
    """Import ``"package.module:attribute"``; what the module prints goes to standard error.

    Raises:
        ImportError: the path is no such path, or the module or the attribute does not exist.
    """
    module_name, colon, name = path.partition(":")
    if not (module_name and colon and name):
        raise ImportError(f"'{path}' is not of the form package.module:attribute")
    with redirect_stdout(sys.stderr):  # standard output may be JSON
        module = import_module(module_name)
    try:
        return attrgetter(name)(module)
    except AttributeError as error:
        raise ImportError(f"module '{module_name}' has no '{name}'") from error


def reason(error: BaseException) -> str:
    """An exception as one line: its type and what it says."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def setting(
    default: Any,
    text: str,
    source: str = "",
    *,
    choices: tuple[Any, ...] = (),
    least: int | float | None = None,
    weights: str = "",
    unless: str = "",
) -> Any:
    """A field of a settings dataclass that carries its own help, shown by ``zoo info``.

    Args:
        default: the default value; a list or dict is copied for every instance.
        text: what it does, with its unit.
        source: where the number comes from: paper and equation or table, "code", or "ours".
        choices: all values that it may have, where they can be counted.
        least: the smallest number that makes sense.
        weights: name of the expert whose weights it takes (:attr:`MethodSpec.requires`).
        unless: name of the setting that is 0 where these weights are not asked.
    """
    metadata = {
        "help": text, "source": source, "choices": choices, "least": least, "weights": weights, "unless": unless,
    }  # fmt: skip
    if isinstance(default, (list, dict)):
        return dataclasses.field(default_factory=lambda: default.copy(), metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)
