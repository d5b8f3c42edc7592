from __future__ import annotations

import tracemalloc
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from detection.video import Frame, Recording, VideoError, VideoReader, VideoReport, probe
from tests.detection.clips import START_US, cut_file, drop_packets, read_number, write_clip

TEN_PER_SECOND = range(0, 20_000, 100)


def read(path: Path, sample_fps: float = 1000, **options) -> tuple[list[Frame], VideoReport]:
    reader = VideoReader(Recording(str(path), "door", START_US), sample_fps, **options)
    frames = list(reader)
    return frames, reader.report


def seconds(frames: list[Frame]) -> np.ndarray:
    return np.array([frame.time_us - START_US for frame in frames]) / 1e6


def numbers(frames: list[Frame]) -> list[int]:
    return [read_number(frame.image) for frame in frames]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("clips")


@pytest.fixture(scope="module")
def mp4(folder) -> Path:
    return write_clip(folder / "plain.mp4", TEN_PER_SECOND)


@pytest.mark.case("PyAV 1023")
def test_frames_come_in_order_of_presentation_with_b_frames(mp4):
    frames, report = read(mp4)
    assert numbers(frames) == list(range(200))
    np.testing.assert_allclose(seconds(frames), np.arange(200) / 10, atol=1e-5)
    assert report.problems == () and report.gaps == () and report.timestamps == "container"
    assert (report.frames_decoded, report.frames_sampled) == (200, 200)
    assert report.seconds_seen == pytest.approx(20, abs=1e-3)


@pytest.mark.case("opencv 8834, opencv-python 123")
def test_variable_frame_rate_keeps_presentation_times(folder):
    stamps = [*range(0, 10_000, 200), *range(10_000, 20_000, 33)]
    frames, report = read(write_clip(folder / "variable.mp4", stamps))
    np.testing.assert_allclose(seconds(frames) * 1000, stamps, atol=0.1)
    box_shown = [time for time, number in zip(seconds(frames), numbers(frames), strict=True) if 20 <= number < 100]
    assert box_shown[-1] - box_shown[0] == pytest.approx((stamps[99] - stamps[20]) / 1000, abs=0.001)
    assert report.gaps == ()


@pytest.mark.case("opencv 17276")
def test_dropped_packets_are_a_gap(mp4, folder):
    frames, report = read(drop_packets(mp4, folder / "dropped.mp4", 6.0, 12.0))
    (gap,) = report.gaps
    assert (gap.start_us - START_US) / 1e6 == pytest.approx(6.0, abs=0.11)
    assert (gap.end_us - START_US) / 1e6 == pytest.approx(12.0, abs=0.11)
    assert report.seconds_seen == pytest.approx(14.0, abs=0.11)
    assert "read 70 % of 20.0 s" in report.problems[0]
    assert seconds(frames)[-1] == pytest.approx(19.9)


CONTAINERS = {
    "faststart.mp4": {"options": {"movflags": "faststart"}},
    "clip.webm": {"codec": "libvpx"},
    "mpeg4.avi": {"codec": "mpeg4", "time_base": Fraction(1, 10)},
    "bframes.avi": {"time_base": Fraction(1, 10)},
    "clip.mkv": {},
}


def container_clip(folder: Path, name: str) -> Path:
    options = CONTAINERS[name]
    stamps = range(200) if options.get("time_base") else TEN_PER_SECOND
    return write_clip(folder / name, stamps, **options)


@pytest.mark.parametrize("name", CONTAINERS)
def test_every_container_gives_the_same_frames_and_times(folder, name):
    frames, report = read(container_clip(folder, name))
    assert numbers(frames) == list(range(200))
    np.testing.assert_allclose(seconds(frames), np.arange(200) / 10, atol=1e-3)
    assert report.gaps == () and report.problems == ()


@pytest.mark.case("opencv 15352, 16576")
@pytest.mark.parametrize("name", CONTAINERS)
def test_truncated_file_is_partial_and_says_how_much_was_read(folder, name):
    frames, report = read(cut_file(container_clip(folder, name), 1 / 3))
    assert 20 < len(frames) < 100
    np.testing.assert_allclose(seconds(frames), np.arange(len(frames)) / 10, atol=1e-3)
    assert report.gaps[-1].end_us == report.end_us == START_US + 20_000_000
    assert report.seconds_seen == pytest.approx(len(frames) / 10, abs=0.2)
    share = round(100 * report.seconds_seen / 20)
    assert any(f"read {percent} % of 20.0 s" in report.problems[0] for percent in (share - 1, share, share + 1))


def test_mp4_cut_before_its_index_reads_nothing_and_says_so(mp4):
    frames, report = read(cut_file(mp4, 1 / 3), from_us=START_US, to_us=START_US + 20_000_000)
    assert frames == [] and report.seconds_seen == 0
    assert [(gap.start_us, gap.end_us) for gap in report.gaps] == [(START_US, START_US + 20_000_000)]
    assert "read 0 %" in report.problems[0] and "index is cut off" in report.problems[0]


def broken_tag(mp4: Path, folder: Path) -> Path:
    path = folder / "faked_codec.mp4"
    path.write_bytes(mp4.read_bytes().replace(b"avc1", b"zzzz"))
    return path


def zeroed_pictures(mp4: Path, folder: Path) -> Path:
    content = mp4.read_bytes()
    first, last = content.index(b"mdat") + 4, content.index(b"moov") - 4
    path = folder / "zeroed.mp4"
    path.write_bytes(content[:first] + bytes(last - first) + content[last:])
    return path


