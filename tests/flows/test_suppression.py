"""Counts of few people are withheld from an export, and nothing else is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from flows.cli import main
from flows.export import export
from flows.lake import Lake
from flows.schemas import TABLES, empty
from flows.suppression import suppress_small_counts

PEOPLE = [0, 1, 4, 5, 12, None]


def counts() -> pd.DataFrame:
    """One minute a row, with so many people; the last one was not observed."""
    number = pd.array(PEOPLE, "Int32")
    start = pd.Timestamp("2025-03-14T09:00Z") + pd.to_timedelta(np.arange(len(PEOPLE)), "min")
    real = number.astype("Float64")
    return pd.DataFrame(
        {
            "zone": "aisle", "bucket_start": start, "bucket_s": 60, "role_filter": "all",
            "occupancy_mean": real / 2, "occupancy_max": number, "entries": number, "exits": number,
            "unique_people": number, "dwell_s": real * 20, "density_mean": real / 40,
            "coverage": [1.0] * 5 + [0.0],
        }
    )  # fmt: skip


@pytest.fixture
def lake(tmp_path: Path) -> str:
    tables = {name: empty(name) for name in TABLES} | {"zone_counts": counts()}
    Lake(str(tmp_path / "lake")).write_day("demo", "2025-03-14", tables)
    return str(tmp_path / "lake")


def test_a_row_of_one_to_four_people_keeps_its_place_and_loses_its_numbers(lake: str, tmp_path: Path):
    target = tmp_path / "counts.parquet"
    export(lake, ["zone_counts"], target, least=5)
    table = pd.read_parquet(target)
    assert table["suppressed"].tolist() == [False, True, True, False, False, False]
    assert table["unique_people"].fillna(-1).tolist() == [0, -1, -1, 5, 12, -1]
    hidden = table[table["suppressed"]]
    assert hidden[["occupancy_mean", "occupancy_max", "entries", "exits", "dwell_s", "density_mean"]].isna().all(None)
    assert hidden["coverage"].tolist() == [1.0, 1.0] and hidden["zone"].notna().all()
    plain = tmp_path / "plain.parquet"
    export(lake, ["zone_counts"], plain)
    assert pd.read_parquet(plain)["unique_people"].fillna(-1).tolist() == [0, 1, 4, 5, 12, -1]


def test_few_who_came_in_are_few_even_where_many_were_there():
    rows = counts().assign(entries=pd.array([0, 0, 0, 3, 12, None], "Int32"))
    assert suppress_small_counts("zone_counts", rows)["suppressed"].tolist() == [False, True, True, True, False, False]


@pytest.mark.parametrize("table", ["footfall", "visits", "positions"])
def test_rows_of_single_people_are_refused(lake: str, tmp_path: Path, table: str, capfd: pytest.CaptureFixture[str]):
    target = tmp_path / "people.csv"
    with pytest.raises(SystemExit) as ended:
        main(["export", table, "--out", str(target), "--lake", lake, "--least-count", "5"])
    assert ended.value.code == 2
    assert "no count can be withheld: export zone_counts" in capfd.readouterr().err
    assert not target.exists()


def test_a_least_count_below_two_withholds_nobody_and_is_refused():
    with pytest.raises(ValueError, match="from 2"):
        suppress_small_counts("zone_counts", counts(), 1)
