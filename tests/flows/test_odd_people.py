"""Tracking and people end to end: missed detections, people who come back, two cameras, twins, false boxes."""

from __future__ import annotations

import copy

import numpy as np
import pandas as pd
import pytest

from detection.detector import Detections
from flows.occupancy import occupancy_by_crossings
from flows.store_reading import examine_store
from tests.flows.painted import DAY, Painted, PaintedDetector, walks

VISITOR = walks(0, (2, 20, 200), (4, 160, 200), (14, 160, 200), (18, 300, 200))
STANDS = walks(0, (0, 160, 200), (19, 160, 200))
GATE = {"id": "main", "line": [[0, 3], [16, 3]], "inside": [8, 6]}


def people(shop) -> int:
    return shop.table("identities")["person_id"].nunique()


def second_camera(shop, **other) -> None:
    """A camera `cam2` that sees the same floor from the same place."""
    shop.data["cameras"].append(copy.deepcopy(shop.data["cameras"][0]) | {"id": "cam2"} | other)


class Blinking(PaintedDetector):
    """Misses everybody in the pictures of some numbers."""

    def __init__(self, misses: set[int]) -> None:
        self.misses, self.seen = misses, 0

    def detect(self, images):
        found = super().detect(images)
        numbers = range(self.seen, self.seen + len(images))
        self.seen += len(images)
        return [Detections.none() if n in self.misses else one for n, one in zip(numbers, found, strict=True)]


def blink(monkeypatch: pytest.MonkeyPatch, misses: set[int]) -> None:
    detector = Blinking(misses)
    monkeypatch.setattr("flows.chunks._load_detector", lambda *_: detector)


@pytest.mark.case("supervision 1805, trackers PR 420")
def test_one_missed_detection_at_ten_a_second_is_the_same_person(shop, monkeypatch):
    blink(monkeypatch, {50, 90, 91, 92})
    shop.clip([STANDS], 20)
    assert shop.run() == 0
    assert people(shop) == 1 and len(shop.table("tracklets")) == 1
    assert shop.table("visits")["dwell_s"].tolist() == pytest.approx([19], abs=0.2)


@pytest.mark.case("supervision 1805, trackers PR 420")
def test_a_rate_at_which_patience_is_no_frame_is_refused_before_the_night(shop):
    shop.data["cameras"][0]["sampling_fps"] = 0.2
    _, problems = examine_store(shop.file)
    assert [problem.field for problem in problems] == ["cameras[0].sampling_fps"]


@pytest.mark.case("ultralytics 16864, PR 24889")
def test_a_camera_after_another_in_one_process_gives_what_it_gives_alone(shop):
    shop.clip([VISITOR], 20)
    assert shop.run() == 0
    alone = shop.table("positions")
    second_camera(shop)
    shop.clip([VISITOR], 20, camera="cam2")
    assert shop.run() == 0
    both = shop.table("positions")
    for camera in ("cam", "cam2"):
        own = both[both["camera"] == camera].reset_index(drop=True)
        pd.testing.assert_frame_equal(own.drop(columns="camera"), alone.drop(columns="camera"), check_categorical=False)


@pytest.mark.case("ultralytics 19853")
def test_a_recording_in_six_files_gives_what_it_gives_whole(shop):
    crowd = [VISITOR, walks(3, (0, 160, 100), (30, 160, 100)), walks(2, (9, 20, 140), (26, 300, 140))]
    whole_clip = shop.clip(crowd, 30)
    assert shop.run() == 0
    whole = {name: shop.table(name) for name in ("visits", "identities", "zone_counts")}
    whole_clip.unlink()
    for number in range(6):
        shop.clip(crowd, 5, start=f"10-00-{5 * number:02}", first_s=5 * number)
    assert shop.run() == 0
    assert whole["visits"]["person_id"].nunique() == 3
    cut = shop.table("visits")
    assert cut[["person_id", "zone", "truncated"]].equals(whole["visits"][["person_id", "zone", "truncated"]])
    assert cut["dwell_s"].tolist() == pytest.approx(whole["visits"]["dwell_s"].tolist(), abs=0.1)
    assert shop.table("identities")["person_id"].tolist() == whole["identities"]["person_id"].tolist()