@pytest.mark.case("opencv 29722")
@pytest.mark.parametrize("spoil", [broken_tag, zeroed_pictures])
def test_stream_that_decodes_nothing_is_a_failure_never_a_quiet_day(mp4, folder, spoil):
    frames, report = read(spoil(mp4, folder))
    assert frames == [] and report.frames_decoded == 0 and report.seconds_seen == 0
    assert [(gap.start_us, gap.end_us) for gap in report.gaps] == [(START_US, START_US + 20_000_000)]
    assert report.problems


@pytest.mark.parametrize(
    ("content", "message"), [(None, "no such file"), (b"", "empty"), (b"not a video at all" * 50, "no video")]
)
def test_missing_empty_and_other_files_are_reported(folder, content, message):
    path = folder / "odd.mp4"
    path.unlink(missing_ok=True)
    if content is not None:
        path.write_bytes(content)
    frames, report = read(path)
    assert frames == [] and report.seconds_seen == 0
    assert message in report.problems[0] and "odd.mp4" in report.problems[0]
    with pytest.raises(VideoError, match=message):
        probe(str(path))


def test_damage_in_the_middle_leaves_both_ends(folder):
    path = write_clip(folder / "damaged.mkv", TEN_PER_SECOND)
    content = bytearray(path.read_bytes())
    first, last = int(len(content) * 0.4), int(len(content) * 0.6)
    content[first:last] = np.random.default_rng(1).bytes(last - first)
    path.write_bytes(content)
    frames, report = read(path)
    shown = dict(zip(np.round(seconds(frames), 1), numbers(frames), strict=True))
    assert shown[0.0] == 0 and shown[19.9] == 199
    assert report.gaps and 10 < report.seconds_seen < 18
    assert all(np.diff(seconds(frames)) > 0)


@pytest.mark.case("PyAV 1105, 493")
def test_raw_stream_without_times_gets_the_configured_rate_and_a_flag(folder):
    path = write_clip(folder / "raw.h264", TEN_PER_SECOND)
    frames, report = read(path, assumed_fps=12.5)
    np.testing.assert_allclose(seconds(frames), np.arange(200) / 12.5, atol=1e-5)
    assert report.timestamps == "assumed" and "12.5 frames/s assumed" in report.problems[0]
    assert report.seconds_seen == pytest.approx(16)


@pytest.mark.parametrize("name", ["plain.mp4", "clip.mkv", "bframes.avi", "clip.ts"])
@pytest.mark.parametrize("offset_us", [0, 12_345])
def test_parts_choose_the_frames_of_the_whole(folder, name, offset_us):
    path = folder / f"parts_{name}"
    avi = name.endswith("avi")
    write_clip(path, range(200) if avi else TEN_PER_SECOND, time_base=Fraction(1, 10) if avi else Fraction(1, 1000))
    recording = Recording(str(path), "door", START_US + offset_us)
    whole = VideoReader(recording, 3)
    expected = [(frame.time_us, frame.image.tobytes()) for frame in whole]
    found, seen, decoded = [], 0.0, 0
    for start in range(0, 24, 4):
        from_us = START_US + start * 1_000_000
        part = VideoReader(recording, 3, from_us=from_us, to_us=from_us + 4_000_000)
        found += [(frame.time_us, frame.image.tobytes()) for frame in part]
        assert part.report.start_us >= from_us and part.report.problems == ()
        seen, decoded = seen + part.report.seconds_seen, decoded + part.report.frames_decoded
    assert found == expected and len(found) == 60
    assert decoded == whole.report.frames_decoded == 200
    assert seen == pytest.approx(whole.report.seconds_seen, abs=0.02)


def test_sampling_at_the_native_rate_takes_every_frame_of_thirty_a_second(folder):
    path = write_clip(folder / "thirty.mkv", [round(number * 1000 / 30) for number in range(300)])
    assert len(read(path, 30)[0]) == 300
    assert len(read(path, 10)[0]) == 100


def test_start_comes_from_the_container_or_is_asked_for(folder):
    stamped = write_clip(folder / "stamped.mp4", range(0, 1000, 100), creation_time="2025-03-14T09:00:00.000000Z")
    reader = VideoReader(Recording(str(stamped), "door", None), 10)
    assert next(iter(reader)).time_us == START_US
    plain = write_clip(folder / "unstamped.mkv", range(0, 1000, 100))
    with pytest.raises(VideoError, match="does not say when it starts"):
        VideoReader(Recording(str(plain), "door", None), 10)


def test_memory_does_not_grow_with_length(mp4):
    def peak(to_us: int | None) -> int:
        tracemalloc.start()
        for _ in VideoReader(Recording(str(mp4), "door", START_US), 10, to_us=to_us):
            pass
        size = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return size

    assert peak(None) < peak(START_US + 2_000_000) + 200_000


@pytest.mark.parametrize(
    ("name", "timestamps", "length_s"),
    [
        ("people-detection.264", "assumed", 596 / 25),
        ("one-by-one-person-detection.mp4", "container", 139.4),
        ("store-aisle-detection.gif", "container", 4.47),
    ],
)
def test_real_clips_open(shared, name, timestamps, length_s):
    frames, report = read(shared / "data" / "videos" / name, 1)
    assert report.timestamps == timestamps and report.gaps == ()
    assert report.seconds_seen == pytest.approx(length_s, abs=0.01)
    assert len(frames) == int(np.ceil(length_s))
    assert frames[0].image.std() > 10
