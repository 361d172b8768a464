"""Reads back what W&B wrote offline."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class OfflineRun:
    """One ``offline-run-*`` folder.

    Attributes:
        folder: where it lies.
        id: of the run.
        name: shown.
        group: of runs.
        project: that it belongs to.
        kind: W&B's ``job_type``.
        config: what the run is, by name.
        history: the last of everything that was logged, by name.
        summary: by name.
        exit_code: what it ended with; -1 where it did not end.
        artifacts: files on this disk, by name of the artifact and name of the file.
    """

    folder: Path
    id: str = ""
    name: str = ""
    group: str = ""
    project: str = ""
    kind: str = ""
    config: dict[str, Any] = field(default_factory=dict)
    history: dict[str, Any] = field(default_factory=dict)
    summary: dict[str, Any] = field(default_factory=dict)
    exit_code: int = -1
    artifacts: dict[str, dict[str, Path]] = field(default_factory=dict)

    def file(self, name: str) -> Path:
        """The file of something logged: a table, a video, a page."""
        return self.folder / "files" / str(self.history[name]["path"])

    def table(self, name: str) -> list[dict[str, Any]]:
        """The lines of a table."""
        table = json.loads(self.file(name).read_text())
        return [dict(zip(table["columns"], line, strict=True)) for line in table["data"]]


def read_runs(folder: Path) -> list[OfflineRun]:
    """All runs that lie in a folder ``wandb``, oldest first, once W&B has written all of them."""
    import wandb

    wandb.teardown()
    return [read_run(path) for path in sorted(folder.glob("offline-run-*"))]


def read_run(folder: Path) -> OfflineRun:
    """One run."""
    found = OfflineRun(folder)
    (path,) = folder.glob("*.wandb")
    for record in _records(path):
        run = record.run
        if run.run_id:
            found.id, found.name, found.group = run.run_id, run.display_name, run.run_group
            found.project, found.kind = run.project, run.job_type
        for into, items in (
            (found.config, run.config.update),
            (found.config, record.config.update),
            (found.history, record.history.item),
            (found.summary, record.summary.update),
        ):
            for item in items:
                _put(into, item.key or list(item.nested_key), json.loads(item.value_json))
        if record.HasField("exit"):
            found.exit_code = record.exit.exit_code
        artifact = record.request.log_artifact.artifact if record.HasField("request") else record.artifact
        if artifact.name:
            files = {item.path: Path(item.local_path) for item in artifact.manifest.contents}
            found.artifacts[artifact.name] = files
    return found


def _put(into: dict[str, Any], key: str | list[str], value: Any) -> None:
    """Set a value; a list of names leads into dictionaries of dictionaries."""
    *path, last = [key] if isinstance(key, str) else key
    for name in path:
        into = into.setdefault(name, {})
    into[last] = value


def _records(path: Path) -> Iterator[Any]:
    """Records of W&B's offline file: LevelDB's log format behind seven bytes."""
    from wandb.proto import wandb_internal_pb2

    data = path.read_bytes()
    assert data.startswith(b":W&B")
    place, pending = 7, b""
    while place + 7 <= len(data):
        left = 32768 - place % 32768
        if left < 7:  # a record's head is not split over two blocks
            place += left
            continue
        length, kind = struct.unpack_from("<HB", data, place + 4)
        pending += data[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (1, 4):  # whole, or the last part
            record = wandb_internal_pb2.Record()
            record.ParseFromString(pending)
            yield record
            pending = b""
