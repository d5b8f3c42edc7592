"""A covered lens records, and sees nothing: coverage falls, and nobody is counted as absent meanwhile."""

from __future__ import annotations

import numpy as np
import pytest

from flows.camera_views import SAMPLES
from tests.detection.clips import write_clip
from tests.flows.painted import DAY, SIZE, PaintedStore, painted_picture, walks

SECONDS, FPS = 60, 5
NOTHING = "the pictures show next to nothing"
PERSON = walks(0, (0, 160, 100), (60, 160, 160))


def record(shop: PaintedStore, covered: tuple[float, float]) -> None:
    """A minute in which somebody stands in the aisle, with a cloth over the lens between two seconds."""
    cloth = np.full((SIZE[1], SIZE[0], 3), 90, np.uint8)

    def picture(number: int) -> np.ndarray:
        second = number / FPS
        return cloth if covered[0] <= second < covered[1] else painted_picture(second, [PERSON])

    path = shop.folder / "videos" / "cam" / f"{DAY}_10-00-00.mp4"
    write_clip(path, [1000 * number // FPS for number in range(SECONDS * FPS)], size=SIZE, picture=picture)


@pytest.mark.parametrize("covered", [(20.0, 45.0), (0.0, 30.0), (33.0, 60.0)])
def test_what_a_covered_lens_records_is_not_seen(shop: PaintedStore, covered: tuple[float, float]) -> None:
    record(shop, covered)
    assert shop.run() == 0
    (gap,) = (one for one in shop.gaps() if one[2] == NOTHING)
    assert gap[0] == pytest.approx(covered[0], abs=5.1) and gap[1] == pytest.approx(covered[1], abs=5.1)
    camera = shop.account["cameras"][0]
    assert camera["seconds_seen"] == pytest.approx(SECONDS - (gap[1] - gap[0]), abs=0.2)
    counts = shop.table("zone_counts").set_index(["role_filter", "bucket_start"]).loc["shoppers"].iloc[0]
    assert counts["coverage"] == pytest.approx(1 - (gap[1] - gap[0]) / SECONDS, abs=0.02)
    assert counts["occupancy_mean"] == pytest.approx(1.0, abs=0.02), "over what was seen, not over the minute"
    assert shop.table("visits")["truncated"].any()
    wrong = shop.table("checks").query("wrong")["check"].tolist()
    assert "lens covered" in wrong and "coverage" in wrong


def test_a_hand_before_the_lens_covers_nothing(shop: PaintedStore) -> None:
    between = SECONDS / SAMPLES  # short of the time between two pictures of the day
    record(shop, (20.0, 20.0 + between))
    assert shop.run() == 0
    assert NOTHING not in [reason for _, _, reason in shop.gaps()]
