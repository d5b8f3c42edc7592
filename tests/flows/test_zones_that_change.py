"""A store whose zones change within a day, and someone who is there before it opens."""

from __future__ import annotations

from datetime import date, datetime

import pytest

from flows.store_reading import StoreConfigError, load_store
from tests.flows.painted import walks

STANDS = walks(0, (0, 160, 200), (29, 160, 200))
LEFT, RIGHT = ([[x, 0], [x + 8, 0], [x + 8, 12], [x, 12]] for x in (0, 8))


def test_a_zone_that_moves_at_noon_is_counted_where_it_was_and_where_it_is(shop) -> None:
    """Ten seconds after opening the promotion moves from the left half, where somebody stands, to the right one."""
    moment = "2025-03-14 10:00:10"
    shop.data["zones"] = [
        {"id": "promo", "polygon": [[4, 0], [12, 0], [12, 12], [4, 12]], "until": moment},
        {"id": "promo_2", "polygon": [[12, 0], [16, 0], [16, 12], [12, 12]], "since": moment},
        {"id": "gone", "polygon": LEFT, "until": "2025-03-13 20:00:00"},
    ]
    shop.clip([STANDS], 30)
    assert shop.run() == 0
    visits = shop.table("visits")
    assert visits[["zone", "truncated"]].to_numpy().tolist() == [["promo", True]]
    assert visits["dwell_s"].tolist() == pytest.approx([10.0], abs=0.2)
    counts = shop.table("zone_counts").query("role_filter == 'all'").set_index("zone")
    assert set(counts.index) == {"promo", "promo_2"}  # what ended the day before has no rows
    assert counts.loc["promo", "coverage"] == pytest.approx(10 / 60, abs=0.01)
    assert counts.loc["promo_2", "coverage"] == pytest.approx(20 / 60, abs=0.01)
    assert counts.loc["promo", "occupancy_mean"] == pytest.approx(1.0, abs=0.02)
    assert counts.loc["promo_2", "occupancy_mean"] == 0


def test_times_of_a_zone_are_on_the_stores_clock(shop) -> None:
    shop.data["timezone"] = "America/Montreal"
    shop.data["zones"][0]["since"] = "2025-03-14 12:00:00"
    store = load_store(shop.file)
    start, end = store.zone_span(store.zones[0], date(2025, 3, 14))
    assert datetime.fromtimestamp(start / 1e6, store.zone_info).hour == 12
    assert end == store.day_window(date(2025, 3, 14))[1]
    assert store.zone_span(store.zones[0], date(2025, 3, 13)) is None
    assert store.zone_span(store.zones[0], date(2025, 3, 15)) == store.day_window(date(2025, 3, 15))


@pytest.mark.parametrize(
    ("times", "told"),
    [
        ({"since": "2025-03-14T12:00:00Z"}, "without a time zone"),
        ({"since": "2025-03-14 12:00:00", "until": "2025-03-14 11:00:00"}, "until must come after since"),
    ],
)
def test_slips_in_the_times_of_a_zone_are_told(shop, times, told) -> None:
    shop.data["zones"][0] |= times
    with pytest.raises(StoreConfigError, match=told):
        load_store(shop.file)


def test_someone_who_was_there_before_opening_counts_and_is_no_entry(shop) -> None:
    """The camera runs from ten seconds before opening on; somebody stands in the zone all the time."""
    shop.data["entrances"] = [{"id": "main", "line": [[0, 11], [16, 11]], "inside": [8, 6]}]
    shop.clip([STANDS], 30, start="09-59-50")
    assert shop.run() == 0
    visits = shop.table("visits")
    assert visits["truncated"].tolist() == [True] and visits["dwell_s"].iloc[0] == pytest.approx(29.0, abs=1.2)
    counts = shop.table("zone_counts").query("role_filter == 'shoppers'")
    assert counts["entries"].sum() == 0 and counts["unique_people"].max() == 1
    assert shop.table("footfall").empty  # inside already: nobody came in
