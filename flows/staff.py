"""Who is staff: a rule from the store's configuration, off where none is given."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import pandas as pd

from detection.zones import points_in_polygon
from flows.config import StoreConfig
from flows.places import FLOOR


def roles_of(
    config: StoreConfig, trajectories: pd.DataFrame, uniformed: Collection[int] = frozenset()
) -> dict[int, str]:
    """Role by person_id of everyone with a path: staff fulfil any part of the rule, everyone else is a shopper.

    uniformed: person_id of everyone who wears the uniform (flows/uniforms.py).

    Time present is the sum of the times between places, not of hidden spans that were left empty: someone who comes
    twice for an hour was there two hours.
    """
    people = sorted(int(person) for person in trajectories["person_id"].unique())
    rule = config.staff
    if rule is None or not people:
        return dict.fromkeys(people, "shopper")
    step_s = 1 / max(camera.sampling_fps for camera in config.cameras)
    staff = set(uniformed)
    if rule.min_hours_present is not None:
        hours = trajectories.groupby("person_id")["time_us"].nunique() * step_s / 3600
        staff |= {int(person) for person in hours.index[hours >= rule.min_hours_present]}
    if rule.zone is not None:
        staff |= _long_in_zone(config, trajectories, step_s)
    return {person: "staff" if person in staff else "shopper" for person in people}


def _long_in_zone(config: StoreConfig, trajectories: pd.DataFrame, step_s: float) -> set[int]:
    assert config.staff is not None
    zone = next(zone for zone in config.zones if zone.id == config.staff.zone)
    own = trajectories[trajectories["plane"] == (zone.camera or FLOOR)]
    inside = points_in_polygon(own[["x", "y"]].to_numpy(), np.array(zone.polygon))
    seconds = own[inside].groupby("person_id")["time_us"].nunique() * step_s
    return {int(person) for person in seconds.index[seconds >= config.staff.min_zone_s]}
