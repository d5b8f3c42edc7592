"""Zones and entrances end to end: lines at the border, people on lines, other resolutions, slips in the floor plan."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from flows.lake import Lake
from tests.flows.painted import DAY, SIZE, Painted, walks

GATE = {"id": "main", "line": [[0, 3], [16, 3]], "inside": [8, 6]}
"""Across the picture at 180 px from its top; inside is above."""
STANDS = walks(0, (0, 160, 200), (19, 160, 200))


def directions(shop) -> list[str]:
    return shop.table("footfall").sort_values("time")["direction"].tolist()


def in_pixels(shop, size: tuple[int, int] = SIZE, **zones: tuple[int, int, int, int]) -> None:
    """Make the store's camera an uncalibrated one of that size, with rectangular zones (x0, y0, x1, y1)."""
    camera = shop.data["cameras"][0]
    camera.pop("calibration")
    camera["image_size"] = list(size)
    shop.data["zones"] = [
        {"id": name, "camera": "cam", "polygon": [[x0, y0], [x1, y0], [x1, y1], [x0, y1]]}
        for name, (x0, y0, x1, y1) in zones.items()
    ]


@pytest.mark.case("supervision 1855, PR 1748, PR 1991")
def test_the_foot_point_decides_and_no_one_is_in_two_zones_side_by_side(shop):
    in_pixels(shop, left=(80, 0, 160, 240), right=(160, 0, 240, 240))
    beside = walks(3, (0, 72, 220), (19, 72, 220))  # the box reaches 4 px into the left zone
    shop.clip([beside, walks(0, (0, 160, 120), (19, 160, 120))], 20)
    assert shop.run() == 0
    visits = shop.table("visits")
    assert visits["zone"].tolist() == ["right"]
    assert shop.table("identities")["person_id"].nunique() == 2


@pytest.mark.case("supervision 131")
def test_pictures_without_anyone_are_zeros(shop):
    shop.clip([], 20)
    assert shop.run() == 0
    counts = shop.table("zone_counts")
    assert counts["occupancy_mean"].tolist() == [0, 0] and counts["entries"].tolist() == [0, 0]
    assert counts["coverage"].tolist() == pytest.approx([1 / 3] * 2, abs=0.01)
    assert shop.table("visits").empty and shop.table("identities").empty


@pytest.mark.case("supervision 1838")
@pytest.mark.parametrize("vertical", [False, True])
def test_an_entrance_ten_pixels_from_the_border_counts(shop, capfd, vertical):
    in_pixels(shop)
    line = [[10, 0], [10, 240]] if vertical else [[0, 230], [320, 230]]
    way = [(2, -14, 200), (8, 160, 200)] if vertical else [(2, 160, 252), (8, 160, 120)]
    back = [(24 - second, x, y) for second, x, y in reversed(way)]
    shop.data["entrances"] = [{"id": "main", "camera": "cam", "line": line, "inside": [160, 100]}]
    shop.clip([walks(0, *way, *back)], 24)
    assert shop.command("check", str(shop.file)) == 0
    assert "entrance" not in capfd.readouterr().out
    assert shop.run() == 0
    assert directions(shop) == ["in", "out"]


@pytest.mark.case("supervision 1838")
@pytest.mark.parametrize(
    ("y", "told"),
    [(0.5, None), (0.1, "nowhere do the cameras see 0.2 m on both sides"), (-0.2, "nowhere do the cameras see")],
)
def test_check_says_which_entrance_the_cameras_can_not_see_crossed(shop, capfd, y, told):
    shop.data["entrances"] = [{"id": "main", "line": [[0, y], [16, y]], "inside": [8, 6]}]
    shop.clip([], 2)
    assert shop.command("check", str(shop.file)) == 0
    notes = [line for line in capfd.readouterr().out.splitlines() if "entrances[0].line" in line]
    assert (told is None and notes == []) or (len(notes) == 1 and told in notes[0])


