"""Find a person: who is looked for and why, by a picture, a person in a frame or a description.

Everything that is shown was first written to the audit, by `flows.person_search`. What was found is drawn by
`dashboards.views.find_answers`.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, time
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from dashboards import sign_in, theme
from dashboards.page import card, open_view
from dashboards.search_state import current, owner_of, start
from dashboards.sign_in import CLICKED, FRAME
from dashboards.verbatim import in_prose
from dashboards.view import View, lake_place
from dashboards.views.find_answers import candidates, where_they_are
from dashboards.views.find_live import just_seen
from detection.colours import COLOURS
from detection.guarded_picture import MOST_BYTES
from detection.isolated import decode_picture
from flows.find import Filters, Query, TrackletName, described
from flows.lake_layout import LakeError
from flows.person_search import PersonSearch
from flows.stores import find_store
from flows.users import User

PICTURE_TYPES = ["jpg", "jpeg", "png", "webp"]
MOST_PICTURES = 8
Frame = tuple[PersonSearch, np.ndarray, pd.DataFrame, dict[str, Any], Any]
STEPS = ("Say why, and whom you look for", "Say who of these people it is", "Go where they were seen last")


def render() -> None:
    """Draw the page; without the role, the form to sign in."""
    user = sign_in.current_user("find")
    if user is None:
        sign_in.render()
        return
    view = open_view("Find a person")
    if view.store.find is None:
        st.info(
            f"Person search is off for {view.store.name}. Its store.yaml turns it on with a purpose: "
            "`find: {purpose: ...}`; PRIVACY.md says what to settle before.",
            icon=":material/person_search:",
        )
        return
    steps = st.empty()
    top = st.container()
    left, right = st.columns([1, 2.1], gap="medium")
    with left, card("Whom, and why"):
        frame, reason = _ask(view, user)
        st.caption(f"Purpose in this store: {in_prose(view.store.find.purpose)}")
        st.caption(f"Signed in as {in_prose(user.name)}. Every search goes into the audit.")
        st.button("Sign out", on_click=sign_in.sign_out, type="tertiary", icon=":material/logout:")
    found = current(view, user)
    confirmed = found is not None and bool(found.query.confirmed)
    steps.markdown(_steps(0 if found is None else 2 if confirmed else 1))
    if found is not None and confirmed:
        with top, card("Last seen"):
            where_they_are(view, found)
    with right:
        just_seen(view, user, reason)
        if frame is not None:
            with card("Click on the mark of the person", caption="Heads are blurred."):
                _people(view, user, *frame)
        elif found is not None:
            with card("Is it one of these people?", "Likeliest first. Each answer sharpens the search."):
                candidates(found, view.clock)
        else:
            _before(view)


def _steps(now: int) -> str:
    """What to do in which order, the step at hand in bold."""
    texts = [f"**:blue[{number}. {text}]**" if number == now + 1 else f":gray[{number}. {text}]"
             for number, text in enumerate(STEPS, start=1)]  # fmt: skip
    return " :gray[:material/chevron_right:] ".join(texts)


def _before(view: View) -> None:
    with card("Is it one of these people?"):
        st.info(
            "Say why you search, describe the person or give a picture, and press **Search**. Ten people come up, each "
            "with a picture: press **Yes** or **No** below it. The plan then shows where they were last, and which way "
            "they went.",
            icon=":material/person_search:",
        )
        if view.day < datetime.now(view.store.zone_info).date():
            st.caption(
                f"This searches what was recorded on {view.day:%d %B %Y}. For somebody who is lost right now, let "
                f"whoever runs aisleflow start `aisleflow find-live --store {view.store.id}`, which watches what is "
                "being recorded: whom it sees comes up here by itself. Send people at the same time."
            )


def _ask(view: View, user: User) -> tuple[Frame | None, str]:
    """Who is looked for and why. Gives the frame to click in, if that is how, and the reason."""
    way = st.segmented_control(
        "By", ["Description", "Picture", "Person in a frame"], default="Description", key="find.by", required=True
    )
    reason = st.text_input(
        "Why do you search?", key="find.reason", max_chars=300, placeholder="A mother asks at the desk"
    )
    words = _words()
    filters, newest_first = _filters(view)
    try:
        if way == "Person in a frame":
            return _frame(view, user, reason, words, (filters, newest_first)), reason
        uploads = []
        if way == "Picture":
            uploads = st.file_uploader(
                "Pictures of the person",
                PICTURE_TYPES,
                accept_multiple_files=True,
                key="find.picture",
                max_upload_size=MOST_BYTES // 1_000_000,
                help="One is enough; several views of the same clothes find more.",
            )
        if st.button("Search", type="primary", icon=":material/person_search:", key="find.search", width="stretch"):
            if way == "Picture" and not 1 <= len(uploads) <= MOST_PICTURES:
                raise ValueError(f"choose a picture of the person first, or up to {MOST_PICTURES}")
            search = _search(view, user, reason)
            pictures = [decode_picture(upload.getvalue()) for upload in uploads]
            query = search.of_pictures(pictures) if pictures else Query()
            start(owner_of(view, user), search, replace(query, **words), filters, newest_first)
    except (ValueError, LakeError) as error:
        st.error(_sentence(error), icon=":material/block:")
    return None, reason


def _words() -> dict[str, Any]:
    cells = st.columns(3, gap="small")
    any_ = "any"
    chosen = [
        cells[0].selectbox("Above the waist", [any_, *COLOURS], key="find.upper"),
        cells[1].selectbox("Below the waist", [any_, *COLOURS], key="find.lower"),
        cells[2].selectbox("Age", [any_, "child", "adult"], key="find.age", help="By height, from the calibration."),
    ]
    return described(*(None if value == any_ else value for value in chosen))


def _filters(view: View) -> tuple[Filters, bool]:
    with st.expander("Where and when"):
        cameras = st.multiselect("Cameras", [camera.id for camera in view.store.cameras], key="find.cameras")
        since, until = (
            place.time_input(label, value=None, key=f"find.{label}", step=60)
            for place, label in zip(st.columns(2), ("From", "Until"), strict=True)
        )
        newest_first = st.toggle("Last seen first", key="find.newest", help="Of the likeliest, the last seen first.")
    return Filters(tuple(cameras), _time_us(view, since), _time_us(view, until)), newest_first


def _time_us(view: View, clock: time | None) -> int | None:
    if clock is None:
        return None
    moment = datetime.combine(view.day, clock, tzinfo=view.store.zone_info)
    return round(moment.timestamp() * 1e6)


def _search(view: View, user: User, reason: str) -> PersonSearch:
    return PersonSearch(find_store(view.store.id), lake_place(), user.name, reason, [view.day])


def _frame(view: View, user: User, reason: str, words: dict[str, Any], asked: tuple[Filters, bool]) -> Frame | None:
    """The picture of a camera at a time, with its people; None until both are chosen, and once somebody is."""
    cells = st.columns(2)
    camera = cells[0].selectbox("Camera", [camera.id for camera in view.store.cameras], key="find.frame.camera")
    at = cells[1].text_input("Time", key="find.frame.time", placeholder="14:05:20")
    if not at or not reason:
        st.info("Say why you search, choose a camera, and write a time of the day.", icon=":material/touch_app:")
        return None
    try:
        moment = _time_us(view, time.fromisoformat(at.strip()))
    except ValueError:
        raise ValueError(f"{at}: write the time as 14:05 or 14:05:20") from None
    assert moment is not None
    key = (view.store.id, camera, moment, reason)
    if st.session_state.get(FRAME, (None,))[0] != key:
        search = _search(view, user, reason)
        st.session_state[FRAME] = (key, search, *search.frame(camera, moment))
    if st.session_state.get(CLICKED) == key:
        if st.button("Choose another person", key="find.frame.again", icon=":material/undo:"):
            del st.session_state[CLICKED]
            st.rerun()
        return None
    _, search, picture, people = st.session_state[FRAME]
    return search, picture, people, words, asked


def _people(
    view: View, user: User, search: PersonSearch, picture: np.ndarray, people: pd.DataFrame, words: Any, asked: Any
) -> None:
    """A camera's picture with a mark on each person; a click on a mark starts the search."""
    clicked = st.plotly_chart(
        frame_figure(picture, people[["x1", "y1", "x2", "y2"]].to_numpy()),
        key="find.frame.figure",
        on_select="rerun",
        selection_mode="points",
        config={"displayModeBar": False},
    )
    for point in clicked["selection"]["points"]:
        row = people.iloc[point["point_index"]]
        try:
            query = search.of_tracklet(TrackletName(row["day"], row["camera"], int(row["track_id"])))
        except ValueError as error:
            st.error(_sentence(error), icon=":material/block:")
            return
        start(owner_of(view, user), search, replace(query, **words), *asked)
        st.session_state[CLICKED] = st.session_state[FRAME][0]
        st.rerun()


def frame_figure(picture: np.ndarray, boxes: np.ndarray) -> go.Figure:
    """A picture, uint8 RGB, with a mark in the middle of each box (N, 4) xyxy that can be clicked."""
    figure = go.Figure(go.Image(z=picture, hoverinfo="skip"))
    figure.add_scatter(
        x=boxes[:, [0, 2]].mean(axis=1),
        y=boxes[:, [1, 3]].mean(axis=1),
        mode="markers",
        marker={"size": 16, "color": theme.ORANGE, "line": {"color": "white", "width": 2}},
        hovertemplate="search for this person<extra></extra>",
    )
    theme.style(figure, 520, showlegend=False)
    figure.update_xaxes(visible=False, fixedrange=True)
    figure.update_yaxes(visible=False, fixedrange=True)
    return figure


def _sentence(error: Exception) -> str:
    text = str(error)
    return in_prose(f"{text[:1].upper()}{text[1:]}.")
