"""Audit: watch a random quarter-hour, count, and see how far the lake's counts can be trusted."""

from __future__ import annotations

import tempfile
from datetime import datetime
from itertools import islice
from pathlib import Path

import pandas as pd
import streamlit as st

from dashboards import definitions, queries
from dashboards.downloads import downloads
from dashboards.page import card, open_view
from dashboards.view import View, store_file
from flows.audit import (
    Accuracy,
    AuditError,
    Question,
    accuracy,
    audited,
    by_crowding,
    counted_by_lake,
    questions,
    save_answer,
)
from flows.audit_clips import write_clip
from flows.lake import Lake

TRIES = 200
ASKED = "audit.question"


def render() -> None:
    """Draw the page."""
    view = open_view("Audit", days="span")
    lake = Lake(view.scope.lake)
    answered = audited(lake, view.store.id)
    left, right = st.columns([1.25, 1], gap="medium")
    with left, card("Count what you see", definitions.AUDIT):
        _ask(view, lake, answered)
    with right, card("Accuracy so far", definitions.ACCURACY):
        _accuracy(answered)
    with card("Answers"):
        _answers(view, answered)


def _next_question(view: View, lake: Lake, answered: pd.DataFrame) -> Question | None:
    """The question that the browser has open, or a new random one that nobody has answered."""
    asked: Question | None = st.session_state.get(ASKED)
    scope = view.scope
    if asked is not None and asked.store == view.store.id and scope.first <= asked.day <= scope.last:
        return asked
    runs = queries.runs(scope)
    if runs is None or bool(runs["simulated"].all()):
        return None  # no day has video: a year of them need not be opened one by one to find that out
    done = set(zip(answered["day"], answered["start"].astype("int64"), answered["target"], strict=True))
    seed = st.session_state.setdefault("audit.seed", int(datetime.now().timestamp()))
    every = questions(view.store, lake, first=scope.first, last=scope.last, seed=seed)
    fresh = (one for one in islice(every, TRIES) if (one.day, one.start_us, one.target) not in done)
    st.session_state[ASKED] = next(fresh, None)
    return st.session_state[ASKED]


def _another() -> None:
    st.session_state.pop(ASKED, None)
    st.session_state["audit.seed"] = st.session_state.get("audit.seed", 0) + 1


@st.cache_data(show_spinner="Reading the recording", max_entries=4, ttl=1800)
def _clip(store_file: str, question: Question) -> bytes:
    """The clip of a question; kept in memory for a while, on no disk."""
    from flows.store_reading import load_store

    with tempfile.TemporaryDirectory() as folder:
        file = write_clip(load_store(store_file), Path(store_file), question, Path(folder) / "clip.mp4")
        return file.read_bytes()


