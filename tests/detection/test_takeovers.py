"""Who stands still keeps the track that a passer-by took along; every other crossing is left as it was."""

from __future__ import annotations

import numpy as np
import pytest

from detection.looks import SIZE
from detection.takeovers import Tracked, given_back

SECOND = 1_000_000
RED, BLUE = np.zeros(SIZE, np.uint8), np.zeros(SIZE, np.uint8)
RED[::8], BLUE[7::8] = 255, 255


def detections(*people: tuple[int, np.ndarray, dict[float, float]]) -> Tracked:
    """Of (track, looks, {second: left edge}), boxes 40 x 100 px."""
    rows = sorted(
        ((round(second * SECOND), x, track, looks) for track, looks, places in people for second, x in places.items()),
        key=lambda row: (row[0], row[2]),
    )
    return Tracked(
        np.array([time for time, *_ in rows]),
        np.array([[x, 0, x + 40, 100] for _, x, *_ in rows], np.float32),
        np.array([looks for *_, looks in rows]),
        np.array([track for *_, track, _ in rows]),
    )


def stand(start: float, end: float, x: float = 100) -> dict[float, float]:
    return {float(second): x for second in np.arange(start, end, 0.2).round(1)}


def walk(start: float, end: float, x: float = 100, speed: float = 60) -> dict[float, float]:
    return {float(second): x + speed * (second - start) for second in np.arange(start, end, 0.2).round(1)}


def test_who_stayed_keeps_the_track():
    """Track 1 stands for 4 s and leaves with a passer-by; track 2 begins in its place."""
    tracked = detections((1, RED, stand(0, 4)), (1, BLUE, walk(4, 8)), (2, RED, stand(4, 10)))
    number = given_back(tracked)
    standing = tracked.boxes[:, 0] == 100
    assert (number[standing & (tracked.looks[:, 0] == 255)] == 1).all()
    assert (number[tracked.looks[:, 7] == 255] == 2).all()
    assert len(number) == len(tracked.track) and set(number) == {1, 2}


@pytest.mark.parametrize(
    "people",
    [
        # somebody else takes the place of who has left
        [(1, RED, stand(0, 4)), (1, RED, walk(4, 8)), (2, BLUE, stand(4, 10))],
        # two walk one behind the other
        [(1, RED, walk(0, 8)), (2, RED, walk(2, 10, 220))],
        # the new one is there for a moment only
        [(1, RED, stand(0, 4)), (1, BLUE, walk(4, 8)), (2, RED, stand(4, 4.5))],
        # who was in the place stays beside it
        [(1, RED, stand(0, 4)), (1, BLUE, stand(4, 8, 115)), (2, RED, stand(4, 10))],
        # who left had only just come
        [(1, BLUE, walk(2.9, 8, 60)), (2, RED, stand(3.6, 10))],
    ],
)
def test_any_other_crossing_is_left_alone(people):
    tracked = detections(*people)
    assert given_back(tracked).tolist() == tracked.track.tolist()


def test_places_decide_where_there_are_no_pictures():
    tracked = detections((1, RED, stand(0, 4)), (1, RED, walk(4, 8)), (2, RED, stand(4, 10)))
    without = Tracked(tracked.time_us, tracked.boxes, None, tracked.track)
    assert (given_back(without)[tracked.boxes[:, 0] > 120] == 2).all()
    assert given_back(tracked).tolist() == tracked.track.tolist(), "alike before and after: no sign of a swap"


def test_a_track_taken_twice_is_given_back_twice():
    tracked = detections(
        (1, RED, stand(0, 4)),
        (1, BLUE, walk(4, 7)),
        (2, RED, stand(4, 12)),
        (2, BLUE, walk(12, 15)),
        (3, RED, stand(12, 18)),
    )
    number = given_back(tracked)
    assert (number[tracked.looks[:, 0] == 255] == 1).all()
    assert len({*number[tracked.looks[:, 7] == 255].tolist()} - {1}) == 2


def test_no_detections():
    none = Tracked(np.zeros(0, np.int64), np.zeros((0, 4), np.float32), None, np.zeros(0, np.int64))
    assert given_back(none).tolist() == []
