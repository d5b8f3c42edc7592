"""Buttons that save what is shown: CSV, Excel, Parquet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
import streamlit as st
from pandas.api.types import is_bool_dtype, is_numeric_dtype

from dashboards.lake_query import Scope
from dashboards.view import View
from flows.config import StoreConfig
from flows.export import FORMATS, csv_bytes, excel_bytes, in_zone, parquet_bytes
from flows.suppression import KEPT, withhold


def downloads(
    name: str, data: pd.DataFrame, view: View, *, counts: Sequence[str] = (), single_people: bool = False
) -> None:
    """Save what is shown of a view, times on the store's clock.

    Where the store names a least count of people, rows in which one of the columns `counts` is smaller are saved
    without their numbers, and a table with a row a person (`single_people`) is not offered.
    """
    least = view.store.privacy.least_count
    if least is not None and single_people:
        st.caption("Single people are not saved to a file, as `privacy.least_count` of this store says.")
        return
    days = f"{view.scope.first}{'' if view.scope.first == view.day else f'_{view.day}'}"
    stem = f"{view.store.id}_{days}_{name}"
    save_buttons(name, data, stem, timezone=view.store.timezone, counts=counts, least=least)


def chain_downloads(
    known: Mapping[str, StoreConfig], scope: Scope, name: str, data: pd.DataFrame, counts: Sequence[str]
) -> None:
    """Save rows of several stores, by the strictest of their least counts; `counts` as for `downloads`."""
    asked = [known[store].privacy.least_count for store in scope.stores]
    least = max((one for one in asked if one is not None), default=None)
    days = f"{scope.first}{'' if scope.first == scope.last else f'_{scope.last}'}"
    save_buttons(name, data, f"chain_{days}_{name}", counts=counts, least=least)


def save_buttons(
    name: str,
    data: pd.DataFrame,
    stem: str,
    *,
    timezone: str | None = None,
    counts: Sequence[str] = (),
    least: int | None = None,
) -> None:
    """A table under a file name without ending; nothing where it is empty. `counts`, `least`: as for `downloads`."""
    if data.empty:
        return
    if least is not None and counts:
        data = withhold(data, counts, _numbers(data), least)
    said = {
        "csv": ("CSV", ":material/download:", lambda: csv_bytes(in_zone(data, timezone))),
        "xlsx": ("Excel", ":material/table_view:", lambda: excel_bytes({name: in_zone(data, timezone)})),
        "parquet": ("Parquet", ":material/dataset:", lambda: parquet_bytes(data)),
    }
    with st.container(horizontal=True, horizontal_alignment="right", gap="xsmall", key=f"save-{name}"):
        for ending, (label, icon, content) in said.items():
            st.download_button(
                label,
                content,
                f"{stem}.{ending}",
                FORMATS[ending],
                key=f"{ending}.{name}",
                icon=icon,
                type="tertiary",
                on_click="ignore",
            )


def _numbers(data: pd.DataFrame) -> list[str]:
    """The columns that are neither names, times nor how much was seen."""
    plain = [str(name) for name in data if is_numeric_dtype(data[name]) and not is_bool_dtype(data[name])]
    return [name for name in plain if name.lower() not in KEPT]
