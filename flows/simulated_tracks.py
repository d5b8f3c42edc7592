"""What simulated ceiling cameras would have written of simulated people: positions, tracklets and identities."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from flows.simulated_people import SECOND_US
from flows.simulated_stores import Box, to_pixel

HALF_WIDTH_PX, HEIGHT_PX = 28, 90


def camera_tables(
    people: pd.DataFrame, boxes: Mapping[str, Box], longest_gap_s: float, random: np.random.Generator
) -> dict[str, pd.DataFrame]:
    """The lake's positions, tracklets and identities.

    Args:
        people: person_id, camera, time_us, x, y in order of person and time; one camera sees a person at a time.
        boxes: the part of the floor (x1, y1, x2, y2) each camera looks at.
        longest_gap_s: a longer time between two looks, or another camera, begins a new track.
        random: for scores and confidences, which nothing measured.
    """
    camera, person, time = (people[name].to_numpy() for name in ("camera", "person_id", "time_us"))
    begins = np.ones(len(people), dtype=bool)
    begins[1:] = (camera[1:] != camera[:-1]) | (person[1:] != person[:-1]) | (np.diff(time) > longest_gap_s * SECOND_US)
    first = np.flatnonzero(begins)
    track_camera = camera[first].astype(str)
    order = np.lexsort((first, time[first], track_camera))
    numbers = np.empty(len(first), dtype=np.int64)
    sorted_camera = track_camera[order]
    begin = np.r_[0, np.flatnonzero(sorted_camera[1:] != sorted_camera[:-1]) + 1]
    numbers[order] = np.arange(len(first)) - np.repeat(begin, np.diff(np.r_[begin, len(first)])) + 1
    track = numbers[np.cumsum(begins) - 1]
    last = np.r_[first[1:] - 1, len(people) - 1]

    x, y = people["x"].to_numpy(), people["y"].to_numpy()
    px, py = np.empty(len(people)), np.empty(len(people))
    for name, box in boxes.items():
        here = camera == name
        px[here], py[here] = to_pixel(box, x[here], y[here])
    positions = pd.DataFrame(
        {
            "camera": camera,
            "track_id": track,
            "time": time,
            "x1": px - HALF_WIDTH_PX,
            "y1": py - HEIGHT_PX,
            "x2": px + HALF_WIDTH_PX,
            "y2": py,
            "score": np.clip(random.normal(0.82, 0.08, len(people)), 0.3, 0.99),
            "x_m": x,
            "y_m": y,
        }
    )
    tracklets = pd.DataFrame(
        {
            "camera": track_camera,
            "track_id": numbers,
            "start": time[first],
            "end": time[last],
            "samples": last - first + 1,
            "embedding": None,
            "embedding_key": None,
            "height_m": None,
            "height_sigma_m": None,
            "upper_colours": None,
            "lower_colours": None,
            "quality": np.clip(random.normal(0.7, 0.12, len(first)), 0.05, 1.0),
            "truncated_start": False,
            "truncated_end": False,
        }
    )
    identities = pd.DataFrame(
        {
            "camera": track_camera,
            "track_id": numbers,
            "person_id": person[first],
            "confidence": random.beta(9, 1.3, len(first)),
        }
    )
    return {"positions": positions, "tracklets": tracklets, "identities": identities}
