"""Nights end to end: changes of clocks, killed jobs, full disks, odd folders, a server set to another zone."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import subprocess
import sys
import time
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
import pandas as pd
import pytest
from prefect.server.schemas.schedules import CronSchedule

from flows.due import last_ended_day
from flows.lake import Lake
from flows.store_reading import load_store
from tests.flows.painted import DAY, PaintedStore, walks

ROOT = Path(__file__).parents[2]
STANDS = walks(0, (0, 160, 200), (40, 160, 200))
CHANGES = [
    ("Europe/Berlin", date(2025, 3, 30), 23),
    ("Europe/Berlin", date(2025, 10, 26), 25),
    ("America/Montreal", date(2025, 3, 9), 23),
    ("America/Montreal", date(2025, 11, 2), 25),
]


@pytest.mark.case("prefect PR 10472, 326")
@pytest.mark.parametrize(("zone", "day", "hours"), CHANGES)
@pytest.mark.parametrize("cron", ["10 0 * * *", "30 2 * * *"])
def test_a_daily_schedule_runs_once_each_local_day(zone, day, hours, cron):
    first = datetime.combine(day - timedelta(days=2), datetime.min.time(), ZoneInfo(zone))
    schedule = CronSchedule(cron=cron, timezone=zone)
    moments = asyncio.run(schedule.get_dates(n=20, start=first, end=first + timedelta(days=5)))
    days = [moment.astimezone(ZoneInfo(zone)).date() for moment in moments]
    assert days == [first.date() + timedelta(days=number) for number in range(5)]


@pytest.mark.case("prefect PR 10472, 326")
@pytest.mark.parametrize(("zone", "day", "hours"), CHANGES)
def test_the_half_hourly_look_finds_each_local_day_once(shop, zone, day, hours):
    """What prefect.yaml schedules is `chain-day`, each half hour of UTC: which day it finds ended, and when."""
    shop.data["timezone"] = zone
    config, first = load_store(shop.file), datetime.combine(day - timedelta(days=2), datetime.min.time(), UTC)
    looks = [first + timedelta(minutes=10 + 30 * number) for number in range(48 * 5)]
    found = [last_ended_day(config, now=look) for look in looks]
    assert all(after - before in (timedelta(0), timedelta(days=1)) for before, after in pairwise(found))
    seen_first = next(look for look, ended in zip(looks, found, strict=True) if ended == day)
    midnight = datetime.combine(day + timedelta(days=1), datetime.min.time(), ZoneInfo(zone))
    assert timedelta(hours=2.5) <= seen_first - midnight < timedelta(hours=3)


@pytest.mark.case("prefect PR 10472, 326")
@pytest.mark.parametrize(("zone", "day", "hours"), CHANGES)
def test_the_day_of_a_change_of_clocks_has_its_hours_and_loses_no_second(shop, zone, day, hours):
    """Somebody stands in the aisle through the change; the recording is named by the clock before it."""
    shop.data |= {"timezone": zone, "opening_hours": {}}
    before = "01-59-50" if hours == 23 or zone == "America/Montreal" else "02-59-50"
    shop.clip([walks(0, (0, 160, 200), (19, 160, 200))], 20, start=before, day=str(day))
    assert shop.run("--date", str(day)) == 0
    assert shop.account["cameras"][0]["seconds_expected"] == hours * 3600
    counts = shop.table("zone_counts").query("role_filter == 'all'")
    assert len(counts) == hours * 60 and counts["bucket_start"].is_unique
    assert shop.table("visits")["dwell_s"].tolist() == pytest.approx([19], abs=0.2)


@pytest.mark.case("sibling: the hour that comes twice, recorded twice under the same clock")
@pytest.mark.parametrize("made", [None, "2025-10-26T01:30:00.000000Z"])
def test_both_hours_of_the_night_in_october_are_counted(shop, made):
    shop.data |= {"timezone": "Europe/Berlin", "opening_hours": {}}
    shop.data["recordings"]["path"] = "videos/{camera}/%Y-%m-%d_%H-%M-%S*.mp4"
    visitor = [walks(0, (0, 160, 200), (19, 160, 200))]
    if made is None:
        shop.clip(visitor, 20, start="02-30-00", day="2025-10-26")
    shop.clip(visitor, 20, start="02-30-00_1", day="2025-10-26", creation_time=made)
    assert shop.run("--date", "2025-10-26") == 0
    starts = shop.table("visits")["enter"].dt.strftime("%H:%M").tolist()
    assert starts == (["01:30"] if made else ["00:30", "01:30"])  # UTC
    assert "clock was put back" not in shop.problems


@pytest.mark.case("sibling: clocks change at midnight, and zones of half an hour")
@pytest.mark.parametrize(
    ("zone", "day", "hours", "first"),
    [
        ("Africa/Cairo", "2025-04-25", 23, "2025-04-24T22:00:00Z"),
        ("Asia/Kolkata", "2025-03-14", 24, "2025-03-13T18:30:00Z"),
        ("Australia/Lord_Howe", "2025-04-06", 24.5, "2025-04-05T13:00:00Z"),
    ],
)
def test_odd_zones_have_whole_days(shop, zone, day, hours, first):
    shop.data |= {"timezone": zone, "opening_hours": {}}
    shop.clip([STANDS], 4, start="12-00-00", day=day)
    assert shop.run("--date", day) == 0
    counts = shop.table("zone_counts").query("role_filter == 'all'")
    assert len(counts) == hours * 60 and counts["bucket_start"].min() == pd.Timestamp(first)
    assert shop.account["cameras"][0]["seconds_expected"] == hours * 3600


@pytest.mark.case("sibling: the server's clock is set to another zone")
def test_the_servers_zone_changes_no_number(shop, monkeypatch):
    shop.data["timezone"] = "Europe/Berlin"
    shop.clip([STANDS], 20)
    found = []
    try:
        for zone in ("UTC", "Asia/Tokyo"):
            monkeypatch.setenv("TZ", zone)
            time.tzset()
            assert shop.run() == 0
            found.append({name: shop.table(name) for name in ("visits", "zone_counts", "positions")})
    finally:
        monkeypatch.undo()
        time.tzset()
    assert all(found[0][name].equals(found[1][name]) for name in found[0])
    assert str(found[0]["visits"]["enter"].dt.tz) == "UTC" and len(found[0]["visits"]) == 1


SLOW_JOB = """
import sys, time
import flows.chunks
from flows import cli
from tests.flows.painted import HueEmbedder, PaintedDetector

