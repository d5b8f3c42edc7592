"""What has to be said above the numbers: the next step where there are none, simulated data, low coverage, problems."""

from __future__ import annotations

import os
from datetime import date

import pandas as pd
import streamlit as st

from dashboards import queries
from dashboards.clock import say
from dashboards.verbatim import in_code, in_prose
from dashboards.view import View, lake_place
from flows.config import StoreConfig
from flows.store_reading import Problem
from flows.unusual import LOW_COVERAGE


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
        some = f"{len(low)} of {len(runs)} days {'was' if len(low) == 1 else 'were'}"
        what = "this day was" if view.scope.first == view.scope.last else some
        st.warning(
            f"Only part of what happened {'' if len(low) == 1 else 'on some days '}was seen: {what} covered under 95% "
            f"({worst:.1%} at worst). Counts leave the missing time out; they do not estimate it. "
            "The page *Data quality* shows which camera and when.",
            icon=":material/videocam_off:",
        )
    problems = [text for texts in runs["problems"] for text in texts]
    if problems:
        many = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        with st.expander(f"{many} told by the processing", icon=":material/report:"):
            st.markdown("\n".join(f"- {in_prose(text)}" for text in problems[:50]))


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
    no_stores(title, known, problems)
    if days.empty or not set(days["store"]) & set(known):
        st.title(title, anchor=False)
        faults(problems)
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


def no_stores(title: str, known: dict[str, StoreConfig], problems: list[Problem]) -> None:
    """Say the next step where there is no store."""
    if known:
        return
    st.title(title, anchor=False)
    faults(problems)
    place = os.environ.get("AISLEFLOW_STORES", "the bundled demo")
    st.info(
        f"No store could be read from {place}. Next step: put a store's file at `STORES/ID/store.yaml`, "
        "and start the dashboard with `AISLEFLOW_STORES=STORES`.",
        icon=":material/storefront:",
    )
    st.stop()


def faults(problems: list[Problem]) -> None:
    """What is wrong in the stores' files, below the page's title: the other stores are shown all the same."""
    if problems:
        many = (
            "A store's file holds a mistake" if len(problems) == 1 else f"Stores' files hold {len(problems)} mistakes"
        )
        said = "\n".join(f"- {in_code(str(problem))}" for problem in problems[:20])
        st.error(f"{many}, and what can't be read is not shown:\n\n{said}", icon=":material/rule:")


def no_days(store: StoreConfig) -> None:
    st.info(
        f"{store.name} has no processed day in the lake at `{lake_place()}`. Next step: "
        f"`aisleflow run STORE.yaml --date YYYY-MM-DD --lake {lake_place()}`, or choose another store.",
        icon=":material/flag:",
    )
    st.stop()
