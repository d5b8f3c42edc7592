from __future__ import annotations

import numpy as np
import pytest

from detection.detector import Detections
from detection.looks import SIZE
from detection.tracker import track

NOBODY = Detections.none()


def people(*places: float, score: float = 0.9) -> Detections:
    boxes = np.array([[x, 100, x + 40, 220] for x in places], np.float32).reshape(-1, 4)
    return Detections(boxes, np.full(len(places), score, np.float32))


def times(count: int, fps: float = 10) -> np.ndarray:
    return (np.arange(count) * 1e6 / fps).astype(np.int64)


def numbers(found: list[np.ndarray]) -> list[int]:
    return sorted(set(np.concatenate(found).tolist()))


def test_two_people_walking_side_by_side_keep_their_numbers():
    found = track(times(30), [people(100 + 3 * i, 400 - 2 * i) for i in range(30)], fps=10)
    assert all(frame.tolist() == [1, 2] for frame in found)
    assert found[0].dtype == np.int64


@pytest.mark.case("supervision 1805, trackers PR 420")
def test_one_missed_detection_is_bridged_and_a_patience_that_rounds_to_nothing_refused():
    detections = [people(100 + 3 * i) for i in range(20)]
    detections[10] = NOBODY
    assert numbers(track(times(20), detections, fps=10, patience_s=0.1)) == [1]
    with pytest.raises(ValueError, match="does not cover one missed frame"):
        track(times(20), detections, fps=10, patience_s=0.04)


@pytest.mark.case("norfair 337")
def test_a_track_of_two_detections_has_the_whole_patience():
    detections = [people(100)] * 2 + [NOBODY] * 10 + [people(100)] * 5
    assert numbers(track(times(17), detections, fps=10, patience_s=1.0)) == [1]


@pytest.mark.parametrize(("missed", "expected"), [(20, [1]), (22, [1, 2])])
def test_patience_is_kept_to_the_frame(missed, expected):
    detections = [people(100)] * 20 + [NOBODY] * missed + [people(100)] * 5
    assert numbers(track(times(len(detections)), detections, fps=10, patience_s=2.0)) == expected


@pytest.mark.parametrize(("gap_s", "expected"), [(1.9, [1]), (2.4, [1, 2])])
def test_a_gap_in_the_video_counts_as_time(gap_s, expected):
    stamps = times(40)
    stamps[20:] += round(gap_s * 1e6)
    assert numbers(track(stamps, [people(100)] * 40, fps=10)) == expected


def test_motion_goes_on_over_missing_frames():
    stamps = np.delete(times(40), range(20, 30))
    detections = [people(100 + 6 * i) for i in np.delete(np.arange(40), range(20, 30))]
    assert numbers(track(stamps, detections, fps=10)) == [1]


def test_someone_who_walks_out_of_their_box_between_two_frames_is_tracked():
    assert numbers(track(times(10, 5), [people(100 + 38 * i) for i in range(10)], fps=5)) == [1]


@pytest.mark.case("supervision PR 1364, norfair 309")
def test_a_flickering_false_box_is_nobody():
    detections = [people(100 + 3 * i, *([500] if i % 3 == 0 else [])) for i in range(30)]
    found = track(times(30), detections, fps=10)
    assert all(frame[0] == 1 for frame in found)
    assert all(frame[1] == -1 for frame in found if len(frame) == 2)


def test_low_scores_continue_a_track_and_start_none():
    weak = [people(100, 400, score=0.15) for _ in range(10)]
    found = track(times(20), [people(100)] * 10 + weak, fps=10)
    assert all(frame[0] == 1 for frame in found)
    assert all(frame[1] == -1 for frame in found[10:])


@pytest.mark.case("ultralytics 16864, PR 24889")
def test_no_state_is_carried_from_camera_to_camera():
    detections = [people(100 + 3 * i, 300) for i in range(10)]
    first = track(times(10), detections, fps=10)
    second = track(times(10), detections, fps=10)
    assert [frame.tolist() for frame in first] == [frame.tolist() for frame in second]


def test_times_must_increase():
    with pytest.raises(ValueError, match="increase"):
        track(np.array([0, 0]), [NOBODY, NOBODY], fps=10)
    assert track(np.zeros(0, np.int64), [], fps=10) == []


def looks(*levels: int) -> np.ndarray:
    """People who are all of one brightness, each their own."""
    rows = np.zeros((len(levels), 9, 8), np.uint8)
    for row, level in enumerate(levels):
        rows[row, :, level] = 255
    return rows.reshape(len(levels), SIZE)


@pytest.mark.parametrize("score", [0.9, 0.2])
def test_a_track_does_not_pass_to_another_person_in_the_same_place(score):
    """Someone steps out of sight, and another one stands there: also where only a weak detection says so."""
    detections = [people(100)] * 10 + [people(108, score=score)] * 5
    seen = [looks(1)] * 10 + [looks(6)] * 5
    assert numbers(track(times(15), detections, fps=10)) == [1], "boxes alone can't tell"
    expected = [1, 2] if score > 0.25 else [-1, 1]
    assert numbers(track(times(15), detections, fps=10, looks=seen)) == expected
    assert numbers(track(times(15), detections, fps=10, looks=[looks(1)] * 15)) == [1]


def test_two_people_who_pass_each_other_keep_their_numbers_by_their_looks():
    ways = [(100 + 12 * i, 340 - 12 * i) for i in range(21)]
    hidden = {9, 10, 11}
    detections = [people(*way) if i not in hidden else people(way[0]) for i, way in enumerate(ways)]
    seen = [looks(1, 6) if i not in hidden else looks(1) for i in range(21)]
    found = track(times(21), detections, fps=10, looks=seen)
    assert all(frame.tolist() == [1, 2][: len(frame)] for frame in found)


def test_looks_of_other_detections_are_refused():
    with pytest.raises(ValueError, match="looks must be given for every detection"):
        track(times(1), [people(100)], fps=10, looks=[looks(1, 2)])