@pytest.mark.case("supervision PR 1540")
def test_a_box_that_trembles_about_a_line_crosses_once_at_most(shop):
    shop.data["entrances"] = [GATE]
    shop.clip([Painted(0, lambda second: (160, 180 + (5 if round(second * 10) % 2 else -5)))], 10)
    assert shop.run() == 0
    assert len(shop.table("positions")) > 90  # seen all the time, and no track is lost by the trembling
    assert len(directions(shop)) <= 1


@pytest.mark.case("ultralytics PR 25492")
@pytest.mark.parametrize("every", [1, 3, 6])
def test_every_sampling_rate_counts_the_same_crossings(shop, every):
    shop.data["entrances"] = [GATE]
    shop.data["cameras"][0]["sampling_fps"] = 10 / every
    shop.clip([walks(0, (1, 160, 238), (9, 160, 100), (11, 160, 100), (19, 160, 238))], 20)
    assert shop.run() == 0
    assert directions(shop) == ["in", "out"]
    times = (shop.table("footfall")["time"] - pd.Timestamp(f"{DAY}T10:00:00Z")).dt.total_seconds().sort_values()
    assert times.tolist() == pytest.approx([4.362, 15.638], abs=0.2)


@pytest.mark.case("ultralytics PR 9998, 15697")
def test_one_who_walks_in_once_is_one_in_to_the_last_line_of_the_report(shop, capfd):
    shop.data["entrances"] = [GATE]
    shop.clip([walks(0, (1, 160, 238), (9, 160, 100), (19, 160, 100))], 20)
    assert shop.run() == 0
    assert directions(shop) == ["in"]
    assert "1 shopper; 1 came in, 0 went out" in " ".join(capfd.readouterr().out.split())


@pytest.mark.case("opendatacam 204, 185")
def test_standing_on_a_slanted_line_and_passing_beyond_its_end(shop):
    shop.data["entrances"] = [{"id": "main", "line": [[4, 2], [12, 4]], "inside": [8, 9]}]

    def stands(second: float) -> tuple[float, float]:
        if second < 30:
            return 160 + 2 * math.sin(7 * second), 180 + 2 * math.cos(9 * second)
        return 160, 180 - (second - 30) * 15

    passes = walks(3, (1, 290, 238), (9, 290, 90))
    shop.clip([Painted(0, stands), passes], 35)
    assert shop.run() == 0
    footfall, people = shop.table("footfall"), shop.table("identities")["person_id"].unique()
    (stander,) = shop.table("visits")["person_id"].unique()  # who passed beyond the end was never in the aisle
    assert len(people) == 2 and len(footfall) <= 1
    assert set(footfall["person_id"]) <= {stander}


@pytest.mark.case("frigate 8488")
def test_what_was_drawn_on_a_smaller_picture_is_rescaled(shop):
    """Drawn at 320x180, recorded at 672x380: the same shape but for half a percent, as 1280x720 and 2688x1520 are."""
    in_pixels(shop, (320, 180), left=(0, 0, 160, 180))
    shop.clip([walks(0, (0, 80, 220), (19, 80, 220)), walks(3, (0, 240, 220), (19, 240, 220))], 20, size=(672, 380))
    assert shop.run() == 0
    visits = shop.table("visits")
    assert visits["zone"].tolist() == ["left"] and visits["dwell_s"].tolist() == pytest.approx([19], abs=0.2)


@pytest.mark.case("frigate 8488")
def test_another_aspect_is_refused_in_one_line(shop, capfd):
    in_pixels(shop, (320, 180), left=(0, 0, 160, 180))
    shop.clip([STANDS], 2, size=(640, 480))
    assert shop.run() == 2
    told = capfd.readouterr().err.splitlines()
    assert len(told) == 1 and "320x180 has another shape than 2025-03-14_10-00-00.mp4 (640x480)" in told[0]


