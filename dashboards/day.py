"""The numbers of one store-day that take more than a query: the store over the day, headline numbers with changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pandas as pd

from dashboards import definitions, queries, theme
from dashboards.clock import HOUR_US, DayClock, duration, microseconds
from dashboards.lake_query import Scope
from dashboards.sparkline import Kind
from dashboards.view import View
from flows.comparisons import change, days_before, within
from flows.config import StoreConfig
from flows.occupancy import occupancy_by_stays, occupancy_mean

STEP_S, STEP_MINUTES = 900, 15
TREND_DAYS = 14


@dataclass(frozen=True)
class Headline:
    """A number of the day: as text, as value, the same of the days it is held against, and a small course."""

    label: str
    text: str
    value: float
    before: tuple[float, ...]
    definition: str
    course: tuple[float, ...]
    course_kind: Kind = "area"

    @property
    def change(self) -> str | None:
        """Relative change in per cent against the mean of the other days, or None where there is none of them."""
        relative = change(self.value, self.before)
        return None if relative is None else f"{relative:+.0%}"


def occupancy_steps(store: StoreConfig, scope: Scope, step_s: int) -> pd.DataFrame | None:
    """People in the store in steps of a day: elapsed (h, start of the step), mean, peak, coverage (0..1).

    From the first to the last step that was observed or lies in opening hours. Mean and peak are NaN where nothing was
    seen; coverage is known by the minute. None where the lake has no such day.
    """
    minutes = max(step_s // 60, 1)
    present, seen = queries.presence(scope), queries.zone_series(scope, minutes)
    if present is None or seen is None:
        return None
    clock, step, known = DayClock(store, scope.last), step_s * 1_000_000, minutes * 60_000_000
    coverage = seen.groupby("time", as_index=False)["coverage"].mean()
    starts = microseconds(coverage["time"])
    if not len(starts):
        return pd.DataFrame({"elapsed": [], "mean": [], "peak": [], "coverage": []})
    inside = occupancy_by_stays(microseconds(present["first"]), microseconds(present["last"]))
    means = occupancy_mean(inside, (int(starts.min()), int(starts.max()) + known), step_s)
    frame = means.assign(start=microseconds(means["bucket_start"])).drop(columns="bucket_start")
    frame["of"] = starts.min() + (frame["start"] - starts.min()) // known * known
    frame = frame.merge(pd.DataFrame({"of": starts, "coverage": coverage["coverage"]}), how="left", on="of")
    frame["coverage"] = frame["coverage"].fillna(0.0)
    frame.loc[frame["coverage"] <= 0, ["mean", "peak"]] = np.nan
    frame["elapsed"] = clock.elapsed(frame["start"].to_numpy())
    shown = frame[_worth_showing(clock, frame, step / HOUR_US)]
    return shown[["elapsed", "mean", "peak", "coverage"]].reset_index(drop=True)


def _worth_showing(clock: DayClock, steps: pd.DataFrame, hours: float) -> np.ndarray:
    """From the first to the last step that was observed or lies in opening hours: the night says nothing."""
    elapsed = steps["elapsed"].to_numpy()
    worth = steps["coverage"].to_numpy() > 0
    for start, end in clock.open_hours():
        worth |= (elapsed + hours > start + 1e-9) & (elapsed < end - 1e-9)
    places = np.flatnonzero(worth)
    inside = np.zeros(len(worth), dtype=bool)
    if len(places):
        inside[places[0] : places[-1] + 1] = True
    return inside


def step_seconds(view: View) -> int:
    """Length of the steps a day is drawn in: quarter-hours for a day, less for a short recording."""
    seen = queries.zone_series(view.scope, 1)
    observed = pd.Series(dtype=object) if seen is None else seen.loc[seen["coverage"] > 0, "time"]
    if not len(observed):
        return STEP_S
    length_s = (observed.max() - observed.min()).total_seconds()
    return STEP_S if length_s >= 7200 else 60 if length_s >= 600 else 5


def open_density(store: StoreConfig, scope: Scope) -> dict[date, float]:
    """By day, people per m2 of zone area: mean over zones and the observed part of opening hours, in quarter-hours.
    Days of which nothing is known are left out."""
    series = queries.zone_series(scope, STEP_MINUTES)
    if series is None:
        return {}
    series = series[series["density"].notna()]
    found = {}
    for number in range((scope.last - scope.first).days + 1):
        day = scope.first + timedelta(days=number)
        step_us = STEP_MINUTES * 60_000_000
        windows = [(start - step_us + 1, end) for start, end in store.open_windows(day)]  # a step that reaches into one
        own = series[within(series["time"], windows)]
        if len(own):
            found[day] = float(np.average(own["density"], weights=own["coverage"].clip(lower=1e-9)))
    return found


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


def camera_hours(store: StoreConfig, cameras: pd.DataFrame) -> pd.DataFrame:
    """Share (0..1) of each hour of the clock that each camera saw of the opening hours, over the days of `cameras`.

    Index camera, columns hour (0..23); NaN where the store is closed in that hour on all of the days.
    """
    names = sorted(cameras["camera"].unique())
    expected, missing = np.zeros((2, len(names), 24))
    for day, rows in cameras.groupby("date"):
        clock = DayClock(store, pd.Timestamp(str(day)).date())
        opened = store.open_windows(clock.day)
        of_day = _seconds_by_hour(clock, opened)
        for camera, gaps in zip(rows["camera"], rows["gaps"], strict=True):
            row = names.index(camera)
            expected[row] += of_day
            if len(gaps):
                edges = [microseconds(pd.to_datetime(pd.Series([g[end] for g in gaps]), utc=True)) for end in _ENDS]
                spans = list(zip(*(times.tolist() for times in edges), strict=True))
                cut = [(max(a, low), min(b, high)) for a, b in spans for low, high in opened if a < high and b > low]
                missing[row] += _seconds_by_hour(clock, cut)
    with np.errstate(invalid="ignore"):
        share = np.where(expected > 0, 1 - missing / expected, np.nan)
    return pd.DataFrame(share, index=pd.Index(names, name="camera"), columns=range(24))


_ENDS = ("start", "end")


def _seconds_by_hour(clock: DayClock, spans: Sequence[tuple[int, int]]) -> np.ndarray:
    """How much of spans (UTC microseconds) falls into each hour of the clock: seconds (24,). The hour that the clock
    strikes twice takes both."""
    starts = np.arange(clock.window_us[0], clock.window_us[1], HOUR_US)
    seconds = np.zeros(len(starts))
    for start, end in spans:
        seconds += np.clip(np.minimum(starts + HOUR_US, end) - np.maximum(starts, start), 0, None) / 1e6
    hours = [clock.local(number).hour for number in range(len(starts))]
    return np.bincount(hours, weights=seconds, minlength=24)


def headlines(view: View, comparison: str) -> list[Headline]:
    """Footfall, peak occupancy, time in the store, dwell and density of the view's day. Footfall is missing, not zero,
    for a store without entrances. `comparison`: weekday, week or month (`flows.comparisons.days_before`)."""
    others = days_before(view.day)[comparison]
    longest = max(TREND_DAYS, (view.day - min(others)).days + 1)
    numbers = queries.day_numbers(view.scope.last_days(longest))
    if numbers is None or numbers["date"].max() != pd.Timestamp(view.day):
        return []
    days = [moment.date() for moment in numbers["date"]]
    compared = numbers[[day in others for day in days]]
    recent = numbers[numbers["date"] > pd.Timestamp(view.day) - pd.Timedelta(days=TREND_DAYS)]
    row = numbers.iloc[-1]
    observed = row["coverage"] != 0  # of a day nobody saw a count is not known, which is not 0

    def count(column: str) -> str:
        return f"{row[column]:,.0f}" if observed else "-"

    against = f"Change: against {definitions.COMPARISONS[comparison]}"
    densities = open_density(view.store, view.scope.at(min(others), view.day))

    def of_day(label: str, column: str, text: str, definition: str) -> Headline:
        course = tuple(float(value) for value in recent[column].fillna(0))
        small = f"Small chart: the last {len(course)} days with data."
        said = f"{definition}\n\n{against} ({len(compared)} with data). {small}"
        before = tuple(float(value) for value in compared[column].dropna())
        value = float("nan") if row[column] is None or not observed else float(row[column])
        return Headline(label, text, value, before, said, course, "bar")

    said = []
    if view.store.entrances:
        said.append(of_day("Footfall", "footfall", count("footfall"), definitions.FOOTFALL))
    said.append(of_day("Peak occupancy", "peak", count("peak"), definitions.PEAK))
    said.append(of_day("Time in store", "stay_s", duration(row["stay_s"]), definitions.STAY))
    cut = f"{row['truncated']:,} of {row['visits']:,} visits are truncated."
    said.append(of_day("Mean dwell in a zone", "dwell_s", duration(row["dwell_s"]), f"{definitions.DWELL}\n\n{cut}"))
    now = densities.get(view.day, float("nan"))
    then = tuple(value for day, value in densities.items() if day in others)
    text = "-" if np.isnan(now) else f"{now:.3f} /m²"
    label = f"Density, level {theme.fruin_level(now)[0]}"
    definition = f"{definitions.DENSITY}\n\n{against} ({len(then)} with data)."
    return [*said, Headline(label, text, now, then, definition, _open_course(view))]


def _open_course(view: View) -> tuple[float, ...]:
    """Mean density of the zones in half-hours of what was observed."""
    series = queries.zone_series(view.scope, 30)
    if series is None or series["density"].notna().sum() == 0:
        return ()
    return tuple(series.dropna(subset=["density"]).groupby("time")["density"].mean().round(4))
