"""Checks of a day: a camera that was turned, a lens that is covered, clocks that are off, tracks that are cut off."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from detection.camera_view import is_blind, median_view, movement, sharpness, small_grey
from flows.camera_views import CameraLook, blind_times, floor_shift, view_rows, views_before
from flows.clock_checks import camera_lags, course_shift_h
from flows.config import StoreConfig
from flows.day_checks import day_checks, said_of
from flows.lake import Lake
from flows.places import SECOND_US, timestamps
from flows.schemas import conform, from_columns
from flows.store_reading import load_store
from flows.stores import DEMO

DAY = date(2025, 3, 14)
HOUR_US = 3600 * SECOND_US


@pytest.fixture(scope="module")
def store() -> StoreConfig:
    return load_store(DEMO)


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    """A room with shelves: RGB (720, 1280, 3)."""
    random = np.random.default_rng(4)
    image = np.full((720, 1280, 3), 120, np.uint8)
    for _ in range(160):
        x, y, w, h = random.integers(0, (1200, 680, 160, 90))
        cv2.rectangle(image, (int(x), int(y)), (int(x + w), int(y + h)), random.integers(0, 255, 3).tolist(), -1)
    return image


def turned(image: np.ndarray, pixels: float, degrees: float = 0.0, gain: float = 1.0) -> np.ndarray:
    height, width = image.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1.0)
    matrix[0, 2] += pixels
    moved = cv2.warpAffine(image, matrix, (width, height), borderMode=cv2.BORDER_REFLECT)
    return np.clip(moved * gain, 0, 255).astype(np.uint8)


@pytest.mark.parametrize(("pixels", "degrees", "gain"), [(0, 0, 1), (4, 0, 0.7), (30, 1, 1.2), (100, 3, 1)])
def test_a_turned_camera_is_measured_to_a_pixel(picture: np.ndarray, pixels, degrees, gain) -> None:
    before, now = small_grey(picture), small_grey(turned(picture, pixels, degrees, gain))
    moved = movement(before, now)
    assert moved is not None
    width = picture.shape[1]
    middle = np.array([0.5, 0.5 * 720 / 1280, 1.0])
    assert (moved @ middle)[0] * width - width / 2 == pytest.approx(pixels, abs=1.5)


def test_another_view_has_nothing_in_common(picture: np.ndarray) -> None:
    other = np.random.default_rng(9).integers(0, 255, (9, 16), dtype=np.uint8)
    other = cv2.resize(other, (1280, 720), interpolation=cv2.INTER_NEAREST)
    assert movement(small_grey(picture), small_grey(other)) is None
    assert movement(small_grey(picture), np.full_like(small_grey(picture), 90)) is None


def test_who_walks_through_is_not_in_the_view(picture: np.ndarray) -> None:
    pictures = []
    for number in range(9):
        image = picture.copy()
        image[200:600, 100 + 120 * number : 180 + 120 * number] = 0
        pictures.append(small_grey(image))
    assert np.abs(median_view(pictures).picture.astype(int) - small_grey(picture)).max() <= 2


def test_a_covered_and_a_dark_lens_are_blind(picture: np.ndarray) -> None:
    grey = small_grey(picture)
    usual = sharpness(grey)
    assert not is_blind(grey, usual)
    assert is_blind(cv2.GaussianBlur(grey, (0, 0), 12), usual)
    assert is_blind(np.full_like(grey, 3), usual)
    look = CameraLook("west", (1, 2, 3), (grey, np.full_like(grey, 60), grey))
    assert blind_times(look, None) == [2]
    covered_all_day = CameraLook("west", (1, 2), (np.full_like(grey, 60),) * 2)
    assert blind_times(covered_all_day, usual) == [1, 2]


def test_the_shift_is_told_in_metres_on_the_floor(store: StoreConfig, picture: np.ndarray) -> None:
    camera = store.cameras[0]
    assert camera.floor_calibration is not None and camera.image_size is not None
    image = cv2.resize(picture, camera.image_size)
    still, moved = (median_view([small_grey(turned(image, pixels))]) for pixels in (0.0, 25.0))
    before = median_view([small_grey(image)])
    assert floor_shift(before, still, camera.floor_calibration, store) < 0.02
    assert floor_shift(before, moved, camera.floor_calibration, store) > 0.1


def looks(picture: np.ndarray, size: tuple[int, int], pixels: float = 0.0) -> list[CameraLook]:
    grey = small_grey(turned(cv2.resize(picture, size), pixels))
    return [CameraLook("west", (1, 2, 3), (grey,) * 3)]


def run_of(seen: float) -> pd.DataFrame:
    spans = {"seconds_expected": 100.0, "seconds_seen": seen, "seconds_missing": 100.0 - seen}
    row = {
        "run_id": "r",
        "started": 0,
        "finished": 1,
        "code_version": "0",
        "config_sha256": "0",
        "models": [],
        "simulated": False,
        "cameras": [{"camera": "west", "frames": 1, "gaps": []} | spans],
        "problems": [],
        "stage_seconds": {},
    }
    return from_columns("runs", {name: [value] for name, value in row.items()})


def test_a_camera_that_moved_since_yesterday_is_told(store: StoreConfig, picture: np.ndarray, tmp_path: Path) -> None:
    size = next(camera.image_size for camera in store.cameras if camera.id == "west")
    lake = Lake(str(tmp_path))
    first = {"runs": run_of(100.0)}
    checks = day_checks(store, date(2025, 3, 13), first, looks(picture, size), lake)
    assert not checks["wrong"].any() and "camera moved" not in set(checks["check"])  # there is no day before
    lake.write_day(store.id, date(2025, 3, 13), first | {"camera_views": view_rows(looks(picture, size))})
    assert set(views_before(lake, store.id, DAY)) == {"west"}
    assert not views_before(lake, store.id, date(2025, 3, 13))
    checks = day_checks(store, DAY, {"runs": run_of(80.0)}, looks(picture, size, 60.0), lake)
    told = said_of(checks)
    assert any(line.startswith("west: camera moved: moved since 2025-03-13") for line in told)
    assert any(line.startswith("west: coverage: saw 80.0%") for line in told)
    conform("checks", checks)
    still = day_checks(store, DAY, {"runs": run_of(100.0)}, looks(picture, size), lake)
    assert still.loc[still["check"] == "camera moved", "wrong"].tolist() == [False]


def test_cut_off_tracks_and_unsure_identities_are_told(store: StoreConfig, tmp_path: Path) -> None:
    columns = {
        "camera": ["west"] * 10,
        "track_id": list(range(1, 11)),
        "person_id": list(range(1, 11)),
        "confidence": [0.3] * 4 + [0.9] * 6,
    }
    tables = {"runs": run_of(100.0), "identities": conform("identities", pd.DataFrame(columns))}
    told = said_of(day_checks(store, DAY, tables, [], Lake(str(tmp_path))))
    assert told == ["unsure identities: 40.0% of 10 tracks are joined with a confidence under 0.5"]


def people_seen(lag_s: int) -> pd.DataFrame:
    """Two cameras over one floor; the second's recorder is `lag_s` behind."""
    random = np.random.default_rng(1)
    frames = []
    for start in random.integers(0, 7000, 150):
        seconds = np.arange(int(start), int(start) + 40)
        x = 2 + random.random() * 3
        frames += [
            pd.DataFrame({"camera": camera, "second": seconds + late, "x_m": x, "y_m": 3.0})
            for camera, late in (("north", 0), ("south", lag_s))
        ]
    table = pd.concat(frames, ignore_index=True)
    return table.assign(time=timestamps(table["second"].to_numpy() * SECOND_US))


