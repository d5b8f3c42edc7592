"""What is gone is gone, and what was counted stays."""

from __future__ import annotations

import re
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow.parquet as pq
import pytest

from flows.lake import Lake
from flows.retention import APPEARANCE, Retention, forget, stores_with_data
from flows.store_reading import load_store
from tests.flows.painted import DAY, PaintedStore, walks

KEPT = ("visits", "footfall", "zone_counts", "zone_quarters", "identities", "runs")
THE_DAY = date.fromisoformat(DAY)
PICTURES = (b"\x89PNG", b"\xff\xd8\xff", b"RIFF", b"ftyp")


@pytest.fixture
def processed(shop: PaintedStore) -> PaintedStore:
    """Two days in the lake."""
    shop.data["entrances"] = [{"line": [[4, 0], [4, 12]], "inside": [5, 6]}]
    del shop.data["recordings"]["default_date"]
    shop.data["opening_hours"] = {day: ["10:00-10:01"] for day in ("friday", "saturday")}
    for day in (DAY, "2025-03-15"):
        shop.clip([walks(1, (0, 20, 200), (8, 300, 200))], 8.0, day=day)
        assert shop.run("--date", day) == 0
    return shop


def scan(lake: str) -> dict[str, set[str]]:
    """Walk every file of the lake: for each date, what of people its files hold. No file may hold a picture."""
    found: dict[str, set[str]] = {}
    for file in Path(lake).rglob("*"):
        if not file.is_file():
            continue
        days = re.findall(r"\d{4}-\d\d-\d\d", str(file.relative_to(lake)))
        held = found.setdefault(days[-1], set())
        assert not file.read_bytes().startswith(PICTURES), file
        if file.suffix == ".parquet":
            rows = pq.read_table(file)
            held |= {
                name for name in ("x1", *APPEARANCE) if name in rows.column_names and rows[name].null_count < len(rows)
            }
    return found


def test_forget_leaves_no_position_and_no_embedding_and_all_that_was_counted(processed: PaintedStore, capfd):
    lake = Lake(processed.lake)
    before = {day.date: lake.read_day(*day) for day in lake.days()}
    assert {"x1", "embedding"} <= scan(processed.lake)[DAY]
    assert processed.command("forget", "--before", "2025-03-15", "--lake", processed.lake) == 0
    assert f"shop {DAY}: chunks, positions, embeddings, secret forgotten" in capfd.readouterr().out

    held = scan(processed.lake)
    assert held[DAY] == set()
    assert {"x1", "embedding"} <= held["2025-03-15"], "the other day is as it was"
    after = lake.read_day("shop", DAY)
    for table in KEPT:
        assert after[table] == before[THE_DAY][table], table
    assert after["visits"].num_rows > 0
    manifest = lake.manifest("shop", DAY)
    assert manifest is not None and "forgotten" in manifest.absent["positions"]
    assert lake.read_day("shop", "2025-03-15") == before[date(2025, 3, 15)]

    assert processed.command("forget", "--before", "2025-03-15", "--lake", processed.lake) == 0
    assert "nothing to forget" in capfd.readouterr().out


def test_embeddings_go_after_their_days_and_positions_after_theirs(processed: PaintedStore):
    processed.data["privacy"] = {"embeddings_days": 1, "positions_days": 2}
    config = load_store(processed.file)
    config = config.model_copy(update={"timezone": "America/Montreal"})
    lake = Lake(processed.lake)

    def on(moment: str) -> dict[str, set[str]]:
        now = datetime.fromisoformat(moment).replace(tzinfo=ZoneInfo("America/Montreal"))
        forget(lake, "shop", Retention.of(config, now))
        return scan(processed.lake)

    assert {"x1", "embedding"} <= on("2025-03-15T23:59")[DAY]
    second = on("2025-03-16T00:01")
    assert second[DAY] == {"x1"} and "embedding" in second["2025-03-15"]
    third = on("2025-03-17T00:01")
    assert third[DAY] == set() and third["2025-03-15"] == {"x1"}


def test_chunks_of_a_day_that_never_reached_the_lake_go_too(processed: PaintedStore):
    lake = Lake(processed.lake)
    lake.delete_day("shop", DAY)
    assert "embedding" in scan(processed.lake)[DAY]
    assert [one.what for one in forget(lake, "shop", Retention(date(2025, 3, 15), None))] == [("chunks", "secret")]
    assert scan(processed.lake)[DAY] == set()


def test_a_day_that_is_being_written_is_told_and_goes_the_next_time(processed: PaintedStore, capfd):
    lake = Lake(processed.lake)
    with lake.writer("shop", DAY):
        assert processed.command("forget", "--before", "2025-03-15", "--lake", processed.lake) == 1
    assert "nothing forgotten: shop 2025-03-14 is being written" in capfd.readouterr().out
    assert "x1" in scan(processed.lake)[DAY]
    assert processed.command("forget", "--before", "2025-03-15", "--lake", processed.lake) == 0
    assert scan(processed.lake)[DAY] == set()


def test_an_unknown_store_is_told(processed: PaintedStore, capfd):
    assert stores_with_data(Lake(processed.lake)) == ["shop"]
    arguments = ["--before", DAY, "--store", "other", "--lake", processed.lake]
    assert processed.command("forget", *arguments) == 2
    assert "has no store other; it has shop" in capfd.readouterr().err
