"""Times in which a camera showed next to nothing, behind a covered lens or in the dark: recorded, but not seen.

A day is looked at in a few pictures (`flows.camera_views.look_at`). Where some of them are blind, the edges of the
covered time are found by more pictures between them and the nearest that are not: some dozens, on such a day alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import numpy as np

from detection.camera_view import is_blind, small_grey
from flows.camera_views import CameraLook, Span, blind_times, pictures_at, usual_sharpness
from flows.chunks import Chunk
from flows.places import SECOND_US

CLOSE_US = 5 * SECOND_US
"""How closely an edge of a covered time is found."""
LEAST_US = 10 * SECOND_US
"""Who stands before the lens for a moment covers nothing."""
BETWEEN = 12


def covered_spans(look: CameraLook, chunks: Sequence[Chunk], sharpness_before: float | None) -> list[Span]:
    """Spans [start, end) in UTC microseconds, in order, in which a camera's pictures show next to nothing.

    Args:
        look: pictures over the day.
        chunks: the camera's, of that day.
        sharpness_before: of its view of a day before; None: the day's own pictures say what is usual.
    """
    times, spans = look.times_us, []
    blind = set(blind_times(look, sharpness_before))
    usual = usual_sharpness(look, sharpness_before)
    for is_covered, run in groupby(range(len(times)), lambda number: times[number] in blind):
        numbers = list(run)
        if not is_covered:
            continue
        first, last = numbers[0], numbers[-1]
        start = min(chunk.from_us for chunk in chunks)
        end = max(chunk.to_us or chunk.from_us + SECOND_US for chunk in chunks)
        if first > 0:
            start = _edge(look.camera, chunks, usual, clear_us=times[first - 1], blind_us=times[first])
        if last + 1 < len(times):
            end = _edge(look.camera, chunks, usual, clear_us=times[last + 1], blind_us=times[last])
        if end - start >= LEAST_US:
            spans.append((start, end))
    return spans


def _edge(camera: str, chunks: Sequence[Chunk], usual: float, *, clear_us: int, blind_us: int) -> int:
    """The last moment known to be clear, towards a blind one; where nothing was recorded, nothing was clear."""
    while abs(clear_us - blind_us) > CLOSE_US:
        moments = np.linspace(clear_us, blind_us, BETWEEN + 2).astype(np.int64).tolist()
        pictures = pictures_at(camera, chunks, moments[1:-1])
        blind = [picture is None or is_blind(small_grey(picture), usual) for picture in pictures]
        at = (*blind, True).index(True)
        clear_us, blind_us = moments[at], moments[at + 1]
    return clear_us