@pytest.mark.case("viseron 807")
def test_a_store_without_entrances_has_zone_numbers_and_no_footfall(shop, capfd):
    shop.clip([STANDS], 20)
    assert shop.run() == 0
    assert shop.table("visits")["dwell_s"].tolist() == pytest.approx([19], abs=0.2)
    lake = Lake(shop.lake)
    assert "footfall" not in lake.read_day("shop", DAY)
    manifest = lake.manifest("shop", DAY)
    assert manifest is not None and manifest.absent["footfall"] == "no entrance is configured"
    assert "footfall is absent: no entrance is configured" in " ".join(capfd.readouterr().out.split())


@pytest.mark.case("sibling: a zone where no camera looks")
def test_a_zone_out_of_view_is_an_error_of_check_and_absent_from_a_night(shop, capfd):
    shop.data["floor"]["width_m"] = 40
    shop.data["zones"].append({"id": "far", "polygon": [[30, 0], [35, 0], [35, 5], [30, 5]]})
    shop.clip([STANDS], 4)
    assert shop.command("check", str(shop.file)) == 2
    assert "zones[1].polygon: no camera sees this zone: turn or calibrate a camera" in capfd.readouterr().err
    assert shop.run() == 0
    far = shop.table("zone_counts").query("zone == 'far'")
    assert (far["coverage"] == 0).all() and far[["occupancy_mean", "entries", "dwell_s"]].isna().all(axis=None)


@pytest.mark.case("sibling: two zones that overlap")
def test_zones_that_overlap_are_told_and_both_count(shop, capfd):
    shop.data["zones"].append({"id": "promo", "polygon": [[6, 0], [10, 0], [10, 4], [6, 4]]})
    shop.clip([STANDS], 20)
    assert shop.command("check", str(shop.file)) == 0
    assert "zones[1].polygon: overlaps zone 'aisle' by 16.0 m2" in capfd.readouterr().out
    assert shop.run() == 0
    assert sorted(shop.table("visits")["zone"]) == ["aisle", "promo"]


@pytest.mark.case("sibling: an L-shaped zone round a shelf")
def test_the_notch_of_a_zone_is_outside(shop):
    corner = [[0, 0], [16, 0], [16, 1], [4, 1], [4, 12], [0, 12]]
    shop.data["zones"] = [
        {"id": "L", "polygon": corner},
        {"id": "L_the_other_way_round", "polygon": [[x + 0.0, y] for x, y in reversed(corner)]},
    ]
    shop.clip([STANDS, walks(3, (0, 40, 150), (19, 40, 150))], 20)
    assert shop.run() == 0
    visits = shop.table("visits")
    assert visits["person_id"].nunique() == 1
    assert visits["zone"].tolist() == ["L", "L_the_other_way_round"]
    assert visits["dwell_s"].nunique() == 1


@pytest.mark.case("sibling: in by one door, out by another")
def test_two_entrances_are_told_apart(shop):
    shop.data["entrances"] = [GATE, {"id": "back", "line": [[0, 9], [16, 9]], "inside": [8, 6]}]
    shop.clip([walks(0, (1, 160, 238), (18, 160, 5))], 20)
    assert shop.run() == 0
    found = shop.table("footfall").sort_values("time")
    assert found[["entrance", "direction"]].to_numpy().tolist() == [["main", "in"], ["back", "out"]]


@pytest.mark.case("sibling: one in and one out at the same moment, side by side, while a third turns round at the door")
def test_who_meets_in_the_doorway_is_counted_each_their_way(shop):
    shop.data["entrances"] = [GATE]
    comes, goes = walks(0, (1, 60, 238), (9, 60, 100)), walks(2, (1, 120, 100), (9, 120, 238))
    turns_round = walks(4, (1, 220, 238), (5, 220, 182), (6, 220, 182), (10, 220, 238))
    shop.clip([comes, goes, turns_round], 12)
    assert shop.run() == 0
    footfall, people = shop.table("footfall"), shop.table("identities")["person_id"].nunique()
    assert people == 3 and sorted(footfall["direction"]) == ["in", "out"]
    assert footfall["person_id"].nunique() == 2


