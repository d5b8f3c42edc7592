"""Chain: stores beside each other, by weekday and over all the chosen days."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import streamlit as st

from dashboards import charts, definitions
from dashboards.clock import duration
from dashboards.downloads import chain_downloads
from dashboards.lake_query import Scope
from flows.config import StoreConfig


def weekday_medians(numbers: pd.DataFrame, column: str) -> pd.DataFrame:
    """A row a store and weekday (0: Monday): store, weekday, the median of a column of the numbers (of one in seconds
    in minutes), and people, who were there on these days in all."""
    days = numbers.assign(weekday=numbers["date"].dt.dayofweek, value=numbers[column].astype(float))
    rows = days.groupby(["store", "weekday"], as_index=False).agg(median=("value", "median"), people=("people", "sum"))
    return rows.assign(median=rows["median"] / (60 if column.endswith("_s") else 1))


def weekdays(known: Mapping[str, StoreConfig], scope: Scope, numbers: pd.DataFrame, measure: str, column: str) -> None:
    """A measure by store and weekday, `column` of the numbers."""
    is_time = column.endswith("_s")
    rows = weekday_medians(numbers, column)
    grid = rows.pivot(index="store", columns="weekday", values="median").reindex(columns=range(7))
    grid.index, grid.columns = pd.Index([known[store].name for store in grid.index]), list(charts.WEEKDAYS)
    unit = {"footfall": "crossings", "visitors": "people"}.get(column, "minutes")
    figure = charts.heat_grid(grid, unit, 110 + (55 if len(grid) < 6 else 32) * len(grid), digits=1 if is_time else 0)
    charts.draw(figure, "weekdays", f"{measure} by weekday")
    st.caption("Days each store was closed, or that hold no data, are empty.")
    name = f"{column.removesuffix('_s')}_{'minutes' if is_time else 'median'}"
    saved = rows.assign(weekday=rows["weekday"].map(dict(enumerate(charts.WEEKDAYS)))).rename(columns={"median": name})
    chain_downloads(known, scope, "weekdays", saved, ["people"] if is_time else ["people", name])


def stores_compared(known: Mapping[str, StoreConfig], numbers: pd.DataFrame) -> pd.DataFrame:
    """A row a store: Store, Days, Footfall a day, Fullest day, Mean dwell (s), Coverage (0..100); and Footfall, People,
    Visits, its days' sums."""
    rows = []
    for store, days in numbers.groupby("store"):
        weights = days["visits"].to_numpy(dtype=float)
        dwell = days["dwell_s"].to_numpy(dtype=float)
        sure = ~np.isnan(dwell) & (weights > 0)
        rows.append(
            {
                "Store": known[str(store)].name,
                "Days": len(days),
                "Footfall a day": days["footfall"].mean(),
                "Fullest day": days["date"].iloc[int(days["people"].argmax())],
                "Mean dwell (s)": float(np.average(dwell[sure], weights=weights[sure])) if sure.any() else np.nan,
                "Coverage": days["coverage"].mean() * 100,
                "Footfall": days["footfall"].sum(min_count=1),
                "People": days["people"].sum(),
                "Visits": days["visits"].sum(),
            }
        )
    return pd.DataFrame(rows)


def stores(known: Mapping[str, StoreConfig], scope: Scope, numbers: pd.DataFrame) -> None:
    """The stores beside each other."""
    table = stores_compared(known, numbers)
    shown = table.drop(columns=["Footfall", "People", "Visits", "Mean dwell (s)"])
    shown.insert(4, "Mean dwell", [duration(seconds) for seconds in table["Mean dwell (s)"]])
    st.dataframe(
        shown,
        hide_index=True,
        key="compare.table",
        placeholder="-",
        column_config={
            "Footfall a day": st.column_config.NumberColumn(format="%.0f", help=definitions.FOOTFALL),
            "Fullest day": st.column_config.DateColumn(format="ddd D MMM", help="Most different people."),
            "Mean dwell": st.column_config.TextColumn(help=definitions.DWELL),
            "Coverage": st.column_config.NumberColumn(format="%.1f%%", help=definitions.COVERAGE),
        },
    )
    chain_downloads(known, scope, "stores", table.drop(columns="Fullest day"), ["Footfall", "People", "Visits"])
