"""Where tracklets were, and who else was around them, by the lake's table of positions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from flows.config import Camera, StoreConfig
from flows.find import TrackletName
from flows.lake import Lake
from flows.lake_layout import final_path
from flows.places import SECOND_US, microseconds

AROUND_US = SECOND_US
BOXES = ["x1", "y1", "x2", "y2"]


class NoPicture(ValueError):
    """There is no picture of a tracklet (any more); the message says why."""


def tracks_of(lake: Lake, store: str, names: Sequence[TrackletName]) -> pd.DataFrame:
    """Rows of `positions` of some tracklets, with `day` and `time_us`, in order of time. Only their parts are read.

    Raises NoPicture where the day's positions were deleted.
    """
    parts = []
    for day in sorted({name.day for name in names}):
        own = [name for name in names if name.day == day]
        wanted = [[("camera", "=", name.camera), ("track_id", "=", name.track_id)] for name in own]
        try:
            rows = _read(lake, store, day, wanted)
        except FileNotFoundError:
            raise NoPicture(
                f"the single positions of {store} {day} were deleted, as privacy.positions_days says"
            ) from None
        parts.append(rows.assign(day=day))
    return pd.concat(parts).sort_values("time_us", ignore_index=True) if parts else pd.DataFrame()


def people_at(lake: Lake, config: StoreConfig, camera: Camera, time_us: int) -> pd.DataFrame:
    """Whom a camera saw at a moment, in UTC microseconds: rows of `positions` of its nearest sample within half a
    second, with `day` and `time_us`. No rows where there was nobody, or the day is not in the lake."""
    for entry in lake.days([config.id]):
        start, end = config.day_window(entry.date)
        if not start <= time_us < end:
            continue
        rows = near(lake, config.id, entry.date, [(camera.id, time_us)], SECOND_US // 2).assign(day=entry.date)
        off = (rows["time_us"] - time_us).abs()
        return rows[off == off.min()].reset_index(drop=True)
    return pd.DataFrame()


def near(
    lake: Lake, store: str, day: date, moments: Sequence[tuple[str, int]], reach_us: int = AROUND_US
) -> pd.DataFrame:
    """Rows of a day's `positions` up to `reach_us` from any of some moments (camera, UTC microseconds), with `time_us`.

    Raises FileNotFoundError where the lake hasn't got the day's positions (any more).
    """
    wanted = []
    for camera, time_us in moments:
        low, high = pd.to_datetime([time_us - reach_us, time_us + reach_us], unit="us", utc=True)
        wanted.append([("camera", "=", camera), ("time", ">=", low), ("time", "<=", high)])
    return _read(lake, store, day, wanted)


def around(rows: pd.DataFrame, time_us: int) -> pd.DataFrame:
    """Where people were around a moment, by rows (track_id, time_us, x1 y1 x2 y2) of one camera: a row a track, with
    the same columns but the time. A person whom the detector missed in a picture was found a moment before or after it.

    A track without a box at the moment itself has the one between those before and after it, or the nearest of them,
    within `AROUND_US`.
    """
    rows = rows[(rows["time_us"] - time_us).abs() <= AROUND_US].sort_values("time_us")
    found = [
        [track, *(np.interp(time_us, own["time_us"], own[side]) for side in BOXES)]
        for track, own in rows.groupby("track_id")
    ]
    return pd.DataFrame(found, columns=["track_id", *BOXES])


def people_around(lake: Lake, config: StoreConfig, camera: Camera, day: date, time_us: int) -> pd.DataFrame:
    """`around` a moment of a day in the lake. No rows where the day's positions are not there (any more)."""
    try:
        return around(near(lake, config.id, day, [(camera.id, time_us)]), time_us)
    except FileNotFoundError:
        return pd.DataFrame(columns=["track_id", *BOXES])


def person_at(people: pd.DataFrame, point: tuple[float, float]) -> TrackletName | None:
    """The person of `people_at` on whose box a pixel lies, the smallest box where several do; None where none does."""
    if people.empty:
        return None
    x, y = point
    hit = people[(people["x1"] <= x) & (x <= people["x2"]) & (people["y1"] <= y) & (y <= people["y2"])]
    if hit.empty:
        return None
    best = hit.iloc[int(((hit["x2"] - hit["x1"]) * (hit["y2"] - hit["y1"])).to_numpy().argmin())]
    return TrackletName(best["day"], str(best["camera"]), int(best["track_id"]))


def _read(lake: Lake, store: str, day: date, wanted: Sequence[Sequence[tuple[str, str, object]]]) -> pd.DataFrame:
    """Rows of a day's `positions` for which all of any of the conditions hold, with `time_us`."""
    with lake.files.open(final_path("positions", store, day.isoformat())) as file:
        rows = pq.read_table(file, filters=[list(all_of) for all_of in wanted]).to_pandas()
    return rows.assign(time_us=microseconds(rows["time"]))
