"""The generating network of a method as a file that runs without the zoo: ONNX, TorchScript, or plain weights."""

from __future__ import annotations

import io
import json
import logging
import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.fx.experimental.proxy_tensor import make_fx
from torch.overrides import TorchFunctionMode

from zoo import __version__
from zoo.data.request import Pictures, Request
from zoo.media.audio import num_samples
from zoo.media.clip import NUM_LANDMARKS
from zoo.methods import trainable
from zoo.methods.method import TalkingFaceMethod
from zoo.registry.spec import InputSpec, reason
from zoo.support.errors import ConfigError, ZooError
from zoo.support.files import write_aside
from zoo.synthesis.provenance import checkpoint_name

SUFFIXES = {"onnx": ".onnx", "torchscript": ".pt", "safetensors": ".safetensors"}
"""Formats, and how their files end."""

TOLERANCE = 1e-3
"""Largest difference of a value in [0, 1] that the file may make: a quarter of a grey level."""

OPSET = 20
"""Version of ONNX's operators: the first with DFT on any axis and GridSample in three dimensions."""


class ExportError(ZooError):
    """A method that a format cannot hold, or a file that makes other frames than the method."""


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes:
        path: the file.
        frames: how many frames it makes; ``None`` where that is not fixed.
        difference: the largest one between its frames and the method's, for inputs that it had not seen, in [0, 1].
    """

    path: Path
    frames: int | None
    difference: float


Made = Callable[[Sequence[Tensor]], Tensor]
"""Makes frames from the inputs of :class:`Generate`."""


class Generate(nn.Module):
    """``generate()`` for clips of one length, as a network with tensors for inputs and nothing else.

    Args:
        method: the method, in evaluation mode.
        frames: how many frames ``T``.
    """

    def __init__(self, method: TalkingFaceMethod, frames: int) -> None:
        super().__init__()
        self.method, self.frames, self.uses = method, frames, method.spec.uses()

    def forward(
        self,
        identity: Float[Tensor, "1 N 3 H W"],
        wave: Float[Tensor, "1 S"],
        pose: Float[Tensor, "1 T 3 H W"] | None = None,
    ) -> Float[Tensor, "1 T 3 H W"]:
        """See :meth:`zoo.methods.method.TalkingFaceMethod.generate`."""
        driver = None if pose is None else _without_points(pose)
        request = Request(num_frames=self.frames, identity=_without_points(identity), sound=wave, driver=driver)
        return self.method.generate(request)

    def inputs(self, seed: int) -> tuple[Tensor, ...]:
        """Inputs of the right shapes and ranges, drawn at random."""
        spec, draw = self.method.input_spec, torch.Generator().manual_seed(seed)
        identity = torch.rand(1, self.uses.stills, 3, *spec.size, generator=draw)
        wave = torch.rand(1, num_samples(self.frames), generator=draw) - 0.5
        if not self.uses.driver:
            return identity, wave
        return identity, wave, torch.rand(1, self.frames, 3, *spec.size, generator=draw)

    def describe(self, checkpoint: Path) -> dict[str, Any]:
        """Shapes, ranges and rates of inputs and output, and where the network comes from."""
        spec: InputSpec = self.method.input_spec
        picture = {"colour": "RGB", "range": [0, 1], "crop": spec.crop}
        clip = [1, self.frames, 3, *spec.size]
        inputs = {
            "identity": {"shape": [1, self.uses.stills, 3, *spec.size], **picture},
            "wave": {"shape": [1, num_samples(self.frames)], "range": [-1, 1], "sample_rate": spec.sample_rate},
        }
        if self.uses.driver:
            inputs["pose"] = {"shape": clip, **picture, "fps": spec.fps, "shown": self.uses.driver}
        return {
            "method": self.method.method_name,
            "inputs": inputs,
            "output": {"frames": {"shape": clip, **picture, "fps": spec.fps, "paste": spec.paste}},
            "checkpoint": checkpoint_name(checkpoint),
            "zoo": __version__,
        }


def _without_points(frames: Float[Tensor, "1 T 3 H W"]) -> Pictures:
    return Pictures(frames=frames, points=frames.new_full((*frames.shape[:2], NUM_LANDMARKS, 2), math.nan))


class _Draws(TorchFunctionMode):
    """Numbers that a method draws from generators of its own: kept in a first run, and constants in the next."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: list[Tensor] = []
        self.left: Iterator[Tensor] | None = None

    def again(self) -> _Draws:
        """From now on what was drawn before is given."""
        self.left = iter([value.clone() for value in self.kept])
        return self

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if kwargs.get("generator") is None:
            return func(*args, **kwargs)
        if self.left is not None:
            return next(self.left)
        made = func(*args, **kwargs)
        self.kept.append(made.detach().clone())
        return made


