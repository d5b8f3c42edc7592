"""Attacks by files from outside: weights, uploads and store files, each refused with a line that says why."""

from __future__ import annotations

import io
import os
import pickle
import struct
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from detection import isolated
from detection.detector import DetectorError, load_detector
from detection.guarded_picture import PictureRefused
from flows.store_reading import StoreConfigError, load_store
from reid.weights import read_state
from reid.weights_config import WeightsError
from tests.conftest import ROOT
from tests.flows.search_lake import write_store


@pytest.mark.parametrize(
    ("section", "value", "message"),
    [
        ("recordings", {"path": "../../{camera}/%H.mp4"}, "recordings.path: leaves its folder"),
        ("sales", {"path": "sales/../../../%Y.csv"}, "sales.path: leaves its folder"),
        ("floor", {"width_m": 12, "depth_m": 9, "plan": "../../../etc/passwd.png"}, "floor.plan: leaves its folder"),
        ("floor", {"width_m": 12, "depth_m": 9, "plan": "/etc/plan.png"}, "floor.plan: must lie beside store.yaml"),
        ("floor", {"width_m": 12, "depth_m": 9, "plan": "users.yaml"}, "floor.plan: must be a picture"),
    ],
)
def test_no_path_of_a_store_file_leaves_its_root(tmp_path: Path, section: str, value: dict[str, Any], message: str):
    with pytest.raises(StoreConfigError) as told:
        load_store(write_store(tmp_path, **{section: value}))
    assert message in str(told.value)


class Trap:
    """An object whose pickle makes a file when it is opened."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mknod, (str(self.path),)


@pytest.mark.parametrize("form", ["pickle", "checkpoint"])
@pytest.mark.parametrize("ending", [".pt", ".pth", ".bin", ".safetensors"])
def test_a_pickle_as_weights_runs_no_code(tmp_path: Path, form: str, ending: str):
    trap, file = tmp_path / "ran", tmp_path / f"weights{ending}"
    if form == "pickle":
        file.write_bytes(pickle.dumps({"state_dict": Trap(trap)}))
    else:
        torch.save({"state_dict": {"conv": torch.zeros(1)}, "model": Trap(trap)}, file)
    with pytest.raises(WeightsError):
        read_state(file)
    if ending == ".pt":
        with pytest.raises(DetectorError, match="can't open it"):
            load_detector(str(file))
    assert not trap.exists()


def test_a_pickle_runs_no_code_where_ultralytics_was_imported_by_somebody_else(tmp_path: Path):
    trap, file = tmp_path / "ran", tmp_path / "weights.pt"
    torch.save({"model": Trap(trap)}, file)
    code = """
import sys, ultralytics, ultralytics.nn.tasks
from detection.detector import DetectorError, load_detector
try:
    load_detector(sys.argv[1])
except DetectorError:
    print("refused")
"""
    without = {name: value for name, value in os.environ.items() if name != "ULTRALYTICS_SAFE_LOAD"}
    done = subprocess.run(
        [sys.executable, "-c", code, str(file)], env=without, capture_output=True, text=True, timeout=120, cwd=ROOT
    )
    assert "refused" in done.stdout, done.stderr
    assert not trap.exists()


def _png(width: int, height: int, body: bytes = b"") -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def _small() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (20, 20)).save(out, "PNG")
    return out.getvalue()


def _zip() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros", bytes(10_000_000))
    return out.getvalue()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>', "no JPEG, PNG or WebP"),
        (_zip(), "no JPEG, PNG or WebP"),
        (_small() + _zip(), "ZIP archive as well"),
        (_small().replace(b"IEND", b"<svg"), "holds SVG as well"),
        (_png(60_000, 60_000, zlib.compress(bytes(9_000_000), 9)), "more than 25,000,000 pixels: make it smaller"),
        (_png(5_000, 5_000, zlib.compress(bytes(1_000), 9)), "damaged"),
        (_small() + b"more", "something else is in the file"),
        (b"\x89PNG\r\n\x1a\n" + bytes(9_000_000), "more bytes than the 8,000,000 of a picture"),
    ],
    ids=["svg", "zip", "picture and zip", "picture and svg", "bomb", "too little in it", "more behind it", "too large"],
)
def test_an_upload_that_is_no_plain_picture_is_refused(data: bytes, message: str):
    with pytest.raises(PictureRefused, match=message):
        isolated.decode_picture(data)


@pytest.mark.parametrize("path", ["/dev/zero", "."])
def test_a_picture_that_never_ends_is_not_read(path: str):
    with pytest.raises(PictureRefused, match="is no file"):
        isolated.read_picture(Path(path))
