"""Chain: all stores side by side, what is unusual first."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pandas as pd
import streamlit as st

from dashboards import charts, definitions, notices, queries, theme, view
from dashboards.choices import choose, hold, remember, remembered, segmented
from dashboards.clock import say, say_short
from dashboards.downloads import chain_downloads
from dashboards.lake_query import Scope
from dashboards.page import card
from dashboards.sparkline import number
from dashboards.views import chain_compared, chain_courses
from flows.config import StoreConfig
from flows.unusual import unusual_days

MEASURES = {
    "Footfall": ("footfall", definitions.FOOTFALL),
    "Visitors": ("visitors", definitions.VISITORS),
    "Mean dwell": ("dwell_s", definitions.DWELL),
    "Time in store": ("stay_s", definitions.STAY),
}
COUNTS = ["footfall", "visitors", "people", "visits"]
STORES_SHOWN = 12
USUAL_DAYS = 56  # eight of each weekday, before and after the chosen days, say what is usual


def render() -> None:
    """Draw the page."""
    known, scope, measure = _head()
    around = chain_numbers(scope)
    numbers = of_days(around, scope)
    if numbers.empty:
        st.info("No store has data in these days. Choose a longer span.", icon=":material/event_busy:")
        return
    if bool(numbers["simulated"].any()):
        invented = sorted(numbers.loc[numbers["simulated"], "store"].unique())
        which = ", ".join(known[store].name for store in invented) if len(invented) < 4 else f"{len(invented)} stores"
        st.badge(f"Simulated data: the people of {which} are invented", icon=":material/science:", color="violet")
    unusual = of_days(unusual_days(around), scope)
    with card("Unusual first", definitions.ANOMALY):
        _unusual(known, scope, unusual)
    shown = _stores_shown(numbers, unusual)
    own = numbers[numbers["store"].isin(shown)]
    weekly = chain_courses.is_weekly(scope)
    course = chain_courses.courses(own, unusual, "footfall", weekly)
    _cards(known, course, of_days(around, scope.last_days(14)), unusual)
    column, definition = MEASURES[measure]
    with card("Week by week" if weekly else "Day by day", definition):
        bars = chain_courses.courses(own, unusual, column, weekly)
        figure = chain_courses.small_multiples(known, bars, weekly, is_time=column.endswith("_s"))
        charts.draw(figure, "multiples", f"{measure} of each store by {'week' if weekly else 'day'}")
        if weekly:
            st.caption("A bar a week: the mean of its days that have data.")
        chain_downloads(known, scope, "days", numbers.drop(columns="simulated"), COUNTS)
    left, right = st.columns(2, gap="medium")
    with left, card("By weekday", f"{definition}\n\nMedian over the chosen days."):
        chain_compared.weekdays(known, scope, own, measure, column)
    with right, card("Stores compared"):
        chain_compared.stores(known, scope, numbers)


def _head() -> tuple[dict[str, StoreConfig], Scope, str]:
    known, problems = view.stores()
    days = queries.days(view.lake_place())
    notices.first_run("Chain", known, problems, days)
    days = days[days["store"].isin(known)]
    newest, oldest = days["date"].max(), days["date"].min()
    with st.container(horizontal=True, vertical_alignment="bottom", key="head"):
        with st.container(key="heading", width="stretch"):
            st.title("Chain", anchor=False)
            subtitle = st.empty()
        measure = segmented("measure", "Measure", list(MEASURES), "Footfall")
        last = min(max(remembered("day", newest, date.fromisoformat), oldest), newest)
        first = remembered("from", last - timedelta(days=27), date.fromisoformat)
        hold("choice.chain", (min(max(first, oldest), last), last), lambda value: isinstance(value, tuple))
        span = st.date_input(
            "Days", key="choice.chain", min_value=oldest, max_value=newest, format="DD/MM/YYYY", width=230
        )
        if not isinstance(span, tuple) or len(span) != 2:
            st.stop()
    remember("from", span[0].isoformat())
    remember("day", span[1].isoformat())
    stores = tuple(sorted(set(days["store"])))
    many = "1 store" if len(stores) == 1 else f"{len(stores)} stores"
    first_day = "" if span[0] == span[1] else f"{say(span[0], year=span[0].year != span[1].year)} to "
    notices.faults(problems)
    subtitle.caption(f"{many} · {first_day}{say(span[1])} · days are each store's own")
    return known, Scope(view.lake_place(), stores, *span), measure


def chain_numbers(scope: Scope) -> pd.DataFrame:
    """A row a store-day: the headline numbers with coverage and simulated, oldest first; with the days around the
    scope's, which say what is usual, so that even a single day can stand out."""
    around = timedelta(days=USUAL_DAYS)
    numbers = queries.day_numbers(scope.at(scope.first - around, scope.last + around))
    return pd.DataFrame() if numbers is None else numbers.sort_values(["store", "date"], ignore_index=True)


