"""Random quarter-hours, a person's counts, and the accuracy they give."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import av
import numpy as np
import pandas as pd
import pytest

from flows.audit import (
    AuditError,
    Question,
    accuracy,
    audited,
    by_crowding,
    counted_by_lake,
    questions,
    save_answer,
)
from flows.audit_clips import write_clip
from flows.cli import main
from flows.config import StoreConfig
from flows.lake import Lake
from flows.places import SECOND_US
from flows.schemas import from_columns
from flows.store_reading import load_store
from flows.stores import DEMO

DAY = date(2025, 3, 14)


@pytest.fixture(scope="module")
def store() -> StoreConfig:
    return load_store(DEMO)


def window_of(store: StoreConfig) -> tuple[int, int]:
    return store.open_windows(DAY)[0]


@pytest.fixture
def lake(store: StoreConfig, tmp_path: Path) -> Lake:
    """The demo's day: nine ways in and four out, one a second from opening on; every camera saw all of it."""
    start, end = window_of(store)
    doors = pd.DataFrame(
        {
            "person_id": np.arange(1, 14),
            "role": ["staff"] + ["shopper"] * 12,
            "entrance": "main",
            "time": start + np.arange(1, 14) * SECOND_US,
            "direction": ["in"] * 9 + ["out"] * 4,
        }
    )
    span = {"seconds_expected": 60.0, "seconds_seen": 60.0, "seconds_missing": 0.0, "frames": 300, "gaps": []}
    run = {
        "run_id": "r",
        "started": start,
        "finished": end,
        "code_version": "0",
        "config_sha256": "0",
        "models": [],
        "simulated": False,
        "cameras": [{"camera": camera.id, **span} for camera in store.cameras],
        "problems": [],
        "stage_seconds": {},
    }
    place = Lake(str(tmp_path / "lake"))
    runs = from_columns("runs", {name: [value] for name, value in run.items()})
    place.write_day(store.id, DAY, {"footfall": doors, "runs": runs})
    return place


def rows(person: list[tuple[int, int]], system: list[tuple[int, int]]) -> pd.DataFrame:
    names = ["counted_in", "counted_out", "lake_in", "lake_out"]
    return pd.DataFrame([(*a, *b) for a, b in zip(person, system, strict=True)], columns=names).assign(seconds=900.0)


def test_a_question_lies_in_what_was_recorded_and_names_who_sees_it(lake: Lake, store: StoreConfig) -> None:
    asked = list(questions(store, lake))
    start, end = window_of(store)
    assert asked and all(start <= one.start_us < one.end_us <= end for one in asked)
    assert {(one.kind, one.target) for one in asked} == {("entrance", "main")}
    assert all(one.camera in {camera.id for camera in store.cameras} for one in asked)
    assert [one.key for one in questions(store, lake)] == [one.key for one in asked]  # the same seed, the same order


def test_a_camera_with_a_hole_is_not_asked_about_in_it(lake: Lake, store: StoreConfig) -> None:
    start, end = window_of(store)
    runs = lake.read_day(store.id, DAY, ["runs"])["runs"].to_pylist()
    asked = next(questions(store, lake))
    for camera in runs[0]["cameras"]:
        if camera["camera"] == asked.camera:
            camera["gaps"] = [{"start": start, "end": end, "reason": "no recording"}]
    columns = {name: [value] for name, value in runs[0].items()}
    lake.replace_tables(store.id, DAY, {"runs": from_columns("runs", columns)})
    assert list(questions(store, lake)) == []


def test_nothing_to_audit_says_what_to_do(store: StoreConfig, tmp_path: Path) -> None:
    with pytest.raises(AuditError, match="aisleflow run"):
        next(questions(store, Lake(str(tmp_path))))


