"""How store-days were processed: models, runs, time by stage."""

from __future__ import annotations

from typing import Any

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from dashboards import charts, definitions, theme
from dashboards.downloads import downloads
from dashboards.view import View


def models(view: View, runs: pd.DataFrame) -> None:
    """The models that ran, with the days they ran on."""
    rows = [
        {"Model": model["name"], "sha256": model["sha256"], "Day": row["date"]}
        for row in runs.to_dict("records")
        for model in row["models"]
    ]
    if not rows:
        simulated = bool(runs["simulated"].any())
        st.info(
            "No model ran: these days are simulated." if simulated else "The runs name no model.",
            icon=":material/memory:",
        )
        return
    table = pd.DataFrame(rows).groupby(["Model", "sha256"], as_index=False)["Day"].agg(["min", "max", "count"])
    table.columns = ["Model", "sha256", "First day", "Last day", "Days"]
    day = st.column_config.DateColumn(format="ddd D MMM YYYY")
    columns = {"First day": day, "Last day": day}
    st.dataframe(table, hide_index=True, key="models.table", column_config=columns)
    if table["Model"].nunique() < len(table) or runs["config_sha256"].nunique() > 1:
        st.caption(
            f"{runs['config_sha256'].nunique()} versions of store.yaml in these days: compare across them with care."
        )
    downloads("models", table, view)


def history(view: View, runs: pd.DataFrame) -> None:
    """A row a run, and the time it took by stage."""
    zone = view.store.timezone
    table = pd.DataFrame(
        {
            "Day": runs["date"],
            "Run": runs["run_id"],
            "Finished": runs["finished"].dt.tz_convert(zone).dt.strftime("%Y-%m-%d %H:%M"),
            "Seconds": runs["seconds"],
            "Coverage": runs["coverage"] * 100,
            "Problems": [len(problems) for problems in runs["problems"]],
            "Simulated": runs["simulated"],
            "Code": runs["code_version"],
            "Configuration": runs["config_sha256"].str[:12],
        }
    )
    st.dataframe(
        table,
        hide_index=True,
        height=theme.table_height(len(table), 320),
        key="runs.table",
        column_config={
            "Day": st.column_config.DateColumn(format="ddd D MMM YYYY"),
            "Seconds": st.column_config.NumberColumn(format="%.1f"),
            "Coverage": st.column_config.ProgressColumn(format="%.1f%%", max_value=100, help=definitions.COVERAGE),
        },
    )
    stages = stage_seconds(runs)
    if not stages.empty:
        figure = go.Figure()
        for number, stage in enumerate(stages.columns.drop("date")):
            figure.add_bar(
                x=stages["date"],
                y=stages[stage],
                name=stage,
                width=charts.BAR_MS,
                marker_color=theme.CATEGORICAL[number % 8],
                hovertemplate=f"{stage}: %{{y:.2f}} s<extra></extra>",
            )
        theme.style(figure, 240, barmode="stack", hovermode="x unified")
        charts.date_axis(figure, stages["date"].min(), stages["date"].max(), most=8, form="%a %d %b")
        figure.update_yaxes(title_text="Seconds of processing")
        charts.draw(figure, "stages", "Processing time by stage")
    downloads("runs", table, view)


def stage_seconds(runs: pd.DataFrame) -> pd.DataFrame:
    """Seconds by the clock of each day and stage: date, then a column a stage.

    The parts of a stage ("video: detect" of "video") are sums over machines that worked at the same time; here they
    share the stage's own time in proportion, so that a day's stages add up to its run.
    """
    rows: list[dict[str, Any]] = []
    for row in runs.to_dict("records"):
        stages = row["stage_seconds"]
        pairs = stages.items() if isinstance(stages, dict) else [(item["key"], item["value"]) for item in stages]
        rows.append({"date": pd.Timestamp(row["date"]), **_shared_out(dict(pairs))})
    frame = pd.DataFrame(rows)
    return frame if len(frame.columns) > 1 else pd.DataFrame()


def _shared_out(seconds: dict[str, float]) -> dict[str, float]:
    found = dict(seconds)
    for stage, spent in seconds.items():
        parts = {name: own for name, own in seconds.items() if name.startswith(f"{stage}: ")}
        if sum(parts.values()) > 0:
            del found[stage]
            found |= {name: spent * own / sum(parts.values()) for name, own in parts.items()}
    return found
