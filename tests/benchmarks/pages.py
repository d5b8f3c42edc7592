"""How long the dashboard's pages take: on a simulated month, and on a year of fifty stores.

    python -m tests.benchmarks.pages --json [--lake LAKE --stores STORES] [--year] [--browser]

Without --lake the month is simulated first. With --year a lake of 50 stores x 365 days is made of simulated days (a
week's visits, crossings and counts moved to every week of the year, some 18,000 store-days). Each page is drawn by
Streamlit's AppTest in this process, without a browser: `first_s` the first time, nothing cached; `again_s` once the
answers are there.
With --browser each is opened in a headless Chromium as well, on a server of its own (see `pages_browser`).
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import tempfile
import time
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import yaml

from flows.lake import Lake
from flows.lake_layout import DayManifest, final_path, manifest_bytes, manifest_path
from flows.lake_writer import ROW_GROUP, ROW_GROUPS
from flows.simulate import demo_lake
from flows.simulated_stores import SIMULATED_STORES
from flows.store_reading import load_store

PAGES = ("today", "zones", "floor", "chain", "quality", "audit", "setup")
STORES, FIRST, LAST = 50, date(2024, 4, 1), date(2025, 3, 31)
SCRIPT = "from dashboards.views import {0}\n{0}.render()\n"


def year_of_stores(folder: Path, stores: int = STORES, first: date = FIRST, last: date = LAST) -> tuple[Path, Path]:
    """A lake of many stores over a year; returns it and the folder of their store.yaml files.

    A week of one simulated shop is written through the metrics; a day of the year holds the rows of the same weekday,
    their times moved to that day. The stores' files are hard links to the first one's, with manifests of their own.
    """
    week = demo_lake(folder / "week", 1, first=last - timedelta(days=6), last=last, shops=SIMULATED_STORES[:1])
    source, shop = Lake(str(week.lake)), load_store(week.stores / SIMULATED_STORES[0].id / "store.yaml")
    weekdays = {day.date.weekday(): day.date for day in source.days([shop.id])}
    root, configs = folder / "lake", folder / "stores"
    names = [f"store_{number:02}" for number in range(stores)]
    document = yaml.safe_load((week.stores / shop.id / "store.yaml").read_text())
    for number, name in enumerate(names):
        (configs / name).mkdir(parents=True)
        own = document | {"id": name, "name": f"Store {number + 1}"}
        (configs / name / "store.yaml").write_text(yaml.safe_dump(own, sort_keys=False))
    for day in (first + timedelta(days=number) for number in range((last - first).days + 1)):
        like = weekdays.get(day.weekday())
        if like is not None:
            later = timedelta(microseconds=shop.day_window(day)[0] - shop.day_window(like)[0])
            _write_day(source, shop.id, like, later, root, names, day)
    return root, configs


def _write_day(
    source: Lake, shop: str, like: date, later: timedelta, root: Path, names: Sequence[str], day: date
) -> None:
    manifest = source.manifest(shop, like)
    assert manifest is not None
    tables = {name: table for name, table in manifest.tables.items() if name not in ("positions", "tracklets")}
    for table in tables:
        rows = pq.read_table(Path(source.root) / final_path(table, shop, like.isoformat()), partitioning=None)
        made = root / final_path(table, names[0], day.isoformat())
        made.parent.mkdir(parents=True)
        pq.write_table(_moved(rows, later), made, ROW_GROUPS.get(table, ROW_GROUP), compression="zstd")
        for name in names[1:]:
            target = root / final_path(table, name, day.isoformat())
            target.parent.mkdir(parents=True)
            os.link(made, target)
    for name in names:
        note = root / manifest_path(name, day.isoformat())
        note.parent.mkdir(parents=True, exist_ok=True)
        own = DayManifest(name, day.isoformat(), manifest.commit, manifest.staged, tables, {}, manifest.numbers)
        note.write_bytes(manifest_bytes(own))


def _moved(rows: pa.Table, later: timedelta) -> pa.Table:
    """The rows with all their times so much later, those within lists as well."""

    def move(value: Any) -> Any:
        if isinstance(value, datetime):
            return value + later
        if isinstance(value, dict):
            return {name: move(part) for name, part in value.items()}
        return [move(part) for part in value] if isinstance(value, list) else value

    columns = []
    for field in rows.schema:
        column = rows[field.name]
        if pa.types.is_timestamp(field.type):
            column = pc.add(column, pa.scalar(later, pa.duration("us")))
        elif pa.types.is_nested(field.type):
            column = pa.chunked_array([pa.array(move(column.to_pylist()), field.type)])
        columns.append(column)
    return pa.table(columns, schema=rows.schema)


def measure(lake: Path, stores: Path, name: str, link: dict[str, str]) -> dict[str, Any]:
    """Seconds to draw each page in the view of a link with these parameters."""
    import logging

    import streamlit as st
    from streamlit.testing.v1 import AppTest

    from dashboards import lake_query

    logging.disable(logging.WARNING)
    os.environ |= {"AISLEFLOW_LAKE": str(lake), "AISLEFLOW_STORES": str(stores)}
    warm = AppTest.from_string(SCRIPT.format("today"), default_timeout=300)  # imports are no page's time
    warm.run()
    found: dict[str, Any] = {}
    for page in PAGES:
        st.cache_data.clear()
        st.cache_resource.clear()
        lake_query.forget_answers()
        times = []
        for _ in range(2):
            test = AppTest.from_string(SCRIPT.format(page), default_timeout=600)
            for parameter, value in link.items():
                test.query_params[parameter] = value
            started = time.perf_counter()
            test.run()
            times.append(time.perf_counter() - started)
            if test.exception:
                raise RuntimeError(f"{page}: {test.exception[0].message}")
        found[f"{name}: {page}"] = {"first_s": round(times[0], 2), "again_s": round(times[1], 2)}
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one JSON object instead of lines")
    parser.add_argument("--lake", type=Path, help="lake of a simulated month that is there already")
    parser.add_argument("--stores", type=Path, help="its folder of store.yaml files")
    parser.add_argument("--year", action="store_true", help="also a year of fifty stores")
    parser.add_argument("--browser", action="store_true", help="also open each page in a headless Chromium")
    parser.add_argument("--keep", type=Path, help="where the year is made, or lies already; without it a temporary one")
    chosen = parser.parse_args()
    folder = Path(tempfile.mkdtemp()) if chosen.keep is None else chosen.keep
    try:
        month = (chosen.lake, chosen.stores) if chosen.lake else None
        if month is None:
            made = demo_lake(folder / "month")
            month = made.lake, made.stores
        shown = {"month": (month, {"store": "plateau"}, {"store": "kiez"})}
        if chosen.year:
            year = folder / "lake", folder / "stores"
            if not year[0].exists():
                year_of_stores(folder)
            link = {"store": "store_07", "from": FIRST.isoformat(), "day": LAST.isoformat()}
            shown["year of 50 stores"] = year, link, {"store": "store_01"}
        result: dict[str, Any] = {}
        for name, ((lake, stores), link, before) in shown.items():
            result |= measure(lake, stores, name, link)
            if chosen.browser:
                from tests.benchmarks import pages_browser

                opened = pages_browser.measure(lake, stores, PAGES, link, before)
                for page, times in opened.items():
                    result[f"{name}: {page}"] |= times
    finally:
        if chosen.keep is None:
            shutil.rmtree(folder)
    slowest = {
        f"slowest_{kind}": max(own[kind] for own in result.values())
        for kind in ("first_s", "opened_s")
        if kind in next(iter(result.values()))
    }
    result = slowest | result
    print(json.dumps(result) if chosen.json else "\n".join(f"{name}: {own}" for name, own in result.items()))


if __name__ == "__main__":
    main()
