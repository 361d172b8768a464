"""Which of several sound tracks is read."""

from pathlib import Path

import av
import pytest
from av.stream import Disposition

from tests.helpers.recordings import packets_of, speechlike
from zoo.media.audio import read_audio
from zoo.media.files import audio_stream, open_media
from zoo.support.errors import MediaError


def make_tracks(path: Path, tracks: list[tuple[Disposition, str]]) -> Path:
    """One mono track per entry with these flags and this title; track ``k`` is ``0.1 * (k + 1)`` times as loud."""
    with av.open(str(path), "w") as container:
        streams = []
        for flags, title in tracks:
            stream = container.add_stream("pcm_s16le", rate=16_000, layout="mono")
            stream.disposition = flags
            stream.metadata["title"] = title
            streams.append(stream)
        for k, stream in enumerate(streams):
            for packet in packets_of(stream, speechlike(0.5, 16_000)[None] * 0.1 * (k + 1)):
                container.mux(packet)
    return path


NONE, DEFAULT, COMMENT, BLIND = Disposition(0), Disposition.default, Disposition.comment, Disposition.visual_impaired


@pytest.mark.parametrize(
    ("tracks", "chosen"),
    [
        ([(NONE, ""), (NONE, "")], 0),
        ([(NONE, ""), (DEFAULT, "")], 1),
        ([(BLIND, ""), (DEFAULT, "")], 1),
        ([(BLIND, ""), (NONE, "")], 1),
        ([(COMMENT | DEFAULT, ""), (NONE, "")], 1),
        ([(COMMENT, "")], 0),
        ([(NONE, "Director's Commentary"), (NONE, "English")], 1),
        ([(NONE, "English (audio description)"), (NONE, "English"), (NONE, "")], 1),
    ],
)
def test_the_track_that_a_player_would_play(tmp_path: Path, tracks: list[tuple[Disposition, str]], chosen: int):
    path = make_tracks(tmp_path / "a.mkv", tracks)
    with open_media(path) as container:
        assert audio_stream(container, path).index == chosen
    loudness = read_audio(path).square().mean().sqrt() / speechlike(0.5, 16_000).std()
    assert loudness == pytest.approx(0.1 * (chosen + 1), rel=0.02)


def test_no_track(tmp_path: Path):
    with av.open(str(tmp_path / "a.mkv"), "w") as container:
        stream = container.add_stream("rawvideo", rate=25)
        stream.height = stream.width = 16
        stream.pix_fmt = "yuv420p"
        container.mux(stream.encode(av.VideoFrame(16, 16, "yuv420p")))
        container.mux(stream.encode(None))
    with open_media(tmp_path / "a.mkv") as container, pytest.raises(MediaError, match="no sound track"):
        audio_stream(container, tmp_path / "a.mkv")
