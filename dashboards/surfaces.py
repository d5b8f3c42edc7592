"""What zones are drawn on: the floor plan, or a picture of a camera with a metre grid laid over it."""

from __future__ import annotations

import base64
import mimetypes
from datetime import date, timedelta
from pathlib import Path

import cv2
import numpy as np
import streamlit as st

from dashboards import queries, view
from dashboards.editor import Point, Surface
from detection.floor import FloorCalibration
from flows.config import Camera, StoreConfig

Grid = tuple[tuple[bool, tuple[Point, ...]], ...]


def plan_surface(store: StoreConfig, file: Path) -> Surface:
    """The floor in metres, with its fixtures and a grid; points snap to 5 cm."""
    image = None
    if store.floor.plan and (file.parent / store.floor.plan).is_file():
        picture = file.parent / store.floor.plan
        kind = mimetypes.guess_type(picture.name)[0] or "image/png"
        image = f"data:{kind};base64,{base64.b64encode(picture.read_bytes()).decode()}"
    width, depth = store.floor.width_m, store.floor.depth_m
    lines: list[tuple[bool, tuple[Point, ...]]] = []
    for number in range(1, int(np.ceil(width))):
        lines.append((number % 5 == 0, ((float(number), 0.0), (float(number), depth))))
    for number in range(1, int(np.ceil(depth))):
        lines.append((number % 5 == 0, ((0.0, float(number)), (width, float(number)))))
    return Surface(
        "floor plan",
        width,
        depth,
        True,
        image,
        tuple(fixture.polygon for fixture in store.floor.fixtures),
        tuple(lines) if width * depth < 4000 else (),
        0.05,
    )


def camera_surface(store: StoreConfig, camera: Camera) -> Surface | None:
    """A picture of a camera without people, of its newest day that can be read. None where there is none."""
    picture = _address(str(view.store_file(store.id)), camera.id, _days_to_try(store))
    if picture is None:
        return None
    address, (width, height) = picture
    size = camera.image_size or (width, height)
    return Surface(f"camera {camera.id}", float(size[0]), float(size[1]), False, address)


def _days_to_try(store: StoreConfig) -> tuple[date, ...]:
    """Days of the lake from the newest, then the last week: where a recording is likely."""
    days = queries.days(view.lake_place())
    known = sorted(days.loc[days["store"] == store.id, "date"], reverse=True)[:3]
    return (*known, *[date.today() - timedelta(days=back) for back in range(8)], *_days_named(store))


def _days_named(store: StoreConfig) -> tuple[date, ...]:
    """Days that file names beside store.yaml mention, for a store that was never processed."""
    folder = view.store_file(store.id).parent
    if "://" in store.recordings.path:
        return ()
    found = set()
    for path in sorted(folder.rglob("*.*"))[:2000]:
        for piece in (path.stem[:10], path.parent.name):
            try:
                found.add(date.fromisoformat(piece))
            except ValueError:
                continue
    return tuple(sorted(found, reverse=True)[:3])


@st.cache_data(ttl=600, show_spinner="Reading a picture of the camera", max_entries=32)
def _address(store_file: str, camera_id: str, days: tuple[date, ...]) -> tuple[str, tuple[int, int]] | None:
    """A camera's picture as a data address with its (width, height), of the first day of which there is one."""
    from flows.camera_picture import camera_picture  # brings the detector's libraries: seconds, for a picture alone

    store, _ = view.read_store(Path(store_file))
    if store is None:
        return None
    camera = next(one for one in store.cameras if one.id == camera_id)
    for day in days:
        shown = camera_picture(store, Path(store_file).parent, camera, day)
        if shown is not None:
            _, encoded = cv2.imencode(".jpg", shown[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 82])
            height, width = shown.shape[:2]
            return f"data:image/jpeg;base64,{base64.b64encode(encoded.tobytes()).decode()}", (width, height)
    return None


def metre_grid(store: StoreConfig, calibration: FloorCalibration | None) -> Grid:
    """Lines of whole metres as they lie in the picture; every fifth is strong. Parts out of sight are left out."""
    if calibration is None:
        return ()
    width, height = calibration.image_size
    lines: list[tuple[bool, tuple[Point, ...]]] = []
    spans = ((store.floor.width_m, store.floor.depth_m, False), (store.floor.depth_m, store.floor.width_m, True))
    for extent, length, swap in spans:
        along = np.arange(0, length + 0.25, 0.25)
        for number in range(int(extent) + 1):
            points = np.stack([np.full_like(along, number), along], axis=1)
            pixels = calibration.to_pixels(points[:, ::-1] if swap else points)
            inside = (
                np.isfinite(pixels).all(axis=1) & (pixels >= 0).all(axis=1) & (pixels <= (width, height)).all(axis=1)
            )
            for piece in np.split(np.arange(len(along)), np.flatnonzero(np.diff(inside.astype(int))) + 1):
                if inside[piece[0]] and len(piece) > 1:
                    lines.append((number % 5 == 0, tuple((float(x), float(y)) for x, y in pixels[piece].round(1))))
    return tuple(lines)
