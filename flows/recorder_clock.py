"""What recorders' clocks do to the names of recordings: an hour that comes twice, a clock that was put back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flows.recordings import RecordedFile

SECOND_US = 1_000_000
USUAL_OVERLAP_US = 2 * SECOND_US
"""Recorders begin the next file a moment before they end the one at hand."""


def in_second_hour(
    files: Sequence[RecordedFile], second_start: Callable[[RecordedFile], int | None]
) -> list[RecordedFile]:
    """Recordings of one camera, those of the second 02:00-03:00 of the night when clocks are put back moved there.

    A name in that hour means either. It is the first, unless the container says that it was made in the second, or
    another recording has the first already: no camera records twice at once. `second_start` gives a recording's other
    start in UTC microseconds, None where its name means one moment only.
    """
    placed: list[RecordedFile] = []
    for file in sorted(files, key=lambda one: one.path):
        second_us = second_start(file)
        if second_us is not None and _is_second(file, second_us, placed):
            length = None if file.end_us is None else file.end_us - file.start_us
            file = replace(file, start_us=second_us, end_us=None if length is None else second_us + length)
        placed.append(file)
    return sorted(placed, key=lambda file: (file.start_us, file.path))


def _is_second(file: RecordedFile, second_us: int, placed: Sequence[RecordedFile]) -> bool:
    made_us = file.info.creation_us
    hour_us = second_us - file.start_us
    if made_us is not None and min(abs(made_us - file.start_us), abs(made_us - second_us)) < hour_us // 2:
        return abs(made_us - second_us) < abs(made_us - file.start_us)
    end_us = file.end_us or file.start_us + SECOND_US
    return any(
        min(end_us, other.end_us or 0) - max(file.start_us, other.start_us) > min(USUAL_OVERLAP_US, end_us) // 2
        for other in placed
    )


def overlaps(files: Sequence[RecordedFile]) -> list[str]:
    """What to tell of recordings, in order of time, that show the same moments: each moment counts once."""
    told: list[str] = []
    before: RecordedFile | None = None
    for file in files:
        if before is not None and before.end_us is not None:
            shared_us = min(before.end_us, file.end_us or before.end_us) - file.start_us
            if shared_us > USUAL_OVERLAP_US:
                told.append(
                    f"{Path(file.path).name} begins {(before.end_us - file.start_us) / SECOND_US:.0f} s before"
                    f" {Path(before.path).name} ends: a copy, or the recorder's clock was put back;"
                    f" its first {shared_us / SECOND_US:.0f} s were left out"
                )
        if before is None or (file.end_us or file.start_us) >= (before.end_us or before.start_us):
            before = file
    return told
