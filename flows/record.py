"""Record a store's cameras: `aisleflow record`.

Segments go where store.yaml looks for recordings (`recordings.path`). In the folder that all cameras share are

    recorder/CAMERA.json          what the camera's recorder is doing, renewed every few seconds
    recorder/CAMERA.gaps.jsonl    a line a gap: start, end (UTC) and reason

A camera has a thread. One that gives no sign of life though its time-outs should have woken it ends the program with
status 1, so that whoever started it (systemd, compose) starts it anew; segments under way are completed at the start.
"""

from __future__ import annotations

import json
import os
import re
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from detection.segments import PART, SegmentError, complete
from detection.stream_recorder import RecordingGap, StreamRecorder, hide_password
from flows.config import Camera, StoreConfig
from flows.store_reading import Problem, StoreConfigError

SECOND = 1_000_000
WATCHDOG_TIMEOUTS = 4
NAMED_BY = ("%Y", "%m", "%d", "%H", "%M", "%S", "%f")


class CameraRecorder(threading.Thread):
    """The recorder of one camera, its state file and its gap marks."""

    def __init__(self, config: StoreConfig, folder: Path, camera: Camera, stop: threading.Event, **options: Any):
        super().__init__(name=f"record {camera.id}", daemon=True)
        self.camera, self._stop_event = camera.id, stop
        self._template = str(folder.absolute() / config.recordings.path.replace("{camera}", camera.id))
        self._clock = ZoneInfo(config.recordings.clock or config.timezone)
        self._notes = notes_folder(config, folder)
        self._notes.mkdir(parents=True, exist_ok=True)
        self.recorder = StreamRecorder(
            stream_address(camera), self.path_of, on_gap=self._mark, last_us=self._last_frame(), **options
        )

    def path_of(self, start_us: int) -> Path:
        """The file of a segment that begins at a time."""
        start = datetime.fromtimestamp(start_us / SECOND, UTC).astimezone(self._clock)
        return Path(start.strftime(self._template))

    def run(self) -> None:
        for part in parts_of(self._template):
            try:
                complete(part)
            except SegmentError as error:
                self.recorder.state.problem = str(error)
        self.recorder.run(self._stop_event)

    def silent_s(self) -> float:
        """Seconds since the last sign of life."""
        return time.monotonic() - (self.recorder.state.alive or time.monotonic())

    def line(self) -> str:
        """The health line."""
        state = self.recorder.state
        ago_s = None if state.last_us is None else max(time.time() - state.last_us / SECOND, 0)
        since = "" if ago_s is None else f", last picture {ago_s:.0f} s ago"
        text = (
            f"{self.camera}: {state.state}{since}, {state.segments} segments, {state.bytes / 1e6:.1f} MB, "
            f"{state.reconnects} reconnects, {state.gaps} gaps ({state.lost_s:.0f} s)"
        )
        return text if state.state == "recording" or not state.problem else f"{text}; {state.problem}"

    def write_state(self) -> None:
        """Renew the state file."""
        state = asdict(self.recorder.state) | {"camera": self.camera, "written": datetime.now(UTC).isoformat()}
        del state["alive"]
        path = self._notes / f"{self.camera}.json"
        aside = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            aside.write_text(json.dumps(state, indent=1))
            aside.replace(path)
        except OSError:  # a full disk: the health line says so
            aside.unlink(missing_ok=True)

    def _last_frame(self) -> int | None:
        try:
            return json.loads((self._notes / f"{self.camera}.json").read_text())["last_us"]
        except (OSError, ValueError, KeyError):
            return None

    def _mark(self, gap: RecordingGap) -> None:
        mark = {"start": _text(gap.start_us), "end": _text(gap.end_us), "reason": gap.reason}
        with (self._notes / f"{self.camera}.gaps.jsonl").open("a") as marks:
            marks.write(json.dumps(mark) + "\n")


def record_store(
    config: StoreConfig,
    file: Path,
    stop: threading.Event,
    tell: Callable[[str], None],
    *,
    health_s: float = 30,
    **options: float,
) -> bool:
    """Record all cameras that have a stream until `stop` is set.

    `options` go to `StreamRecorder`. False where a camera hung and the program should be started anew. Raises
    StoreConfigError where the store can't be recorded.
    """
    problems = record_problems(config, file)
    if problems:
        raise StoreConfigError(problems)
    cameras = [camera for camera in config.cameras if camera.stream]
    recorders = [CameraRecorder(config, file.parent, camera, stop, **options) for camera in cameras]
    longest_s = WATCHDOG_TIMEOUTS * options.get("timeout_s", 10)
    for recorder in recorders:
        tell(f"{recorder.camera}: {hide_password(recorder.recorder.url)} to {recorder.path_of(0).parent}")
        recorder.start()
    hung: list[str] = []
    told = time.monotonic()
    while not stop.wait(min(1.0, health_s)) and not hung:
        for recorder in recorders:
            recorder.write_state()
        if time.monotonic() - told >= health_s:
            told = time.monotonic()
            for recorder in recorders:
                tell(recorder.line())
        hung = [one.camera for one in recorders if not one.is_alive() or one.silent_s() > longest_s]
    stop.set()
    for recorder in recorders:
        if recorder.camera not in hung:
            recorder.join(longest_s)
        recorder.write_state()
        tell(recorder.line())
    if hung:
        tell(f"{', '.join(hung)}: no sign of life; ending, to be started anew")
    return not hung


def record_problems(config: StoreConfig, file: Path) -> list[Problem]:
    """Why a store can't be recorded, all of it."""
    problems = []
    path = config.recordings.path
    if "://" in path:
        problems.append("is an address; cameras are recorded into a folder, which may be copied or mounted elsewhere")
    missing = [code for code in NAMED_BY if code not in path]
    if missing:
        problems.append(f"must hold {', '.join(missing)}, so that a segment's name says exactly when it begins")
    found = [Problem(str(file), "recordings.path", problem) for problem in problems]
    if not any(camera.stream for camera in config.cameras):
        found.append(Problem(str(file), "cameras", "none has a stream to record; give stream: rtsp://..."))
    for camera in config.cameras:
        unset = [name for name in re.findall(r"\${(\w+)}", camera.stream or "") if name not in os.environ]
        if unset:
            found.append(
                Problem(str(file), f"stream of {camera.id}", f"{', '.join(unset)} is not set in the environment")
            )
    return found


def stream_address(camera: Camera) -> str:
    """A camera's stream, with ${NAME} from the environment: passwords need not stand in store.yaml."""
    return re.sub(r"\${(\w+)}", lambda name: os.environ[name[1]], camera.stream or "")


def notes_folder(config: StoreConfig, folder: Path) -> Path:
    """Where recorders' states and gap marks lie: `recorder` in the folder that all cameras' recordings share."""
    fixed = re.split(r"{camera}|%|\*", str(folder.absolute() / config.recordings.path))[0]
    return Path(fixed[: fixed.rindex("/") + 1]) / "recorder"


def parts_of(template: str) -> list[Path]:
    """Segments of a camera that an ended recorder left under way."""
    fixed = re.split(r"%|\*", template)[0]
    folder = Path(fixed[: fixed.rindex("/") + 1])
    pattern = re.sub(r"(%\w|\*)+", "*", template[len(str(folder)) + 1 :]) + PART
    return sorted(folder.glob(pattern))


def _text(time_us: int) -> str:
    return datetime.fromtimestamp(time_us / SECOND, UTC).isoformat()
