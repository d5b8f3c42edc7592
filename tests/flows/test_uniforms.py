"""Staff by their uniform: whoever looks like a reference picture, and what becomes of references that are none."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from flows.uniforms import in_uniform
from reid.tracklets import Tracklets
from tests.flows.painted import HUES, PaintedStore, walks

GREEN = 3


def uniform(folder: Path, hue: int = GREEN) -> str:
    """A picture of someone in uniform, beside store.yaml."""
    colour = np.full((120, 50, 3), (round(hue * 180 / HUES), 255, 200), np.uint8)
    cv2.imwrite(str(folder / "uniform.png"), cv2.cvtColor(colour, cv2.COLOR_HSV2BGR))
    return "uniform.png"


def test_who_wears_the_uniform_is_staff(shop: PaintedStore):
    shop.data["staff"] = {"uniform": [uniform(shop.folder)]}
    shop.clip([walks(0, (2, 20, 200), (18, 300, 200)), walks(GREEN, (2, 20, 100), (18, 300, 100))], 20)
    assert shop.run() == 0
    roles = shop.table("visits").groupby("role")["person_id"].nunique()
    assert roles.to_dict() == {"shopper": 1, "staff": 1}
    people = shop.table("identities").merge(shop.table("positions"), on=["camera", "track_id"])
    staff = shop.table("visits").query("role == 'staff'")["person_id"]
    assert people[people["person_id"].isin(staff)]["y2"].median() < 150, "the one who walks in green"


@pytest.mark.parametrize("path, told", [("none.png", "No such file"), ("store.yaml", "JPEG, PNG"), ("../a.png", "..")])
def test_a_picture_that_is_none_is_told_before_the_night(shop: PaintedStore, path: str, told: str, capfd):
    shop.data["staff"] = {"uniform": [uniform(shop.folder), path]}
    shop.clip([walks(0, (2, 20, 200), (8, 300, 200))], 10)
    assert shop.run() == 2
    said = capfd.readouterr().err
    assert "staff.uniform[1]" in said and told in said


def test_a_glimpse_in_similar_clothes_makes_nobody_staff():
    """The better seen tracklet speaks for the person; someone without any picture stays a shopper."""
    looks = np.eye(4, dtype=np.float32)
    tracklets = Tracklets(
        camera=np.array(["a", "a", "b", "b"], object),
        track_id=np.array([1, 2, 1, 2]),
        start_us=np.zeros(4, np.int64),
        end_us=np.full(4, 10_000_000),
        embedding=np.stack([looks[0], looks[1], looks[0], np.zeros(4, np.float32)]),
        quality=np.array([0.9, 0.9, 0.1, 0.0], np.float32),
    )
    people = pd.DataFrame({"camera": ["a", "a", "b", "b"], "track_id": [1, 2, 1, 2], "person_id": [1, 2, 2, 3]})
    assert in_uniform(tracklets, people, looks[:1], threshold=0.5, slope=20.0) == {1}
    assert in_uniform(tracklets, people, looks[:0], threshold=0.5, slope=20.0) == set()
