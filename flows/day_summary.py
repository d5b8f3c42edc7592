"""A store-day in a few numbers, from its tables: what the report prints and the demo holds against the truth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import pandas as pd
import pyarrow as pa

from flows.config import StoreConfig
from flows.rollup import ROLE_FILTERS, day_numbers


@dataclass(frozen=True)
class ZoneSummary:
    """A zone's day, shoppers only: mean and highest occupancy (people, over the observed time), visits, mean dwell (s)
    of whole visits, mean density (people/m2; None without an area), share of the day that was observed."""

    zone: str
    name: str
    occupancy_mean: float | None
    occupancy_max: int | None
    visits: int
    dwell_mean_s: float | None
    density_mean: float | None
    coverage: float


@dataclass(frozen=True)
class CameraSummary:
    """A camera's day: seconds that should and could be seen, number of gaps."""

    camera: str
    seconds_expected: float
    seconds_seen: float
    gaps: int


@dataclass(frozen=True)
class DaySummary:
    """A store's day. `people`, `staff`: different people with a zone visit or an entrance crossing, as everywhere
    (`flows.rollup.day_numbers_sql`); who was only seen through the window was not in the store. Footfall is None for a
    store without entrances."""

    store: str
    name: str
    day: date
    people: int
    staff: int
    footfall_in: int | None
    footfall_out: int | None
    zones: tuple[ZoneSummary, ...]
    cameras: tuple[CameraSummary, ...]
    models: tuple[tuple[str, str], ...]
    problems: tuple[str, ...]
    stage_seconds: Mapping[str, float]


def summarise(config: StoreConfig, day: date, tables: Mapping[str, pa.Table]) -> DaySummary:
    """Sum up a day's tables (the lake's columns)."""
    run = tables["runs"].to_pylist()[-1]
    footfall = tables["footfall"].to_pandas()
    shoppers = footfall[footfall["role"] == "shopper"]["direction"].value_counts()
    people, everybody = (day_numbers(tables)[role_filter]["people"] for role_filter in ROLE_FILTERS)
    has_gates = bool(config.entrances)
    return DaySummary(
        store=config.id,
        name=config.name,
        day=day,
        people=people,
        staff=everybody - people,
        footfall_in=int(shoppers.get("in", 0)) if has_gates else None,
        footfall_out=int(shoppers.get("out", 0)) if has_gates else None,
        zones=tuple(_zones(config, tables["zone_counts"].to_pandas(), tables["visits"].to_pandas())),
        cameras=tuple(
            CameraSummary(item["camera"], item["seconds_expected"], item["seconds_seen"], len(item["gaps"]))
            for item in run["cameras"]
        ),
        models=tuple((item["name"], item["sha256"]) for item in run["models"]),
        problems=tuple(run["problems"]),
        stage_seconds=dict(run["stage_seconds"]),
    )


def _zones(config: StoreConfig, counts: pd.DataFrame, visits: pd.DataFrame) -> list[ZoneSummary]:
    counts = counts[counts["role_filter"] == "shoppers"]
    visits = visits[visits["role"] == "shopper"]
    summaries = []
    for zone in config.zones:
        own, stays = counts[counts["zone"] == zone.id], visits[visits["zone"] == zone.id]
        length = own["bucket_s"].sum()
        weight = own["coverage"] * own["bucket_s"]
        whole = stays[~stays["truncated"]]["dwell_s"]
        summaries.append(
            ZoneSummary(
                zone=zone.id,
                name=zone.name or zone.id,
                occupancy_mean=_mean(own["occupancy_mean"], weight),
                occupancy_max=None if own["occupancy_max"].isna().all() else int(own["occupancy_max"].max()),
                visits=len(stays),
                dwell_mean_s=float(whole.mean()) if len(whole) else None,
                density_mean=_mean(own["density_mean"], weight),
                coverage=float(weight.sum() / length) if length else 0.0,
            )
        )
    return summaries


def _mean(values: pd.Series, weight: pd.Series) -> float | None:
    """Weighted mean over the buckets that have a value; None where none has."""
    known = values.dropna()
    weights = weight[known.index]
    return float((known * weights).sum() / weights.sum()) if weights.sum() > 0 else None
