"""Recordings decoded in a process of their own: the same frames, and a death that takes nothing along."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import numpy as np
import pytest

from detection import isolated
from detection.decoder_child import FRAME, HEAD
from detection.isolated import IsolatedReader, probe
from detection.video import Recording, VideoError, VideoReader
from tests.flows.clips import write_clip

SECOND = 1_000_000


def moving(number: int) -> np.ndarray:
    picture = np.full((64, 96, 3), 40, np.uint8)
    picture[:, number : number + 8] = 200
    return picture


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_clip(tmp_path / "clip.mp4", 4, 10, picture=moving)


def test_frames_and_report_are_those_of_the_plain_reader(clip):
    recording = Recording(str(clip), "west", 1_000 * SECOND)
    readers = [
        kind(recording, 5, from_us=1_001 * SECOND, to_us=1_003 * SECOND) for kind in (VideoReader, IsolatedReader)
    ]
    plain, isolated_ = (list(reader) for reader in readers)
    assert [frame.time_us for frame in isolated_] == [frame.time_us for frame in plain]
    np.testing.assert_array_equal([f.image for f in isolated_], [f.image for f in plain])
    assert readers[1].report == readers[0].report
    assert len(plain) == 10


def test_a_decoder_that_dies_leaves_a_gap_and_the_job_alive(tmp_path, monkeypatch):
    clip = write_clip(tmp_path / "large.mp4", 4, 10, size=(320, 240))  # more than a pipe holds
    started = []
    start = isolated._Child.__init__
    monkeypatch.setattr(isolated._Child, "__init__", lambda self, task: (start(self, task), started.append(self))[0])
    reader = IsolatedReader(Recording(str(clip), "west", 0), 10, to_us=4 * SECOND)
    frames = []
    for frame in reader:
        frames.append(frame)
        if len(frames) == 1:
            os.kill(started[0]._process.pid, signal.SIGSEGV)
    report = reader.report
    assert 1 <= len(frames) < 40
    assert "died (signal 11)" in report.problems[0]
    assert report.gaps and report.gaps[-1].end_us == 4 * SECOND
    assert report.seconds_seen < 4


def test_a_decoder_that_stands_still_is_ended(clip, monkeypatch):
    monkeypatch.setattr(isolated, "STALL_S", 0.5)
    start = isolated._Child.__init__

    def stopped(self: isolated._Child, task: str) -> None:
        start(self, task)
        os.kill(self._process.pid, signal.SIGSTOP)

    monkeypatch.setattr(isolated._Child, "__init__", stopped)
    reader = IsolatedReader(Recording(str(clip), "west", 0), 10, to_us=4 * SECOND)
    assert list(reader) == []
    assert "stood still" in reader.report.problems[0]


def test_first_frames_come_from_one_process_and_a_bad_file_is_passed_over(clip, tmp_path):
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video")
    asked = [(clip, 2), (broken, 0), (clip, 1), (clip, 60)]
    requests = [
        (Recording(str(path), "west", 0), 5.0, {"from_us": after * SECOND, "assumed_fps": 25}) for path, after in asked
    ]
    found = list(isolated.first_frames(requests))
    assert [frame and frame.time_us for frame in found] == [2 * SECOND, None, 1 * SECOND, None]
    plain = next(iter(VideoReader(Recording(str(clip), "west", 0), 5.0, from_us=1 * SECOND)))
    np.testing.assert_array_equal(found[2].image, plain.image)


def test_a_file_that_kills_the_decoder_costs_its_own_frame_only(clip, monkeypatch):
    started = []
    start = isolated._Child.__init__

    def counted(self: isolated._Child, task: str) -> None:
        start(self, task)
        started.append(self)
        if len(started) == 1:
            os.kill(self._process.pid, signal.SIGSEGV)

    monkeypatch.setattr(isolated._Child, "__init__", counted)
    request = (Recording(str(clip), "west", 0), 5.0, {})
    found = list(isolated.first_frames([request] * 3))
    assert [frame is None for frame in found] == [True, False, False]
    assert len(started) == 2


def test_what_makes_no_sense_is_not_believed():
    child = object.__new__(isolated._Child)
    for head in (HEAD.pack(FRAME, 0, 2**31, 2**31), HEAD.pack(FRAME, 0, 0, 5), HEAD.pack(b"R", 0, 0, 2**31)):
        child._bytes = lambda count, head=head: np.frombuffer(head, np.uint8)
        with pytest.raises(isolated.DecoderDied):
            child.answer()


def test_probe_tells_what_the_plain_one_does(clip, tmp_path):
    from detection import container

    assert probe(str(clip)) == container.probe(str(clip))
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video")
    with pytest.raises(VideoError, match="no video"):
        probe(str(broken))
    assert probe(str(clip)).width == 96


def test_what_changed_crosses_the_process_and_still_pictures_are_not_sent_again(tmp_path):
    standing = write_clip(tmp_path / "clip.mp4", 4, 10, picture=lambda number: moving(40 if number < 25 else number))
    recording = Recording(str(standing), "west", 1_000 * SECOND)
    plain, isolated_ = (list(kind(recording, 5, motion=(1, 4))) for kind in (VideoReader, IsolatedReader))
    assert [frame.key for frame in isolated_] == [number in (0, 15) for number in range(20)]  # 5 and 10 show what 0 did
    np.testing.assert_array_equal([frame.changed for frame in isolated_], [frame.changed for frame in plain])
    np.testing.assert_array_equal([frame.image for frame in isolated_], [frame.image for frame in plain])
    changed = [bool(frame.changed.any()) for frame in isolated_]
    assert changed[0] and not any(changed[1:13]) and all(changed[14:])
