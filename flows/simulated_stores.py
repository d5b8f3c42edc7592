"""Three invented shops for the demonstration lake: floor, shelves, zones, cameras, opening hours.

They are as real to the rest of the code as any other: each is a `store.yaml` that `load_store` accepts. Only the
people in them are simulated (see `flows.simulate`), so `recordings` names files that do not exist.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

Box = tuple[float, float, float, float]
WEEK = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
PIXELS_PER_METRE = 100  # of the ceiling cameras, which look straight down


@dataclass(frozen=True)
class SimulatedStore:
    """A shop and how busy it is. Lengths in metres; `visitors` is the mean on an ordinary weekday; only a shop
    with a till tells its sales."""

    id: str
    name: str
    timezone: str
    width_m: float
    depth_m: float
    aisles: int
    weekdays: tuple[str, str]
    saturday: tuple[str, str]
    sunday: tuple[str, str] | None
    visitors: int
    has_till: bool

    @cached_property
    def aisle_boxes(self) -> list[Box]:
        """Walkways between the shelves as (x1, y1, x2, y2), west to east."""
        shelf, west, east = 0.8, 0.5, self.width_m - 4.4
        width = (east - west - shelf * self.aisles) / self.aisles
        return [
            (west + i * (width + shelf), 2.6, west + i * (width + shelf) + width, self.depth_m - 2.4)
            for i in range(self.aisles)
        ]

    @cached_property
    def zone_boxes(self) -> dict[str, tuple[str, str, Box, int]]:
        """Zone id -> name, kind, (x1, y1, x2, y2), capacity in people."""
        width, depth = self.width_m, self.depth_m
        names = ("Produce", "Bakery", "Dairy", "Pantry", "Drinks", "Household")
        zones: dict[str, tuple[str, str, Box, int]] = {
            f"aisle_{i + 1}": (names[i], "aisle", box, 8) for i, box in enumerate(self.aisle_boxes)
        }
        zones["back_wall"] = ("Back wall", "aisle", (1.0, depth - 2.1, width - 3.2, depth - 0.5), 10)
        zones["checkout"] = ("Checkout", "checkout", (width - 3.6, 2.7, width - 2.1, depth - 3.0), 6)
        zones["entrance"] = ("Entrance", "entrance", (width - 3.8, 0.8, width - 1.0, 2.4), 6)
        zones["promo"] = ("Promotions", "display", (width - 2.6, depth - 2.4, width - 0.1, depth - 0.4), 5)
        return zones

    @cached_property
    def entrance_line(self) -> tuple[tuple[float, float], tuple[float, float]]:
        return (self.width_m - 3.8, 0.8), (self.width_m - 1.0, 0.8)

    @cached_property
    def camera_boxes(self) -> dict[str, Box]:
        """The part of the floor each ceiling camera looks at; together they cover all of it, without overlap."""
        middle_x, middle_y = self.width_m * 0.45, self.depth_m / 2
        return {
            "west": (0.0, 0.0, middle_x, self.depth_m),
            "north-east": (middle_x, middle_y, self.width_m, self.depth_m),
            "checkout": (middle_x, 0.0, self.width_m, middle_y),
        }

    def document(self) -> dict[str, Any]:
        """The store as the mapping that `store.yaml` holds."""
        hours = {day: [f"{self.weekdays[0]}-{self.weekdays[1]}"] for day in WEEK[:5]}
        hours["saturday"] = [f"{self.saturday[0]}-{self.saturday[1]}"]
        if self.sunday:
            hours["sunday"] = [f"{self.sunday[0]}-{self.sunday[1]}"]
        till = {"sales": {"path": "sales/%Y-%m-%d.csv"}} if self.has_till else {}
        return {
            "id": self.id,
            "name": self.name,
            "timezone": self.timezone,
            "opening_hours": hours,
            "floor": {"width_m": self.width_m, "depth_m": self.depth_m, "fixtures": self._fixtures()},
            "recordings": {"path": "videos/{camera}/%Y-%m-%d_%H-%M-%S.mp4"},
            "cameras": [self._camera(name, box) for name, box in self.camera_boxes.items()],
            "zones": [
                {"id": key, "name": name, "kind": kind, "polygon": corners(box), "capacity": capacity}
                for key, (name, kind, box, capacity) in self.zone_boxes.items()
            ],
            "entrances": [
                {
                    "id": "main",
                    "name": "Main entrance",
                    "line": [_pair(point) for point in self.entrance_line],
                    "inside": _pair((self.width_m - 2.4, 1.6)),
                }
            ],
            **till,
        }

    def _fixtures(self) -> list[dict[str, Any]]:
        width, depth = self.width_m, self.depth_m
        boxes = [("shelf", 1.5, (x2 + 0.05, y1, x2 + 0.75, y2)) for _, y1, x2, y2 in self.aisle_boxes]
        boxes += [
            ("shelf", 2.0, (0.0, 2.6, 0.45, depth - 2.4)),
            ("shelf", 2.0, (1.0, depth - 0.45, width - 3.2, depth)),
            ("counter", 0.95, (width - 2.0, 3.2, width - 1.4, depth - 3.6)),
            ("table", 0.8, (width - 1.9, depth - 1.8, width - 0.8, depth - 1.1)),
        ]
        return [{"kind": kind, "height_m": height, "polygon": corners(box)} for kind, height, box in boxes]

    def _camera(self, name: str, box: Box) -> dict[str, Any]:
        """A camera straight above its part of the floor: its pixels are metres, scaled."""
        points = [{"pixel": _pair(to_pixel(box, x, y)), "floor": _pair((x, y))} for x, y in corners(box)]
        size = [round(length * PIXELS_PER_METRE) for length in (box[2] - box[0], box[3] - box[1])]
        return {"id": name, "sampling_fps": 0.5, "image_size": size, "calibration": {"points": points}}


def to_pixel(box: Box, x: Any, y: Any) -> tuple[Any, Any]:
    """Pixel of a floor place (numbers or arrays) in the camera above a part of the floor."""
    return (x - box[0]) * PIXELS_PER_METRE, (box[3] - y) * PIXELS_PER_METRE


def corners(box: Box) -> list[list[float]]:
    x1, y1, x2, y2 = (round(value, 2) for value in box)
    return [[x1, y1], [x2, y1], [x2, y2], [x1, y2]]


def _pair(point: tuple[float, float]) -> list[float]:
    return [round(point[0], 2), round(point[1], 2)]


SIMULATED_STORES = (
    SimulatedStore(
        "plateau", "Plateau Market, Montréal", "America/Montreal", 18, 11, 5,
        ("08:00", "21:00"), ("08:00", "18:00"), ("10:00", "17:00"), 520, True,
    ),
    SimulatedStore(
        "kiez", "Kiezladen, Berlin", "Europe/Berlin", 12, 9, 3,
        ("08:00", "20:00"), ("08:00", "20:00"), None, 340, False,
    ),
    SimulatedStore(
        "baixa", "Mercado Baixa, Lisboa", "Europe/Lisbon", 16, 10, 4,
        ("09:00", "21:00"), ("09:00", "21:00"), ("09:00", "14:00"), 430, True,
    ),
)  # fmt: skip


def write_store_files(folder: str | Path, shops: Sequence[SimulatedStore] = SIMULATED_STORES) -> list[Path]:
    """Write each simulated shop's FOLDER/ID/store.yaml and return the paths."""
    written = []
    for store in shops:
        path = Path(folder) / store.id / "store.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        text = yaml.safe_dump(store.document(), sort_keys=False, allow_unicode=True, default_flow_style=None, width=110)
        path.write_text(f"# {store.name}: an invented shop; the people in it are simulated.\n{text}", encoding="utf-8")
        written.append(path)
    return written
