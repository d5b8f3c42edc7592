"""What every page shares: the choice of store and day, what must be said above the numbers, cards and downloads."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from dashboards import definitions, queries
from dashboards.clock import DayClock, say
from dashboards.queries import Scope
from flows.config import Problem, StoreConfig, examine_store
from flows.stores import store_files

LOW_COVERAGE = 0.95


@dataclass(frozen=True)
class View:
    """What the reader chose: one store, a span of days (often one), and whether staff count."""

    store: StoreConfig
    scope: Scope

    @property
    def day(self) -> date:
        return self.scope.last

    @property
    def clock(self) -> DayClock:
        return DayClock(self.store, self.day)

    @property
    def zone_names(self) -> dict[str, str]:
        return {zone.id: zone.name or zone.id for zone in self.store.zones}


def lake_place() -> str:
    """The lake that is shown: AISLEFLOW_LAKE, or ./lake."""
    return os.environ.get("AISLEFLOW_LAKE") or "lake"


@st.cache_data(show_spinner=False, max_entries=64)
def _read_file(path: str, modified: float) -> tuple[StoreConfig | None, list[Problem]]:
    return examine_store(path)


def read_store(path: Path) -> tuple[StoreConfig | None, list[Problem]]:
    """A store.yaml as far as it can be understood, and its mistakes; read again when the file changes."""
    return _read_file(str(path), path.stat().st_mtime)


def stores() -> tuple[dict[str, StoreConfig], list[Problem]]:
    """All configured stores by id, and what is wrong in their files."""
    found, problems = {}, []
    for file in store_files():
        config, faults = read_store(file)
        problems += faults
        if config:
            found[config.id] = config
    return found, problems


def remembered(name: str, default: Any, allowed: Callable[[str], Any]) -> Any:
    """The value of a choice: from the link the page was opened by, else from the page before, else the default.

    `allowed` turns the text of the link into a value and raises ValueError for what can't be chosen.
    """
    for text in (st.query_params.get(name), st.session_state.get(f"chosen.{name}")):
        if text:
            try:
                return allowed(text)
            except ValueError:
                continue
    return default


def remember(name: str, text: str) -> None:
    """Keep a choice for the other pages, and in the address, so that the link reopens this view."""
    st.session_state[f"chosen.{name}"] = text
    if st.query_params.get(name) != text:
        st.query_params[name] = text


def hold(key: str, default: Any, is_allowed: Callable[[Any], bool]) -> Any:
    """Give a widget its value before it is drawn: the one it has, if that is allowed, else the default.

    Said anew on every run, because Streamlit forgets a widget's value when its page is left.
    """
    value = st.session_state.get(key)
    st.session_state[key] = value if key in st.session_state and is_allowed(value) else default
    return st.session_state[key]


def one_of(options: list[str]) -> Callable[[str], str]:
    def allowed(text: str) -> str:
        if text not in options:
            raise ValueError(text)
        return text

    return allowed


def choose(name: str, label: str, options: list[str], default: str, place: Any = st, **more: Any) -> str:
    """A select box whose choice is in the link."""
    key = f"choice.{name}"
    hold(key, remembered(name, default, one_of(options)), options.__contains__)
    value = place.selectbox(label, options, key=key, **more)
    remember(name, value)
    return value


def segmented(name: str, label: str, options: list[str], default: str, place: Any = st, **more: Any) -> str:
    """A row of buttons whose choice is in the link."""
    key = f"choice.{name}"
    hold(key, remembered(name, default, one_of(options)), options.__contains__)
    value = place.segmented_control(label, options, key=key, required=True, **more) or default
    remember(name, value)
    return value


def open_view(title: str, *, days: str = "one") -> View:
    """Draw the page's head with the choice of store and days, and what has to be said first. Stops where there is
    nothing to show, with the next step."""
    known, problems = stores()
    lake_days = queries.days(lake_place())
    first_run(title, known, problems, lake_days)
    with st.container(horizontal=True, vertical_alignment="bottom", key="head"):
        heading = st.container(key="heading", width="stretch")
        options = sorted(known, key=lambda name: (name not in set(lake_days["store"]), known[name].name))
        store_id = choose("store", "Store", options, options[0], format_func=lambda name: known[name].name, width=250)
        store = known[store_id]
        available = sorted(lake_days.loc[lake_days["store"] == store_id, "date"])
        if not available:
            heading.title(title, anchor=False)
            _no_days(store)
        span = _choose_days(store, available, days)
        hold("choice.staff", _staff_default(), lambda value: isinstance(value, bool))
        staff = st.toggle("With staff", key="choice.staff", help=definitions.STAFF)
        remember("staff", "1" if staff else "0")
    view = View(store, Scope(lake_place(), (store_id,), *span, include_staff=staff))
    with heading:
        st.title(title, anchor=False)
        st.caption(_subtitle(view))
    announce(view, available)
    return view


def _staff_default() -> bool:
    return remembered("staff", False, lambda text: text == "1")


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


def announce(view: View, available: list[date]) -> None:
    """Simulated data, days without data, low coverage and problems of the run, above everything else."""
    runs = queries.runs(view.scope)
    if runs is None:
        _no_day(view, available)
        return
    if bool(runs["simulated"].any()):
        st.badge("Simulated data: these people are invented", icon=":material/science:", color="violet")
    low = runs[runs["coverage"] < LOW_COVERAGE]
    if len(low):
        worst = float(low["coverage"].min())
        what = "this day was" if view.scope.first == view.scope.last else f"{len(low)} of {len(runs)} days were"
        st.warning(
            f"Only part of what happened {'' if len(low) == 1 else 'on some days '}was seen: {what} covered under 95 % "
            f"({worst:.1%} at worst). Counts leave the missing time out; they do not estimate it. "
            "The page *Data quality* shows which camera and when.",
            icon=":material/videocam_off:",
        )
    problems = [text for texts in runs["problems"] for text in texts]
    if problems:
        with st.expander(f"{len(problems)} problem(s) told by the processing", icon=":material/report:"):
            st.markdown("\n".join(f"- {text}" for text in problems[:50]))


def _no_day(view: View, available: list[date]) -> None:
    day = view.day
    opened = view.store.open_windows(day)
    reason = "No data for this day." if opened else f"The store is closed on {day:%A}s, and nothing was recorded."
    st.info(
        f"{reason} Days with data reach from {say(available[0])} to {say(available[-1])}. "
        f"To process the day: `aisleflow run STORE.yaml --date {day} --lake {lake_place()}`",
        icon=":material/event_busy:",
    )
    st.stop()


def first_run(title: str, known: dict[str, StoreConfig], problems: list[Problem], days: pd.DataFrame) -> None:
    """Say the next step where there is no store or no data at all."""
    for problem in problems[:20]:
        st.error(str(problem), icon=":material/rule:")
    if not known:
        st.title(title, anchor=False)
        place = os.environ.get("AISLEFLOW_STORES", "the bundled demo")
        st.info(
            f"No store could be read from {place}. Next step: put a store's file at `STORES/ID/store.yaml`, "
            "and start the dashboard with `AISLEFLOW_STORES=STORES`.",
            icon=":material/storefront:",
        )
        st.stop()
    if days.empty or not set(days["store"]) & set(known):
        st.title(title, anchor=False)
        stray = (
            "" if days.empty else f" It holds {', '.join(sorted(set(days['store'])))}, which no store.yaml describes."
        )
        st.info(
            f"The lake at `{lake_place()}` holds no day of the configured stores yet.{stray} "
            "Next step: `make demo` processes the bundled demo, `aisleflow demo-lake` simulates a month of three "
            "stores, and `aisleflow run STORE.yaml --date YYYY-MM-DD --lake DIR` processes a store-day of your own. "
            "Then point `AISLEFLOW_LAKE` and `AISLEFLOW_STORES` at them.",
            icon=":material/flag:",
        )
        st.stop()


def _no_days(store: StoreConfig) -> None:
    st.info(
        f"{store.name} has no processed day in the lake at `{lake_place()}`. Next step: "
        f"`aisleflow run STORE.yaml --date YYYY-MM-DD --lake {lake_place()}`, or choose another store.",
        icon=":material/flag:",
    )
    st.stop()


@contextmanager
def card(heading: str, definition: str | None = None, caption: str | None = None) -> Iterator[Any]:
    """A framed part of the page with a heading, its definition behind a question mark, and a caption."""
    name = re.sub(r"\W+", "-", heading.lower()).strip("-")
    with st.container(border=True, key=f"card-{name}", height="stretch") as place:
        st.subheader(heading, anchor=False, help=definition)
        if caption:
            st.caption(caption)
        yield place


def downloads(name: str, data: pd.DataFrame, view: View) -> None:
    """Buttons that save what is shown as CSV and as Excel."""
    days = f"{view.scope.first}{'' if view.scope.first == view.day else f'_{view.day}'}"
    save_buttons(name, data, f"{view.store.id}_{days}_{name}")


def save_buttons(name: str, data: pd.DataFrame, stem: str) -> None:
    """CSV and Excel of a table under a file name without ending; nothing where it is empty."""
    if data.empty:
        return
    with st.container(horizontal=True, horizontal_alignment="right", gap="xsmall", key=f"save-{name}"):
        st.download_button(
            "CSV",
            lambda: data.to_csv(index=False).encode("utf-8-sig"),
            f"{stem}.csv",
            "text/csv",
            key=f"csv.{name}",
            icon=":material/download:",
            type="tertiary",
            on_click="ignore",
        )
        st.download_button(
            "Excel",
            lambda: _excel(data),
            f"{stem}.xlsx",
            "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            key=f"xlsx.{name}",
            icon=":material/table_view:",
            type="tertiary",
            on_click="ignore",
        )


def _excel(data: pd.DataFrame) -> bytes:
    plain = data.copy()
    for column in plain.columns:  # Excel knows no zones
        if isinstance(plain[column].dtype, pd.DatetimeTZDtype):
            plain[column] = plain[column].dt.tz_convert("UTC").dt.tz_localize(None)
    buffer = io.BytesIO()
    plain.to_excel(buffer, index=False, engine="openpyxl")
    return buffer.getvalue()


def duration(seconds: float | None) -> str:
    """Seconds as people say them: 48 s, 3 min 05 s, 1 h 12 min."""
    if seconds is None or seconds != seconds:
        return "-"
    total = round(seconds)
    if total < 60:
        return f"{total} s"
    if total < 3600:
        return f"{total // 60} min {total % 60:02d} s"
    return f"{total // 3600} h {total % 3600 // 60:02d} min"
