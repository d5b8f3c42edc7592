"""Whom a watch over what is being recorded (`aisleflow find-live`) has just seen: pictures that come by themselves."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import streamlit as st

from dashboards import sign_in
from dashboards.page import card
from dashboards.sign_in import JUST_SEEN
from dashboards.verbatim import in_prose
from dashboards.view import View, lake_place, stores
from flows.find import TrackletName
from flows.live_matches import KeptMatch, kept_matches
from flows.person_search import SHORTEST_REASON, PersonSearch
from flows.places import SECOND_US
from flows.stores import find_store
from flows.users import User

EVERY_S = 10
RECENT = timedelta(hours=2)
A_ROW, MOST = 5, 10


def just_seen(view: View, user: User, reason: str) -> None:
    """Draw the newest matches, and look for newer ones by itself; nothing where no watch has seen anybody."""
    st.fragment(_matches, run_every=EVERY_S)(view, user, reason)


def now() -> datetime:
    return datetime.now(UTC)


def _matches(view: View, user: User, reason: str) -> None:
    store = stores()[0].get(view.store.id)
    if sign_in.current_user("find", active=False) is None or store is None or store.find is None:
        st.rerun()  # the page says what is the matter; looking by itself is no sign of life
    today = now().astimezone(view.store.zone_info).date()
    since_us = round((now() - RECENT).timestamp() * SECOND_US)
    matches = kept_matches(lake_place(), view.store.id, [today - timedelta(days=1), today], since_us)[:MOST]
    if not matches:
        return
    with card("Seen just now", "What `find-live` reported in the last two hours, by what is being recorded."):
        if len(reason.strip()) < SHORTEST_REASON:
            st.info(f"A watch has seen somebody {len(matches)} times. Say why you search to see them.")
            return
        pictures = _pictures(view, user, reason, matches)
        for first in range(0, len(matches), A_ROW):
            for cell, one in zip(st.columns(A_ROW, gap="small"), matches[first : first + A_ROW], strict=False):
                with cell.container(border=True, key=f"candidate-live-{one.last.time_us}-{one.shot.name.track_id}"):
                    _match(view, one, pictures[one.shot.name, one.shot.time_us])


def _pictures(
    view: View, user: User, reason: str, matches: list[KeptMatch]
) -> dict[tuple[TrackletName, int], np.ndarray | str]:
    """Pictures of matches, heads blurred, each cut from its recording once a session."""
    known = st.session_state.setdefault(JUST_SEEN, {})
    new = [one.shot for one in matches if (one.shot.name, one.shot.time_us) not in known]
    if new:
        search = PersonSearch(find_store(view.store.id), lake_place(), user.name, reason, [])
        known |= {(shot.name, shot.time_us): crop for shot, crop in zip(new, search.crops_of(new), strict=True)}
    return known


def _match(view: View, one: KeptMatch, picture: np.ndarray | str) -> None:
    if isinstance(picture, str):
        st.caption(in_prose(picture))
    else:
        st.image(picture, width="stretch")
    seen = datetime.fromtimestamp(one.last.time_us / SECOND_US, view.store.zone_info)
    st.markdown(f"**{seen:%H:%M:%S}**  \n{in_prose(one.last.place)}")
    st.caption(f"{one.likelihood:.0%} likely, camera {one.last.camera}: {in_prose(one.reason)}")
