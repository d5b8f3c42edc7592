"""Export to CSV, Excel and Parquet; and the lake opened as it is by DuckDB, pandas and Spark (docs/lake.md)."""

from __future__ import annotations

import importlib.util
import re
import shutil
from datetime import date
from pathlib import Path

import duckdb
import openpyxl
import pandas as pd
import pyarrow.parquet as pq
import pytest

from flows.cli import main
from flows.export import ExportError, excel_bytes, export
from flows.lake import Lake
from flows.schemas import TABLES
from tests.conftest import ROOT
from tests.flows.lake_days import STORE, day_tables

FIRST, LAST = date(2025, 3, 14), date(2025, 3, 15)
SPARK = importlib.util.find_spec("pyspark") is not None and shutil.which("java") is not None


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Two days of one store; the second one is without people."""
    lake = Lake(str(tmp_path_factory.mktemp("lake")))
    lake.write_day(STORE, FIRST, day_tables(3))
    lake.write_day(STORE, LAST, {name: table[:0] for name, table in day_tables(3).items()})
    return lake.root


def test_csv_has_times_with_their_offset(root: str, tmp_path: Path) -> None:
    target = tmp_path / "footfall.csv"
    assert export(root, ["footfall"], target, timezone="America/Montreal") == {"footfall": 303}
    table = pd.read_csv(target, encoding="utf-8-sig")
    assert list(table.columns[:2]) == ["store", "date"]
    assert table["time"].iloc[0].endswith("-0400")
    exact = Lake(root).read("footfall")["time"][0].as_py()
    assert pd.Timestamp(table["time"].iloc[0]) == exact


def test_excel_has_a_sheet_a_table_and_the_zone_in_the_heading(root: str, tmp_path: Path) -> None:
    target = tmp_path / "all.xlsx"
    export(root, ["visits", "footfall"], target, first=FIRST, last=FIRST, timezone="Europe/Berlin")
    book = openpyxl.load_workbook(target)
    assert book.sheetnames == ["visits", "footfall"]
    assert "enter (Europe/Berlin)" in [cell.value for cell in book["visits"][1]]
    assert book["visits"].max_row == 304


def test_a_name_that_looks_like_a_formula_stays_text() -> None:
    sheet = openpyxl.load_workbook(_file(excel_bytes({"names": pd.DataFrame({"zone": ["=1+1"]})})))["names"]
    assert (sheet["A2"].value, sheet["A2"].data_type) == ("=1+1", "s")


def _file(content: bytes):
    import io

    return io.BytesIO(content)


def test_parquet_keeps_all_types(root: str, tmp_path: Path) -> None:
    target = tmp_path / "tracklets.parquet"
    export(root, ["tracklets"], target)
    assert pq.read_table(target).schema.field("embedding").type == Lake(root).read("tracklets")["embedding"].type


@pytest.mark.parametrize(
    ("tables", "name", "more", "told"),
    [
        (["nothing"], "a.csv", {}, "the tables are positions"),
        (["visits"], "a.doc", {}, "name the file .csv"),
        (["visits", "footfall"], "a.csv", {}, "holds one table"),
        (["runs"], "a.xlsx", {}, "export to .parquet"),
        (["visits"], "a.csv", {"timezone": "Berlin"}, "no IANA time zone"),
        (["visits"], "a.csv", {"first": date(2026, 1, 1)}, "no day"),
    ],
)
def test_mistakes_are_told_and_nothing_is_written(root: str, tmp_path: Path, tables, name, more, told) -> None:
    with pytest.raises(ExportError, match=told):
        export(root, tables, tmp_path / name, **more)
    assert list(tmp_path.iterdir()) == []


def test_the_command(root: str, tmp_path: Path, capsys) -> None:
    target = tmp_path / "visits.csv"
    with pytest.raises(SystemExit) as ended:
        main(["export", "visits", "--lake", root, "--out", str(target), "--from", "2025-03-14"])
    assert ended.value.code == 0 and "visits: 303 rows" in capsys.readouterr().out and target.exists()


def documented(tool: str) -> str:
    """The query of docs/lake.md that is marked with a tool's name."""
    text = (ROOT / "docs" / "lake.md").read_text()
    found = re.search(rf"<!-- {tool} -->\n```\w+\n(.*?)```", text, re.DOTALL)
    assert found, f"docs/lake.md has no query marked {tool}"
    return found[1]


def test_duckdb_opens_the_lake(root: str) -> None:
    rows = duckdb.sql(documented("duckdb").replace("LAKE", root)).fetchall()
    assert rows == [(STORE, FIRST, "aisle", 303, 3.0)]


def test_pandas_opens_the_lake(root: str) -> None:
    names: dict = {}
    exec(documented("pandas").replace("LAKE", root), names)
    assert names["hours"].sum() == 303


@pytest.mark.skipif(
    not SPARK, reason="needs Spark and a JVM: pip install pyspark, apt-get install default-jre-headless"
)
@pytest.mark.case("arrow 8741, dask 5759, pandas 55400")
def test_spark_opens_the_lake(root: str) -> None:
    names: dict = {}
    exec(documented("spark").replace("LAKE", root), names)
    try:
        assert names["people"].collect()[0]["tracks"] == 303
        row = names["tracks"].orderBy("track_id").first()
        assert (row["camera"], row["track_id"], row["samples"], row["store"]) == ("north", 1, 3, STORE)
        for table in sorted(set(TABLES) - {"tracklets"}):
            names["spark"].read.parquet(f"{root}/{table}").collect()
    finally:
        names["spark"].stop()