def _ask(view: View, lake: Lake, answered: pd.DataFrame) -> None:
    said = st.session_state.pop("audit.said", None)
    if said:
        st.success(said, icon=":material/check_circle:")
    try:
        question = _next_question(view, lake, answered)
        if question is None:
            st.info(
                "No recorded quarter-hour is left to ask about in these days: simulated days have no video, and every "
                "other one has an answer. Choose other days, or process a day: `aisleflow run STORE.yaml`.",
                icon=":material/fact_check:",
            )
            return
        clip = _clip(str(store_file(view.store.id)), question)
    except AuditError as error:
        st.info(str(error), icon=":material/fact_check:")
        st.button("Another quarter-hour", on_click=_another, icon=":material/shuffle:", key="audit.other")
        return
    start, end = (datetime.fromtimestamp(at / 1e6, view.store.zone_info) for at in (question.start_us, question.end_us))
    names = {gate.id: gate.name or gate.id for gate in view.store.entrances}
    names |= {zone.id: zone.name or zone.id for zone in view.store.zones}
    st.markdown(
        f"**{start:%A, %d %B %Y, %H:%M:%S} to {end:%H:%M:%S}** ({view.store.timezone}), camera {question.camera}, "
        f"{question.kind} **{names.get(question.target, question.target)}**"
    )
    st.video(clip, format="video/mp4")
    with st.form("audit.form", border=False):
        first, second, third = st.columns([1, 1, 1.4])
        came = first.number_input("Came in", min_value=0, step=1, value=None, key=f"in.{question.key}")
        went = second.number_input("Went out", min_value=0, step=1, value=None, key=f"out.{question.key}")
        by = third.text_input("Your name", key="audit.by")
        note = st.text_input("Note", key=f"note.{question.key}", placeholder="what made it hard to tell, if anything")
        saved = st.form_submit_button("Save the count", type="primary", icon=":material/save:")
    st.button("Another quarter-hour", on_click=_another, icon=":material/shuffle:", key="audit.other")
    if saved and (came is None or went is None):
        st.warning("Enter both counts; 0 where nobody did.", icon=":material/edit:")
    elif saved and came is not None and went is not None:
        save_answer(lake, question, int(came), int(went), by=by, note=note)
        own = counted_by_lake(lake, question)
        st.session_state["audit.said"] = (
            f"Saved. You counted {came} in and {went} out; the lake has {own[0]} in and {own[1]} out."
        )
        _another()
        st.rerun()


def _accuracy(answered: pd.DataFrame) -> None:
    found = accuracy(answered)
    if found.accuracy is None:
        st.info("Nobody has been counted yet. A few busy quarter-hours tell most.", icon=":material/fact_check:")
        return
    first, second = st.columns(2)
    first.metric("Accuracy", f"{found.accuracy:.1%}", _interval(found.low, found.high, "%"), delta_color="off")
    second.metric(
        "Lake over people", f"{found.ratio:.2f}", _interval(found.ratio_low, found.ratio_high, ""),
        delta_color="off",
    )  # fmt: skip
    st.caption(_said_of(found))
    halves = by_crowding(answered)
    if len(halves):
        st.dataframe(
            pd.DataFrame(
                {
                    "Crowding": halves["crowding"].str.capitalize(),
                    "People a minute": [
                        f"{a:.1f} to {b:.1f}" for a, b in zip(halves["from"], halves["to"], strict=True)
                    ],
                    "Quarter-hours": halves["quarters"],
                    "Accuracy": halves["accuracy"].astype(float) * 100,
                }
            ),
            hide_index=True,
            key="audit.crowding",
            column_config={"Accuracy": st.column_config.NumberColumn(format="%.1f%%", help=definitions.ACCURACY)},
        )


def _interval(low: float | None, high: float | None, unit: str) -> str | None:
    if low is None or high is None:
        return None
    return f"95%: {low:.1%} to {high:.1%}" if unit == "%" else f"95%: {low:.2f} to {high:.2f}"


def _said_of(found: Accuracy) -> str:
    few = " Fewer than three quarter-hours give no interval." if found.low is None else ""
    return f"{found.quarters} quarter-hours with {found.people:,} crossings, counted by people.{few}"


def _answers(view: View, answered: pd.DataFrame) -> None:
    if answered.empty:
        st.caption("No answer yet.")
        return
    local = answered["start"].dt.tz_convert(view.store.timezone)
    table = pd.DataFrame(
        {
            "Day": answered["day"],
            "From": local.dt.strftime("%H:%M:%S"),
            "Seconds": answered["seconds"],
            "Camera": answered["camera"],
            "At": answered["target"],
            "Came in": answered["counted_in"],
            "Lake": answered["lake_in"],
            "Went out": answered["counted_out"],
            "Lake, out": answered["lake_out"],
            "By": answered["by"],
            "Note": answered["note"],
        }
    )
    st.dataframe(table, hide_index=True, key="audit.answers")
    downloads("audit", answered, view, counts=["counted_in", "counted_out", "lake_in", "lake_out"])
