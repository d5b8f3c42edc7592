"""Files of a training run that survive a kill: rows of curves, and checkpoints replaced as a whole."""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch


def append_row(path: Path, row: Mapping[str, float]) -> None:
    """Adds a row to a CSV, with a header of its names where the file is new."""
    fresh = not path.is_file()
    with path.open("a", newline="") as lines:
        writer = csv.writer(lines)
        if fresh:
            writer.writerow(row)
        writer.writerow([f"{value:.6g}" for value in row.values()])


def replace_file(path: Path, value: Any) -> None:
    """torch.save that leaves the old file or the new one, never half of it."""
    partial = path.with_suffix(".partial")
    torch.save(value, partial)
    os.replace(partial, path)


def cut_after(path: Path, step: int) -> None:
    """Drops rows of steps that will be run again."""
    if path.is_file():
        header, *rows = path.read_text().splitlines()
        kept = [row for row in rows if int(row.split(",")[0]) <= step]
        path.write_text("\n".join([header, *kept]) + "\n")
