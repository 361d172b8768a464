"""How much memory there is, by the system's own files, and what happens where it ends."""

from pathlib import Path

import numpy as np
import pytest

from tests.helpers.videos import encode, numbered
from zoo.media.pictures import memory
from zoo.media.video import VideoFacts, read_video
from zoo.support.errors import MediaError


def system(root: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str]) -> None:
    """A Linux that says this and nothing else."""
    for name, text in {"proc/self/statm": "0 0 0 0 0 0 0\n", **files}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    monkeypatch.setattr(memory, "PROC", root / "proc")
    monkeypatch.setattr(memory, "CGROUPS", root / "cgroup")


MACHINE = {"proc/meminfo": "MemTotal: 9000 kB\nMemFree: 100 kB\nMemAvailable: 8000 kB\n"}


def test_what_the_machine_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    system(tmp_path, monkeypatch, MACHINE)
    assert memory.free_memory() == 8000 * 1024


def test_a_systems_silence_is_no_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    system(tmp_path, monkeypatch, {})
    assert memory.free_memory() is None


@pytest.mark.parametrize("group", ["job", "."])
def test_a_containers_limit_in_the_second_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, group: str):
    """The limit of the group or of one above it; what is only kept of files is given up when it is needed."""
    limits = {
        f"cgroup/{group}/memory.max": "3000000\n",
        f"cgroup/{group}/memory.current": "1000000\n",
        f"cgroup/{group}/memory.stat": "anon 500000\ninactive_file 400000\n",
        "cgroup/job/step/memory.max": "max\n",
        "cgroup/job/step/memory.current": "10\n",
    }
    system(tmp_path, monkeypatch, MACHINE | limits | {"proc/self/cgroup": "0::/job/step\n"})
    assert memory.free_memory() == 2_400_000


def test_a_containers_limit_in_the_first_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    limits = {
        "cgroup/memory/job/memory.limit_in_bytes": "2000000\n",
        "cgroup/memory/job/memory.usage_in_bytes": "1500000\n",
        "proc/self/cgroup": "5:cpu,cpuacct:/job\n4:memory:/job\n0::/\n",
    }
    system(tmp_path, monkeypatch, MACHINE | limits)
    assert memory.free_memory() == 500_000


def test_a_group_that_cannot_be_seen_from_inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    limits = {"cgroup/memory.max": "2000000\n", "cgroup/memory.current": "0\n", "proc/self/cgroup": "0::/out/side\n"}
    system(tmp_path, monkeypatch, MACHINE | limits)
    assert memory.free_memory() == 2_000_000


def test_more_use_than_limit_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    limits = {"cgroup/memory.max": "100\n", "cgroup/memory.current": "900\n", "proc/self/cgroup": "0::/\n"}
    system(tmp_path, monkeypatch, MACHINE | limits)
    assert memory.free_memory() == 0


def test_need():
    facts = VideoFacts(height=100, width=200, fps=50.0, seconds=10.0)
    assert facts.num_bytes() == 500 * 60_000
    assert facts.num_bytes(25.0) == 250 * 60_000
    assert facts.num_bytes(25.0, seconds=2.0) == 50 * 60_000
    assert facts.num_bytes(25.0, seconds=99.0) == 250 * 60_000
    assert VideoFacts(100, 200, 50.0, None).num_bytes() == 60_000


def test_the_message_names_need_and_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = encode(tmp_path / "a.mp4", numbered(80))
    monkeypatch.setattr("zoo.media.video.free_memory", lambda: 200_000)
    with pytest.raises(MediaError, match=r"a\.mp4: .*48x32.* 0\.000369 GB .* 0\.0002 GB") as error:
        read_video(path)
    assert "\n" not in str(error.value)
    assert len(read_video(path, seconds=1.0).frames) == 25


def test_a_header_that_says_too_little_is_found_out_on_the_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    one = encode(tmp_path / "a.ts", numbered(40), kind="mpegts", codec="libx264", pixels="yuv420p")
    one.write_bytes(one.read_bytes() * 4)
    assert len(read_video(one).frames) == pytest.approx(160, abs=4)
    left = [70 * 48 * 32 * 3, 0]
    monkeypatch.setattr("zoo.media.video.free_memory", lambda: left.pop(0))
    with pytest.raises(MediaError, match="memory"):
        read_video(one)


def test_no_memory_while_decoding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    import av

    def fail(*_: object, **__: object) -> np.ndarray:
        raise av.error.MemoryError(12, "Cannot allocate memory", "a.mp4")

    path = encode(tmp_path / "a.mp4", numbered(5))
    monkeypatch.setattr("zoo.media.pictures.source.to_rgb", fail)
    with pytest.raises(MediaError, match=r"a\.mp4: not enough memory"):
        read_video(path)
