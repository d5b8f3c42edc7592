"""Days that stand out, against a loop that leaves each day out in turn."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from flows.unusual import LEAST_DAYS, unusual_days


def numbers(footfall: list[float], coverage: list[float] | None = None) -> pd.DataFrame:
    """Saturdays of one store."""
    dates = pd.date_range("2025-03-01", periods=len(footfall), freq="7D")
    return pd.DataFrame(
        {"store": "s", "date": dates, "footfall": footfall, "coverage": coverage or [1.0] * len(footfall)}
    )


def test_a_crowded_day_is_told_with_what_is_usual() -> None:
    found = unusual_days(numbers([100, 104, 96, 190, 101]))
    assert found["footfall"].tolist() == [190]
    assert found.iloc[0]["usual"] == 100.5 and found.iloc[0]["change"] == pytest.approx(190 / 100.5 - 1)
    assert found.iloc[0]["why"] == "far more people than usual"


def test_a_day_seen_in_part_is_told_and_no_measure_for_others() -> None:
    found = unusual_days(numbers([100, 100, 100, 40, 100], [1, 1, 1, 0.5, 1]))
    assert found["why"].tolist() == ["far fewer people than usual; only 50.0% of the time was seen"]
    assert unusual_days(numbers([100, 40, 40, 40], [1, 0.5, 0.5, 0.5]))["usual"].isna().all()


def test_small_shops_vary_by_chance() -> None:
    assert unusual_days(numbers([9, 10, 12, 8, 10])).empty
    assert unusual_days(numbers([])).empty and unusual_days(numbers([5, 500])).empty


def test_other_weekdays_and_stores_are_no_measure() -> None:
    busy = numbers([500] * 4).assign(date=pd.date_range("2025-03-02", periods=4, freq="7D"))
    assert unusual_days(pd.concat([numbers([100] * 4), busy, busy.assign(store="t")])).empty


def test_it_is_the_median_of_all_other_days() -> None:
    random = np.random.default_rng(3)
    footfall, coverage = random.poisson(60, 40).astype(float), random.choice([0.9, 1.0], 40)
    found = unusual_days(numbers(footfall.tolist(), coverage.tolist())).set_index("date")
    for place, day in enumerate(pd.date_range("2025-03-01", periods=40, freq="7D")):
        others = np.delete(footfall, place)[np.delete(coverage, place) >= 0.95]
        assert len(others) >= LEAST_DAYS
        if day in found.index:
            assert found.loc[day, "usual"] == np.median(others)


def test_a_day_whose_footfall_is_not_known_is_neither_unusual_nor_a_measure() -> None:
    found = unusual_days(numbers([np.nan, np.nan, 100, 101, 99, 200]))
    assert found["footfall"].tolist() == [200] and found.iloc[0]["usual"] == 100