@pytest.mark.case("supervision PR 1364, norfair 309")
def test_a_false_box_that_flickers_is_nobody(shop):
    flicker = Painted(3, lambda second: (250, 100) if round(second * 10) % 3 == 0 else None)
    shop.clip([VISITOR, flicker], 20)
    assert shop.run() == 0
    assert people(shop) == 1 and shop.table("visits")["person_id"].nunique() == 1
    assert set(shop.table("positions")["track_id"]) == {1}


@pytest.mark.case("FairMOT 168, 475, 383")
def test_who_leaves_the_picture_for_twenty_seconds_is_one_person_with_two_visits(shop):
    goes, comes = walks(0, (0, 160, 200), (6, 330, 200)), walks(0, (26, 330, 200), (32, 160, 200), (39, 160, 200))
    shop.clip([goes, comes], 40)
    assert shop.run() == 0
    assert people(shop) == 1 and len(shop.table("visits")) == 2
    assert len(shop.table("tracklets")) == 2


@pytest.mark.case("norfair 337")
def test_a_track_of_two_frames_has_the_whole_patience(shop):
    shop.clip([Painted(0, lambda second: (160, 200) if second < 0.15 or second > 1.15 else None)], 20)
    assert shop.run() == 0
    assert len(shop.table("tracklets")) == 1 and people(shop) == 1


@pytest.mark.case("People-Counting-in-Real-Time 19, 31")
def test_two_who_leave_first_were_inside_at_opening(shop):
    shop.data["entrances"] = [GATE]
    leavers = [walks(0, (0, 100, 100), (9, 100, 238)), walks(3, (0, 200, 100), (12, 200, 238))]
    shop.clip([*leavers, walks(2, (15, 160, 238), (22, 160, 100), (29, 160, 100))], 30)
    assert shop.run() == 0
    begin = pd.Timestamp(f"{DAY}T10:00:00Z").value // 1000
    inside = occupancy_by_crossings(shop.table("footfall"), (begin, begin + 60_000_000))
    assert inside["inside"].tolist() == [2, 1, 0, 1]
    assert set(inside["inside_at_opening"]) == {2}


@pytest.mark.case("LeonLok/Multi-Camera 41, scenescape 544")
def test_one_person_before_two_cameras_at_once_is_one(shop):
    second_camera(shop)
    shop.clip([VISITOR], 20)
    shop.clip([VISITOR], 20, camera="cam2")
    assert shop.run() == 0
    assert people(shop) == 1 and len(shop.table("tracklets")) == 2
    assert len(shop.table("visits")) == 1
    assert shop.table("zone_counts")["occupancy_max"].tolist() == [1, 1]


@pytest.mark.case("sibling: two cameras at different rates")
def test_cameras_of_different_rates_see_one_person(shop):
    second_camera(shop, sampling_fps=4)
    shop.clip([VISITOR], 20)
    shop.clip([VISITOR], 20, camera="cam2")
    assert shop.run() == 0
    assert people(shop) == 1
    assert shop.table("visits")["dwell_s"].tolist() == pytest.approx([13.43], abs=0.2)


@pytest.mark.case("sibling: one camera after the other, no overlap")
def test_who_walks_from_one_camera_to_the_next_stays_one_person(shop):
    second_camera(shop)
    shop.clip([VISITOR], 20)
    shop.clip([VISITOR], 20, camera="cam2", start="10-00-30")
    assert shop.run() == 0
    assert people(shop) == 1 and len(shop.table("visits")) == 2


