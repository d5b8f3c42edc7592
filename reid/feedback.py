"""Relevance feedback: what a person answers about the candidates turns the query (Rocchio 1971, section 14.3).

Confirmed sightings of the person weigh as much as the query itself; rejected ones push it away a little, because a
person who was rejected is often dressed alike, and what the two share must not be lost.

Tried beside it, with 60 tracklets of children in store_dev searched in the other cameras: k-reciprocal re-ranking of
the 400 most alike (k1 6, k2 2, lambda 0.6; reid/rerank.py) orders the whole list better (mAP .945 against .931 after
one answer), but puts no more children first (.967 either way) and fewer among the first five after two answers (.983
against 1.000), for 0.1 s of processor time a search. The nearest confirmed view instead of their mean makes no
difference that 60 queries show.
"""

from __future__ import annotations

import numpy as np

CONFIRMED, REJECTED = 1.0, 0.25


def sharpen(query: np.ndarray | None, confirmed: np.ndarray, rejected: np.ndarray) -> np.ndarray | None:
    """The query (D,) after answers: embeddings (C, D) confirmed, (R, D) rejected; None where nothing points anywhere.

    Rows of NaN (sightings without a good crop) say nothing.
    """
    confirmed, rejected = (rows[np.isfinite(rows).all(axis=1)] for rows in (confirmed, rejected))
    parts = ([] if query is None else [query / max(float(np.linalg.norm(query)), 1e-12)]) + list(CONFIRMED * confirmed)
    if not parts:
        return None
    centre = np.sum(parts, axis=0)
    centre /= max(float(np.linalg.norm(centre)), 1e-12)
    if len(rejected):
        centre = centre - REJECTED * rejected.mean(axis=0)
    return centre / max(float(np.linalg.norm(centre)), 1e-12)
