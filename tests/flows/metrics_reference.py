"""What visits and zone counts are, again, as slow and plain as can be: exact fractions, one person and bucket a time.

Only for rectangles (x0, y0, x1, y1), closed at the left and the bottom.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

import pandas as pd

from flows.places import microseconds

Span = tuple[int, int]
Rectangle = tuple[int, int, int, int]


def visits(
    places: Sequence[tuple[int, int, int]],
    rectangle: Rectangle,
    observed: Sequence[Span],
    hysteresis_us: int,
    max_hidden_us: int,
    edge_us: int,
) -> list[Span]:
    """One person's visits, from places (time_us, x, y) in order of time: a machine that is in or out."""
    found: list[Span] = []
    for stay in _stays(places, max_hidden_us):
        inside = [_reach(span, stay, observed, edge_us) for span in _inside(stay, rectangle)]
        entered: int | None = None
        left = 0
        for start, end in inside:
            if entered is not None and start - left > hysteresis_us:
                found.append((entered, left))
                entered = None
            if entered is None and end - start > hysteresis_us:
                entered = start
            left = end
        if entered is not None:
            found.append((entered, left))
    return sorted(cut for visit in found for span in observed if (cut := _common(visit, span)))


def _stays(places: Sequence[tuple[int, int, int]], max_hidden_us: int) -> list[list[tuple[int, int, int]]]:
    stays: list[list[tuple[int, int, int]]] = []
    for place in places:
        if stays and place[0] - stays[-1][-1][0] <= max_hidden_us:
            stays[-1].append(place)
        else:
            stays.append([place])
    return stays


def _inside(stay: list[tuple[int, int, int]], rectangle: Rectangle) -> list[Span]:
    x0, y0, x1, y1 = rectangle
    spans: list[list[int]] = []
    for (ta, xa, ya), (tb, xb, yb) in pairwise(stay):
        cuts = {Fraction(0), Fraction(1)}
        cuts |= {Fraction(x - xa) / (xb - xa) for x in (x0, x1) if xb != xa}
        cuts |= {Fraction(y - ya) / (yb - ya) for y in (y0, y1) if yb != ya}
        shares = sorted(cut for cut in cuts if 0 <= cut <= 1)
        for a, b in pairwise(shares):
            x, y = xa + (a + b) / 2 * (xb - xa), ya + (a + b) / 2 * (yb - ya)
            if x0 <= x < x1 and y0 <= y < y1:
                start, end = ta + round(a * (tb - ta)), ta + round(b * (tb - ta))
                if spans and spans[-1][1] == start:
                    spans[-1][1] = end
                else:
                    spans.append([start, end])
    return [(start, end) for start, end in spans]


def _reach(span: Span, stay: list[tuple[int, int, int]], observed: Sequence[Span], edge_us: int) -> Span:
    start, end = span
    if start == stay[0][0]:
        start = max((a for a, _ in observed if 0 <= start - a <= edge_us), default=start)
    if end == stay[-1][0]:
        end = min((b for _, b in observed if 0 <= b - end <= edge_us), default=end)
    return start, end


def _common(visit: Span, span: Span) -> Span | None:
    start, end = max(visit[0], span[0]), min(visit[1], span[1])
    return (start, end) if end > start else None


def counts(table: pd.DataFrame, observed: Sequence[Span], window: Span, bucket_us: int) -> list[dict[str, int] | None]:
    """A zone's buckets from its visits, each by looking at everybody: microseconds and people; None: unobserved."""
    enter, leave = microseconds(table["enter"]).tolist(), microseconds(table["exit"]).tolist()
    people = table["person_id"].tolist()
    rows: list[dict[str, int] | None] = []
    start = window[0] // bucket_us * bucket_us
    while start < window[1]:
        end = start + bucket_us
        parts = [_common(visit, (start, end)) for visit in zip(enter, leave, strict=True)]
        if not any(_common(span, (start, end)) for span in observed):
            rows.append(None)
        else:
            moments = [start, *(part[0] for part in parts if part)]
            rows.append(
                {
                    "dwell_us": sum(part[1] - part[0] for part in parts if part),
                    "entries": sum(start <= a < end and all(a != s for s, _ in observed) for a in enter),
                    "exits": sum(start <= b < end and all(b != s for _, s in observed) for b in leave),
                    "unique_people": len({who for who, part in zip(people, parts, strict=True) if part}),
                    "occupancy_max": max(sum(bool(p and p[0] <= t < p[1]) for p in parts) for t in moments),
                }
            )
        start = end
    return rows
