"""The numbers of one store-day that take more than a query: the store over the day, headline numbers with changes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from dashboards import charts, definitions, queries, theme
from dashboards.clock import DayClock, microseconds
from dashboards.page import View, duration
from dashboards.queries import Scope
from flows.config import StoreConfig

STEP_MINUTES = 15
TREND_DAYS = 14


@dataclass(frozen=True)
class Headline:
    """A number of the day: as text, as value, the same a week before (NaN where unknown), and a small course."""

    label: str
    text: str
    value: float
    before: float
    definition: str
    course: tuple[float, ...]
    course_type: Literal["area", "bar"] = "area"

    @property
    def change(self) -> str | None:
        """Relative change in per cent, or None where there is nothing to compare with."""
        if self.before != self.before or self.value != self.value or self.before == 0:
            return None
        return f"{(self.value - self.before) / self.before:+.0%}"


def occupancy_steps(store: StoreConfig, scope: Scope, minutes: int) -> pd.DataFrame | None:
    """People in the store in steps of a day: elapsed (h, start of the step), mean, peak, coverage (0..1).

    From the first to the last step that was observed or lies in opening hours. Mean and peak are NaN where nothing was
    seen. None where the lake has no such day.
    """
    present, seen = queries.presence(scope), queries.zone_series(scope, minutes)
    if present is None or seen is None:
        return None
    clock, step = DayClock(store, scope.last), minutes * 60_000_000
    coverage = seen.groupby("time", as_index=False)["coverage"].mean()
    starts = microseconds(coverage["time"])
    if not len(starts):
        return pd.DataFrame({"elapsed": [], "mean": [], "peak": [], "coverage": []})
    edges = np.arange(starts.min(), starts.max() + 2 * step, step)
    mean, peak = charts.people_inside(microseconds(present["first"]), microseconds(present["last"]), edges)
    frame = pd.DataFrame({"start": edges[:-1], "mean": mean, "peak": peak})
    frame = frame.merge(pd.DataFrame({"start": starts, "coverage": coverage["coverage"]}), how="left", on="start")
    frame["coverage"] = frame["coverage"].fillna(0.0)
    frame.loc[frame["coverage"] <= 0, ["mean", "peak"]] = np.nan
    frame["elapsed"] = clock.elapsed(frame["start"].to_numpy())
    shown = frame[_worth_showing(clock, frame, minutes)]
    return shown[["elapsed", "mean", "peak", "coverage"]].reset_index(drop=True)


def _worth_showing(clock: DayClock, steps: pd.DataFrame, minutes: int) -> np.ndarray:
    """From the first to the last step that was observed or lies in opening hours: the night says nothing."""
    elapsed = steps["elapsed"].to_numpy()
    worth = steps["coverage"].to_numpy() > 0
    for start, end in clock.open_hours():
        worth |= (elapsed + minutes / 60 > start) & (elapsed < end)
    places = np.flatnonzero(worth)
    inside = np.zeros(len(worth), dtype=bool)
    if len(places):
        inside[places[0] : places[-1] + 1] = True
    return inside


def step_minutes(view: View) -> int:
    """Length of the steps a day is drawn in: quarter-hours for a day, minutes for a short recording."""
    seen = queries.zone_series(view.scope, 1)
    observed = pd.Series(dtype=object) if seen is None else seen.loc[seen["coverage"] > 0, "time"]
    if not len(observed):
        return STEP_MINUTES
    return 1 if (observed.max() - observed.min()).total_seconds() < 7200 else STEP_MINUTES


def open_density(store: StoreConfig, scope: Scope) -> float:
    """People per m2 of zone area, mean over zones and the observed part of opening hours; NaN where unknown."""
    series = queries.zone_series(scope, 5)
    if series is None or series.empty:
        return float("nan")
    moments = microseconds(series["time"])
    is_open = np.zeros(len(series), dtype=bool)
    for start, end in store.open_windows(scope.last):
        is_open |= (moments + 300_000_000 > start) & (moments < end)
    observed = series[is_open & series["density"].notna()]
    if observed.empty:
        return float("nan")
    return float(np.average(observed["density"], weights=observed["coverage"].clip(lower=1e-9)))


def camera_gaps(view: View) -> list[tuple[float, float]]:
    """Spans of the day (elapsed hours) in which at least one camera should have seen and did not, joined."""
    cameras = queries.cameras(view.scope)
    gaps = [] if cameras is None else [gap for found in cameras["gaps"] for gap in found]
    if not gaps:
        return []
    edges = [pd.to_datetime(pd.Series([gap[name] for gap in gaps]), utc=True) for name in ("start", "end")]
    spans = sorted(zip(*(view.clock.elapsed(times).tolist() for times in edges), strict=True))
    joined: list[tuple[float, float]] = []
    for start, end in spans:
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined


def headlines(view: View, before: Scope) -> list[Headline]:
    """Footfall, peak occupancy, time in the store, dwell and density of the view's day. Footfall is missing, not zero,
    for a store without entrances."""
    numbers = queries.day_numbers(queries.last_days(view.scope, TREND_DAYS))
    assert numbers is not None  # the view's own day is there
    numbers = numbers.set_index(pd.to_datetime(numbers["date"]).dt.date)
    rows: dict[Any, dict[Any, Any]] = numbers.to_dict("index")
    row, old = rows[view.day], rows.get(before.last)
    minutes = step_minutes(view)
    steps, earlier = (occupancy_steps(view.store, scope, minutes) for scope in (view.scope, before))

    def of_day(label: str, column: str, text: str, definition: str) -> Headline:
        course = tuple(float(value) for value in numbers[column].fillna(0))
        said = f"{definition}\n\n{definitions.CHANGE} Small chart: the last {len(course)} days with data."
        before_ = float("nan") if old is None else float(old[column])
        return Headline(label, text, float(row[column]), before_, said, course, "bar")

    said = []
    if view.store.entrances:
        said.append(of_day("Footfall", "footfall", f"{row['footfall']:,}", definitions.FOOTFALL))
    peak, peak_before = _peak(steps), _peak(earlier)
    course = () if steps is None else tuple(float(value) for value in steps["mean"].ffill().fillna(0).round(2))
    text = "-" if np.isnan(peak) else f"{peak:.0f}"
    definition = f"{definitions.PEAK}\n\n{definitions.CHANGE} Small chart: the mean over the day."
    said.append(Headline("Peak occupancy", text, peak, peak_before, definition, course))
    said.append(of_day("Time in store", "stay_s", duration(row["stay_s"]), definitions.STAY))
    cut = f"{row['truncated']:,} of {row['visits']:,} visits are truncated."
    said.append(of_day("Mean dwell in a zone", "dwell_s", duration(row["dwell_s"]), f"{definitions.DWELL}\n\n{cut}"))
    now, then = open_density(view.store, view.scope), open_density(view.store, before)
    text = "-" if np.isnan(now) else f"{now:.3f} /m²"
    label = f"Density, level {theme.fruin_level(now)[0]}"
    said.append(Headline(label, text, now, then, f"{definitions.DENSITY}\n\n{definitions.CHANGE}", _open_course(view)))
    return said


def _peak(steps: pd.DataFrame | None) -> float:
    return float("nan") if steps is None or steps.empty else float(steps["peak"].max())


def _open_course(view: View) -> tuple[float, ...]:
    """Mean density of the zones in half-hours of what was observed."""
    series = queries.zone_series(view.scope, 30)
    if series is None or series["density"].notna().sum() == 0:
        return ()
    return tuple(series.dropna(subset=["density"]).groupby("time")["density"].mean().round(4))
