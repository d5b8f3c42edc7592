"""Journeys: the zones a person was in, one after the other."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pandas as pd

from flows.places import SECOND_US, microseconds


def journeys(visits: pd.DataFrame) -> pd.Series:
    """By person: the tuple of zones in order of entry; the same zone twice in a row (left and entered again) is one."""
    ordered = visits.sort_values(["person_id", "enter", "zone"], kind="stable")
    again = (ordered["zone"] == ordered["zone"].shift()) & (ordered["person_id"] == ordered["person_id"].shift())
    kept = ordered[~again]
    return kept.groupby("person_id")["zone"].agg(tuple)


def transitions(visits: pd.DataFrame) -> pd.DataFrame:
    """How often the next zone after `from_zone` was `to_zone`.

    Returns from_zone, to_zone, people, share (of all that went on from from_zone).
    """
    pairs = Counter(pair for journey in journeys(visits) for pair in pairwise(journey))
    rows = pd.DataFrame(
        [(*pair, count) for pair, count in sorted(pairs.items())], columns=["from_zone", "to_zone", "people"]
    )
    rows["share"] = rows["people"] / rows.groupby("from_zone")["people"].transform("sum")
    return rows


def common_paths(visits: pd.DataFrame, most: int = 20) -> pd.DataFrame:
    """The journeys most people made: path ("a > b > c"), people, share of all people with a visit."""
    every = journeys(visits)
    counts = Counter(" > ".join(journey) for journey in every)
    rows = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:most]
    return pd.DataFrame([(*row, row[1] / len(every)) for row in rows], columns=["path", "people", "share"])


def first_and_last_zones(visits: pd.DataFrame) -> pd.DataFrame:
    """By zone, for how many people it was the first and the last of the day: zone, first, last."""
    every = journeys(visits)
    first, last = Counter(journey[0] for journey in every), Counter(journey[-1] for journey in every)
    return pd.DataFrame(
        [(zone, first[zone], last[zone]) for zone in sorted({*first, *last})], columns=["zone", "first", "last"]
    )


def time_to_first_visit(visits: pd.DataFrame, footfall: pd.DataFrame) -> pd.DataFrame:
    """Seconds from a person's first way in to their first visit of each zone; people without a way in are left out.

    Returns person_id, zone, seconds.
    """
    inward = footfall[footfall["direction"] == "in"]
    came = pd.Series(microseconds(inward["time"]), index=inward["person_id"].to_numpy()).groupby(level=0).min()
    rows = visits.assign(enter_us=microseconds(visits["enter"]))
    rows = rows[rows["person_id"].isin(came.index)]
    rows = rows[rows["enter_us"] >= came.reindex(rows["person_id"]).to_numpy()]
    first = rows.groupby(["person_id", "zone"], observed=True)["enter_us"].min().reset_index()
    first["seconds"] = (first["enter_us"] - came.reindex(first["person_id"]).to_numpy()) / SECOND_US
    return first.loc[:, ["person_id", "zone", "seconds"]]
