"""Training on two processes, as ``zoo fit trainer.devices=2 trainer.strategy=ddp`` does it: are they still one?"""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor, nn

    from zoo.testing.cases import TrainableCase

TIMEOUT_S = 600
"""Seconds for two processes and one plugin; processes that wait for each other would wait for ever."""


@dataclass(frozen=True)
class Rank:
    """What one of the two processes found.

    Attributes:
        weights: SHA-256 of all parameters after training.
        few: all parameters after :func:`zoo.testing.trial.few_steps`.
        shared: what importing the class changed of the state that all code shares.
        calls: addresses of other machines that importing it asked for.
        error: why it did not come to its end; empty where it did.
    """

    weights: str = ""
    few: dict[str, Tensor] = field(default_factory=dict)
    shared: tuple[str, ...] = ()
    calls: tuple[str, ...] = ()
    error: str = ""


_done: dict[tuple[str, str], list[Rank]] = {}


def two_processes(case: TrainableCase) -> list[Rank]:
    """Train the trial of a case, and of its peers in the same two processes: for two epochs, and a few steps anew.

    A plugin that takes the processes down is tried once more, alone, before it is blamed.
    """
    corpus, name = case.corpus, case.config.method
    left = [peer for peer in dict.fromkeys([*case.peers, name]) if (peer, str(corpus)) not in _done]
    if name in left:
        found = _launch(left, corpus)
        _done.update({(peer, str(corpus)): ranks for peer, ranks in found.items() if not _failed(ranks)})
        alone = found if left == [name] else {}
        if (name, str(corpus)) not in _done:
            _done[name, str(corpus)] = (alone or _launch([name], corpus))[name]
    return _done[name, str(corpus)]


def _failed(ranks: Sequence[Rank]) -> bool:
    return any(rank.error for rank in ranks)


def _launch(names: Sequence[str], corpus: Path | None) -> dict[str, list[Rank]]:
    with tempfile.TemporaryDirectory(prefix="zoo-testing-", ignore_cleanup_errors=True) as folder:
        told = _train(names, corpus, folder)
        return {name: [_read(Path(folder), name, rank, told) for rank in (0, 1)] for name in names}


def _train(names: Sequence[str], corpus: Path | None, folder: str) -> str:
    """Run the two processes; what they say on standard error."""
    command = [sys.executable, "-P", "-m", "zoo.testing.processes", folder, str(corpus or ""), *names]
    environment = {key: value for key, value in os.environ.items() if key not in ("LOCAL_RANK", "WORLD_SIZE")}
    environment |= {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        _, told = process.communicate(timeout=TIMEOUT_S + 60 * len(names))
    except subprocess.TimeoutExpired:
        told = "the processes wait for each other: one takes steps that the other does not"
    finally:
        _end(process)
    return told


def _end(process: subprocess.Popen[str]) -> None:
    """End what was started, its own child included."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    finally:
        process.wait()


def _read(folder: Path, name: str, rank: int, told: str) -> Rank:
    import torch

    path = _file(folder, name, rank)
    if not path.is_file():
        last = next((line.strip() for line in reversed(told.splitlines()) if line.strip()), "it ended without a word")
        return Rank(error=f"process {rank} did not come to its end: {last[:300]}")
    return Rank(**torch.load(path, weights_only=True))


def _file(folder: Path, name: str, rank: int) -> Path:
    return folder / f"{name.replace(':', '-')}-{rank}.pt"


def fingerprint(module: nn.Module) -> str:
    """SHA-256 of all parameters. Buffers are left out: running means are those of each process's own clips."""
    digest = hashlib.sha256()
    for name, value in module.named_parameters():
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _import_alone(name: str) -> tuple[list[str], list[str]]:
    """What importing the class of a plugin changes, and whom it asks for."""
    from zoo import registry
    from zoo.testing.guards import no_network, watch_state

    calls: list[str] = []
    with watch_state() as changed, no_network(calls):
        registry.trainable(name).load()
    return changed, calls


def main(folder: Path, corpus: Path | None, names: Sequence[str]) -> None:
    """One of the two processes; Lightning starts the other with the same command line."""
    import torch

    from zoo import registry
    from zoo.testing.corpus import corpus_of
    from zoo.testing.guards import no_network
    from zoo.testing.trial import few_steps, fit, trial

    torch.set_num_threads(1)
    for name in names:
        shared, calls = _import_alone(name)
        spec = registry.trainable(name)
        config = trial(spec, corpus or corpus_of(spec))
        runs = folder / name.replace(":", "-")
        with no_network([]):  # what building and training ask for is no matter of the import
            module, _ = fit(config, runs / "epochs", epochs=2, devices=2, strategy="ddp")
            few = few_steps(config, runs / "few", devices=2, strategy="ddp")
        found = Rank(fingerprint(module), few, tuple(shared), tuple(calls))
        torch.save(asdict(found), _file(folder, name, module.global_rank))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]) if sys.argv[2] else None, sys.argv[3:])
