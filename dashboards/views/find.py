"""Find a person: a picture, a person in a frame or a description; candidates to confirm or reject; the way they went.

Everything that is shown was first written to the audit, by `flows.person_search`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, time
from typing import Any

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from dashboards import plan, sign_in, theme
from dashboards.clock import DayClock
from dashboards.page import card, open_view
from dashboards.view import View, lake_place
from detection.colours import COLOURS
from detection.guarded_picture import MOST_BYTES
from detection.isolated import decode_picture
from flows.find import Candidate, Filters, Query, TrackletName, described
from flows.lake_layout import LakeError
from flows.person_search import PersonSearch
from flows.sightings import STEP_S
from flows.stores import find_store
from flows.users import User

KEY = "person-search"
SHOWN, A_ROW = 10, 5
PICTURE_TYPES = ["jpg", "jpeg", "png", "webp"]


@dataclass
class Found:
    """A search under way in this browser session: what was asked, the answers so far, and what is shown for them."""

    owner: tuple[str, str, str]
    search: PersonSearch
    query: Query
    filters: Filters
    newest_first: bool
    candidates: list[Candidate] = field(default_factory=list)
    crops: dict[TrackletName, np.ndarray | str] = field(default_factory=dict)

    def ask(self) -> None:
        """List the candidates for the query as it is now."""
        self.candidates = self.search.find(self.query, self.filters, count=SHOWN, newest_first=self.newest_first)

    def crop(self, names: list[TrackletName]) -> list[np.ndarray | str]:
        """Pictures, each cut from its recording once."""
        missing = [name for name in names if name not in self.crops]
        if missing:
            self.crops |= dict(zip(missing, self.search.crops(missing), strict=True))
        return [self.crops[name] for name in names]


def render() -> None:
    """Draw the page; without the role, the form to sign in."""
    user = sign_in.current_user("find")
    if user is None:
        st.session_state.pop(KEY, None)
        sign_in.render()
        return
    view = open_view("Find a person")
    with st.container(horizontal=True, horizontal_alignment="right"):
        st.caption(f"Signed in as {user.name}. Every search goes into the audit.")
        st.button("Sign out", on_click=sign_in.sign_out, type="tertiary", icon=":material/logout:")
    if view.store.find is None:
        st.info(
            f"Person search is off for {view.store.name}. Its store.yaml turns it on with a purpose: "
            "`find: {purpose: ...}`; PRIVACY.md says what to settle before.",
            icon=":material/person_search:",
        )
        return
    st.caption(f"Purpose in this store: {view.store.find.purpose}")
    left, right = st.columns([1, 1.3], gap="medium")
    with left, card("Whom, and why"):
        _ask(view, user)
    found = _current(view, user)
    with right, card("Where they went", "The way of the confirmed sightings over the floor, averaged over cameras."):
        _way(view, found)
    if found is not None:
        with card("Candidates", "Likeliest people first. The search sharpens with each answer."):
            _candidates(found, view.clock)


def _owner(view: View, user: User) -> tuple[str, str, str]:
    return user.name, view.store.id, view.day.isoformat()


def _current(view: View, user: User) -> Found | None:
    found: Found | None = st.session_state.get(KEY)
    return found if found is not None and found.owner == _owner(view, user) else None


def _ask(view: View, user: User) -> None:
    way = st.segmented_control(
        "By", ["Description", "Picture", "Person in a frame"], default="Description", key="find.by", required=True
    )
    reason = st.text_input("Why do you search?", key="find.reason", max_chars=300, placeholder="Goes into the audit")
    words = _words()
    filters, newest_first = _filters(view)
    try:
        if way == "Person in a frame":
            _by_frame(view, user, reason, words, filters, newest_first)
            return
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
        if st.button("Search", type="primary", icon=":material/person_search:", key="find.search"):
            if way == "Picture" and not uploads:
                raise ValueError("choose a picture of the person first")
            search = _search(view, user, reason)
            pictures = [decode_picture(upload.getvalue()) for upload in uploads]
            query = search.of_pictures(pictures) if pictures else Query()
            _start(view, user, search, replace(query, **words), filters, newest_first)
    except (ValueError, LakeError) as error:
        st.error(_sentence(error), icon=":material/block:")


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


def _start(view: View, user: User, search: PersonSearch, query: Query, filters: Filters, newest_first: bool) -> None:
    found = Found(_owner(view, user), search, query, filters, newest_first)
    with st.spinner("Searching"):
        found.ask()
    st.session_state[KEY] = found


def _by_frame(view: View, user: User, reason: str, words: dict[str, Any], filters: Filters, newest_first: bool) -> None:
    """A camera's picture with a mark on each person; a click on a mark starts the search."""
    cells = st.columns(2)
    camera = cells[0].selectbox("Camera", [camera.id for camera in view.store.cameras], key="find.frame.camera")
    at = cells[1].text_input("Time", key="find.frame.time", placeholder="HH:MM:SS")
    if not at or not reason:
        st.info("Say why you search, choose a camera, and write a time of the day.", icon=":material/touch_app:")
        return
    moment = _time_us(view, time.fromisoformat(at))
    assert moment is not None
    key = f"find.frame.{view.store.id}.{camera}.{moment}"
    if key not in st.session_state:
        search = _search(view, user, reason)
        st.session_state[key] = (search, *search.frame(camera, moment))
    search, picture, people = st.session_state[key]
    clicked = st.plotly_chart(
        frame_figure(picture, people[["x1", "y1", "x2", "y2"]].to_numpy()),
        key=f"{key}.figure",
        on_select="rerun",
        selection_mode="points",
        config={"displayModeBar": False},
    )
    st.caption("Click on the mark of a person. Heads are blurred.")
    for point in clicked["selection"]["points"]:
        row = people.iloc[point["point_index"]]
        query = search.of_tracklet(TrackletName(row["day"], row["camera"], int(row["track_id"])))
        asked = (key, point["point_index"])
        if st.session_state.get("find.frame.asked") != asked:
            st.session_state["find.frame.asked"] = asked
            _start(view, user, search, replace(query, **words), filters, newest_first)


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
    theme.style(figure, 300, showlegend=False)
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False)
    return figure


