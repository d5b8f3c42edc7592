from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from flows.person_heights import person_heights

NAMES = ["camera", "track_id", "height_m", "sigma_m"]
NOBODY = pd.DataFrame({"camera": [], "track_id": [], "person_id": []}).astype({"camera": str, "track_id": int})


def heights(*tracks: tuple[str, int, float, float], people: dict[tuple[str, int], int]) -> pd.DataFrame:
    identities = pd.DataFrame([(*track, person) for track, person in people.items()], columns=[*NAMES[:2], "person_id"])
    return person_heights(pd.DataFrame(tracks, columns=NAMES), identities if people else NOBODY)


def test_whose_feet_one_camera_sees_has_that_height_in_the_others():
    found = heights(("a", 1, 1.60, 0.02), ("b", 1, 1.72, 0.12), people={("a", 1): 1, ("b", 1): 1})
    assert found["height_m"].tolist() == pytest.approx([1.60, 1.62], abs=0.015)
    assert found["sigma_m"].iloc[0] == pytest.approx(0.02) and found["sigma_m"].iloc[1] < 0.06


def test_who_is_nobodys_or_never_seen_whole_keeps_the_guess():
    found = heights(
        ("a", 1, 1.60, 0.02), ("b", 1, 1.72, 0.12), ("b", 2, 1.70, 0.10), ("c", 1, 1.74, 0.10),
        people={("a", 1): 1, ("b", 2): 2, ("c", 1): 2},
    )  # fmt: skip
    assert found["height_m"].tolist() == pytest.approx([1.60, 1.72, 1.70, 1.74])
    assert found["sigma_m"].tolist() == pytest.approx([0.02, 0.12, 0.10, 0.10])


def test_a_child_joined_by_mistake_does_not_shrink_an_adult():
    people = {("a", track): 1 for track in range(1, 5)}
    found = heights(
        ("a", 1, 1.80, 0.02), ("a", 2, 1.82, 0.02), ("a", 3, 1.15, 0.02), ("a", 4, 1.70, 0.12), people=people
    )
    assert found["height_m"].iloc[2] == pytest.approx(1.15), "who was seen whole is as tall as seen"
    assert found["height_m"].iloc[3] == pytest.approx(1.78, abs=0.02)


def test_cameras_that_can_not_tell_heights_and_days_without_people():
    found = heights(("a", 1, np.nan, np.nan), ("b", 1, 1.7, 0.02), people={("a", 1): 1, ("b", 1): 1})
    assert np.isnan(found["height_m"].iloc[0]) and found["height_m"].iloc[1] == pytest.approx(1.7)
    assert len(heights(people={})) == 0
    assert heights(("a", 1, 1.7, 0.1), people={})["height_m"].tolist() == pytest.approx([1.7])
