"""Relevance feedback: what a person answers about the candidates turns the query (Rocchio 1971, section 14.3).

Confirmed sightings of the person weigh as much as the query itself; rejected ones push it away a little, because a
person who was rejected is often dressed alike, and what the two share must not be lost.
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