def _candidates(found: Found, clock: DayClock) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            "Show heads",
            key="find.heads",
            on_click=_show_heads,
            args=(found,),
            help="I confirm that this search cannot do without them. It goes into the audit.",
            icon=":material/visibility:",
        )
        st.caption(f"{len(found.query.confirmed)} confirmed, {len(found.query.rejected)} rejected")
    if not found.candidates:
        st.info("Nobody else fits. Widen the time, the cameras or the description.", icon=":material/person_off:")
        return
    crops = found.crop([candidate.name for candidate in found.candidates])
    for start in range(0, len(found.candidates), A_ROW):
        cells = st.columns(A_ROW, gap="small")
        for cell, number in zip(cells, range(start, min(start + A_ROW, len(found.candidates))), strict=False):
            with cell.container(border=True):
                _candidate(found, found.candidates[number], crops[number], clock)


def _candidate(found: Found, one: Candidate, crop: np.ndarray | str, clock: DayClock) -> None:
    if isinstance(crop, str):
        st.caption(crop)
    else:
        st.image(crop, width=110)
    start = datetime.fromtimestamp(one.start_us / 1e6, clock.store.zone_info)
    place = found.search.last_seen_of(one.name)
    height = "" if one.height_m is None else f" · {one.height_m:.2f} m tall"
    st.markdown(f"**{start:%H:%M:%S}** · {one.name.camera}")
    st.caption(f"{one.likelihood:.0%} likely{height}  \n{place.place}")
    with st.container(horizontal=True, gap="xsmall"):
        for label, same, icon in (("Yes", True, ":material/check:"), ("No", False, ":material/close:")):
            st.button(label, key=f"find.{label}.{one.name}", on_click=_answer, args=(found, one.name, same), icon=icon)


def _answer(found: Found, name: TrackletName, same: bool) -> None:
    if not _still_may(found):
        return
    found.query = found.search.answer(found.query, name, same_person=same)
    found.ask()


def _still_may(found: Found) -> bool:
    """Callbacks run before the page asks who is signed in."""
    user = sign_in.current_user("find")
    return user is not None and user.name == found.owner[0]


def _show_heads(found: Found) -> None:
    if not _still_may(found):
        return
    found.search.show_heads()
    found.crops.clear()


def _way(view: View, found: Found | None) -> None:
    figure = plan.empty_plan(view.store, 380)
    plan.add_zone_outlines(figure, view.store)
    confirmed = found.query.confirmed if found is not None else ()
    if found is not None and confirmed:
        path, last = found.search.path(confirmed)
        figure.add_scatter(
            x=path["x_m"], y=path["y_m"], mode="lines+markers", line={"color": theme.BLUE, "width": 2.4},
            marker={"size": 5}, hovertemplate="%{text}<extra></extra>",
            text=[f"{datetime.fromtimestamp(at / 1e6, view.store.zone_info):%H:%M:%S}" for at in path["time_us"]],
        )  # fmt: skip
        if last.x_m is not None:
            figure.add_scatter(
                x=[last.x_m], y=[last.y_m], mode="markers", hoverinfo="skip",
                marker={"size": 16, "color": theme.VERMILION, "line": {"color": "white", "width": 2}},
            )  # fmt: skip
        seen = datetime.fromtimestamp(last.time_us / 1e6, view.store.zone_info)
        st.success(f"Last seen {seen:%H:%M:%S} by camera {last.camera}: {last.place}", icon=":material/my_location:")
    else:
        st.caption(f"Confirm a candidate to see their way, a place each {STEP_S:g} s, and where they were last.")
    st.plotly_chart(figure, key="find.way", config={"displayModeBar": False}, alt="Way of the confirmed person")


def _sentence(error: Exception) -> str:
    text = str(error)
    return f"{text[:1].upper()}{text[1:]}."
