"""The head of every page, with the choice of store and days, and the cards that pages are made of."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from typing import Any

import streamlit as st

from dashboards import definitions, queries
from dashboards.choices import choose, hold, remember, remembered, switch
from dashboards.clock import say
from dashboards.lake_query import Scope
from dashboards.notices import announce, faults, first_run, no_days
from dashboards.view import View, lake_place, stores
from flows.config import StoreConfig


def open_view(title: str, *, days: str = "one") -> View:
    """Draw the page's head with the choice of store and days, and what has to be said first. Stops where there is
    nothing to show, with the next step."""
    known, problems = stores()
    lake_days = queries.days(lake_place())
    first_run(title, known, problems, lake_days)
    head, below = st.container(horizontal=True, vertical_alignment="bottom", key="head"), st.container()
    with head:
        heading = st.container(key="heading", width="stretch")
        with_days = set(lake_days["store"])
        options = sorted(known, key=lambda name: (name not in with_days, known[name].name))
        store_id = choose("store", "Store", options, options[0], format_func=lambda name: known[name].name, width=250)
        store = known[store_id]
        available = sorted(lake_days.loc[lake_days["store"] == store_id, "date"])
        if not available:
            heading.title(title, anchor=False)
            heading.caption(f"{store.name} · {store.timezone}")
            with below:
                faults(problems)
                no_days(store)
        span = _choose_days(store, available, days)
        staff = switch("staff", "With staff", False, help=definitions.STAFF)
    view = View(store, Scope(lake_place(), (store_id,), *span, include_staff=staff))
    with heading:
        st.title(title, anchor=False)
        st.caption(_subtitle(view))
    with below:
        faults(problems)
        announce(view, available)
    return view


def _subtitle(view: View) -> str:
    span = say(view.scope.last)
    if view.scope.first != view.scope.last:
        span = f"{say(view.scope.first, year=view.scope.first.year != view.scope.last.year)} to {span}"
    note = view.clock.note if view.scope.first == view.scope.last else None
    return f"{view.store.name} · {span} · {view.store.timezone}{f' · {note}' if note else ''}"


def _day_from(text: str) -> date:
    return date.fromisoformat(text)


def _choose_days(store: StoreConfig, available: list[date], days: str) -> tuple[date, date]:
    """One day with steps to its neighbours, or a span. Yesterday by default, or the newest day there is."""
    yesterday = datetime.now(store.zone_info).date() - timedelta(days=1)
    newest = yesterday if yesterday in available else available[-1]
    day = min(max(remembered("day", newest, _day_from), available[0]), max(available[-1], available[0]))
    if days == "one":
        return _one_day(day, available)
    first = remembered("from", max(available[0], day - timedelta(days=27)), _day_from)
    key = f"choice.span.{store.id}"
    hold(key, (min(max(first, available[0]), day), day), lambda value: isinstance(value, tuple))
    chosen = st.date_input(
        "Days", key=key, min_value=available[0], max_value=available[-1], format="DD/MM/YYYY", width=230
    )
    if not isinstance(chosen, tuple) or len(chosen) != 2:
        st.stop()  # the reader has clicked the first of two days
    remember("from", chosen[0].isoformat())
    remember("day", chosen[1].isoformat())
    return chosen[0], chosen[1]


def _one_day(day: date, available: list[date]) -> tuple[date, date]:
    key = "choice.day"
    current = hold(key, day, lambda value: isinstance(value, date) and available[0] <= value <= available[-1])
    before = [one for one in available if one < current]
    after = [one for one in available if one > current]

    def step(to: date) -> None:
        st.session_state[key] = to

    with st.container(horizontal=True, vertical_alignment="bottom", gap="xsmall", width="content", key="days"):
        st.button(
            ":material/chevron_left:",
            key="day-before",
            on_click=step,
            disabled=not before,
            args=(before[-1] if before else current,),
            help="The day before that has data",
        )
        chosen = st.date_input(
            "Day", key=key, min_value=available[0], max_value=available[-1], format="DD/MM/YYYY", width=140
        )
        st.button(
            ":material/chevron_right:",
            key="day-after",
            on_click=step,
            disabled=not after,
            args=(after[0] if after else current,),
            help="The next day that has data",
        )
    remember("day", chosen.isoformat())
    return chosen, chosen


@contextmanager
def card(heading: str, definition: str | None = None, caption: str | None = None) -> Iterator[Any]:
    """A framed part of the page with a heading, its definition behind a question mark, and a caption."""
    name = re.sub(r"\W+", "-", heading.lower()).strip("-")
    with st.container(border=True, key=f"card-{name}", height="stretch") as place:
        st.subheader(heading, anchor=False, help=definition)
        if caption:
            st.caption(caption)
        yield place
