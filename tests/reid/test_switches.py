from __future__ import annotations

import numpy as np
import pytest

from reid.appearance import Appearance
from reid.switches import cut_where_pictures_change

LOOKS = Appearance(threshold=0.35, slope=15)
COLOURS = np.array([[200, 0, 50], [0, 200, 50], [0, 50, 200]], np.uint8)


def faces(*people: int, noise: float = 0.3) -> np.ndarray:
    """Embeddings of pictures of people, each a direction of its own with some noise."""
    random = np.random.default_rng(3)
    rows = np.eye(16)[list(people)] + noise * random.normal(size=(len(people), 16)) / 4
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def cut(track: list[int], people: list[int], crops: list[int], **options) -> list[int]:
    """Track numbers after cutting; `people`: who each detection shows; `crops`: detections with a picture."""
    embedding = faces(*(people[row] for row in crops), **options)
    quality = np.full(len(crops), 0.4)
    time_us = np.arange(len(track)) * 200_000
    picture = np.full(len(track), -1)
    picture[np.array(crops, int)] = np.arange(len(crops))
    return cut_where_pictures_change(
        np.array(track, int), time_us, COLOURS[people], picture, embedding, quality, LOOKS
    ).tolist()


def test_a_track_that_passes_to_somebody_else_is_cut_where_the_colours_change():
    people = [0] * 7 + [1] * 5
    assert cut([4] * 12, people, [1, 10]) == [4] * 7 + [5] * 5
    assert cut([4] * 12, people, [6, 7]) == [4] * 7 + [5] * 5, "the pictures leave one moment"


@pytest.mark.parametrize("noise", [0.0, 1.0])
def test_one_person_stays_one_however_often_and_badly_they_are_seen(noise):
    assert cut([1] * 20, [0] * 20, list(range(0, 20, 3)), noise=noise) == [1] * 20


def test_each_of_several_changes_is_cut_and_other_tracks_are_left_alone():
    people = [0, 2] * 6 + [1, 2] * 6 + [2, 2] * 6
    tracks = [3, -1] * 6 + [3, 8] * 12
    found = np.array(cut(tracks, people, list(range(0, 36, 4))))
    assert (found[1::2] == np.array(tracks[1::2])).all()
    pieces = found[0::2].reshape(3, 6)
    assert (pieces == pieces[:, :1]).all()
    assert len(set(pieces[:, 0])) == 3 and pieces[0, 0] == 3 and (pieces[1:, 0] > 8).all()


def test_a_moment_of_somebody_in_front_is_no_piece():
    people = [0] * 12 + [1] * 4
    assert cut([1] * 16, people, [1, 14]) == [1] * 16
    assert cut([1] * 17, [*people, 1], [1, 14]) == [1] * 12 + [2] * 5


def test_without_two_pictures_nothing_is_known():
    assert cut([1] * 6, [0] * 3 + [1] * 3, [2]) == [1] * 6
    assert cut([1] * 6, [0] * 3 + [1] * 3, []) == [1] * 6
    assert cut([], [], []) == []
