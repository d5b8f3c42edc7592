"""Faults that are no kill: a full disk, unreadable recordings, a model that changes under way.

Each must be told clearly and leave the old day as it was.
"""

from __future__ import annotations

import pickle
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path

import yaml

from detection.detector import SHIPPED_WEIGHTS
from flows.plan import plan_store_day
from flows.preflight import preflight

DETECTOR = "aisleflow-person-n_openvino_model"
FULL_AT_BYTES = 2_000
"""Writes beyond it fail as on a full disk (EFBIG for ENOSPC, which needs a file system of one's own)."""

PROCESS_A_CHUNK = """
import pickle, sys
from flows.chunks import process_chunk
from flows.errors import JobStopped
plan = pickle.load(open(sys.argv[1], "rb"))
try:
    process_chunk(plan.chunks[0], plan.work, (plan.config.detector, plan.config.reid))
except JobStopped as error:
    sys.exit(str(error))
"""


def run_other_faults(folder: Path, store_file: Path, day: date) -> dict[str, str]:
    """What each fault said; an answer that begins with `not ` is a fault that was not handled."""
    faults: dict[str, Callable[[Path, Path, date], str]] = {
        "full disk": _full_disk,
        "unreadable recordings": _unreadable,
        "model changed under way": _model_changed,
    }
    answers = {}
    for name, fault in faults.items():
        home = Path(shutil.copytree(store_file.parent, folder / name.replace(" ", "-")))
        lake = home / "lake"
        _command(home / "store.yaml", lake, day)
        before = _content(lake)
        shutil.rmtree(lake / "_chunks")
        answer = fault(home / "store.yaml", lake, day)
        answers[name] = answer if _content(lake) == before else f"not as it was: the old day changed ({answer})"
    return answers


def _content(lake: Path) -> dict[str, bytes]:
    """All files that readers see."""
    files = [
        file
        for file in lake.rglob("*")
        if file.is_file() and not file.parts[len(lake.parts)].startswith(("_chunks", "_locks"))
    ]
    return {str(file.relative_to(lake)): file.read_bytes() for file in files}


def _command(file: Path, lake: Path, day: date, limit: bool = False) -> subprocess.CompletedProcess[str]:
    def full() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (FULL_AT_BYTES, FULL_AT_BYTES))

    arguments = ["run", str(file), "--date", str(day), "--lake", str(lake)]
    return subprocess.run(
        [sys.executable, "-m", "flows.cli", *arguments],
        capture_output=True,
        text=True,
        preexec_fn=full if limit else None,
    )


def _told(done: subprocess.CompletedProcess[str], expected: str, status: int) -> str:
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    last = lines[-1] if lines else ""
    if done.returncode != status or expected not in last or "Traceback" in done.stderr:
        return f"not told clearly: status {done.returncode}, {last}"
    return last


def _full_disk(file: Path, lake: Path, day: date) -> str:
    return _told(_command(file, lake, day, limit=True), "there is no space left", 1)


def _unreadable(file: Path, lake: Path, day: date) -> str:
    for video in (file.parent / "videos").rglob("*.mp4"):
        video.write_bytes(b"\x00" * 1000)
    return _told(_command(file, lake, day), "no video, or one whose index is cut off", 2)


def _model_changed(file: Path, lake: Path, day: date) -> str:
    model = Path(shutil.copytree(SHIPPED_WEIGHTS / DETECTOR, file.parent / DETECTOR))
    data = yaml.safe_load(file.read_text())
    data["detector"]["model"] = str(model)
    file.write_text(yaml.safe_dump(data))
    plan = plan_store_day(preflight(file, day), str(lake))
    stored = file.parent / "plan.pickle"
    stored.write_bytes(pickle.dumps(plan))
    with (model / "metadata.yaml").open("a") as metadata:
        metadata.write("# other weights\n")
    done = subprocess.run([sys.executable, "-c", PROCESS_A_CHUNK, str(stored)], capture_output=True, text=True)
    return _told(done, "changed while the job ran", 1)