def of_days(rows: pd.DataFrame, scope: Scope) -> pd.DataFrame:
    """The rows whose `date` is one of the scope's days."""
    if rows.empty:
        return rows
    return rows[rows["date"].between(pd.Timestamp(scope.first), pd.Timestamp(scope.last))].reset_index(drop=True)


def _stores_shown(numbers: pd.DataFrame, unusual: pd.DataFrame) -> list[str]:
    """The stores drawn one by one: those with the most unusual days first, a page of them at a time."""
    strength = unusual.groupby("store")["strength"].sum()
    stores = sorted(numbers["store"].unique(), key=lambda store: (-strength.get(store, 0.0), store))
    if len(stores) <= STORES_SHOWN:
        return stores
    pages = [
        f"{start + 1} to {min(start + STORES_SHOWN, len(stores))}" for start in range(0, len(stores), STORES_SHOWN)
    ]
    chosen = choose("stores", f"Stores shown, of {len(stores)}: the most unusual first", pages, pages[0], width=320)
    start = pages.index(chosen) * STORES_SHOWN
    return stores[start : start + STORES_SHOWN]


def _cards(known: dict[str, StoreConfig], course: pd.DataFrame, fortnight: pd.DataFrame, unusual: pd.DataFrame) -> None:
    """A card a store: its last 7 days against the 7 before (whatever days are chosen), and the chosen days' course."""
    last = fortnight["date"].max()
    stores = list(course["store"].unique())
    for start in range(0, len(stores), 4):
        for cell, store in zip(
            st.columns(max(min(len(stores), 4), 3), gap="small"), stores[start : start + 4], strict=False
        ):
            own = fortnight[fortnight["store"] == store]
            is_late = own["date"] > last - pd.Timedelta(days=7)
            week, before = own[is_late], own[~is_late]
            total, old = (part["footfall"].sum(min_count=1) for part in (week, before))
            comparable = old > 0 and set(week["date"].dt.dayofweek) == set(before["date"].dt.dayofweek)
            marked = int((unusual["store"] == store).sum())
            hour = datetime.now(ZoneInfo(known[store].timezone))
            number(
                cell,
                store,
                known[store].name,
                f"{total:,.0f}" if total == total else "not counted",
                f"Footfall of the 7 days to {say_short(last.date())}. {definitions.FOOTFALL}",
                change=f"{(total - old) / old:+.0%}" if comparable else None,
                against="vs the 7 days before",
                course=course.loc[course["store"] == store, "value"].dropna().tolist(),
                note=f"{marked} unusual day{'' if marked == 1 else 's'} · {known[store].timezone}, now {hour:%H:%M}",
            )


def _unusual(known: dict[str, StoreConfig], scope: Scope, unusual: pd.DataFrame) -> None:
    if unusual.empty:
        st.success("No day of these stands out.", icon=":material/check_circle:")
        return
    table = pd.DataFrame(
        {
            "Open": [f"./?store={s}&day={d:%Y-%m-%d}" for s, d in zip(unusual["store"], unusual["date"], strict=True)],
            "Day": unusual["date"],
            "Store": [known[store].name for store in unusual["store"]],
            "What": unusual["why"].str.capitalize(),
            "Change": unusual["change"] * 100,
            "Footfall": unusual["footfall"],
            "Usual": unusual["usual"],
            "Coverage": unusual["coverage"] * 100,
        }
    )
    year = " YYYY" if scope.first.year != scope.last.year else ""
    st.dataframe(
        table,
        hide_index=True,
        key="unusual.table",
        height=theme.table_height(len(table), 250),
        placeholder="-",
        column_order=[str(name) for name in table if name != "Coverage"],  # where it is low, "What" says so
        column_config={
            "Open": st.column_config.LinkColumn("", display_text="Open", width=50),
            "Day": st.column_config.DateColumn(format=f"ddd D MMM{year}", width=115 if year else 95),
            "Store": st.column_config.TextColumn(width=165),
            "What": st.column_config.TextColumn(width=220),
            "Footfall": st.column_config.NumberColumn(format="localized", help=definitions.FOOTFALL, width=75),
            "Usual": st.column_config.NumberColumn(format="%.0f", help=definitions.ANOMALY, width=65),
            "Change": st.column_config.NumberColumn(format="%+.0f%%", help=definitions.ANOMALY, width=75),
        },
    )
    chain_downloads(known, scope, "unusual", table.drop(columns="Open"), ["Footfall", "Usual"])
