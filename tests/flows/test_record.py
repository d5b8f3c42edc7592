"""Recording a live source that breaks, hangs and comes back."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import pytest
import yaml

from detection.stream_recorder import hide_password
from flows.config import StoreConfig
from flows.record import record_problems, record_store
from flows.recordings import RecordedFile, find_camera_day
from flows.store_reading import StoreConfigError, load_store
from flows.stores import DEMO
from tests.flows.live_camera import LiveCamera, pictures
from tests.flows.prefect_server import free_port

TEMPLATE = "videos/{camera}/%Y-%m-%d/%H-%M-%S-%f.mp4"


@pytest.fixture
def camera(tmp_path: Path) -> Iterator[LiveCamera]:
    live = LiveCamera(tmp_path, free_port())
    yield live
    live.cut_off()


def write_store(folder: Path, stream: str, path: str = TEMPLATE) -> tuple[StoreConfig, Path]:
    data = yaml.safe_load(DEMO.read_text())
    data["cameras"] = [data["cameras"][0] | {"stream": stream}]
    data["recordings"] = {"path": path}
    file = folder / "store.yaml"
    file.write_text(yaml.safe_dump(data))
    return load_store(file), file


def recorded(config: StoreConfig, folder: Path) -> list[RecordedFile]:
    day = datetime.now(config.zone_info).date()
    found = find_camera_day(config, folder, config.cameras[0], day)
    assert found.problems == ()
    return list(found.files)


def wait_until(reached: Callable[[], bool], seconds: float = 20) -> None:
    until = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < until, "it did not come to that"
        time.sleep(0.05)


def test_a_source_that_is_cut_off_and_hangs_comes_back(tmp_path: Path, camera: LiveCamera):
    config, file = write_store(tmp_path, camera.url)
    camera.start()
    lines: list[str] = []
    stop = threading.Event()
    options = {"segment_s": 2, "timeout_s": 1, "first_wait_s": 0.2, "health_s": 0.5}
    thread = threading.Thread(target=record_store, args=(config, file, stop, lines.append), kwargs=options)
    thread.start()
    videos, notes = tmp_path / "videos/checkout", tmp_path / "videos/recorder"
    gaps = notes / "checkout.gaps.jsonl"

    def gap_marks() -> list[dict[str, str]]:
        return [json.loads(line) for line in gaps.read_text().splitlines()] if gaps.exists() else []

    try:
        wait_until(lambda: len(list(videos.rglob("*.mp4"))) >= 1)
        camera.cut_off()
        time.sleep(1.5)
        camera.start()
        wait_until(lambda: len(gap_marks()) == 1)
        time.sleep(2.5)
        with camera.falls_silent():
            time.sleep(1.6)
        wait_until(lambda: len(gap_marks()) == 2)
        time.sleep(1)
    finally:
        stop.set()
        thread.join(20)
    assert not thread.is_alive()

    files = recorded(config, tmp_path)
    assert not list(videos.rglob("*.part"))
    assert len(files) >= 4
    spans = [(one.start_us, one.end_us or 0) for one in files]
    assert all(end <= start + 150_000 for (_, end), (start, _) in pairwise(spans)), spans
    assert all(abs(one.info.fps - 10) < 0.5 for one in files)

    cut, hung = gap_marks()
    for mark in (cut, hung):
        start, end = (datetime.fromisoformat(mark[name]).timestamp() * 1e6 for name in ("start", "end"))
        assert end - start > 1_000_000, mark
        inside = [(a, b) for a, b in spans if a < end - 300_000 and b > start + 300_000]
        assert inside == [], "what is marked as a gap was not recorded"
    assert "timed out" in hung["reason"].lower(), hung
    assert cut["reason"] and "secret" not in gaps.read_text()

    source = set(pictures(camera.clip))
    for one in files:
        shown = pictures(Path(one.path))
        others = set(shown) - source
        assert len(shown) > len(others) <= 1, "pictures are as they were sent, but for the one at which it was cut off"

    state = json.loads((notes / "checkout.json").read_text())
    assert (state["state"], state["gaps"], state["segments"]) == ("stopped", 2, len(files))
    assert any(line.startswith("checkout: recording, last picture 0 s ago") for line in lines), lines
    assert any("waiting" in line or "connecting" in line for line in lines), lines
    assert not any("secret" in line for line in lines)


def test_a_killed_recorder_loses_no_segment_and_says_how_long_it_was_away(tmp_path: Path, camera: LiveCamera):
    camera.start()
    config, file = write_store(tmp_path, "http://${CAMERA_ADDRESS}")
    command = [sys.executable, "-m", "flows.cli", "record", str(file), "--segment-s", "3600", "--health-s", "1"]
    environment = os.environ | {"CAMERA_ADDRESS": camera.url.removeprefix("http://")}
    videos, state = tmp_path / "videos/checkout", tmp_path / "videos/recorder/checkout.json"

    def start() -> subprocess.Popen[str]:
        return subprocess.Popen(command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    first = start()
    wait_until(lambda: state.exists() and json.loads(state.read_text())["packets"] > 20, 60)
    first.kill()
    first.wait()
    assert list(videos.rglob("*.part")) and not list(videos.rglob("*.mp4"))
    second = start()
    wait_until(lambda: len(list(videos.rglob("*.mp4"))) == 1 and len(list(videos.rglob("*.part"))) == 1, 60)
    time.sleep(1)
    second.send_signal(signal.SIGTERM)
    told, _ = second.communicate(timeout=20)
    assert second.returncode == 0, told
    before, after = recorded(config, tmp_path)
    assert len(pictures(Path(before.path))) >= 15
    assert before.end_us is not None and before.end_us < after.start_us
    marks = [json.loads(line) for line in (tmp_path / "videos/recorder/checkout.gaps.jsonl").read_text().splitlines()]
    assert len(marks) == 1, marks
    assert marks[0]["reason"] == "the recorder was not running"


def test_what_keeps_a_store_from_being_recorded_is_told_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("NO_SUCH", raising=False)
    config, file = write_store(tmp_path, "rtsp://${NO_SUCH}@10.0.0.1/", "s3://shop/{camera}/%Y-%m-%d_%H-%M-%S.mp4")
    told = [str(problem) for problem in record_problems(config, file)]
    assert len(told) == 3
    for expected in ("into a folder", "must hold %f", "NO_SUCH is not set"):
        assert any(expected in line for line in told), told
    with pytest.raises(StoreConfigError):
        record_store(config, file, threading.Event(), print)


def test_passwords_are_left_out():
    assert hide_password("can't open rtsp://admin:p%40ss@10.0.0.1/live") == "can't open rtsp://10.0.0.1/live"
