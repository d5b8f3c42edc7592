"""The search for a person that is under way in a browser session: what was asked, answered and is shown."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import streamlit as st

from dashboards import sign_in
from dashboards.view import View, stores
from flows.find import Candidate, Filters, Query, TrackletName
from flows.person_search import PersonSearch
from flows.sightings import LastSeen
from flows.users import User

SHOWN = 10
Owner = tuple[str, str, str]


@dataclass
class Found:
    """A search under way: whose (user, store, day), the question with the answers so far, and what is shown for it."""

    owner: Owner
    search: PersonSearch
    query: Query
    filters: Filters
    newest_first: bool
    candidates: list[Candidate] = field(default_factory=list)
    places: dict[TrackletName, LastSeen] = field(default_factory=dict)
    crops: dict[TrackletName, np.ndarray | str] = field(default_factory=dict)

    def ask(self) -> None:
        """List the candidates for the query as it is now."""
        self.candidates = self.search.find(self.query, self.filters, count=SHOWN, newest_first=self.newest_first)
        self.places = self.search.last_seen_each([one.name for one in self.candidates])

    def crop(self, names: list[TrackletName]) -> list[np.ndarray | str]:
        """Pictures, each cut from its recording once."""
        missing = [name for name in names if name not in self.crops]
        if missing:
            self.crops |= dict(zip(missing, self.search.crops(missing), strict=True))
        return [self.crops[name] for name in names]

    def answer(self, name: TrackletName, same: bool) -> None:
        """Take a user's answer and search again."""
        if self._may():
            self.query = self.search.answer(self.query, name, same_person=same)
            self.ask()

    def show_heads(self) -> None:
        """From now on pictures show heads."""
        if self._may():
            self.search.show_heads()
            self.crops.clear()

    def _may(self) -> bool:
        """Whether the owner is still signed in, and the store still searched: callbacks run before the page asks."""
        user, store = sign_in.current_user("find"), stores()[0].get(self.owner[1])
        return user is not None and user.name == self.owner[0] and store is not None and store.find is not None


def owner_of(view: View, user: User) -> Owner:
    return user.name, view.store.id, view.day.isoformat()


def current(view: View, user: User) -> Found | None:
    """The session's search, if it is this user's, in this store and on this day."""
    found: Found | None = st.session_state.get(sign_in.SEARCH)
    return found if found is not None and found.owner == owner_of(view, user) else None


def start(owner: Owner, search: PersonSearch, query: Query, filters: Filters, newest_first: bool) -> None:
    """Begin a search, in the place of the one before."""
    found = Found(owner, search, query, filters, newest_first)
    with st.spinner("Searching"):
        found.ask()
    st.session_state[sign_in.SEARCH] = found
