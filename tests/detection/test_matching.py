from __future__ import annotations

import numpy as np
import pytest

from detection.matching import agreed, area, box_iou, match_people

PERSON = (10, 10, 30, 60)


def boxes(*rows: tuple[float, ...]) -> np.ndarray:
    return np.array(rows, np.float32).reshape(-1, 4)


def match(found, truth, counted=None, scores=None):
    found, truth = boxes(*found), boxes(*truth)
    scores = np.linspace(0.9, 0.5, len(found)) if scores is None else np.array(scores)
    return match_people(found, scores, truth, np.ones(len(truth), bool) if counted is None else np.array(counted))


def test_iou_of_half_and_of_empty_boxes():
    first, second = boxes((0, 0, 10, 10), (5, 5, 5, 5)), boxes((0, 5, 10, 15), (5, 5, 5, 5))
    assert box_iou(first, second)[0, 0] == pytest.approx(1 / 3)
    assert box_iou(first, second)[1, 1] == 0
    assert area(first).tolist() == [100, 0]


@pytest.mark.parametrize(
    ("found", "truth", "counted", "truth_of", "false_alarm"),
    [
        ([PERSON], [PERSON], [True], [0], [False]),
        ([PERSON, (11, 10, 31, 60)], [PERSON], [True], [0, -1], [False, True]),  # a second box is a false alarm
        ([PERSON], [(10, 34, 30, 84)], [True], [-1], [True]),  # IoU just below a half
        ([(12, 20, 28, 50)], [PERSON], [False], [-1], [False]),  # inside an ignored person
        ([(20, 10, 60, 60)], [PERSON], [False], [-1], [True]),  # a quarter inside an ignored person
        ([PERSON], [], [], [-1], [True]),
        ([], [PERSON], [True], [], []),
        ([PERSON], [PERSON, (12, 10, 32, 60)], [False, True], [1], [False]),  # who is asked for comes first
    ],
)
def test_rule(found, truth, counted, truth_of, false_alarm):
    result = match(found, truth, np.array(counted, bool))
    assert result.truth_of.tolist() == truth_of
    assert result.false_alarm.tolist() == false_alarm


def test_best_score_chooses_first_whatever_the_order():
    exact, shifted = PERSON, (13, 10, 33, 60)
    assert match([shifted, exact], [PERSON], scores=[0.9, 0.4]).truth_of.tolist() == [0, -1]
    assert match([shifted, exact], [PERSON], scores=[0.4, 0.9]).truth_of.tolist() == [-1, 0]


def test_two_people_close_together_each_get_a_box():
    assert match([PERSON, (22, 10, 42, 60)], [(21, 10, 41, 60), PERSON]).truth_of.tolist() == [1, 0]


def test_agreement_keeps_what_both_see_and_reports_the_rest():
    first, second = boxes(PERSON, (100, 0, 120, 50)), boxes((11, 10, 31, 60), (200, 0, 220, 50))
    both, alone = agreed(first, np.array([0.9, 0.8]), second, np.array([0.9, 0.8]))
    assert both.tolist() == boxes(PERSON).tolist()
    assert alone.tolist() == boxes((100, 0, 120, 50), (200, 0, 220, 50)).tolist()
