"""Files of weights are read here and nowhere else: nothing in them is executed, and what is no weights is one line."""

from __future__ import annotations

import hashlib
import json
import re
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from zoo.support.errors import DataError
from zoo.support.files import zip_damage

MOST_VALUES = 1_000_000
"""Values of a checkpoint, tensors counted as one each; the largest here has some ten thousand."""

MOST_LEVELS = 40
"""Containers inside one another."""

MOST_SEED = 2**63
"""Seeds are below it."""

_SCALARS = (str, int, float, bool, type(None))

_NO_CHECKPOINT = "not a checkpoint that can be read safely"


def read_checkpoint(path: str | Path) -> dict[str, Any]:
    """Read a checkpoint of ``zoo fit``, or its weights as safetensors, without executing anything.

    What kind of file it is, its content says.

    Returns:
        ``zoo``: what is needed to build the module again (``method``, ``config``, ``seed``, perhaps ``scores``);
        ``state_dict``: its weights; of a checkpoint also what a run needs to go on (:mod:`zoo.training.resume`).

    Raises:
        DataError: the file is missing, damaged, or not made by ``zoo fit``.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(f"{path}: no such checkpoint; `zoo fit METHOD` makes one")
    try:
        kept = read_tensors(path)
    except Unreadable as error:
        no = "not weights of the zoo" if is_safetensors(path) else _NO_CHECKPOINT
        raise DataError(f"{path}: {no}: {error}") from error
    no = "not weights of the zoo" if is_safetensors(path) else "not a checkpoint of `zoo fit`"
    if problem := _problem(kept):
        raise DataError(f"{path}: {no}: {problem}")
    # Without what torch hangs on the dict (`_metadata`), which it believes and which was not looked at.
    return kept | {"state_dict": dict(kept["state_dict"])}


class Unreadable(Exception):
    """Why a file cannot be read safely, to follow the path and a colon."""


def read_tensors(path: Path) -> Any:
    """What a file of weights holds: plain tensors, numbers, words, and dicts and lists of them.

    Args:
        path: a file of ``torch.save`` (as ZIP, or as PyTorch wrote them before 1.6), or safetensors.

    Returns:
        What was given to ``torch.save``, most often a dict; of safetensors a dict of ``state_dict``, and of
        ``zoo`` where the header has it.

    Raises:
        Unreadable: anything else, or a file that is damaged.
    """
    found: Any = _read_safetensors(path) if is_safetensors(path) else _read_torch(path)
    _check_plain(found)
    return found


def is_safetensors(path: Path) -> bool:
    """Whether a file is meant as safetensors: by its first bytes, or else its name."""
    try:
        with path.open("rb") as file:
            head, size = file.read(9), path.stat().st_size
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    if head[8:] == b"{" and int.from_bytes(head[:8], "little") <= size - 8:
        return True
    return path.suffix == ".safetensors" and not head.startswith(b"PK\x03\x04")


def _read_torch(path: Path) -> Any:
    with path.open("rb") as file:
        head = file.read(4)
    if not head:
        raise Unreadable("the file is empty")
    if head == b"PK\x03\x04" and (damage := zip_damage(path, "data.pkl")):
        raise Unreadable(damage)
    try:
        with warnings.catch_warnings(action="ignore"):  # of odd pickles; what cannot be read is refused
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch's advice is to read it unsafely; ours is not to
        raise Unreadable(_why(str(error), head)) from error


def _why(said: str, head: bytes) -> str:
    """Our words for what torch says of a file."""
    if run := re.search(r"GLOBAL ([\w.]+)", said):
        return f"reading it would run {run[1]}"
    if head[:1] == b"\x80":
        return "it is no file of torch.save, but a pickle of Python objects"
    return "it is no file of torch.save"


def _read_safetensors(path: Path) -> dict[str, Any]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            found: dict[str, Any] = {"state_dict": {name: file.get_tensor(name) for name in file.keys()}}  # noqa: SIM118
        kept = header.get("zoo")
        if "sha256" in header and header["sha256"] != digest(path, kept or ""):
            raise Unreadable("damaged: its bytes do not have the checksum that was written with them")
        return found if kept is None else found | {"zoo": json.loads(kept)}
    except (SafetensorError, OSError, ValueError, RecursionError) as error:
        raise Unreadable(f"damaged, or something else ({type(error).__name__})") from error


def in_order(data: bytes) -> bytes:
    """A safetensors file with the entries of its header in order, so that the same weights are the same bytes.

    Args:
        data: the bytes of the file.
    """
    size = int.from_bytes(data[:8], "little")
    header = json.dumps(json.loads(data[8 : 8 + size]), sort_keys=True, separators=(",", ":")).encode()
    header = header.ljust(-(-len(header) // 8) * 8)  # the tensors begin at a multiple of 8
    return len(header).to_bytes(8, "little") + header + data[8 + size :]


def digest(path: Path, facts: str) -> str:
    """SHA-256 of a safetensors file's tensors and of the facts in its header, which holds the sum itself as well."""
    total = hashlib.sha256(facts.encode())
    with path.open("rb") as file:
        file.seek(8 + int.from_bytes(file.read(8), "little"))
        while part := file.read(2**20):
            total.update(part)
    return total.hexdigest()


def _check_plain(found: object) -> None:
    """Refuse what is no plain value, and what stands inside itself or so often that a walk through it never ends."""
    left: list[tuple[Any, int]] = [(found, 0)]
    count = 0
    while left:
        value, level = left.pop()
        count += 1
        if count > MOST_VALUES or level > MOST_LEVELS:
            raise Unreadable("its parts stand inside one another without end")
        if isinstance(value, dict):
            if odd := next((key for key in value if not isinstance(key, (str, int))), None):
                raise Unreadable(f"a name in it is a {type(odd).__name__}")
            left += [(part, level + 1) for part in value.values()]
        elif isinstance(value, (list, tuple)):
            left += [(part, level + 1) for part in value]
        elif isinstance(value, Tensor):
            _check_tensor(value)
        elif type(value) not in _SCALARS:
            raise Unreadable(f"it holds a {type(value).__name__}, more than tensors, numbers and words")


def _check_tensor(value: Tensor) -> None:
    if type(value) not in (Tensor, nn.Parameter) or value.layout != torch.strided or value.is_quantized:
        raise Unreadable("it holds a sparse or otherwise special tensor")
    if value.device.type != "cpu" or value.numel() * value.element_size() > value.untyped_storage().nbytes():
        raise Unreadable("it holds a tensor that is larger than its bytes")


def _problem(kept: object) -> str:
    """Why something is no checkpoint of the zoo; empty where it is one."""
    if not isinstance(kept, dict):
        return f"it holds a {type(kept).__name__}"
    facts, state = kept.get("zoo"), kept.get("state_dict")
    if not isinstance(facts, dict) or not {"method", "config", "seed"} <= facts.keys():
        return "what it is of does not stand in it"
    if not isinstance(state, dict) or not all(isinstance(name, str) for name in state):
        return "no weights by name"
    if not all(isinstance(value, Tensor) for value in state.values()):
        return "its weights are not all tensors"
    seed = facts["seed"]
    if type(seed) is not int or not 0 <= seed < MOST_SEED:
        return "its seed is no number of 0 or more"
    kinds = {"method": str, "config": dict, "version": str, "scores": dict, "origin": list}
    wrong = [name for name, kind in kinds.items() if not isinstance(facts.get(name, kind()), kind)]
    return f"{wrong[0]} is a {type(facts[wrong[0]]).__name__}" if wrong else ""