class Slow(PaintedDetector):
    def detect(self, images):
        time.sleep(0.05)
        return super().detect(images)

flows.chunks._load_detector = lambda *_: Slow()
flows.chunks._load_embedder = lambda *_: HueEmbedder()
cli.main(sys.argv[1:])
"""


def start_slowly(shop: PaintedStore) -> subprocess.Popen[bytes]:
    """`aisleflow run` in a process of its own; returns when its first chunk is done and others are not."""
    command = [sys.executable, "-c", SLOW_JOB, "run", str(shop.file), "--lake", shop.lake]
    with (shop.folder / "job.err").open("wb") as told:
        job = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=told, start_new_session=True)
    until = time.monotonic() + 90
    while not finished_chunks(shop):
        assert job.poll() is None and time.monotonic() < until, "the job ended, or hangs, before its first chunk"
        time.sleep(0.02)
    return job


def finished_chunks(shop: PaintedStore) -> dict[Path, int]:
    files = (shop.folder / "lake" / "_chunks").rglob("*.parquet")
    return {file: file.stat().st_mtime_ns for file in files if not file.name.startswith(".")}


def six_clips(shop: PaintedStore) -> None:
    for number in range(6):
        shop.clip([STANDS], 4, start=f"10-00-{4 * number:02}", first_s=4 * number)


@pytest.mark.case("prefect 9895, 18839, infrahub 9856")
def test_a_killed_job_leaves_nothing_half_done_and_goes_on_where_it_was(shop):
    six_clips(shop)
    job = start_slowly(shop)
    job.kill()
    job.wait(20)
    assert Lake(shop.lake).days() == []
    done = finished_chunks(shop)
    assert 0 < len(done) < 6
    assert shop.run() == 0
    assert done.items() <= finished_chunks(shop).items()
    assert shop.table("visits")["dwell_s"].tolist() == pytest.approx([24], abs=0.2)


@pytest.mark.case("prefect 9895, 18839, infrahub 9856")
def test_a_job_held_to_be_dead_that_still_works_changes_nothing(shop):
    six_clips(shop)
    job = start_slowly(shop)
    try:
        os.killpg(job.pid, signal.SIGSTOP)  # as on a machine that hangs, or was cut off
        assert len(finished_chunks(shop)) < 6
        assert shop.run() == 0
        first = {name: shop.table(name) for name in ("visits", "zone_counts", "positions")}
        os.killpg(job.pid, signal.SIGCONT)
        assert job.wait(90) == 0, (shop.folder / "job.err").read_text()
    finally:
        if job.poll() is None:
            os.killpg(job.pid, signal.SIGKILL)
        job.wait(20)
    assert all(shop.table(name).equals(rows) for name, rows in first.items())
    assert len(shop.table("runs")) == 1


def run_on_a_full_disk(shop: PaintedStore, most_bytes: int = 2_000) -> int:
    """`aisleflow run` where no file can grow beyond some bytes."""
    file = str(shop.file)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, hard))
        return shop.command("run", file, "--lake", shop.lake)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)


@pytest.mark.case("arrow 8741, dask 5759, pandas 55400")
def test_a_day_without_visitors_has_the_types_of_the_day_beside_it(shop):
    """Both made by the job; read by pandas and by DuckDB, one by one and together."""
    shop.data["opening_hours"]["saturday"] = ["10:00-10:01"]
    shop.data["entrances"] = [{"id": "main", "line": [[8, 0], [8, 12]], "inside": [12, 6]}]
    shop.clip([walks(0, (0, 60, 200), (4, 260, 200))], 4)
    shop.clip([], 4, day="2025-03-15")
    assert shop.run() == 0 and shop.run("--date", "2025-03-15") == 0
    lake = Lake(shop.lake)
    rows = {}
    for table in lake.manifest("shop", DAY).tables:
        files = lake.addresses(table)
        frames = [pd.read_parquet(file) for file in files]
        assert frames[0].dtypes.equals(frames[1].dtypes), table
        described = [duckdb.execute("DESCRIBE SELECT * FROM read_parquet(?)", [file]).fetchall() for file in files]
        assert described[0] == described[1], table
        assert len(duckdb.execute("SELECT * FROM read_parquet(?)", [lake.glob(table)]).df()) == sum(map(len, frames))
        rows[table] = [len(frame) for frame in frames]
    assert rows["visits"] == [1, 0] and rows["footfall"] == [1, 0] and rows["identities"] == [1, 0]
    assert rows["zone_counts"][0] == rows["zone_counts"][1] > 0


@pytest.mark.case("sibling: the disk is full")
@pytest.mark.parametrize("had_the_day", [False, True])
def test_a_full_disk_stops_the_job_in_one_line_and_spoils_nothing(shop, capfd, had_the_day):
    """Without the day its first chunk can't be written; with it, and a redrawn zone, the lake's own files can't."""
    shop.clip([STANDS, walks(3, (0, 60, 110), (19, 280, 110))], 20)
    if had_the_day:
        assert shop.run() == 0
        shop.data["zones"][0]["id"] = "renamed"
    assert run_on_a_full_disk(shop) == 1
    lines = [line for line in capfd.readouterr().err.splitlines() if "not written" in line]
    assert len(lines) == 1 and "The day in the lake is as it was; free some space" in lines[0]
    assert len(Lake(shop.lake).days()) == had_the_day
    assert set(shop.table("visits")["zone"]) == ({"aisle"} if had_the_day else set())
    assert shop.run() == 0 and len(shop.table("visits")) == 2


