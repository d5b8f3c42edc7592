"""Confirmed sightings as a way over the floor: where somebody was, last seen where, and heading where to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from detection.zones import points_in_polygon
from flows.config import StoreConfig
from flows.places import SECOND_US

HEADING_OVER_S = 2.0
WALKING_M_S = 0.3
STEP_S = 0.5
COMPASS = ("east", "north-east", "north", "north-west", "west", "south-west", "south", "south-east")


@dataclass(frozen=True)
class LastSeen:
    """Where somebody was last seen: UTC microseconds, camera, floor metres (None without calibration), the zone there,
    and where they were heading: speed and a compass direction of the plan (north is up), None for who stood."""

    time_us: int
    camera: str
    x_m: float | None
    y_m: float | None
    zone: str | None
    speed_m_s: float | None
    heading: str | None

    @property
    def place(self) -> str:
        """In words."""
        where = self.zone or ("the floor" if self.x_m is not None else "no floor place known")
        if self.x_m is not None:
            where += f" ({self.x_m:.1f} m east, {self.y_m:.1f} m north)"
        going = f", heading {self.heading}" if self.heading else ", standing" if self.speed_m_s is not None else ""
        return f"{where}{going}"


def floor_path(track: pd.DataFrame, step_s: float = STEP_S) -> pd.DataFrame:
    """The way of confirmed tracklets, from rows of `person_crops.tracks_of`: time_us, camera, x_m, y_m.

    One place a step; cameras that see the person at once are averaged. Rows without a floor place are left out.
    """
    known = track.dropna(subset=["x_m", "y_m"])
    step = known["time_us"] // round(step_s * SECOND_US)
    grouped = known.groupby(step, sort=True)
    places = grouped.agg(
        time_us=("time_us", "mean"), camera=("camera", "last"), x_m=("x_m", "mean"), y_m=("y_m", "mean")
    )
    return places.astype({"time_us": "int64"}).reset_index(drop=True)


def last_seen(config: StoreConfig, track: pd.DataFrame) -> LastSeen:
    """The end of the way. `track` has at least one row."""
    last = track.iloc[-1]
    time_us, camera = int(last["time_us"]), str(last["camera"])
    places = track.dropna(subset=["x_m", "y_m"])
    if places.empty or places["time_us"].iloc[-1] < time_us - HEADING_OVER_S * SECOND_US:
        return LastSeen(time_us, camera, None, None, None, None, None)
    recent = places[places["time_us"] >= places["time_us"].iloc[-1] - HEADING_OVER_S * SECOND_US]
    x, y = (float(recent[name].tail(3).mean()) for name in ("x_m", "y_m"))
    seconds = (recent["time_us"].to_numpy() - recent["time_us"].iloc[0]) / SECOND_US
    if len(recent) < 3 or seconds[-1] < 0.5:
        return LastSeen(time_us, camera, x, y, zone_at(config, x, y), None, None)
    vx, vy = (float(np.polyfit(seconds, recent[name].to_numpy(), 1)[0]) for name in ("x_m", "y_m"))
    speed = float(np.hypot(vx, vy))
    heading = COMPASS[round(float(np.arctan2(vy, vx)) / (np.pi / 4)) % 8] if speed >= WALKING_M_S else None
    return LastSeen(time_us, camera, x, y, zone_at(config, x, y), speed, heading)


def zone_at(config: StoreConfig, x_m: float, y_m: float) -> str | None:
    """Name of the zone at a floor place, or None."""
    for zone in config.zones:
        if zone.camera is None and points_in_polygon(np.array([[x_m, y_m]]), np.asarray(zone.polygon))[0]:
            return zone.name or zone.id
    return None
