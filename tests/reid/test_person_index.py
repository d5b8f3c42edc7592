"""The index against plain cosines, and what a rotation by a secret keeps and hides."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from reid.feedback import sharpen
from reid.person_index import build_index, index_of, open_index, search_all
from reid.rotation import SECRET_BYTES, rotate, rotate_back

DIMENSION = 256


def units(count: int, seed: int = 0, dimension: int = DIMENSION) -> np.ndarray:
    values = np.random.default_rng(seed).standard_normal((count, dimension), dtype=np.float32)
    return values / np.linalg.norm(values, axis=1, keepdims=True)


@pytest.mark.parametrize("share", [1.0, 0.5, 0.01])
def test_cosines_are_those_of_the_embeddings_and_the_filter_holds(tmp_path: Path, share: float):
    stored = units(2000)
    query = stored[7] + 0.8 * units(1, 1)[0]
    allowed = np.random.default_rng(2).random(2000) < share
    build_index(stored, tmp_path / "day.faiss")
    rows, cosines = open_index(tmp_path / "day.faiss").search(query, 15, allowed)
    exact = stored @ (query / np.linalg.norm(query))
    assert np.abs(cosines - exact[rows]).max() < 0.003
    best = np.flatnonzero(allowed)[np.argsort(-exact[allowed])[:15]]
    assert allowed[rows].all() and len(rows) == min(15, allowed.sum())
    assert exact[rows].min() > exact[best].min() - 0.005, "nobody much more alike was passed over"
    assert np.all(np.diff(cosines) <= 0)


def test_the_largest_and_the_tiniest_values_fit_a_byte():
    """One value holds nearly all of the length; a query of any length asks the same."""
    stored = np.zeros((3, 16), np.float32)
    stored[0, 0], stored[1, 1], stored[2, 2:] = 1, -1, 14**-0.5
    for length in (1e-3, 1, 1e4):
        rows, cosines = index_of(stored).search(length * stored[1], 3)
        assert rows[0] == 1
        assert cosines[0] == pytest.approx(1, abs=0.01)


def test_several_days_are_searched_each_with_its_own_query():
    days = [units(300, seed) for seed in range(4)]
    secrets = [bytes([seed]) * SECRET_BYTES for seed in range(4)]
    indexes = [index_of(rotate(day, secret)) for day, secret in zip(days, secrets, strict=True)]
    query = days[2][11] + 0.3 * units(1, 9)[0]
    number, row, cosine = search_all(indexes, [rotate(query[None], one)[0] for one in secrets], [None] * 4, 20)
    assert (number[0], row[0]) == (2, 11)
    assert len(number) == 20 and np.all(np.diff(cosine) <= 0)
    exact = np.concatenate(days) @ (query / np.linalg.norm(query))
    assert cosine[0] == pytest.approx(exact.max(), abs=0.005)


def test_nothing_allowed_is_nothing_found():
    rows, cosines = index_of(units(5)).search(units(1)[0], 3, np.zeros(5, bool))
    assert len(rows) == len(cosines) == 0


def test_a_damaged_index_is_told(tmp_path: Path):
    (tmp_path / "bad.faiss").write_bytes(b"no index")
    with pytest.raises(ValueError, match="remove it, and it is made again"):
        open_index(tmp_path / "bad.faiss")
    with pytest.raises(FileNotFoundError, match="there is no index"):
        open_index(tmp_path / "none.faiss")


def test_one_secret_keeps_all_cosines_and_two_keep_none():
    people, one, other = units(200), b"a" * SECRET_BYTES, b"b" * SECRET_BYTES
    turned = rotate(people, one)
    assert np.allclose(turned @ turned.T, people @ people.T, atol=1e-5)
    assert np.allclose(rotate_back(turned, one), people, atol=1e-5)
    across = np.sum(turned * rotate(people, other), axis=1)
    assert np.abs(across).mean() < 0.1, "the same person on two days looks like a stranger"
    with pytest.raises(ValueError, match="32 bytes"):
        rotate(people, b"short")


def test_answers_turn_the_query_towards_the_confirmed_and_from_the_rejected():
    query, right, wrong = units(3, 5)
    none = np.zeros((0, DIMENSION), np.float32)
    after = sharpen(query, right[None], none)
    assert after is not None and after @ right > query @ right
    away = sharpen(query, none, wrong[None])
    assert away is not None and away @ wrong < query @ wrong
    unknown = np.full((1, DIMENSION), np.nan, np.float32)
    assert np.allclose(sharpen(query, unknown, none), query)
    assert sharpen(None, none, wrong[None]) is None
    assert np.allclose(sharpen(None, right[None], none), right)
