"""What a search found: people to say Yes or No to, and the way of who was confirmed."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from dashboards import charts, plan, theme
from dashboards.clock import DayClock
from dashboards.search_state import Found
from dashboards.verbatim import in_prose
from dashboards.view import View
from flows.find import Candidate
from flows.sightings import COMPASS, STEP_S, LastSeen
from flows.tracklet_positions import NoPicture

A_ROW = 5
ARROW_PX = 70
LONGEST_STEP_S = 3.0
RECENT = timedelta(hours=12)


def candidates(found: Found, clock: DayClock) -> None:
    """Draw the people who may be the one, with a picture and two buttons each."""
    if not found.candidates:
        st.info("Nobody else fits. Widen the time, the cameras or the description.", icon=":material/person_off:")
        return
    crops = found.crop([candidate.name for candidate in found.candidates])
    for start in range(0, len(found.candidates), A_ROW):
        cells = st.columns(A_ROW, gap="small")
        for cell, number in zip(cells, range(start, min(start + A_ROW, len(found.candidates))), strict=False):
            with cell.container(border=True, key=f"candidate-{number}"):
                _candidate(found, found.candidates[number], crops[number], clock)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            "Show heads",
            key="find.heads",
            on_click=found.show_heads,
            help="I confirm that this search cannot do without them. It goes into the audit.",
            icon=":material/visibility:",
        )
        st.caption(f"{len(found.query.confirmed)} confirmed, {len(found.query.rejected)} rejected")


def _candidate(found: Found, one: Candidate, crop: np.ndarray | str, clock: DayClock) -> None:
    if isinstance(crop, str):
        st.caption(in_prose(crop))
    else:
        st.image(crop, width="stretch")
    for label, same, icon in (("Yes", True, ":material/check:"), ("No", False, ":material/close:")):
        st.button(
            label,
            key=f"find.{label}.{one.name}",
            on_click=found.answer,
            args=(one.name, same),
            icon=icon,
            width="stretch",
        )
    start, end = (datetime.fromtimestamp(at / 1e6, clock.store.zone_info) for at in (one.start_us, one.end_us))
    place = found.places[one.name]
    height = "" if one.height_m is None else f", {one.height_m:.2f} m tall"
    where = place.zone or f"camera {one.name.camera}"
    going = f", heading {place.heading}" if place.heading else ""
    st.markdown(f"**{start:%H:%M:%S}** to {end:%H:%M:%S}  \n{in_prose(where)}{going}")
    st.caption(f"{one.likelihood:.0%} likely{height}, camera {one.name.camera}")


def where_they_are(view: View, found: Found) -> None:
    """Draw where a confirmed person was last, which way they went, and their whole way over the floor."""
    try:
        path, last = found.search.path(found.query.confirmed)
    except NoPicture as error:
        st.info(in_prose(str(error)), icon=":material/wrong_location:")
        return
    seen = datetime.fromtimestamp(last.time_us / 1e6, view.store.zone_info)
    ago = datetime.now(view.store.zone_info) - seen
    pictured, told, drawn = st.columns([0.6, 1, 2.1], gap="medium")
    (crop,) = found.crop([found.search.last_of(found.query.confirmed)])
    with pictured.container(key="candidate-confirmed"):
        if isinstance(crop, str):
            st.caption(in_prose(crop))
        else:
            st.image(crop, width="stretch")
    with told:
        minutes = f", {ago // timedelta(minutes=1)} minutes ago" if timedelta() < ago < RECENT else ""
        st.metric("When", f"{seen:%H:%M:%S}", help=f"{seen:%d %B %Y}, the store's time{minutes}")
        st.metric("Where", last.zone or ("On the floor" if last.x_m is not None else "Not known"))
        st.metric("Going", _going(last))
        place = "" if last.x_m is None else f", {last.x_m:.1f} m east and {last.y_m:.1f} m north of the corner"
        st.caption(f"Camera {last.camera}{place}{minutes}.")
        st.caption(f"Line: their way, a place each {STEP_S:g} s; dotted where no camera saw them.")
    with drawn:
        figure = way_figure(view, path, last)
        charts.draw(figure, "find.way", "Way of the confirmed person")


def _going(last: LastSeen) -> str:
    return (last.heading or ("standing" if last.speed_m_s is not None else "not known")).capitalize()


def way_figure(view: View, path: pd.DataFrame, last: LastSeen) -> go.Figure:
    """The plan with the way, a red mark where it ends, and an arrow in the direction they went."""
    figure = plan.empty_plan(view.store, 380)
    plan.add_zone_outlines(figure, view.store)
    times = [f"{datetime.fromtimestamp(at / 1e6, view.store.zone_info):%H:%M:%S}" for at in path["time_us"]]
    unseen = (path["time_us"].diff() > LONGEST_STEP_S * 1e6).to_numpy()
    if unseen.any():  # nobody knows the way between two sightings: dots
        figure.add_scatter(
            x=path["x_m"], y=path["y_m"], mode="lines", hoverinfo="skip", line={"color": theme.BLUE, "dash": "dot"}
        )
    figure.add_scatter(
        x=np.insert(path["x_m"].to_numpy(), np.flatnonzero(unseen), np.nan),
        y=np.insert(path["y_m"].to_numpy(), np.flatnonzero(unseen), np.nan),
        mode="lines+markers",
        line={"color": theme.BLUE, "width": 2.4},
        marker={"size": 5},
        text=np.insert(np.array(times, object), np.flatnonzero(unseen), ""),
        hovertemplate="%{text}<extra></extra>",
    )
    if last.x_m is None:
        return figure
    figure.add_scatter(
        x=[last.x_m],
        y=[last.y_m],
        mode="markers",
        hoverinfo="skip",
        marker={"size": 18, "color": theme.VERMILION, "line": {"color": "white", "width": 2}},
    )
    if last.heading is not None:
        angle = COMPASS.index(last.heading) * np.pi / 4
        figure.add_annotation(
            x=last.x_m,
            y=last.y_m,
            xshift=ARROW_PX * np.cos(angle),
            yshift=ARROW_PX * np.sin(angle),
            ax=-ARROW_PX * np.cos(angle),
            ay=ARROW_PX * np.sin(angle),
            axref="pixel",
            ayref="pixel",
            showarrow=True,
            arrowhead=2,
            arrowwidth=4,
            arrowcolor=theme.VERMILION,
            text="",
        )
    return figure
