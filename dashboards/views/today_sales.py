"""Today's store: sales by visitors and hour."""

from __future__ import annotations

import plotly.graph_objects as go
import streamlit as st

from dashboards import charts, queries, theme
from dashboards.downloads import downloads
from dashboards.view import View, store_file
from flows.comparisons import PosError, conversion_by_hour, read_pos, sales_file


def conversion(view: View) -> None:
    """Sales by visitors and hour, where the store names a file of its tills."""
    if view.store.sales is None:
        st.info(
            "No till is connected. Name its daily CSV (columns `time,transactions`) in store.yaml, "
            "`sales: {path: sales/%Y-%m-%d.csv}`, to see transactions per visitor by hour.",
            icon=":material/point_of_sale:",
        )
        return
    footfall = queries.footfall(view.scope)
    path = sales_file(store_file(view.store.id), view.store.sales.path, view.day)
    if footfall is None:
        st.info("Nobody was counted coming in on this day.", icon=":material/door_front:")
        return
    try:
        hours = conversion_by_hour(footfall, read_pos(path, view.store.zone_info), view.day, view.store.zone_info)
    except (PosError, OSError) as error:
        st.warning(f"The day's sales could not be read: {error}", icon=":material/point_of_sale:")
        return
    hours = hours[(hours["visitors"] > 0) | (hours["transactions"] > 0)]
    if hours.empty:
        st.info("Neither a sale nor a visitor on this day.", icon=":material/point_of_sale:")
        return
    figure = go.Figure()
    figure.add_bar(x=hours["label"], y=hours["transactions"], name="Transactions", marker_color=theme.SKY)
    figure.add_scatter(
        x=hours["label"],
        y=hours["conversion"],
        name="Conversion",
        yaxis="y2",
        mode="lines+markers",
        line={"color": theme.VERMILION, "width": 2},
        hovertemplate="%{y:.0%}",
    )
    theme.style(figure, 280, hovermode="x unified")
    most, best = float(hours["transactions"].max()), float(hours["conversion"].max())
    figure.update_yaxes(title_text="Transactions", range=[0, 1.1 * most or 1])
    words = {"text": "Transactions per visitor", "font": {"size": 12}}
    share = {"title": words, "tickformat": ".0%", "nticks": 5, "showgrid": False, "zeroline": False, "automargin": True}
    top = 1.1 * best if best > 0 else 1  # NaN where nobody came in
    figure.update_layout(yaxis2=share | {"overlaying": "y", "side": "right", "range": [0, top]})
    figure.update_xaxes(title_text=f"Hour, {view.store.timezone}", type="category")
    charts.draw(figure, "conversion", "Conversion by hour")
    visitors, sold = hours["visitors"].sum(), hours["transactions"].sum()
    whole = f"{sold / visitors:.0%}" if visitors else "-"
    st.caption(f"The day: {sold:,.0f} transactions, {visitors:,} shoppers who came in, conversion {whole}.")
    downloads("conversion", hours, view, counts=["visitors"])
