"""Tracklets to people: constraints, evidence, numbering."""

from __future__ import annotations

import numpy as np
import pytest

from reid.identities import Identities, Samples, Tracklets, link

SECOND = 1_000_000
D = 16


def look(person: int) -> np.ndarray:
    return np.eye(D, dtype=np.float32)[person]


def make(rows: list[tuple]) -> tuple[Tracklets, Samples]:
    """Rows: camera, start s, end s, person's look or None, path (time -> x, y) or None. Five samples a second."""
    camera, start, end, looks, paths = zip(*rows, strict=True)
    embedding = np.stack([np.full(D, np.nan, np.float32) if p is None else look(p) for p in looks])
    tracklets = Tracklets(
        np.array(camera), np.arange(1, len(rows) + 1), np.array(start) * SECOND, np.array(end) * SECOND,
        embedding, np.where(np.isnan(embedding[:, 0]), 0, 1).astype(np.float32),
    )  # fmt: skip
    index, times, xs, ys = [], [], [], []
    for row, (low, high, path) in enumerate(zip(start, end, paths, strict=True)):
        for t in np.arange(low, high + 0.01, 0.2) if path else ():
            x, y = path(t)
            index.append(row), times.append(round(t * SECOND)), xs.append(x), ys.append(y)
    samples = Samples(np.array(index, int), np.array(times, np.int64), np.array(xs, float), np.array(ys, float))
    return tracklets, samples


def walk(x: float, y: float, vx: float = 0.0):
    return lambda t: (x + vx * t, y)


def linked(rows: list[tuple], **options) -> Identities:
    return link(*make(rows), threshold=0.6, **options)


@pytest.mark.case("LeonLok/Multi-Camera 41, scenescape 544")
def test_one_person_in_two_overlapping_cameras_is_one():
    result = linked([("a", 0, 20, 0, walk(1, 1, 0.5)), ("b", 2, 18, 0, walk(1.2, 1, 0.5)), ("a", 0, 20, 1, walk(9, 9))])
    assert result.person_id.tolist() == [1, 1, 2]
    assert result.confidence.min() > 0.9


def test_two_at_one_time_in_one_camera_are_two_however_alike():
    result = linked([("a", 0, 20, 0, walk(1, 1)), ("a", 5, 25, 0, walk(1.1, 1))])
    assert result.person_id.tolist() == [1, 2]


def test_cannot_links_hold_through_groups():
    rows = [("a", 0, 10, 0, walk(1, 1)), ("b", 0, 10, 0, walk(1, 1)), ("a", 5, 15, 0, walk(1, 1.5))]
    ids = linked(rows).person_id
    assert ids[0] == ids[1] != ids[2]


@pytest.mark.case("sibling: the same uniform in two far corners at once")
def test_far_apart_at_the_same_instant_is_not_one_however_alike():
    result = linked([("a", 0, 20, 0, walk(1, 1)), ("b", 0, 20, 0, walk(15, 12))])
    assert result.person_id.tolist() == [1, 2]


def test_nobody_runs_faster_than_people_walk():
    result = linked([("a", 0, 20, 0, walk(0, 0)), ("b", 21, 40, 0, walk(30, 0)), ("b", 70, 90, 1, walk(3, 3))])
    assert result.person_id[0] != result.person_id[1]


def test_comes_back_after_hours_as_the_same_person():
    result = linked([("a", 0, 20, 0, walk(1, 1)), ("a", 9000, 9030, 0, walk(8, 3)), ("a", 40, 60, 1, walk(1, 1))])
    assert result.person_id.tolist() == [1, 1, 2]


def test_a_broken_track_is_rejoined_by_place_without_looks():
    rows = [("a", 0, 20, None, walk(1, 1, 0.5)), ("a", 21, 40, None, walk(1, 1, 0.5))]
    rows += [("a", 0, 40, None, walk(x, y)) for x, y in ((9, 9), (2, 9), (15, 4), (12, 1), (18, 9))]
    ids = linked(rows).person_id
    assert ids[0] == ids[1] and len(set(ids)) == 6


def test_uncalibrated_camera_without_embeddings_keeps_its_tracks():
    tracklets, samples = make([("a", 0, 20, None, None), ("a", 30, 40, None, None)])
    bare = Tracklets(tracklets.camera, tracklets.track_id, tracklets.start_us, tracklets.end_us,
                     np.zeros((2, 0), np.float32), np.zeros(2, np.float32))  # fmt: skip
    assert link(bare, samples, threshold=0.6).person_id.tolist() == [1, 2]


def test_uncalibrated_cameras_are_joined_by_looks():
    assert linked([("a", 0, 20, 0, None), ("b", 10, 40, 0, None), ("b", 0, 9, 1, None)]).person_id.tolist() == [1, 1, 2]


def test_flicker_is_nobody():
    result = linked([("a", 0, 20, 0, walk(1, 1)), ("a", 5, 5, None, walk(7, 7)), ("a", 8, 8, None, walk(9, 2))])
    assert result.person_id.tolist() == [1, -1, -1]
    assert result.people == 1 and result.unjoined == 2


def test_order_of_tracklets_does_not_matter():
    rng = np.random.default_rng(5)
    rows = []
    for person in range(8):
        for visit in range(3):
            start = int(rng.integers(0, 200))
            rows.append((f"c{visit}", start, start + 20, person, walk(2 * person, visit, 0.1)))
    ids = linked(rows).person_id
    order = rng.permutation(len(rows))
    again = linked([rows[i] for i in order]).person_id
    assert (ids[order] == again).all()


def test_nothing_in_nothing_out():
    none = np.zeros(0, np.int64)
    empty = Tracklets(np.zeros(0, str), none, none, none, np.zeros((0, 8), np.float32), np.zeros(0, np.float32))
    assert len(link(empty, Samples(none, none, none, none), threshold=0.5).person_id) == 0


def test_mistakes_are_told():
    tracklets, _ = make([("a", 0, 20, 0, walk(1, 1))])
    with pytest.raises(ValueError, match="outside"):
        link(tracklets, Samples(np.array([3]), np.array([0]), np.zeros(1), np.zeros(1)), threshold=0.5)
    with pytest.raises(ValueError, match="rows"):
        Tracklets(np.array(["a", "b"]), np.array([1]), np.zeros(2), np.zeros(2), np.zeros((2, 4)), np.zeros(2))
