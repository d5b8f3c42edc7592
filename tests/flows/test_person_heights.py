"""People placed anew by the heights that all views of them tell."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import flows
from detection.camera_pose import CameraPose
from detection.place import HEIGHTS_M, height_prior, height_sigma, locate, mean_height
from flows.camera_day import CameraTracks, shop_of
from flows.config import Camera
from flows.person_heights import placed_anew
from flows.store_reading import load_store
from reid.floor_agreement import FloorModel
from reid.heights import Heights
from reid.tracklets import Samples
from reid.triangulation import heights_of_people

DEMO = Path(flows.__file__).parent / "demo" / "store.yaml"


def told(*tracks: tuple[float, float] | None, people: list[int]) -> tuple[list[float], list[float]]:
    """Mean heights and deviations after: tracks of so many metres and deviation, None for whom no camera knows more of
    than of anybody; ten samples each, without a place."""
    prior = height_prior()
    of = [prior if one is None else np.exp(-(((HEIGHTS_M - one[0]) / one[1]) ** 2) / 2) for one in tracks]
    own = Heights(HEIGHTS_M, prior, np.stack([one / one.sum() for one in of]))
    tracklet = np.repeat(np.arange(len(tracks)), 10)
    nowhere = np.full(len(tracklet), np.nan)
    found = heights_of_people(
        Samples(tracklet, tracklet, nowhere, nowhere), own, np.array(people, np.int64), FloorModel()
    ).of
    return mean_height(found).tolist(), height_sigma(found).tolist()


def test_whose_feet_one_camera_sees_has_that_height_in_the_others():
    height, sigma = told((1.60, 0.02), None, people=[1, 1])
    assert height == pytest.approx([1.60, 1.62], abs=0.015)
    assert sigma[0] == pytest.approx(0.02, abs=0.01) and sigma[1] < 0.09


def test_who_is_nobodys_or_never_seen_whole_keeps_the_guess():
    height, _ = told((1.60, 0.02), None, None, None, people=[1, 0, 2, 2])
    assert height[1:] == pytest.approx([float(height_prior() @ HEIGHTS_M)] * 3, abs=0.005)


def test_a_child_joined_by_mistake_does_not_shrink_an_adult():
    height, _ = told((1.80, 0.02), (1.82, 0.02), (1.15, 0.02), None, people=[1, 1, 1, 1])
    assert height[2] == pytest.approx(1.15, abs=0.01), "who was seen whole is as tall as seen"
    assert height[3] == pytest.approx(1.78, abs=0.03)


def seen(camera: Camera, pose: CameraPose, places: np.ndarray, height: float, hidden_below: float) -> CameraTracks:
    """A camera's day with one track, of somebody of whom only what is higher than `hidden_below` metres shows."""
    calibration = camera.floor_calibration
    assert calibration is not None
    boxes = []
    for x, y in places:
        (low_x, low), (top_x, top) = pose.project(np.array([[x, y, hidden_below], [x, y, height]]))
        half = 0.12 * abs(low - top)
        boxes.append([min(low_x, top_x) - half, top, max(low_x, top_x) + half, low])
    track, times = np.ones(len(places), np.int64), np.arange(len(places)) * 500_000
    none = np.zeros((1, 0), np.float32)
    return CameraTracks(
        camera=camera.id,
        calibrated=True,
        track_id=track,
        time_us=times,
        boxes=np.array(boxes, np.float32),
        score=np.ones(len(places), np.float32),
        places=locate(np.array(boxes), track, pose, calibration.image_size),
        ids=track[:1],
        start_us=times[:1],
        end_us=times[-1:],
        samples=np.array([len(places)]),
        embedding=none,
        quality=np.zeros(1, np.float32),
        colours=np.full((1, 2, 11), np.nan, np.float32),
        truncated_start=np.zeros(1, bool),
        truncated_end=np.zeros(1, bool),
        observed=((0, int(times[-1])),),
        frames=len(places),
        problems=(),
        timestamps="container",
    )


def off(tracks: CameraTracks, places: np.ndarray) -> float:
    return float(np.median(np.linalg.norm(tracks.places.xy - places, axis=1)))


def test_a_head_behind_a_shelf_is_placed_by_what_another_camera_saw_of_its_child():
    config = load_store(DEMO)
    first, second = config.cameras[:2]
    poses = [camera.floor_calibration.pose() for camera in (first, second) if camera.floor_calibration]
    assert poses[0] is not None and poses[1] is not None
    middle = np.array([config.floor.width_m, config.floor.depth_m]) / 2
    places = middle + np.column_stack([np.linspace(-1, 1, 20), np.zeros(20)])
    whole, head = seen(first, poses[0], places, 1.2, 0.0), seen(second, poses[1], places, 1.2, 0.8)
    tracks = [whole, head]
    config = config.model_copy(update={"cameras": (first, second)})
    people = pd.DataFrame({"camera": [first.id, second.id], "track_id": [1, 1], "person_id": [1, 1]})
    after = placed_anew(config, tracks, people, shop_of(config))
    assert off(head, places) > 0.5 > 0.25 > off(after[1], places)
    assert off(after[0], places) == pytest.approx(off(whole, places), abs=0.02), "seen feet give the place as before"
    nobody = placed_anew(config, tracks, people[:0], shop_of(config))
    assert off(nobody[1], places) == pytest.approx(off(head, places), abs=1e-6), "nobody's stays where it was"
