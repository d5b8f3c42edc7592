"""Accuracy of groups: the pairs of people who are held to have come together, against the parties of the truth."""

from __future__ import annotations

from itertools import combinations

import pandas as pd


def pair_scores(groups: pd.DataFrame, party: pd.Series) -> dict[str, float | int | None]:
    """Precision and recall of pairs of people who are in one group.

    Args:
        groups: person_id, group_id; people as the truth names them.
        party: party by person_id of everyone who was in the store; NaN: alone.

    Returns:
        group_pairs_found, group_pairs_true, group_pairs_right, and their quotients group_pair_precision and
        group_pair_recall (None where there is nothing to divide by).
    """
    known = party.dropna()
    found = _pairs_within(groups["person_id"], groups["group_id"])
    wanted = _pairs_within(known.index.to_series(), known)
    right = len(found & wanted)
    return {
        "group_pairs_found": len(found),
        "group_pairs_true": len(wanted),
        "group_pairs_right": right,
        "group_pair_precision": right / len(found) if found else None,
        "group_pair_recall": right / len(wanted) if wanted else None,
    }


def group_scores(
    groups: pd.DataFrame, matched: pd.DataFrame, people: pd.DataFrame, inside: pd.Series
) -> dict[str, float | int | None]:
    """`pair_scores` of a processed day, whose people have other numbers than the truth's.

    Each person found is the true one that most of their boxes lie on; two found ones who are the same true one are no
    pair. People found on nobody's boxes keep a number of their own, so a pair with one of them is a wrong one.

    Args:
        groups: the lake's table.
        matched: positions with person_id and `hit`, the true person of the box (-1: nobody).
        people: the truth's table.
        inside: person_id of everyone who was ever inside the store; parties of others can't be found.
    """
    hits = matched[(matched["hit"] >= 0) & (matched["person_id"] > 0)]
    true_one = hits.groupby("person_id")["hit"].agg(lambda own: own.mode().iloc[0])
    own_number = -groups["person_id"]
    named = groups["person_id"].map(true_one).fillna(own_number).astype("int64")
    party = people.set_index("person_id")["party"]
    return pair_scores(groups.assign(person_id=named), party[party.index.isin(inside)])


def _pairs_within(people: pd.Series, group: pd.Series) -> set[tuple[int, int]]:
    members = pd.Series(people.to_numpy()).groupby(group.to_numpy()).agg(lambda own: sorted(set(own)))
    return {pair for own in members for pair in combinations(own, 2)}
