"""Chain: unusual days first, stores beside each other, and what of it is saved."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
from streamlit.testing.v1 import AppTest

from flows.lake import Lake
from tests.dashboards.conftest import OPEN_PAGE
from tests.dashboards.shown import Open, metrics


def test_a_chain_with_a_store_without_entrances_says_not_counted(minute: None, tmp_path: Path) -> None:
    lake = Lake(str(tmp_path / "lake"))
    lake.replace_tables("demo", "2025-03-14", {"footfall": None}, reason="no entrance")
    tables = {name: lake.read(name, ["demo"], ["2025-03-14"]).to_pandas() for name in ("visits", "zone_counts")}
    runs = lake.read("runs", ["demo"], ["2025-03-14"]).drop_columns(["store", "date"])
    own = {name: table.drop(columns=["store", "date"]) for name, table in tables.items()}
    lake.write_day("demo", "2025-03-14", own | {"runs": runs})
    test = AppTest.from_string(OPEN_PAGE.format("chain"), default_timeout=120).run()
    assert not test.exception, test.exception[0].message
    assert list(metrics(test).values()) == ["not counted"]


def test_chain_puts_the_crowded_saturday_and_the_failed_camera_first(page: Open) -> None:
    test = page("chain")
    table = next(one.value for one in test.dataframe if "What" in one.value.columns)
    assert "was seen" in " ".join(table.loc[table["Store"].str.startswith("Plateau"), "What"])
    assert set(metrics(test)) == {"Plateau Market, Montréal", "Kiezladen, Berlin"}


def test_every_table_of_a_chain_is_saved(page: Open, saved: Callable[[str], pd.DataFrame]) -> None:
    test = page("chain")
    shown = {column: one.value for one in test.dataframe for column in ("What", "Fullest day") if column in one.value}
    pd.testing.assert_series_equal(saved("unusual")["Footfall"], shown["What"]["Footfall"], check_dtype=False)
    compared = saved("stores")
    assert compared["Store"].tolist() == shown["Fullest day"]["Store"].tolist()
    assert compared["Footfall a day"].tolist() == (compared["Footfall"] / compared["Days"]).tolist()
    days, weekdays = saved("days"), saved("weekdays")
    own = days[(days["store"] == "kiez") & (pd.to_datetime(days["date"]).dt.dayofweek == 5)]
    row = weekdays[(weekdays["store"] == "kiez") & (weekdays["weekday"] == "Sat")].iloc[0]
    assert (row["footfall_median"], row["people"]) == (own["footfall"].median(), own["people"].sum())


def test_small_counts_of_a_chain_are_withheld_from_every_file(
    page: Open, stores: Path, saved: Callable[[str], pd.DataFrame]
) -> None:
    file = stores / "kiez" / "store.yaml"
    file.write_text(f"{file.read_text()}\nprivacy: {{least_count: 1000000}}\n")
    page("chain")
    for name, numbers in (
        ("unusual", ["Footfall", "Usual", "Change"]),
        ("stores", ["Footfall", "Footfall a day", "Mean dwell (s)", "People", "Visits"]),
        ("days", ["footfall", "people", "dwell_s"]),
        ("weekdays", ["footfall_median", "people"]),
    ):
        table = saved(name)
        assert len(table) and table["suppressed"].all() and table[numbers].isna().all(axis=None), name
