"""Sales of a simulated shop: nine in ten of those who stand at the till long enough pay when they leave it."""

from __future__ import annotations

from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

PAYS, LEAST_S = 0.9, 20.0
TILL = "checkout"


def write_sales(file: Path, visits: pd.DataFrame, zone: ZoneInfo, random: np.random.Generator) -> None:
    """Write a day's sales from its visits (the lake's columns) as a till would: time (local quarter-hours),
    transactions; see `flows.comparisons.read_pos`."""
    stood = visits[(visits["zone"] == TILL) & (visits["role"] == "shopper") & (visits["dwell_s"] >= LEAST_S)]
    paid = stood["exit"][random.random(len(stood)) < PAYS]
    quarters = paid.dt.tz_convert("UTC").dt.floor("15min").value_counts().sort_index()
    times = pd.DatetimeIndex(quarters.index).tz_convert(zone)
    table = pd.DataFrame({"time": [time.isoformat(timespec="minutes") for time in times], "transactions": quarters})
    file.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(file, index=False, lineterminator="\n")