@pytest.mark.case("sibling: twins, or two in the same uniform, in one picture")
def test_two_at_once_in_one_camera_are_two_however_alike(shop):
    shop.clip([STANDS, walks(0, (0, 220, 200), (19, 220, 200))], 20)
    assert shop.run() == 0
    assert people(shop) == 2
    assert shop.table("zone_counts")["occupancy_max"].tolist() == [2, 2]


@pytest.mark.case("sibling: two people cross each other's way")
def test_people_who_pass_each_other_keep_who_they_are(shop):
    east, west = walks(0, (0, 60, 200), (18, 260, 200)), walks(3, (0, 260, 190), (18, 60, 190))
    shop.clip([east, west], 20)
    assert shop.run() == 0
    assert people(shop) == 2 and len(shop.table("visits")) == 2
    places = shop.table("positions").merge(shop.table("identities"), on=["camera", "track_id"])
    for _, own in places.sort_values("time").groupby("person_id"):
        assert abs(own["x_m"].iloc[-1] - own["x_m"].iloc[0]) > 8  # nobody turned round in the middle


@pytest.mark.case("sibling: hidden behind a shelf for ten seconds")
def test_a_short_hidden_span_is_one_visit(shop):
    shop.clip([Painted(0, lambda second: (160, 200) if second < 5 or second > 15 else None)], 20)
    assert shop.run() == 0
    assert people(shop) == 1
    assert shop.table("visits")["dwell_s"].tolist() == pytest.approx([20], abs=0.2)


@pytest.mark.case("sibling: a flash, or a box in one single frame")
def test_one_frame_is_nobody(shop):
    shop.clip([Painted(0, lambda second: (160, 200) if 5 <= second < 5.05 else None)], 20)
    assert shop.run() == 0
    assert people(shop) == 0 and shop.table("visits").empty


@pytest.mark.case("sibling: staff at a counter all day")
def test_staff_are_left_out_of_shoppers_and_kept_in_all(shop, capfd):
    shop.data["zones"].append({"id": "counter", "kind": "staff", "polygon": [[13, 0], [16, 0], [16, 4], [13, 4]]})
    shop.data["staff"] = {"zone": "counter", "min_zone_s": 10}
    clerk = walks(3, (0, 280, 200), (25, 280, 200), (28, 160, 200), (35, 160, 200))
    shop.clip([VISITOR, clerk], 36)
    assert shop.run() == 0
    assert "1 shopper and 1 staff" in " ".join(capfd.readouterr().out.split())
    spent = shop.table("zone_counts").groupby(["zone", "role_filter"])["dwell_s"].sum()
    assert spent["aisle", "all"] > spent["aisle", "shoppers"] + 5
    assert spent["counter", "shoppers"] == 0


@pytest.mark.case("sibling: the clocks of two recorders differ")
def test_recorders_out_of_step_are_told(shop):
    """One floor, two recorders, one 6 s behind: the same people come twice, and the day says why."""
    second_camera(shop)
    shop.data["opening_hours"] = {"friday": ["10:00-10:10"]}
    random = np.random.default_rng(1)

    def stroller(hue: int) -> Painted:
        steps, second = [], float(random.uniform(0, 20))
        while second < 350:
            for x in (20.0, float(random.uniform(100, 220)), 300.0):
                steps.append((second, x, 100 + 22.0 * hue))
                second += float(random.uniform(3, 9))
            second += float(random.uniform(5, 25))
        return walks(hue, *steps)

    crowd = [stroller(hue) for hue in range(5)]
    shop.data["cameras"][0]["sampling_fps"] = shop.data["cameras"][1]["sampling_fps"] = 2
    shop.clip(crowd, 360, fps=2)
    shop.clip(crowd, 354, fps=2, camera="cam2", start="10-00-06")
    assert shop.run() == 0
    lags = shop.table("checks").query("check == 'clock of a camera'")
    assert lags["wrong"].tolist() == [True] and abs(lags["value"].iloc[0]) == pytest.approx(6, abs=1)
    assert any("set the recorders' clocks" in line for line in shop.account["problems"])