@pytest.mark.case("sibling: a poster or a screen with a person on it")
def test_who_stands_in_a_mask_is_nobody(shop):
    shop.data["cameras"][0]["mask"] = [[[200, 0], [320, 0], [320, 240], [200, 240]]]
    shop.clip([walks(3, (0, 260, 200), (19, 260, 200)), STANDS], 20)
    assert shop.run() == 0
    assert shop.table("identities")["person_id"].nunique() == 1


@pytest.mark.case("sibling: a zone is redrawn and the day run again")
def test_a_redrawn_zone_counts_anew_without_reading_the_video_again(shop):
    shop.clip([STANDS], 20)
    assert shop.run() == 0
    clip = next((shop.folder / "videos").rglob("*.mp4"))
    chunks = {file: file.stat().st_mtime_ns for file in (shop.folder / "lake/_chunks").rglob("*.parquet")}
    shop.data["zones"] = [{"id": "corner", "polygon": [[0, 0], [3, 0], [3, 3], [0, 3]]}]
    assert shop.run() == 0
    assert shop.table("visits").empty and set(shop.table("zone_counts")["zone"]) == {"corner"}
    assert clip.is_file() and chunks == {file: file.stat().st_mtime_ns for file in chunks}


@pytest.mark.case("sibling: drawn in pixels of a picture whose size nobody noted")
@pytest.mark.parametrize(
    ("size", "told"),
    [
        (None, "camera 'cam' needs image_size"),
        ([320, 240], "(900, 0) lies outside the 320x240 picture of camera 'cam'"),
    ],
)
def test_what_is_drawn_in_pixels_needs_its_picture(shop, capfd, size, told):
    in_pixels(shop, far=(900, 0, 950, 240))
    if size is None:
        del shop.data["cameras"][0]["image_size"]
    shop.clip([STANDS], 2)
    assert shop.command("check", str(shop.file)) == 2
    lines = capfd.readouterr().err.splitlines()
    assert len(lines) == 1 and "zones[0].polygon" in lines[0] and told in lines[0]


@pytest.mark.case("sibling: metres typed with a slip, an inside point or a shelf off the floor")
def test_an_inside_point_and_a_shelf_off_the_floor_are_told(shop, capfd):
    shop.data["entrances"] = [GATE | {"inside": [8, -60]}]
    shop.data["floor"]["fixtures"] = [{"polygon": [[100, 100], [101, 100], [101, 101]], "height_m": 1}]
    assert shop.command("check", str(shop.file)) == 2
    told = capfd.readouterr().err
    assert "entrances[0].inside: (8, -60) lies outside the floor" in told
    assert "floor.fixtures[0].polygon: (100, 100) lies outside the floor" in told


@pytest.mark.case("sibling: YAML reads no as false and 10:00 as six hundred")
@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (
            "friday:\n  - 10:00-10:01",
            "friday: [10:00, 12:00]",
            "opening_hours.friday[0]: input should be a valid string",
        ),
        ("id: aisle", "id: no", "zones[0].id: input should be a valid string; it is False"),
        ("width_m: 16.0", "width_m: 16,5", "floor.width_m: input should be a valid number"),
        ("sampling_fps: 10", "sampling_fps: 0.2", "cameras[0].sampling_fps: input should be greater than"),
    ],
)
def test_slips_of_yaml_are_told_where_they_are(shop, capfd, old, new, told):
    shop.clip([], 1)
    text = shop.file.read_text()
    assert old in text
    spoilt = shop.folder / "spoilt.yaml"
    spoilt.write_text(text.replace(old, new))
    assert shop.command("check", str(spoilt)) == 2
    lines = capfd.readouterr().err.splitlines()
    assert told in lines[0] and all(": opening_hours.friday" in line for line in lines[1:])
