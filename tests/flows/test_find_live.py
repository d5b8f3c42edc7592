"""Watching what is being recorded: segments that come into the folder are looked through once, the newest first."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from prefect.artifacts import Artifact
from prefect.testing.utilities import prefect_test_harness

from flows import find_flow, find_live, recordings
from flows.find import Query, SearchRefused
from flows.find_audit import AuditLog
from flows.find_live import LiveMatch, LiveSearch
from flows.person_search import PersonSearch
from flows.recordings import RecordingLost
from tests.flows.painted import HUES, PaintedStore, walks

PURPOSE = "Finding lost children, on the store manager's authority"
REASON = "a mother asks at the desk"
CHILD, OTHER = (walks(hue, (0, 40, 150), (6, 280, 150)) for hue in (2, 4))
SOUGHT = Query(embedding=np.eye(HUES, dtype=np.float32)[2])


class Clock:
    """UTC seconds that pass only where the watch sleeps; what the recorder did meanwhile is done then."""

    def __init__(self, now: datetime, records: Iterator[None] | None = None) -> None:
        self.now, self.records = now.replace(tzinfo=UTC).timestamp(), records or iter(())

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        next(self.records, None)


@pytest.fixture
def live(shop: PaintedStore) -> PaintedStore:
    shop.data["find"] = {"purpose": PURPOSE}
    return shop


def record(store: PaintedStore, who: list, start: str, day: str = "2025-03-14", settled: bool = True) -> Path:
    path = store.clip(who, 6.0, start=start, day=day)
    if settled:
        os.utime(path, (0, 0))
    return path


def search(store: PaintedStore) -> PersonSearch:
    return PersonSearch(store.file, store.lake, "anna", REASON, [])


def watch(store: PaintedStore, clock: Clock, monkeypatch, seconds: float, look_back_s: float = 1800) -> list[LiveMatch]:
    monkeypatch.setattr(find_live.time, "sleep", clock.sleep)
    return list(LiveSearch(search(store), SOUGHT, look_back_s=look_back_s, clock=clock).watch(seconds))


def test_a_new_segment_with_the_child_is_reported_once(live: PaintedStore, monkeypatch):
    def recorder() -> Iterator[None]:
        record(live, [OTHER], "10-00-10")
        record(live, [CHILD], "10-00-16", settled=False)  # still being written
        yield
        os.utime(live.folder / "videos" / "cam" / "2025-03-14_10-00-16.mp4", (0, 0))
        yield

    record(live, [OTHER], "10-00-00")
    record(live, [CHILD], "09-20-00")  # over long before
    (match,) = watch(live, Clock(datetime(2025, 3, 14, 10, 0, 20), recorder()), monkeypatch, 30)
    assert match.end == datetime(2025, 3, 14, 10, 0, 22, tzinfo=UTC) - timedelta(seconds=0.1)
    assert match.last.x_m == pytest.approx(14, abs=1) and match.last.heading == "east"
    assert str(match).startswith("10:00:21, camera cam") and match.candidate.likelihood > 0.9
    (kept,) = (Path(live.lake) / "_chunks" / "shop" / "2025-03-14").glob("match-*.json")
    assert set(json.loads(kept.read_text())) == {"reason", "likelihood", "last", "sighting", "time_us", "box", "others"}
    rows = AuditLog(live.lake, "shop").entries().to_pylist()
    assert [row["action"] for row in rows] == ["live", "match"]
    assert rows[1]["shown"] == [str(match.candidate.name)] and rows[0]["reason"] == REASON


def test_the_newest_segment_is_looked_through_first_and_its_matches_are_told_at_once(live: PaintedStore, monkeypatch):
    for start in ("10-00-00", "10-00-10", "10-00-20"):
        record(live, [CHILD], start)
    clock = Clock(datetime(2025, 3, 14, 10, 1))
    seen = LiveSearch(search(live), SOUGHT, look_back_s=1800, clock=clock).watch(0)
    first = next(seen)
    work = Path(live.lake) / "_chunks"
    assert first.end.second == 25 and len(list(work.rglob("*.parquet"))) == 1
    assert [one.end.second for one in seen] == [15, 5]


def test_midnight_takes_nothing_away(live: PaintedStore, monkeypatch):
    """Two minutes past midnight by the store's clock, still the day before by UTC."""
    live.data["timezone"] = "Europe/Berlin"
    record(live, [CHILD], "23-55-00")
    record(live, [CHILD], "23-59-57")  # goes on past midnight
    record(live, [OTHER], "00-01-00", day="2025-03-15")
    found = watch(live, Clock(datetime(2025, 3, 14, 23, 2)), monkeypatch, 0)
    assert [f"{one.end:%d %H:%M:%S}" for one in found] == ["15 00:00:02", "14 23:59:59", "14 23:55:05"]
    assert watch(live, Clock(datetime(2025, 3, 14, 23, 2)), monkeypatch, 0, look_back_s=150) == found[:2]


def test_the_night_uses_what_was_looked_through(live: PaintedStore, monkeypatch):
    record(live, [CHILD], "10-00-00")
    assert len(watch(live, Clock(datetime(2025, 3, 14, 10, 1)), monkeypatch, 0)) == 1
    made = {path.name: path.stat().st_mtime_ns for path in (Path(live.lake) / "_chunks").rglob("*.parquet")}
    assert live.run() == 0
    after = {path.name: path.stat().st_mtime_ns for path in (Path(live.lake) / "_chunks").rglob("*.parquet")}
    assert made and made.items() <= after.items()


