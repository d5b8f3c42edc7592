"""What of zones and entrances the cameras have in view: told while a store is set up, not after a month of nights.

Shelves that hide a part are not considered, nor how well feet are seen at the picture's border.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import combinations

import numpy as np

from detection.floor import FloorCalibration
from detection.tiles import LEAST_PX, Tile, far_height, tiles_for
from detection.zones import overlap_area
from flows.config import Camera, StoreConfig
from flows.config_checks import Fault
from flows.footfall import HYSTERESIS_M, HYSTERESIS_PX
from flows.observation import filled, seen_points

View = Callable[[np.ndarray], np.ndarray]
"""Which points (N, 2) of a plane are in view: bool (N,)."""

LINE_POINTS = 41
ENOUGH = 0.9
OVERLAP_M2 = 0.1
FAR_PX = 0.75 * LEAST_PX
"""Height of people at a camera's far end below which it is worth telling."""


def floor_view(calibrations: Mapping[str, FloorCalibration]) -> View:
    """What any calibrated camera's picture holds, in floor metres."""

    def seen(points: np.ndarray) -> np.ndarray:
        found = np.zeros(len(points), bool)
        for calibration in calibrations.values():
            found |= picture_view(calibration.image_size)(calibration.to_pixels(points))
        return found

    return seen


def picture_view(size: tuple[int, int]) -> View:
    """What lies in a picture of (width, height), in pixels."""
    return lambda points: np.all((points >= 0) & (points <= size), axis=1)  # NaN, behind the camera, is not in it


def entrance_in_view(line: np.ndarray, view: View, margin: float) -> float:
    """Share of a line (2, 2) that has `margin` in view on both of its sides: only there can a crossing be seen."""
    start, end = np.asarray(line, float)
    along = end - start
    normal = np.array([-along[1], along[0]]) / np.hypot(*along) * margin
    points = start + np.linspace(0, 1, LINE_POINTS)[:, None] * along
    return float((view(points + normal) & view(points - normal)).mean())


def entrance_advice(line: np.ndarray, view: View, *, pixels: bool) -> str | None:
    """What to tell whoever drew this entrance; None where all of it can be counted."""
    margin, unit = (HYSTERESIS_PX, "px") if pixels else (HYSTERESIS_M, "m")
    share = entrance_in_view(line, view, margin)
    if share >= ENOUGH:
        return None
    part = "nowhere" if share == 0 else f"along {share:.0%} of it only"
    return (
        f"{part} do the cameras see {margin:g} {unit} on both sides of this entrance, and where they don't, people"
        " who cross it may not be counted: move the line into view, or turn a camera"
    )


def small_people_tiles(config: StoreConfig, camera: Camera) -> tuple[Tile, ...]:
    """Parts of a camera's pictures that are searched enlarged: where people in the store's zones are small.

    None where the store does without, the camera is not calibrated, or no zone is drawn on the floor.
    """
    calibration = camera.floor_calibration
    if not config.detector.tiles or calibration is None:
        return ()
    return tiles_for(calibration, _zone_points(config), config.detector.image_size)


def _zone_points(config: StoreConfig) -> np.ndarray:
    """Points (M, 2) that fill the zones drawn on the floor, metres."""
    zones = [filled(np.array(zone.polygon)) for zone in config.zones if zone.camera is None]
    return np.concatenate(zones) if zones else np.zeros((0, 2))


def _far_people_advice(config: StoreConfig, camera: Camera) -> str | None:
    """What to tell where a camera sees people in the zones so small that many of them are not found."""
    calibration, input_px = camera.floor_calibration, config.detector.image_size
    if config.detector.tiles or calibration is None:
        return None
    floor = _zone_points(config)
    height = far_height(calibration, floor, input_px)
    if height is None or height >= FAR_PX:
        return None
    tiles = len(tiles_for(calibration, floor, input_px))
    return (
        f"people at the far end are about {height:.0f} px high in what the detector sees, and fewer of them are found:"
        f" `detector: {{tiles: true}}` looks at {tiles} enlarged part{'s' * (tiles > 1)} as well, in about"
        f" {tiles + 1} times the time"
    )


def advice(config: StoreConfig) -> Iterator[Fault]:
    """Where in the file, and what to know: zones and entrances out of view, zones that overlap, idle cameras."""
    calibrations = {c.id: c.floor_calibration for c in config.cameras if c.floor_calibration is not None}
    sizes = {camera.id: camera.image_size for camera in config.cameras}
    for number, zone in enumerate(config.zones):
        if zone.camera is None:
            seen = list(seen_points(np.array(zone.polygon), calibrations).values())
            share = float(np.logical_or.reduce(seen).mean()) if seen else 0.0
            if 0 < share < ENOUGH:
                said = f"the cameras see {share:.0%} of this zone: its coverage is never higher"
                yield ("zones", number, "polygon"), said
    for number, gate in enumerate(config.entrances):
        size = sizes.get(gate.camera or "")
        view = floor_view(calibrations) if size is None else picture_view(size)
        told = entrance_advice(np.array(gate.line), view, pixels=gate.camera is not None)
        if told:
            yield ("entrances", number, "line"), told
    yield from _overlaps(config)
    used = {zone.camera for zone in config.zones} | {gate.camera for gate in config.entrances}
    for number, camera in enumerate(config.cameras):
        if camera.calibration is None and camera.id not in used:
            yield ("cameras", number), f"{camera.id} is not calibrated and nothing is drawn on it: it counts nothing"
        small = _far_people_advice(config, camera)
        if small:
            yield ("cameras", number), small


def unseen_zones(config: StoreConfig) -> Iterator[Fault]:
    """Zones of which no camera sees anything: they would be without numbers every day."""
    calibrations = {c.id: c.floor_calibration for c in config.cameras if c.floor_calibration is not None}
    for number, zone in enumerate(config.zones):
        if zone.camera is None:
            seen = seen_points(np.array(zone.polygon), calibrations).values()
            if not any(points.any() for points in seen):
                yield (
                    ("zones", number, "polygon"),
                    "no camera sees this zone: turn or calibrate a camera that does, move the zone, or remove it",
                )


def _overlaps(config: StoreConfig) -> Iterator[Fault]:
    for (_, first), (number, second) in combinations(enumerate(config.zones), 2):
        if first.camera is None and second.camera is None:
            shared = overlap_area(np.array(first.polygon), np.array(second.polygon))
            if shared > OVERLAP_M2:
                yield (
                    ("zones", number, "polygon"),
                    f"overlaps zone {first.id!r} by {shared:.1f} m2: who stands there counts in both",
                )