@pytest.mark.case("sibling: the lake's path is no folder")
def test_a_lake_that_can_not_be_written_is_told(shop, capfd):
    shop.clip([STANDS], 2)
    (shop.folder / "lake").write_text("a note, not a lake")
    assert shop.run() in (1, 2)
    told = [line for line in capfd.readouterr().err.splitlines() if "Not a directory" in line]
    assert len(told) == 1 and "lake" in told[0]


@pytest.mark.case("sibling: other programs leave files in the lake")
def test_files_of_other_programs_in_the_lake_are_passed_over(shop):
    shop.clip([STANDS], 4)
    assert shop.run() == 0
    lake = shop.folder / "lake"
    for stray in (
        "visits/.DS_Store",
        f"visits/store=shop/date={DAY}/_SUCCESS",
        f"visits/store=shop/date={DAY}/.part-0.parquet.crc",
        "_days/.DS_Store",
        "_days/store=shop/notes.txt",
    ):
        (lake / stray).write_text("")
    assert len(shop.table("visits")) == 1
    assert [str(day.date) for day in Lake(shop.lake).days()] == [DAY]
    assert shop.run() == 0 and len(shop.table("visits")) == 1


@pytest.mark.case("sibling: a file of the lake is damaged")
def test_a_damaged_day_is_told_and_mended_by_running_it_again(shop, capfd):
    shop.clip([STANDS], 4)
    assert shop.run() == 0
    file = shop.folder / "lake" / "visits" / "store=shop" / f"date={DAY}" / "part-0.parquet"
    file.write_bytes(file.read_bytes()[:100])
    assert shop.command("score", "--lake", shop.lake, "--store", "shop", "--truth", "flows/demo/truth") == 1
    assert f"shop {DAY} is damaged" in (told := capfd.readouterr().err) and "process the day again" in told
    assert shop.run() == 0 and len(shop.table("visits")) == 1