def export(name: str, checkpoint: Path, kind: str, out: Path | None = None, *, frames: int = 25) -> Exported:
    """Write the network that generates, and check that the file makes the same frames.

    Args:
        name: the method.
        checkpoint: of ``zoo fit``.
        kind: ``onnx``, ``torchscript`` or ``safetensors``.
        out: the file; ``None``: the checkpoint's name with the format's ending, beside it.
        frames: how many frames an ONNX or TorchScript file makes at once; its sound has 640 samples for each.

    Raises:
        ConfigError: a package is missing, or an argument makes no sense.
        ExportError: the format cannot hold the method, or the file makes other frames; nothing is written then.
    """
    if kind not in SUFFIXES:
        raise ConfigError(f"--format: '{kind}' is none of {', '.join(SUFFIXES)}")
    if frames < 1:
        raise ConfigError("--frames: give at least 1")
    method = trainable.load_checkpoint(checkpoint, name)
    if not isinstance(method, TalkingFaceMethod):
        raise ConfigError(f"{name}: an expert, which judges faces and makes none; `zoo list methods` names methods")
    path = out or checkpoint.with_name(f"{checkpoint.stem}-{method.method_name}{SUFFIXES[kind]}")
    if path.suffix != SUFFIXES[kind]:
        raise ConfigError(f"--out: {path.name} must end in {SUFFIXES[kind]}")
    if path.exists() and path.samefile(checkpoint):
        raise ConfigError(f"--out: {path} is the checkpoint and would be overwritten; choose another name")
    network = Generate(method.requires_grad_(False), frames).eval()
    with write_aside(path) as aside:
        try:
            with _quiet():
                run = {"onnx": _onnx, "torchscript": _torchscript, "safetensors": _safetensors}[kind](
                    network, aside, network.describe(checkpoint)
                )
                difference = apart(network, run)
        except ZooError:
            raise
        except Exception as error:
            raise ExportError(f"{name} cannot be exported as {kind}: {_why(error)}") from error
        if not difference <= TOLERANCE:
            raise ExportError(
                f"{name} as {kind} makes frames that differ by up to {difference:.2g} ({TOLERANCE:g} is allowed): it "
                "computes what the format does not hold, such as numbers drawn anew in every call, or an `if` on "
                "what it hears"
            )
    return Exported(path, None if kind == "safetensors" else frames, difference)


def apart(network: Generate, run: Made) -> float:
    """The largest difference between frames of the network and of a file, for inputs it was not made with.

    Noise, silence and black pictures: a network that decides by what it gets may have another path for those.
    """
    drawn = network.inputs(seed=2)
    dark, quiet = torch.zeros_like(drawn[0]), torch.zeros_like(drawn[1])
    worst = 0.0
    for picture, sound in ((drawn[0], drawn[1]), (drawn[0], quiet), (dark, 0.01 * drawn[1])):
        given = (picture, sound, *drawn[2:])
        with torch.inference_mode():
            wanted, made = network(*given), run(given)
        if made.shape != wanted.shape:
            raise ExportError(f"the file makes {tuple(made.shape)}, not {tuple(wanted.shape)}")
        found = float((made - wanted).abs().max())
        worst = max(worst, found) if math.isfinite(found) else math.inf
    return worst


