"""A store whose people are painted: odd recordings go the whole way, from file to lake, in seconds.

Video, tracking, identities, tables and the lake are the real ones. The two networks are replaced by functions that are
never wrong: people are striped rectangles, found by their colour and recognised by their hue.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pandas as pd
import yaml

from detection.detector import Detections
from flows import cli
from flows.day_checks import said_of
from flows.lake import Lake
from tests.detection.clips import write_clip

DAY = "2025-03-14"
SIZE = (320, 240)
PERSON = (24, 72)
HUES = 6
METRES_A_PIXEL = 0.05
Place = tuple[float, float] | None
"""Foot point in pixels, or None: not in the picture."""

BACKGROUND = np.random.default_rng(0).integers(80, 140, (SIZE[1] // 8, SIZE[0] // 8, 1), np.uint8)
BACKGROUND = BACKGROUND.repeat(8, axis=0).repeat(8, axis=1).repeat(3, axis=2)
"""A floor of grey tiles: a lens that shows nothing at all would be held to be covered."""

ABOVE = {"homography": [[METRES_A_PIXEL, 0, 0], [0, -METRES_A_PIXEL, SIZE[1] * METRES_A_PIXEL], [0, 0, 1]]}
"""Calibration of a camera that looks straight down on a floor of 16 m x 12 m."""


@dataclass(frozen=True)
class Painted:
    """A person: hue 0 to HUES - 1, and where they are at each second of the clip."""

    hue: int
    at: Callable[[float], Place]


def walks(hue: int, *steps: tuple[float, float, float]) -> Painted:
    """A person on straight lines through (second, x, y), in pixels; out of the picture before and after."""
    times, xs, ys = zip(*steps, strict=True)

    def at(second: float) -> Place:
        if not times[0] <= second <= times[-1]:
            return None
        return float(np.interp(second, times, xs)), float(np.interp(second, times, ys))

    return Painted(hue, at)


def painted_picture(second: float, people: Sequence[Painted], size: tuple[int, int] = SIZE) -> np.ndarray:
    """RGB picture (H, W, 3) of the people at a second; places are given in pixels of SIZE and scaled to `size`."""
    picture = BACKGROUND.copy()
    for person in people:
        place = person.at(second)
        if place is None:
            continue
        x, y = round(place[0]), round(place[1])
        left, top = max(x - PERSON[0] // 2, 0), max(y - PERSON[1], 0)
        body = picture[top : max(y, 0), left : max(x + PERSON[0] // 2, 0)]
        hsv = np.zeros(body.shape, np.uint8)
        hsv[...] = (person.hue * 180 // HUES, 255, 255)
        hsv[::8, :, 2] = hsv[1::8, :, 2] = 190
        body[:] = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB) if body.size else body
    return picture if size == SIZE else cv2.resize(picture, size, interpolation=cv2.INTER_NEAREST)


class PaintedDetector:
    """Finds painted people: connected patches of strong colour."""

    name, sha256, input_size = "painted-detector", "d" * 64, (240, 320)

    def detect(self, images: Sequence[np.ndarray]) -> list[Detections]:
        return [self._one(image) for image in images]

    def _one(self, image: np.ndarray) -> Detections:
        coloured = (cv2.cvtColor(image, cv2.COLOR_RGB2HSV)[..., 1] > 110).astype(np.uint8)
        _, _, stats, _ = cv2.connectedComponentsWithStats(coloured)
        patches = [(x, y, x + w, y + h) for x, y, w, h, area in stats[1:] if area > 100]
        if not patches:
            return Detections.none()
        return Detections(np.array(patches, np.float32), np.full(len(patches), 0.9, np.float32))


class HueEmbedder:
    """Recognises painted people: an embedding is one of HUES directions."""

    name, sha256, dimension, threshold = "hue-embedder", "e" * 64, HUES, 0.5
    config = SimpleNamespace(
        calibration={"slope": 20.0, "offset": -10.0, "threshold": 0.5, "tpr": 1.0, "fpr": 0.0, "pairs": 9.0}
    )

    def embed(self, crops: Sequence[np.ndarray]) -> np.ndarray:
        hues = [int(np.median(cv2.cvtColor(crop, cv2.COLOR_RGB2HSV)[..., 0])) for crop in crops]
        numbers = [round(hue * HUES / 180) % HUES for hue in hues]
        return np.eye(HUES, dtype=np.float32)[numbers]


@dataclass
class PaintedStore:
    """A store to be spoilt: `data` is its configuration, `clip` adds recordings, `run` is the command."""

    folder: Path
    data: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        camera = {"id": "cam", "sampling_fps": 10, "image_size": list(SIZE), "calibration": ABOVE}
        self.data = {
            "id": "shop",
            "name": "Painted shop",
            "timezone": "UTC",
            "opening_hours": {"friday": ["10:00-10:01"]},
            "floor": {"width_m": SIZE[0] * METRES_A_PIXEL, "depth_m": SIZE[1] * METRES_A_PIXEL},
            "recordings": {"path": "videos/{camera}/%Y-%m-%d_%H-%M-%S.mp4", "default_date": DAY},
            "cameras": [camera],
            "zones": [{"id": "aisle", "kind": "aisle", "polygon": [[4, 0], [12, 0], [12, 12], [4, 12]]}],
            "detector": {"model": "painted"},
        }

    @property
    def file(self) -> Path:
        path = self.folder / "store.yaml"
        path.write_text(yaml.safe_dump(self.data, sort_keys=False))
        return path

    @property
    def lake(self) -> str:
        return str(self.folder / "lake")

    def clip(
        self,
        people: Sequence[Painted],
        seconds: float | Iterable[float] = 20.0,
        *,
        start: str = "10-00-00",
        camera: str = "cam",
        fps: float = 10,
        suffix: str = ".mp4",
        size: tuple[int, int] = SIZE,
        first_s: float = 0.0,
        day: str = DAY,
        **options: Any,
    ) -> Path:
        """Record people: for so many seconds at `fps`, or at the given seconds. `first_s`: second of the first frame in
        the people's lives, for a recording that goes on where another ended."""
        times = np.arange(round(seconds * fps)) / fps if isinstance(seconds, float | int) else np.array([*seconds])
        path = self.folder / "videos" / camera / f"{day}_{start}{suffix}"
        return write_clip(
            path,
            [round(1000 * time) for time in times.tolist()],
            size=size,
            picture=lambda number: painted_picture(first_s + times[number], people, size),
            **options,
        )

    def command(self, *arguments: str) -> int:
        """Run a command of `aisleflow` and give its exit status."""
        try:
            cli.main([*arguments])
        except SystemExit as ended:
            return int(ended.code or 0)
        return 0

    def run(self, *options: str) -> int:
        """`aisleflow run` on the store's day."""
        return self.command("run", str(self.file), "--lake", self.lake, *options)

    def table(self, name: str) -> pd.DataFrame:
        """A table of the day, as the lake holds it."""
        return Lake(self.lake).read(name).to_pandas()

    @property
    def account(self) -> dict[str, Any]:
        """The day's row of `runs`."""
        return self.table("runs").iloc[-1].to_dict()

    def gaps(self, camera: int = 0) -> list[tuple[float, float, str]]:
        """A camera's gaps: from, to in seconds after 10:00 UTC, and the reason."""
        begin = pd.Timestamp(f"{DAY}T10:00:00Z")
        return [
            ((gap["start"] - begin).total_seconds(), (gap["end"] - begin).total_seconds(), gap["reason"])
            for gap in self.account["cameras"][camera]["gaps"]
        ]

    @property
    def problems(self) -> str:
        """The day's problems, one a line, but for those that its checks found (`flows.day_checks`)."""
        checked = said_of(self.table("checks"))
        return "\n".join(line for line in self.account["problems"] if line not in checked)
