"""Buttons that save what is shown: CSV, Excel, Parquet."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from dashboards.view import View
from flows.export import FORMATS, csv_bytes, excel_bytes, in_zone, parquet_bytes


def downloads(name: str, data: pd.DataFrame, view: View) -> None:
    """Save what is shown of a view, times on the store's clock."""
    days = f"{view.scope.first}{'' if view.scope.first == view.day else f'_{view.day}'}"
    save_buttons(name, data, f"{view.store.id}_{days}_{name}", view.store.timezone)


def save_buttons(name: str, data: pd.DataFrame, stem: str, timezone: str | None = None) -> None:
    """A table under a file name without ending; nothing where it is empty."""
    if data.empty:
        return
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
