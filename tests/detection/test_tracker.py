from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from detection.byte_track import CONFIRMING_COST, FIRST_COST, LOW_SCORE, UNSURE_COST, assign
from detection.detector import Detections
from detection.looks import SIZE
from detection.tracker import BUFFER_X, BUFFER_Y, track

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


def crowd(frames: int, size: int = 12) -> list[Detections]:
    """People who wander about, close to each other, found with jitter, weakly, or not at all; and false boxes."""
    random = np.random.default_rng(5)
    place, step = random.uniform(100, 700, (size, 2)), random.uniform(-12, 12, (size, 2))
    seen = []
    for _ in range(frames):
        place += step
        step = np.where((place < 50) | (place > 800), -step, step)
        height = 140 + 0.1 * place[:, 1]
        corner = np.column_stack([place, place[:, 0] + 0.4 * height, place[:, 1] + height])
        boxes = corner + random.normal(0, 3, corner.shape)
        scores = random.choice([0.9, 0.7, 0.3, 0.2, 0.12], size, p=[0.4, 0.3, 0.1, 0.1, 0.1])
        found = random.random(size) > 0.12
        false = random.uniform(0, 700, (random.integers(0, 3), 2))
        boxes = np.concatenate([boxes[found], np.column_stack([false, false + np.array([50, 150])])])
        scores = np.concatenate([scores[found], random.uniform(0.1, 0.6, len(false))])
        best_first = np.argsort(-scores)
        seen.append(Detections(boxes[best_first].astype(np.float32), scores[best_first].astype(np.float32)))
    return seen


class Boxes:
    """Detections as ultralytics' trackers want them."""

    def __init__(self, boxes: np.ndarray, scores: np.ndarray) -> None:
        self.xyxy, self.conf, self.cls = boxes, scores, np.zeros(len(scores))
        sides = boxes[:, 2:] - boxes[:, :2]
        self.xywh = np.concatenate([boxes[:, :2] + sides / 2, sides], axis=1)

    def __len__(self) -> int:
        return len(self.conf)

    def __getitem__(self, rows: np.ndarray) -> Boxes:
        return Boxes(self.xyxy[rows], self.conf[rows])


def test_tracks_of_boxes_are_those_of_ultralytics_byte_track():
    from detection.ultralytics_settings import import_ultralytics

    import_ultralytics()
    from ultralytics.trackers.byte_tracker import BYTETracker

    detections = crowd(200)
    theirs = BYTETracker(
        SimpleNamespace(track_high_thresh=0.25, track_low_thresh=LOW_SCORE, new_track_thresh=0.25, track_buffer=20,
                        match_thresh=FIRST_COST, fuse_score=True)
    )  # fmt: skip
    theirs.update(Boxes(*vars(NOBODY).values()))  # in its first frame it confirms every box at once
    ours, pairs = track(times(200), detections, fps=10, patience_s=2.0), set()
    for own, found in zip(ours, detections, strict=True):
        height = found.boxes[:, 3:] - found.boxes[:, 1:2]
        widened = found.boxes + height * np.array([-BUFFER_X, -BUFFER_Y, BUFFER_X, BUFFER_Y], np.float32)
        rows = theirs.update(Boxes(widened, found.scores))
        pairs |= {(int(row[4]), int(own[int(row[7])])) for row in rows}
    confirmed = {number for frame in ours for number in frame.tolist() if number > 0}
    assert len(pairs) == len(confirmed) == len({one for one, _ in pairs}) == len({one for _, one in pairs}) > 12
    assert (UNSURE_COST, CONFIRMING_COST) == (0.5, 0.7), "constants in ultralytics' code, which has no setting for them"


def test_the_cheapest_matches_are_chosen_and_none_that_is_too_dear():
    costs = np.array([[0.1, 0.2], [0.2, 0.9]])
    rows, columns = assign(costs, 0.8)
    assert list(zip(rows.tolist(), columns.tolist(), strict=True)) == [(0, 1), (1, 0)]
    rows, columns = assign(costs, 0.15)
    assert (rows.tolist(), columns.tolist()) == ([0], [0])
    assert len(assign(np.zeros((0, 3)), 0.8)[0]) == 0


def test_tracking_loads_neither_torch_nor_ultralytics():
    """Seconds at the start of each process and most of its memory."""
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys, numpy as np; from detection.detector import Detections; from detection.tracker import track;"
            "import flows.store_day; track(np.array([0, 1]), [Detections.none()] * 2, fps=5);"
            "sys.exit(bool({'torch', 'ultralytics'} & set(sys.modules)))",
        ],
        timeout=120,
    )
    assert done.returncode == 0
