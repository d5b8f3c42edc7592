"""The scorer held against truth itself, and against known mistakes made on purpose."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from flows import score as scoring
from flows.report import print_score
from flows.score import TruthError, score
from flows.score_boxes import FALSE_ALARM, IGNORED, match_frame, sampled_frames
from flows.score_counts import footfall_scores, seconds_within, visit_scores

DEMO = Path(scoring.__file__).parent / "demo" / "truth"


@pytest.fixture(scope="module")
def perfect() -> dict[str, pd.DataFrame]:
    """The demo's truth put into the lake's tables, sampled at 2 frames/s: a system without any mistake."""
    truth = scoring.read_truth(DEMO)
    boxes = truth["boxes"].rename(columns={"person_id": "track_id"})
    boxes = boxes[boxes["time_us"] % 500_000 == 0]
    counted = (boxes["visible_fraction"] >= 0.3) & (boxes["y2"] - boxes["y1"] >= 40)
    positions = boxes[counted].merge(
        truth["positions"].rename(columns={"person_id": "track_id"}), on=["time_us", "track_id"], how="left"
    )
    counts = pd.read_parquet(DEMO / "zone_counts.parquet").rename(columns={"dwell_seconds": "dwell_s"})
    return {
        "positions": positions.assign(score=0.9),
        "identities": positions[["camera", "track_id"]].drop_duplicates().assign(person_id=lambda t: t["track_id"]),
        "visits": truth["visits"],
        "footfall": truth["footfall"],
        "zone_counts": counts.assign(bucket_s=60),
        "trajectories": truth["positions"].query("time_us % 500_000 == 0").assign(plane="floor"),
    }


def test_truth_against_itself_is_perfect(perfect):
    result = score(perfect, DEMO)
    ones = ["recall", "precision", "hota", "assa", "idf1", "ground_recall", "ground_precision", "ground_idf1"]
    ones += ["visits_recall", "visits_precision", "footfall_recall", "footfall_precision", "idf1_west", "tracks_idf1"]
    assert {name: result[name] for name in ones} == pytest.approx(dict.fromkeys(ones, 1.0))
    zeros = ["unique_people_error", "people_over_count", "footfall_error", "occupancy_mae", "occupancy_wape"]
    zeros += ["dwell_wape", "occupancy_wape_shoppers", "mean_dwell_wape", "ground_duplicates"]
    assert {name: result[name] for name in zeros} == pytest.approx(dict.fromkeys(zeros, 0.0), abs=1e-9)
    assert result["staff_recall"] == 1.0
    assert "IoU 0.5" in result["protocol"] and "2 frames/s" in result["protocol"]


def test_figures_are_printed_under_their_protocol(perfect, capsys):
    print_score(score(perfect, DEMO), Console(), as_json=False)
    lines = capsys.readouterr().out.splitlines()
    told = [line for line in lines if line.startswith("protocol, ")]
    assert lines[: len(told)] == told
    expected = (
        "boxes: the whole picture at any distance",
        "sampled at 2 frames/s",
        "ground: the whole floor",
        "1 m of",
    )
    for words in expected:
        assert any(words in line for line in told), words
    assert any("duplicates: a second point on a person who has one" in line for line in told)
    assert "ground_precision: 1" in lines and "ground_duplicates: 0" in lines


def test_without_trajectories_the_cameras_are_averaged(perfect):
    result = score({name: table for name, table in perfect.items() if name != "trajectories"}, DEMO)
    assert result["ground_precision"] == pytest.approx(1.0)
    assert 0.7 < result["ground_recall"] < 0.95  # the fully hidden have no box


def test_every_camera_on_its_own_is_over_counted(perfect):
    split = perfect["identities"].copy()
    split["person_id"] += 100 * split["camera"].astype("category").cat.codes.astype(int)
    tables = {name: table for name, table in perfect.items() if name != "trajectories"} | {"identities": split}
    result = score(tables, DEMO)
    assert result["people_over_count"] > 0.5
    assert result["idf1"] < 0.6 and result["idf1_west"] == pytest.approx(1.0)
    assert result["ground_duplicates"] > 0.3
    assert result["ground_precision"] < 0.7  # one who is counted twice is an error of counting


def test_fewer_frames_are_scored_at_their_own_rate(perfect):
    grid = perfect["positions"]["time_us"] % 2_000_000 == 0
    result = score(perfect | {"positions": perfect["positions"][grid]}, DEMO)
    assert result["recall"] == 1.0 and result["hota"] == pytest.approx(1.0)
    assert "0.5 frames/s" in result["protocol"]


def test_lost_frames_are_misses(perfect):
    positions = perfect["positions"]
    cut = positions["time_us"] < positions["time_us"].min() + 30_000_000
    assert score(perfect | {"positions": positions[cut]}, DEMO)["recall"] < 0.7


def test_timestamps_read_like_microseconds(perfect):
    times = pd.to_datetime(perfect["positions"]["time_us"], unit="us", utc=True)
    stamped = perfect["positions"].drop(columns="time_us").assign(time=times)
    assert score(perfect | {"positions": stamped}, DEMO)["idf1"] == pytest.approx(1.0)


def test_nothing_found_scores_zero(perfect):
    empty = {name: table.iloc[:0] for name, table in perfect.items() if name != "trajectories"}
    result = score(empty, DEMO)
    assert result["recall"] == 0.0 and result["idf1"] == 0.0 and result["people_over_count"] == -1.0
    assert result["occupancy_wape"] == pytest.approx(1.0) and result["precision"] is None


def test_mistakes_are_told(perfect, tmp_path):
    with pytest.raises(TruthError, match=r"lacks positions\.parquet"):
        score(perfect, tmp_path)
    with pytest.raises(TruthError, match="visits are missing"):
        score({name: table for name, table in perfect.items() if name != "visits"}, DEMO)
    late = perfect["positions"].assign(time_us=perfect["positions"]["time_us"] + 10**12)
    with pytest.raises(TruthError, match="time span"):
        score(perfect | {"positions": late}, DEMO)
    with pytest.raises(TruthError, match="no camera east"):
        score(perfect | {"positions": perfect["positions"].assign(camera="east")}, DEMO)


def test_second_box_is_a_false_alarm_and_hidden_people_are_ignored():
    truth = np.array([[0, 0, 50, 100], [200, 0, 250, 100]], float)
    boxes = np.array([[0, 0, 50, 98], [2, 0, 50, 100], [205, 5, 240, 60], [400, 0, 450, 100]], float)
    hits = match_frame(truth, np.array([True, False]), boxes, np.array([0.8, 0.9, 0.5, 0.9]))
    assert hits.tolist() == [FALSE_ALARM, 0, IGNORED, FALSE_ALARM]


def test_sampling_takes_the_first_frame_of_each_slot():
    times = np.array([0, 40, 80, 120, 160, 210, 240]) * 1000
    assert sampled_frames(times, 100_000).tolist() == [0, 120_000, 210_000]


def test_person_seconds_of_a_bucket():
    visits = pd.DataFrame({"enter_us": [0, 50_000_000], "exit_us": [10_000_000, 70_000_000]})
    seconds = seconds_within(visits, np.array([0, 60_000_000]), np.array([60_000_000, 120_000_000]))
    assert seconds.tolist() == [20.0, 10.0]


def test_errors_in_and_out_do_not_cancel():
    truth = pd.DataFrame({"time_us": [1_000_000, 9_000_000], "direction": ["in", "out"]})
    found = pd.DataFrame({"time_us": [1_500_000, 1_600_000], "direction": ["in", "in"]})
    result = footfall_scores(found, truth)
    assert result["footfall_error"] == 1.0 and result["footfall_in_error"] == 1.0 and result["footfall_out_error"] == -1
    assert result["footfall_recall"] == 0.5 and result["footfall_precision"] == 0.5


def test_visits_match_by_overlap_and_short_ones_do_not_count():
    columns = ["person_id", "role", "zone", "enter_us", "exit_us"]
    rows = [(1, "shopper", "a", 0, 10_000_000), (1, "shopper", "a", 10_200_000, 20_000_000)]
    truth = pd.DataFrame([*rows, (2, "shopper", "a", 0, 300_000)], columns=columns)
    found = pd.DataFrame([(7, "shopper", "a", 500_000, 19_000_000), (8, "shopper", "b", 0, 5_000_000)], columns=columns)
    result = visit_scores(found, truth)
    assert result["visits_recall"] == 1.0 and result["visits_precision"] == 0.5