def test_answers_are_kept_and_held_against_what_the_lake_says_now(lake: Lake, store: StoreConfig) -> None:
    question = next(questions(store, lake))
    assert counted_by_lake(lake, question) == (9, 4)  # staff too: a picture does not tell
    save_answer(lake, question, 7, 4, by="Ann")
    save_answer(lake, question, 8, 4, by="Ben", note="a pram hid one")
    found = audited(lake, store.id)
    assert found[["counted_in", "counted_out", "lake_in", "lake_out"]].to_numpy().tolist() == [[8, 4, 9, 4]]
    assert found.iloc[0]["note"] == "a pram hid one"
    footfall = lake.read_day(store.id, DAY, ["footfall"])["footfall"].slice(0, 8)
    lake.replace_tables(store.id, DAY, {"footfall": footfall})
    assert audited(lake, store.id).iloc[0]["lake_in"] == 8  # the day was processed again, the answer stays
    lake.delete_day(store.id, DAY)
    assert audited(lake, store.id).empty
    with pytest.raises(AuditError, match="0 or more"):
        save_answer(lake, question, -1, 0, by="")


def test_accuracy_does_not_let_errors_cancel_out() -> None:
    found = accuracy(rows([(10, 10), (10, 10), (10, 10)], [(12, 10), (8, 10), (10, 10)]))
    assert (found.quarters, found.people) == (3, 60)
    assert found.accuracy == pytest.approx(1 - 4 / 60) and found.ratio == pytest.approx(1.0)
    assert found.low is not None and found.low <= found.accuracy <= found.high
    perfect = accuracy(rows([(3, 1)] * 5, [(3, 1)] * 5))
    assert (perfect.accuracy, perfect.low, perfect.high) == (1.0, 1.0, 1.0)


def test_few_answers_give_no_interval_and_nobody_gives_no_accuracy() -> None:
    assert accuracy(rows([(5, 5)], [(5, 4)])).low is None
    assert accuracy(rows([(0, 0)] * 4, [(1, 0)] * 4)).accuracy is None
    assert accuracy(rows([], [])).quarters == 0


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    """Many audits of 20 quarter-hours of a system that misses one in ten: about 95 % of the intervals hold that."""
    random = np.random.default_rng(2)
    inside = 0
    for number in range(60):
        people = random.poisson(30, (20, 2))
        seen = random.binomial(people, 0.9)
        found = accuracy(rows([tuple(p) for p in people], [tuple(s) for s in seen]), seed=number)
        assert found.low is not None and found.high is not None
        inside += found.low <= 0.9 <= found.high
    assert inside >= 50


def test_busy_quarter_hours_are_told_apart() -> None:
    found = by_crowding(rows([(1, 1), (2, 2), (30, 30), (40, 40)], [(1, 1), (2, 2), (20, 20), (30, 30)]))
    assert found["crowding"].tolist() == ["quiet", "busy"]
    assert found["accuracy"].tolist() == [1.0, pytest.approx(1 - 40 / 140)]


def test_the_clip_is_the_recording_of_that_span(store: StoreConfig, tmp_path: Path) -> None:
    start, _ = window_of(store)
    question = Question(store.id, DAY, start + 2 * SECOND_US, start + 6 * SECOND_US, "west", "entrance", "main")
    file = write_clip(store, DEMO, question, tmp_path / "clip.mp4")
    with av.open(str(file)) as video:
        frames = list(video.decode(video=0))
    assert len(frames) == 20 and frames[0].width == 640
    assert [path.name for path in tmp_path.iterdir()] == ["clip.mp4"]
    gone = Question(store.id, date(2025, 3, 20), start, start + SECOND_US, "west", "entrance", "main")
    with pytest.raises(AuditError, match="no longer"):
        write_clip(store, DEMO, gone, tmp_path / "other.mp4")


def test_the_command_asks_and_reports(lake: Lake, store: StoreConfig, capsys) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["audit", str(DEMO), "--lake", lake.root, "--json"])
    assert ended.value.code == 0
    told = json.loads(capsys.readouterr().out)
    assert told["quarters"] == 0 and told["ask"][0]["target"] == "main"
    assert "drawn quarter-hours" in told["protocol"]
