"""Mistakes between the fields of a store.yaml: ids given twice, references to nothing, geometry where nothing is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flows.config import Point, StoreConfig

Fault = tuple[tuple[str | int, ...], str]
"""Where in the file (keys and list positions), and what to do."""


def cross_checks(config: StoreConfig, data: dict[str, Any]) -> list[Fault]:
    """Mistakes between fields: ids given twice, references to nothing, geometry outside the floor."""
    return [
        *_repeated_ids(data),
        *_bad_references(config, data),
        *_outside_floor(config, data),
        *_outside_picture(config, data),
    ]


def _items(data: dict[str, Any], name: str) -> Iterator[tuple[int, dict[str, Any]]]:
    values = data.get(name)
    for number, item in enumerate(values if isinstance(values, list) else []):
        if isinstance(item, dict):
            yield number, item


def _repeated_ids(data: dict[str, Any]) -> Iterator[Fault]:
    for name in ("cameras", "zones", "entrances"):
        seen: set[Any] = set()
        for number, item in _items(data, name):
            identifier = item.get("id")
            if isinstance(identifier, str) and identifier in seen:
                yield (name, number, "id"), f"{identifier!r} is used twice in {name}; give each its own"
            elif isinstance(identifier, str):
                seen.add(identifier)


def _bad_references(config: StoreConfig, data: dict[str, Any]) -> Iterator[Fault]:
    cameras = {item.get("id") for _, item in _items(data, "cameras")}
    calibrated = {camera.id for camera in config.cameras if camera.calibration is not None}
    for name in ("zones", "entrances"):
        for number, item in _items(data, name):
            camera = item.get("camera")
            if camera is not None and camera not in cameras:
                yield (name, number, "camera"), f"there is no camera {camera!r}; the cameras are {_listed(cameras)}"
            elif camera in calibrated:
                yield (
                    (name, number, "camera"),
                    f"camera {camera!r} is calibrated: draw it in floor metres and remove camera",
                )
    zones = {item.get("id") for _, item in _items(data, "zones")}
    if config.staff and config.staff.zone and config.staff.zone not in zones:
        yield ("staff", "zone"), f"there is no zone {config.staff.zone!r}; the zones are {_listed(zones)}"


def _outside_floor(config: StoreConfig, data: dict[str, Any]) -> Iterator[Fault]:
    """Floor geometry that leaves the floor by more than half a metre is a slip of the pen or of the unit."""
    slack, width, depth = 0.5, config.floor.width_m, config.floor.depth_m
    for location, points in _drawn(config, data, lambda camera: camera is None):
        for x, y in points:
            if not (-slack <= x <= width + slack and -slack <= y <= depth + slack):
                yield (
                    location,
                    f"({x:g}, {y:g}) lies outside the floor of {width:g} m x {depth:g} m; "
                    "give metres, or name the camera it is drawn on",
                )
                break


def _outside_picture(config: StoreConfig, data: dict[str, Any]) -> Iterator[Fault]:
    """What is drawn in a picture is scaled with it: its size must be known, and hold it."""
    sizes = {camera.id: camera.image_size for camera in config.cameras}
    for location, points in _drawn(config, data, lambda camera: camera in sizes):
        camera = data[str(location[0])][location[1]]["camera"]
        size = sizes[camera]
        if size is None:
            yield location, f"camera {camera!r} needs image_size [width, height], the picture this was drawn on"
            continue
        beyond = [(x, y) for x, y in points if not (0 <= x <= size[0] and 0 <= y <= size[1])]
        if beyond:
            x, y = beyond[0]
            yield location, f"({x:g}, {y:g}) lies outside the {size[0]}x{size[1]} picture of camera {camera!r}"


def _drawn(
    config: StoreConfig, data: dict[str, Any], chosen: Callable[[str | None], bool]
) -> Iterator[tuple[tuple[str | int, ...], tuple[Point, ...]]]:
    """Where zones, entrances (line and inside) and fixtures stand in the file, with their points, by camera."""
    zones = {zone.id: zone for zone in config.zones if chosen(zone.camera)}
    gates = {gate.id: gate for gate in config.entrances if chosen(gate.camera)}
    for number, item in _items(data, "zones"):
        if (zone := zones.get(str(item.get("id")))) is not None:
            yield ("zones", number, "polygon"), zone.polygon
    for number, item in _items(data, "entrances"):
        if (gate := gates.get(str(item.get("id", "main")))) is not None:
            yield ("entrances", number, "line"), gate.line
            yield ("entrances", number, "inside"), (gate.inside,)
    if chosen(None):
        for number, fixture in enumerate(config.floor.fixtures):
            yield ("floor", "fixtures", number, "polygon"), fixture.polygon


def _listed(names: set[Any]) -> str:
    return ", ".join(sorted(str(name) for name in names)) or "none"
