"""Where far people are small: told while a store is set up, searched enlarged where the store says so."""

from __future__ import annotations

from flows.chunks import cut_camera_day
from flows.config import StoreConfig
from flows.preflight import preflight
from flows.sight import advice, small_people_tiles
from flows.store_reading import load_store
from flows.stores import DEMO


def demo_with(**detector: object) -> StoreConfig:
    config = load_store(DEMO)
    return config.model_copy(update={"detector": config.detector.model_copy(update=detector)})


def told(config: StoreConfig) -> list[str]:
    return [text for _, text in advice(config) if "far end" in text]


def test_small_people_are_told_once_they_are_too_small_and_nothing_is_done_about_it():
    assert told(demo_with(image_size=960)) == []
    small = demo_with(image_size=320)
    assert len(told(small)) == 3 and "`detector: {tiles: true}`" in told(small)[0]
    assert all(small_people_tiles(small, camera) == () for camera in small.cameras), "off unless the store says so"
    assert told(demo_with(image_size=320, tiles=True)) == []


def test_tiles_are_part_of_what_a_chunk_depends_on():
    ready = preflight(DEMO)
    camera, found, window = ready.config.cameras[0], ready.found[0], ready.config.day_window(ready.day)
    plain, enlarged = (
        cut_camera_day(demo_with(image_size=320, tiles=tiles), camera, found, window)[0] for tiles in (False, True)
    )
    assert plain.tiles == () and len(enlarged.tiles) >= 1
    assert plain.key != enlarged.key
