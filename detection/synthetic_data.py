"""Labelled training pictures of rendered stores: many seeds, cameras, lights and codecs, boxes by the renderer.

The renderer is the synthetic store (a folder with `make.py` and `bodies.npz`); its path is given, not guessed.
Cameras are moved to other places, heights and lenses than the store's own, so that a detector learns people, not views.

People who are drawn but too hidden or too small to be labelled would teach the detector that people are background.
They are painted out: their pixels come from the same camera's picture of the empty store.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from types import ModuleType
from typing import Any

import av
import cv2
import numpy as np

SIMULATION_FPS = 10


class SyntheticStoreNotFound(FileNotFoundError):
    """The renderer's folder is not where the recipe says."""


@dataclass(frozen=True)
class SceneRecipe:
    """One simulated store and the pictures taken in it.

    `layout`: 0 corner shop, 1 supermarket. `families`, `pairs`: parties out of `people`. `cameras`: random cameras.
    `interval_s`: seconds between two pictures of a camera. `size`: rendered (width, height), then `saved_width` wide.
    `crf`: H.264 quality range, (best, worst).
    """

    seed: int
    layout: int = 0
    people: int = 24
    staff: int = 2
    families: int = 4
    pairs: int = 1
    minutes: float = 3.0
    cameras: int = 6
    interval_s: float = 8.0
    size: tuple[int, int] = (960, 540)
    saved_width: int = 640
    crf: tuple[int, int] = (22, 36)
    least_visible: float = 0.25
    least_height_px: float = 24.0


def renderer_modules(synthetic_store: str | Path) -> dict[str, ModuleType]:
    """The renderer's modules by name. Raises SyntheticStoreNotFound."""
    folder = Path(synthetic_store).resolve()
    if not (folder / "make.py").is_file() or not (folder / "bodies.npz").is_file():
        raise SyntheticStoreNotFound(
            f"{folder} is not the synthetic store (make.py and bodies.npz belong there); set `synthetic_store` in the "
            "recipe to its folder, or leave out `scenes` to train on your own pictures only"
        )
    os.environ.setdefault("LP_NUM_THREADS", "1")  # software GL starts a thread a core otherwise
    sys.path.insert(0, str(folder))
    try:
        return {name: __import__(name) for name in ("body", "render", "shoppers", "store")}
    finally:
        sys.path.remove(str(folder))


def random_views(store: Any, rng: np.random.Generator, count: int) -> list[tuple]:
    """Camera positions for `Store.views`: two in three the store's own, moved a little; the others along the walls.

    Heights 2.25 m to just under the ceiling, horizontal field of view 55 to 90 degrees.
    """
    views: list[tuple] = []
    for number in range(count):
        if number % 3 != 1:
            _, position, target, _ = store.views[rng.integers(len(store.views))]
            x, y = np.array(position[:2]) + rng.uniform(-0.7, 0.7, 2)
            aim = np.array(target[:2]) + rng.uniform(-1.2, 1.2, 2)
        else:
            along, side = rng.uniform(0, 1), int(rng.integers(4))
            x = (along * store.width, along * store.width, 0.3, store.width - 0.3)[side]
            y = (0.3, store.depth - 0.3, along * store.depth, along * store.depth)[side]
            aim = np.array([store.width, store.depth]) * rng.uniform(0.25, 0.75, 2)
        x, y = float(np.clip(x, 0.25, store.width - 0.25)), float(np.clip(y, 0.25, store.depth - 0.25))
        aim += (np.hypot(*(aim - (x, y))) < 2.0) * np.array([1.7, 1.7])  # never straight down
        height = float(rng.uniform(2.25, store.height - 0.15))
        views.append(
            (
                f"view{number}",
                (x, y, height),
                (*map(float, aim), float(rng.uniform(0.3, 1.0))),
                float(rng.uniform(55, 90)),
            )
        )
    return views


def painted_out(image: np.ndarray, empty: np.ndarray, ids: np.ndarray, hidden: list[int]) -> np.ndarray:
    """`image` with the people numbered `hidden` replaced by the empty store (both uint8 (H, W, 3))."""
    if not hidden:
        return image
    height, width = image.shape[:2]
    mask = cv2.resize(np.isin(ids, hidden).astype(np.float32), (width, height), interpolation=cv2.INTER_AREA)
    mask = cv2.dilate(mask, np.ones((3, 3), np.uint8))  # the edge of the drawing is smoothed
    return np.where(mask[..., None] > 0, empty, image)


def through_codec(pictures: list[np.ndarray], crf: int) -> list[np.ndarray]:
    """BGR pictures as they come back from H.264 at quality `crf`, each coded by itself."""
    file = BytesIO()
    height, width = pictures[0].shape[:2]
    with av.open(file, "w", format="mp4") as video:
        stream: Any = video.add_stream("libx264", rate=Fraction(5))
        stream.options = {"crf": str(crf), "preset": "veryfast", "threads": "1", "g": "1"}
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for picture in pictures:
            video.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="bgr24")))
        video.mux(stream.encode(None))
    file.seek(0)
    with av.open(file, "r") as coded:
        return [frame.to_ndarray(format="bgr24") for frame in coded.decode(video=0)]


