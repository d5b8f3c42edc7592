"""Heads of people whom the detector missed are not shown: around them, they were found."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from detection.detector import DetectorNotFound
from flows import camera_picture, person_crops, person_search
from flows.find import TrackletName
from flows.lake_layout import final_path
from flows.store_reading import load_store
from flows.tracklet_positions import people_around
from tests.flows.painted import BACKGROUND, PaintedDetector, PaintedStore, walks
from tests.flows.search_lake import DAY, TEN, Seen, open_search, write_day, write_store

AT = TEN + 2_000_000
MISSED_US = 500_000


@pytest.fixture
def missed(tmp_path: Path, monkeypatch) -> tuple[person_search.PersonSearch, np.ndarray]:
    """A search on a day whose second person stands 30 pixels beside the first, and was not found within half a second
    of AT; and the picture at AT, in which the detector finds nobody."""
    file, lake = write_store(tmp_path), tmp_path / "lake"
    write_day(file, lake, [Seen(1, "west"), Seen(2, "west"), Seen(3, "south")])
    path = lake / final_path("positions", "demo", DAY.isoformat())
    table = pq.read_table(path)
    rows = table.to_pandas()
    second, off = rows["track_id"] == 2, (rows["time"].astype("int64") - AT).abs()
    rows.loc[second, ["x1", "x2"]] += 30.0
    rows = rows[~second | (off > MISSED_US)]
    pq.write_table(type(table).from_pandas(rows, table.schema, preserve_index=False), path)
    picture = np.random.default_rng(1).integers(0, 255, (540, 960, 3), np.uint8)
    monkeypatch.setattr(person_crops, "pictures_at", lambda *asked: [(picture, np.ones(4)) for _ in asked[2]])
    for module in (person_crops, person_search):
        monkeypatch.setattr(module, "people_in", lambda *_: np.zeros((0, 4)))
    return open_search(file, lake), picture


def test_who_was_missed_for_a_moment_is_where_the_track_goes_on(missed, tmp_path: Path):
    search, _ = missed
    camera = person_crops.camera_of(search.config, "west")
    around = people_around(search._lake, search.config, camera, DAY, AT).set_index("track_id")
    assert around.loc[1].tolist() == pytest.approx([140, 100, 200, 300])
    assert around.loc[2].tolist() == pytest.approx([170, 100, 230, 300])
    assert set(around.index) == {1, 2}
    (tmp_path / "lake" / final_path("positions", "demo", DAY.isoformat())).unlink()
    assert people_around(search._lake, search.config, camera, DAY, AT).empty


def test_their_head_is_blurred_in_a_frame_and_in_a_crop(missed, monkeypatch):
    search, picture = missed
    frame, people = search.frame("west", AT)
    assert people["track_id"].tolist() == [1]
    assert frame[100:135, 205:235].std() < 0.5 * picture.std(), "the head of whom only the moments around show"
    np.testing.assert_array_equal(frame[300:], picture[300:])
    search.show_heads()
    monkeypatch.setattr(person_crops, "best_sample", lambda track, _: track[track["time_us"] == AT].iloc[0])
    (crop,) = search.crops([TrackletName(DAY, "west", 1)])
    left = round(140 - 0.08 * 60)
    assert crop[20:45, 172 - left : 200 - left].std() < 0.5 * picture.std(), "of the other"
    assert crop[20:45, :20].std() > 0.9 * picture.std(), "of the one who is looked for"


class OftenMisses(PaintedDetector):
    """Finds painted people in every fifth picture only."""

    def __init__(self) -> None:
        self.asked, self.calls = 0, 0

    def detect(self, images):
        self.calls += 1
        return super().detect(images)

    def _one(self, image: np.ndarray):
        self.asked += 1
        return super()._one(image) if self.asked % 5 == 0 else super()._one(BACKGROUND)


def test_a_cameras_picture_shows_who_stands_without_a_head_and_nobody_who_walks(shop: PaintedStore, monkeypatch):
    stands = walks(2, (0, 250, 200), (20, 250, 200))
    shop.clip([walks(0, (0, 20, 150), (20, 190, 150)), stands], 20.0)
    config = load_store(shop.file)
    detector = OftenMisses()
    monkeypatch.setattr(person_crops, "detector_of", lambda _: detector)
    picture = camera_picture.camera_picture(config, shop.folder, config.cameras[0], DAY)
    assert detector.calls == 1, "the median and its pictures at once: a detector works on several at a time"
    monkeypatch.setattr(camera_picture, "people_in_each", lambda _, pictures: [np.zeros((0, 4)) for _ in pictures])
    with_head = camera_picture.camera_picture(config, shop.folder, config.cameras[0], DAY)
    assert picture is not None and with_head is not None
    assert np.abs(picture.astype(int) - BACKGROUND)[:, :200].max() < 40, "who walks is gone"
    changed = np.abs(picture.astype(int) - with_head).max(axis=2)
    assert changed[128:138, 240:260].mean() > 15, "the head is blurred"
    assert (changed[160:] == 0).all() and (changed[:, :200] == 0).all()


def test_a_picture_without_a_detector_or_of_one_moment_is_coarse(shop: PaintedStore, monkeypatch):
    shop.clip([walks(2, (0, 250, 200), (20, 250, 200))], 20.0)
    config = load_store(shop.file)

    def gone(_: object) -> None:
        raise DetectorNotFound("no such model")

    seen = camera_picture.camera_picture(config, shop.folder, config.cameras[0], DAY)
    monkeypatch.setattr(person_crops, "detector_of", gone)
    blind = camera_picture.camera_picture(config, shop.folder, config.cameras[0], DAY)
    assert seen is not None and blind is not None and blind.shape == seen.shape
    steps = [np.abs(np.diff(one[170:195, 242:258].astype(int), axis=0)).mean() for one in (seen, blind)]
    assert steps[1] < 0.7 * steps[0]
    monkeypatch.setattr(camera_picture, "PICTURES", 2)
    few = camera_picture.camera_picture(config, shop.folder, config.cameras[0], DAY)
    np.testing.assert_allclose(few.astype(int), blind, atol=8)
    assert camera_picture.camera_picture(config, shop.folder / "elsewhere", config.cameras[0], DAY) is None