def test_a_segment_that_is_written_anew_under_way_is_asked_for_again(live: PaintedStore, monkeypatch):
    record(live, [CHILD], "10-00-00")
    real, failed = find_live.process_chunk, []

    def lost_once(chunk, *rest):
        if not failed:
            failed.append(chunk.path)
            raise RecordingLost(f"{chunk.path} was written anew while it was being read")
        return real(chunk, *rest)

    monkeypatch.setattr(find_live, "process_chunk", lost_once)
    assert len(watch(live, Clock(datetime(2025, 3, 14, 10, 1)), monkeypatch, 0)) == 1 and failed


def test_segments_that_were_over_are_not_opened(live: PaintedStore, monkeypatch):
    """A day of minutes would take minutes to open."""
    for minute in range(0, 60, 10):
        record(live, [OTHER], f"10-{minute:02}-00")
    opened = []
    monkeypatch.setattr(recordings, "_probed", lambda path, stamp: opened.append(path) or recordings.probe(path))
    watch(live, Clock(datetime(2025, 3, 14, 11, 0)), monkeypatch, 0, look_back_s=900)
    assert {Path(path).stem[-8:] for path in opened} == {"10-40-00", "10-50-00"}


def test_the_command_watches_and_says_where(live: PaintedStore, monkeypatch, capfd: pytest.CaptureFixture[str]):
    now = datetime.now(UTC) - timedelta(seconds=30)
    record(live, [CHILD], f"{now:%H-%M-%S}", day=f"{now:%Y-%m-%d}")
    stores = shelved(live)
    asked = ["find-live", "--store", "shop", "--stores", str(stores), "--lake", live.lake, "--minutes", "0"]
    assert live.command(*asked, "--reason", "", "--upper", "green") == 2
    assert "say why you search" in capfd.readouterr().err
    crops = live.folder / "crops"
    assert live.command(*asked, "--reason", REASON, "--upper", "green", "--crops", str(crops)) == 0
    said = capfd.readouterr().out
    (file,) = crops.iterdir()
    assert ", camera cam, " in said and str(file) in said
    assert file.stat().st_mode & 0o077 == 0 and crops.stat().st_mode & 0o077 == 0
    assert [row["action"] for row in AuditLog(live.lake, "shop").entries().to_pylist()][-2:] == ["match", "crops"]


def test_a_match_has_a_picture_whose_head_is_blurred_until_it_must_be_seen(live: PaintedStore, monkeypatch):
    """Before the day is in the lake: by the segment's own tracks, the other person's head too."""
    beside = walks(4, (0, 70, 150), (6, 310, 150))
    record(live, [CHILD, beside], "10-00-00")
    monkeypatch.setattr(find_live.time, "sleep", lambda _: None)
    person = search(live)
    (match,) = LiveSearch(person, SOUGHT, look_back_s=1800, clock=Clock(datetime(2025, 3, 14, 10, 1))).watch(0)
    (blurred,) = person.crops_of([match.shot])
    person.show_heads()
    (whole,) = person.crops_of([match.shot])
    assert not isinstance(blurred, str) and not isinstance(whole, str) and blurred.shape == whole.shape
    changed = np.abs(blurred.astype(int) - whole).max(axis=2)
    height = len(changed)
    assert changed[height // 8 : height // 5].mean() > 20, "the head"
    assert changed[height // 2 :].max() == 0, "the clothes are seen"
    assert len(match.shot.others) == 1, "and who else was there"
    rows = AuditLog(live.lake, "shop").entries().to_pylist()
    assert [row["action"] for row in rows] == ["live", "match", "crops", "heads", "crops"]
    assert rows[2]["shown"] == [str(match.candidate.name)]


def test_the_flow_watches_and_keeps_words_only(live: PaintedStore, monkeypatch):
    """As a Prefect flow: its database gets parameters and matches, the picture goes where it was asked to."""
    now = datetime.now(UTC) - timedelta(seconds=30)
    record(live, [CHILD], f"{now:%H-%M-%S}", day=f"{now:%Y-%m-%d}")
    stores = shelved(live)
    asked = {"store": "shop", "upper": "green", "minutes": 0.0, "lake": live.lake, "stores": str(stores)}
    with prefect_test_harness(server_startup_timeout=300):
        with pytest.raises(SearchRefused, match="say why you search"):
            find_flow.find_live(reason="", **asked)
        told = find_flow.find_live(reason=REASON, crops=str(live.folder / "crops"), **asked)
        kept = Artifact.get("find-live-shop")
    (file,) = (live.folder / "crops").iterdir()
    assert len(told) == 1 and ", camera cam, " in told[0] and told[0].endswith(str(file))
    assert kept is not None and told[0] in kept.data and "PNG" not in kept.data
    actions = [row["action"] for row in AuditLog(live.lake, "shop").entries().to_pylist()]
    assert actions == ["refused", "live", "match", "crops"]


def shelved(store: PaintedStore) -> Path:
    """A folder of stores with this one in it."""
    stores = store.folder / "stores"
    (stores / "shop").mkdir(parents=True)
    (stores / "shop" / "videos").symlink_to(store.folder / "videos")
    (stores / "shop" / "store.yaml").write_text(store.file.read_text())
    return stores
