"""Which days are processed, again or at all."""

from __future__ import annotations

import copy
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from flows.camera_progress import CameraProgress
from flows.due import due_days, last_ended_day
from flows.lake import Lake
from flows.plan import plan_store_day
from flows.preflight import preflight
from tests.flows.painted import DAY, PaintedStore, walks

ACROSS = walks(1, (0, 20, 200), (8, 300, 200))
THE_DAY = date.fromisoformat(DAY)


def backfill(shop: PaintedStore, first: str = DAY, last: str = DAY) -> int:
    return shop.command("backfill", "--from", first, "--to", last, "--stores", str(shop.file), "--lake", shop.lake)


@pytest.mark.parametrize(
    ("zone", "now", "expected"),
    [
        ("Europe/Berlin", "2025-03-15T01:29:00Z", "2025-03-13"),  # 02:29 there
        ("Europe/Berlin", "2025-03-15T01:30:00Z", "2025-03-14"),
        ("America/Montreal", "2025-03-15T06:29:00Z", "2025-03-13"),
        ("America/Montreal", "2025-03-15T06:30:00Z", "2025-03-14"),
        ("Europe/Berlin", "2025-03-31T00:30:00Z", "2025-03-30"),  # after the day of 23 hours
        ("Europe/Berlin", "2025-10-27T01:29:00Z", "2025-10-25"),  # after the day of 25 hours
        ("Europe/Berlin", "2025-10-27T01:30:00Z", "2025-10-26"),
    ],
)
def test_a_day_has_ended_by_the_stores_clock(shop: PaintedStore, zone: str, now: str, expected: str):
    from flows.store_reading import load_store

    shop.data["timezone"] = zone
    moment = datetime.fromisoformat(now).astimezone(UTC)
    assert str(last_ended_day(load_store(shop.file), now=moment)) == expected


def test_a_late_file_is_due_and_only_its_chunk_is_processed(shop: PaintedStore):
    shop.clip([ACROSS], 4.0)
    assert backfill(shop) == 0
    lake = Lake(shop.lake)
    assert due_days(shop.file, lake, THE_DAY, THE_DAY) == []
    assert shop.account["cameras"][0]["seconds_seen"] == pytest.approx(4, abs=0.2)

    late = shop.clip([ACROSS], 4.0, start="10-00-04", first_s=4.0)
    (due,) = due_days(shop.file, lake, THE_DAY, THE_DAY)
    assert due.why == f"late: {late.name}"
    chunks = Path(shop.lake) / "_chunks"
    before = {path: path.stat().st_mtime_ns for path in chunks.rglob("*.parquet")}
    assert backfill(shop) == 0
    after = {path: path.stat().st_mtime_ns for path in chunks.rglob("*.parquet")}
    assert len(before) == 1 and len(after) == 2
    assert before.items() <= after.items()
    assert shop.account["cameras"][0]["seconds_seen"] == pytest.approx(8, abs=0.2)
    assert shop.table("visits")["person_id"].nunique() == 1, "one walk over the cut"
    assert due_days(shop.file, lake, THE_DAY, THE_DAY) == []


def test_a_file_that_was_cut_off_and_came_whole_is_late(shop: PaintedStore):
    clip = shop.clip([ACROSS], 4.0)
    whole = clip.read_bytes()
    clip.write_bytes(whole[: len(whole) // 2])
    shop.clip([ACROSS], 4.0, start="10-00-04", first_s=4.0)
    assert backfill(shop) == 0
    assert due_days(shop.file, Lake(shop.lake), THE_DAY, THE_DAY) == []
    clip.write_bytes(whole)
    assert [day.why for day in due_days(shop.file, Lake(shop.lake), THE_DAY, THE_DAY)] == [f"late: {clip.name}"]


def test_recordings_that_were_deleted_and_those_of_the_next_day_are_not_late(shop: PaintedStore):
    clip = shop.clip([ACROSS], 4.0)
    assert backfill(shop) == 0
    clip.unlink()
    shop.clip([ACROSS], 4.0, day="2025-03-15")
    assert due_days(shop.file, Lake(shop.lake), THE_DAY, THE_DAY) == []


def test_backfill_goes_on_after_a_day_that_fails(shop: PaintedStore, capfd):
    del shop.data["recordings"]["default_date"]
    shop.data["opening_hours"] = {"thursday": ["10:00-10:01"], "friday": ["10:00-10:01"], "saturday": ["10:00-10:01"]}
    shop.clip([ACROSS], 4.0)
    shop.clip([ACROSS], 4.0, day="2025-03-13").write_bytes(b"no video")
    shop.clip([ACROSS], 4.0, day="2025-03-15")
    assert backfill(shop, "2025-03-12", "2025-03-16") == 1
    told = capfd.readouterr().out
    assert [str(day.date) for day in Lake(shop.lake).days()] == ["2025-03-14", "2025-03-15"]
    assert "shop 2025-03-13 failed: no usable recording" in told
    assert "2025-03-12" not in told and "2025-03-16" not in told, "closed days"


@pytest.mark.parametrize(("first", "last", "expected"), [("14.3.", DAY, "--from 14.3."), (DAY, "2025-03-01", "swap")])
def test_dates_that_are_none_are_told(shop: PaintedStore, capfd, first: str, last: str, expected: str):
    assert backfill(shop, first, last) == 2
    assert expected in capfd.readouterr().err


def test_the_time_left_of_a_camera_counts_what_comes_before_it(shop: PaintedStore):
    shop.data["cameras"].append(copy.deepcopy(shop.data["cameras"][0]) | {"id": "cam2"})
    for camera in ("cam", "cam2"):
        for start in ("10-00-00", "10-00-04"):
            shop.clip([ACROSS], 4.0, start=start, camera=camera)
    clock = iter([0.0, 10.0, 10.0, 20.0])
    progress = CameraProgress(plan_store_day(preflight(shop.file), shop.lake), lambda: next(clock))
    assert progress.finished(0).text == "cam: 4 of 8 s of video, about 10 s left"
    assert progress.state("cam2").text == "cam2: 0 of 8 s of video, about 30 s left"
    assert progress.finished(1).percent == 100