def scene_pictures(recipe: SceneRecipe, synthetic_store: str | Path) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Yield (name, BGR uint8 (H, W, 3), boxes of visible pixels float32 (N, 4) xyxy) of one simulated store."""
    modules = renderer_modules(synthetic_store)
    rng = np.random.default_rng([recipe.seed, 77])
    store, pool = modules["store"].make_store(recipe.layout, recipe.seed), modules["body"].BodyPool()
    shoppers = modules["shoppers"]
    people = shoppers.make_identities(
        np.random.default_rng([recipe.seed, 1]), pool, recipe.people - recipe.staff, recipe.staff
    )
    shoppers.make_parties(np.random.default_rng([recipe.seed, 9]), pool, people, recipe.families, recipe.pairs)
    dressed = [modules["render"].Dressed(pool, person) for person in people]
    tracks = shoppers.simulate(
        store, people, [d.body.stride_m for d in dressed], recipe.minutes * 60, SIMULATION_FPS, recipe.seed, 0
    )
    store = replace(store, views=random_views(store, rng, recipe.cameras))
    width, height = recipe.size
    renderer = modules["render"].Renderer(pool, store, width, height)
    step = round(recipe.interval_s * SIMULATION_FPS)
    for camera in store.cameras(recipe.cameras, width, height):
        renderer.set_light(float(rng.uniform(0.25, 0.85)), store.lamp_colour, tuple(rng.uniform(0.3, 0.6) * np.ones(3)))
        effects = modules["render"].random_effects(rng, width, height)
        empty, _ = renderer.draw(camera, [])
        frames = range(int(rng.integers(step)) + 5 * SIMULATION_FPS, len(tracks.present), step)
        pictures, boxes = [], []
        for frame in frames:
            figures = [
                dressed[k].placed(
                    k + 1,
                    *tracks.xy[frame, k],
                    tracks.heading[frame, k],
                    tracks.phase[frame, k],
                    tracks.walking[frame, k],
                    tracks.reaching[frame, k],
                )
                for k in np.flatnonzero(tracks.present[frame])
            ]
            image, ids = renderer.draw(camera, figures)
            seen = renderer.measure(camera, figures, ids)
            kept = [m for m in seen if _labelled(m, recipe)]
            numbers = {m["index"] for m in kept}
            image = painted_out(image, empty, ids, [m["index"] for m in seen if m["index"] not in numbers])
            pictures.append(effects(image))
            boxes.append(np.array([m["box"] for m in kept], np.float32).reshape(-1, 4))
        pictures = through_codec(pictures, int(rng.integers(recipe.crf[0], recipe.crf[1] + 1)))
        scale = recipe.saved_width / width
        for frame, picture, found in zip(frames, pictures, boxes, strict=True):
            small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
            yield f"store{recipe.seed}_{camera.name}_{frame:05d}", small, found * np.float32(scale)


def _labelled(measured: dict, recipe: SceneRecipe) -> bool:
    """Visible and tall enough, as rendered, to be a label."""
    box = measured["box"]
    tall = box[3] - box[1] >= recipe.least_height_px and box[2] - box[0] >= recipe.least_height_px / 4
    return bool(measured["visible_fraction"] >= recipe.least_visible and tall)


def write_yolo(folder: Path, name: str, image: np.ndarray, boxes: np.ndarray) -> None:
    """Write images/NAME.jpg (BGR uint8) and labels/NAME.txt (class 0, centre and size as fractions)."""
    height, width = image.shape[:2]
    (folder / "images").mkdir(parents=True, exist_ok=True)
    (folder / "labels").mkdir(exist_ok=True)
    rows = [
        f"0 {(x1 + x2) / 2 / width:.6f} {(y1 + y2) / 2 / height:.6f} {(x2 - x1) / width:.6f} {(y2 - y1) / height:.6f}"
        for x1, y1, x2, y2 in boxes.tolist()
    ]
    (folder / "labels" / f"{name}.txt").write_text("\n".join(rows) + "\n" if rows else "", encoding="utf-8")
    if not cv2.imwrite(str(folder / "images" / f"{name}.jpg"), image, [cv2.IMWRITE_JPEG_QUALITY, 92]):
        raise OSError(f"cannot write {folder / 'images' / name}.jpg")


def render_scene(recipe: SceneRecipe, synthetic_store: str | Path, folder: str | Path) -> Path:
    """Render one scene to FOLDER/store_SEED/{images,labels}; a scene that is there already is not rendered again."""
    target = Path(folder) / f"store_{recipe.seed}"
    done = target / "done"
    if done.is_file():
        return target
    for name, image, boxes in scene_pictures(recipe, synthetic_store):
        write_yolo(target, name, image, boxes)
    done.write_text(f"{recipe}\n", encoding="utf-8")
    return target