def _torchscript(network: Generate, path: Path, facts: dict[str, Any]) -> Made:
    given = network.inputs(seed=1)
    with torch.no_grad(), _Draws() as draws:
        network(*given)
        draws.again()
        # A function, not the module: what generating does not need stays out, and Lightning's attributes are not asked.
        traced = torch.jit.trace(lambda *inputs: network(*inputs), given, check_trace=False)  # type: ignore[no-untyped-call]
    traced.save(str(path), _extra_files={"zoo.json": json.dumps(facts).encode()})
    loaded = torch.jit.load(str(path), map_location="cpu")  # type: ignore[no-untyped-call]
    return lambda inputs: loaded(*inputs)


def _onnx(network: Generate, path: Path, facts: dict[str, Any]) -> Made:
    onnx, runtime = _packages()
    given = network.inputs(seed=1)
    names = [*facts["inputs"]]
    with torch.no_grad(), _Draws() as draws:
        network(*given)
        try:
            draws.again()
            exported = torch.export.export(network, given, strict=False)
        except Exception:  # it computes with numbers that export cannot know
            draws.again()
            exported = torch.export.export(_unrolled(network, given), given)
    program = torch.onnx.export(exported, given, dynamo=True, input_names=names, output_names=["frames"],
                                opset_version=OPSET, verbose=False)  # fmt: skip
    assert program is not None
    model = program.model_proto
    for key, value in {"zoo": json.dumps(facts), "method": facts["method"]}.items():
        model.metadata_props.add(key=key, value=value)
    onnx.save(model, str(path))
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])

    def run(inputs: Sequence[Tensor]) -> Tensor:
        (made,) = session.run(None, {name: value.numpy() for name, value in zip(names, inputs, strict=True)})
        return torch.from_numpy(made)

    return run


def _unrolled(network: Generate, given: tuple[Tensor, ...]) -> nn.Module:
    """The operations of one run, one after the other.

    They are taken from a real run: what a method reads out of tensors, such as the longest of some lengths, is then a
    number.
    """
    graph = make_fx(lambda *inputs: network(*inputs), tracing_mode="real", _error_on_data_dependent_ops=False)(*given)
    graph.graph.eliminate_dead_code()
    graph.recompile()
    return graph


def _packages() -> tuple[Any, Any]:
    """The packages ``onnx`` and ``onnxruntime``.

    Raises:
        ConfigError: one of the packages is missing.
    """
    try:
        import onnx
        import onnxruntime  # type: ignore[import-untyped, unused-ignore]
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise ConfigError(
            f"--format onnx: {error.name} is not installed; run: pip install 'talking-face-zoo[export]'"
        ) from error
    return onnx, onnxruntime


def _safetensors(network: Generate, path: Path, facts: dict[str, Any]) -> Made:
    from safetensors.torch import save

    tensors = {name: value.detach().cpu().contiguous() for name, value in network.method.state_dict().items()}
    kept = {"zoo": json.dumps(network.method.checkpoint_metadata()), "export": json.dumps(facts)}
    path.write_bytes(save(tensors, kept))
    loaded = trainable.load_checkpoint(path, network.method.method_name)
    assert isinstance(loaded, TalkingFaceMethod)
    return lambda inputs: Generate(loaded, network.frames)(*inputs)


@contextmanager
def _quiet() -> Iterator[None]:
    """Exporters tell much of themselves."""
    names = ("torch.onnx", "torch.export", "torch.fx.experimental.symbolic_shapes", "onnxscript", "onnx_ir")
    levels = {name: logging.getLogger(name).level for name in names}
    with warnings.catch_warnings(), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        for name in levels:
            logging.getLogger(name).setLevel(logging.ERROR)
        try:
            yield
        finally:
            for name, level in levels.items():
                logging.getLogger(name).setLevel(level)


def _why(error: BaseException) -> str:
    """The first cause of an exporter's error, as a short line."""
    while error.__cause__ is not None:
        error = error.__cause__
    return reason(error)[:300]