@pytest.mark.case("sibling: brackets, spaces and umlauts in folders' names")
@pytest.mark.parametrize("name", ["disk [old] 2", "Läden #1", "50% {x}"])
def test_any_folders_name_will_do(shop, name):
    folder = shop.folder / name
    folder.mkdir()
    other = PaintedStore(folder)
    other.clip([STANDS], 4)
    assert other.run() == 0 and len(other.table("visits")) == 1


@pytest.mark.case("sibling: names and places in files that a terminal library takes for colours and pictures")
def test_brackets_and_colons_are_printed_as_they_are(shop, capfd):
    folder = shop.folder / "disk [old] [" / "red]"
    folder.mkdir(parents=True)
    other = PaintedStore(folder)
    other.data["name"] = "Shop [/b] :100:"
    other.data["zones"][0]["name"] = "[red]"
    other.clip([STANDS], 4)
    (folder / "videos" / "cam" / f"{DAY}_10-00-30.mp4").write_bytes(b"")
    assert other.run("--partial") == 0
    told = capfd.readouterr().out
    assert f"Shop [/b] :100:, {DAY}: 1 shopper" in told and "[red]" in told
    assert "problem: recordings of cam: 2025-03-14_10-00-30.mp4: read 0 %: the file is empty" in told
    other.file.write_text("#\n" * 99 + "id: no id\n" + other.file.read_text().partition("\n")[2])
    assert other.command("check", str(folder / "store.yaml")) == 2
    assert f"{folder}/store.yaml:100: id: string should match pattern" in capfd.readouterr().err


@pytest.mark.case("sibling: a day that has not come, or of which nothing is left")
def test_a_day_without_recordings_is_told_and_the_days_there_are_stay(shop, capfd):
    shop.clip([STANDS], 4)
    assert shop.run() == 0
    assert shop.run("--date", "2031-01-01") == 2
    told = capfd.readouterr().err
    assert "recordings of cam: none for 2031-01-01; expected" in told and "2031-01-01_%H-%M-%S.mp4" in told
    next((shop.folder / "videos").rglob("*.mp4")).unlink()
    assert shop.run() == 2
    assert len(shop.table("visits")) == 1
    assert shop.account["started"] < datetime.now(UTC)