@pytest.mark.parametrize("lag_s", [0, 7, -45])
def test_a_recorders_clock_is_held_against_its_neighbours(lag_s: int) -> None:
    assert list(camera_lags(people_seen(lag_s))) == [("north", "south", float(-lag_s))]


def day_of_counts(store: StoreConfig, day: date, later_h: float, seed: int) -> pd.DataFrame:
    """Minutes of one zone with a noon and an evening peak."""
    start = store.day_window(day)[0]
    hours = np.arange(24 * 60) / 60 - later_h
    people = np.exp(-((hours - 12) ** 2) / 2) + 2 * np.exp(-((hours - 17.5) ** 2) / 3)
    people *= np.random.default_rng(seed).normal(1, 0.1, len(people))
    whole = pd.array(np.ceil(people).astype(int), dtype="Int32")
    return pd.DataFrame(
        {
            "zone": "aisle",
            "bucket_start": start + np.arange(24 * 60) * 60 * SECOND_US,
            "bucket_s": 60,
            "role_filter": "shoppers",
            "occupancy_mean": people,
            **dict.fromkeys(("occupancy_max", "entries", "exits", "unique_people"), whole),
            "dwell_s": people * 60,
            "density_mean": np.nan,
            "coverage": 1.0,
        }
    )


@pytest.mark.parametrize("later_h", [0.0, 1.0, -2.0])
def test_a_day_that_runs_an_hour_late_is_told(store: StoreConfig, tmp_path: Path, later_h: float) -> None:
    lake = Lake(str(tmp_path))
    for number in range(3):
        day = date(2025, 3, 10 + number)
        assert course_shift_h(store, day, conform("zone_counts", day_of_counts(store, day, 0, number)), lake) is None
        lake.write_day(store.id, day, {"zone_counts": day_of_counts(store, day, 0, number)})
    counts = conform("zone_counts", day_of_counts(store, DAY, later_h, 7))
    assert course_shift_h(store, DAY, counts, lake) == pytest.approx(later_h, abs=0.25)
