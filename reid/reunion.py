"""Groups that are one person but for a few tracklets of somebody else, by which each contradicts the other.

Where people cross, a tracklet may be joined to the wrong one of them. From then on it keeps that person's other groups
away: it is in the same camera at the same time as one of their tracklets, or passes a door while they are inside. So
where all that two groups show speaks clearly for one person, and little of them against it, they are put together
without the tracklets that contradict, and everything is joined again from there: those find the group that they
belong to.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np

from reid.agglomeration import Grouping
from reid.conflicts import Overlaps
from reid.lifetimes import Lifetimes
from reid.links import Links

LEAST_ODDS = 2.0
"""Mean log odds of two groups, contradictions left out, from which they may be one person."""
MOST_OUT, MOST_SHARE_OUT = 3, 0.25
"""So many tracklets at most are taken out, and at most this share of what each group has to say."""


@dataclass(frozen=True)
class Contradictions:
    """What speaks against one person whatever the rest of their groups shows. overlaps: pairs in one camera at once;
    share: (T,), influence of the tracklets; lifetimes: of each tracklet, None where doors are not known."""

    overlaps: Overlaps
    share: np.ndarray
    lifetimes: Lifetimes | None

    @cached_property
    def odds_against(self) -> np.ndarray:
        """Log odds (K,) against one person, of the overlaps."""
        return self.overlaps.odds_against(self.share)

    def passage(self, members: list[np.ndarray]) -> float:
        """Log odds against two groups, by their members' rows, because of who was seen in the doors."""
        if self.lifetimes is None or not all(len(own) for own in members):
            return 0.0
        both = self.lifetimes.taken(np.concatenate(members))
        of = np.repeat([0, len(members[0])], [len(own) for own in members])
        return float(both.of_groups(of).against_passage(of[:1], of[-1:])[0])

    def at_passages(self, members: list[np.ndarray]) -> set[int]:
        """Members that a contradiction in the doors may hang on."""
        lives = self.lifetimes
        if lives is None:
            return set()
        firsts = [own[values[own].argmin()] for own in members for values in (lives.in_us, lives.start_us)]
        lasts = [own[values[own].argmax()] for own in members for values in (lives.out_us, lives.end_us)]
        return {int(row) for row in firsts + lasts}


def reunited(grouping: Grouping, links: Links, against: Contradictions) -> np.ndarray | None:
    """Groups, int64 (T,), each named after a node of it, to go on joining from; None where there is nothing to mend.

    grouping: after nothing joins any more; links: of its groups.
    """
    group, edges = grouping.group, grouping.edges
    passage = np.zeros(len(edges.first))
    if grouping.lifetimes is not None:
        passage = grouping.lifetimes.against_passage(edges.first, edges.second)
    odds = grouping.score(replace(edges, conflict=np.zeros_like(edges.conflict))) + passage
    candidates = np.flatnonzero((odds > LEAST_ODDS) & (odds <= edges.conflict + passage))
    candidates = candidates[np.argsort(-odds[candidates], kind="stable")]
    overlapping, rows_of = _by_pair(group, against.overlaps), _by_group(group)
    into, out = np.arange(len(group)), np.zeros(len(group), bool)
    mended: set[int] = set()
    for first, second, mean in zip(
        edges.first[candidates].tolist(), edges.second[candidates].tolist(), odds[candidates].tolist(), strict=True
    ):
        if first in mended or second in mended:
            continue
        # Members of a group are alike, so their number counts by less than itself.
        sure = mean * float(min(grouping.size[first], grouping.size[second])) ** 0.5
        members = [rows_of(first), rows_of(second)]
        taken = _to_take_out(
            members, overlapping(first, second), partial(links.fit, groups=(first, second)), sure, against
        )
        if taken is not None:
            mended |= {first, second}
            into[second] = first
            out[taken] = True
    return _without(into[group], out) if mended else None


def _to_take_out(
    members: list[np.ndarray], pairs: np.ndarray, fit: Callable[[int], float], sure: float, against: Contradictions
) -> list[int] | None:
    """Which members to take out so that two groups are more likely one person than not; None: they are two.

    pairs: rows of the overlaps between the two; fit: log odds of a member with both, at least 0; sure: of the groups.
    Taken are those by whom most that contradicts goes, and who fit least.
    """
    enough = [(1 - MOST_SHARE_OUT) * against.share[own].sum() for own in members]
    first, second = against.overlaps.first[pairs], against.overlaps.second[pairs]
    odds_against = against.odds_against[pairs]
    out: list[int] = []
    left = np.ones(len(pairs), bool)
    while True:
        passage = against.passage(members)
        if sure > odds_against[left].sum() + passage + sum(map(fit, out)):
            return out
        relief = {}
        for row in {*first[left].tolist(), *second[left].tolist(), *(against.at_passages(members) if passage else ())}:
            relief[row] = float(odds_against[left & ((first == row) | (second == row))].sum())
            if passage:
                relief[row] += passage - against.passage([own[own != row] for own in members])
        gain = {row: odds - fit(row) for row, odds in relief.items()}
        worst = max(sorted(gain), key=gain.__getitem__, default=-1)
        if worst < 0 or gain[worst] <= 0 or len(out) == MOST_OUT:
            return None
        out.append(worst)
        left &= (first != worst) & (second != worst)
        members = [own[own != worst] for own in members]
        if any(against.share[own].sum() < least for own, least in zip(members, enough, strict=True)):
            return None


def _without(group: np.ndarray, out: np.ndarray) -> np.ndarray:
    """The groups with those of `out`, bool (T,), by themselves."""
    rest = np.flatnonzero(~out)
    name = np.full(len(group), len(group))
    np.minimum.at(name, group[rest], rest)
    return np.where(out, np.arange(len(group)), name[group])


def _by_group(group: np.ndarray) -> Callable[[int], np.ndarray]:
    """Rows by group."""
    order = np.argsort(group, kind="stable")
    names = group[order]
    return lambda name: order[np.searchsorted(names, name) : np.searchsorted(names, name, side="right")]


def _by_pair(group: np.ndarray, overlaps: Overlaps) -> Callable[[int, int], np.ndarray]:
    """Rows of the overlaps between two groups."""
    one, other = group[overlaps.first], group[overlaps.second]
    rows_of = _by_group(np.minimum(one, other) * len(group) + np.maximum(one, other))
    return lambda first, second: rows_of(min(first, second) * len(group) + max(first, second))
