"""Writes crops of rendered people with identities: images/ and index.csv, as `reid.datasets.rendered` reads them."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, fields
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from reid.datasets import read_picture, rendered, write_picture
from reid.rendering.bodies import Bodies
from reid.rendering.figures import Figure, random_figure
from reid.rendering.people import Cast, Person, plain
from reid.rendering.places import Place, random_light, random_place
from reid.rendering.recording import random_recording
from reid.rendering.renderer import Renderer
from reid.rendering.surfaces import Picture, Random, cloth
from reid.rendering.views import View, box, jittered, visible_share

COLUMNS = ("file", "id", "camera", "visible_fraction", "look_alike_group", "age_group")
PLACES, FEW_PLACES = 1 << 20, 8
TOGETHER = 20  # people a process takes in turn
LEAST_VISIBLE = 0.35
OTHERS = 0.35  # share of pictures with another person close by
TRIES = 12
OVERSAMPLED = 1.5


@dataclass(frozen=True)
class Variety:
    """What differs from crop to crop. False is the narrow choice, to measure what each is worth.

    Attributes:
        places: A place for each crop, not eight in all.
        clothes: Woven and printed cloths, not plain ones alone.
        light: Of any direction, strength and colour.
        poses: Hands that do something, limbs off the gait's curves.
        recording: Blur, noise, exposure, colour cast and compression of each camera.
    """

    places: bool = True
    clothes: bool = True
    light: bool = True
    poses: bool = True
    recording: bool = True

    @classmethod
    def without(cls, names: Sequence[str]) -> Variety:
        """All but the named. Raises ValueError where one is unknown."""
        known = [field.name for field in fields(cls)]
        unknown = sorted(set(names) - set(known))
        if unknown:
            raise ValueError(f"no variety is called {', '.join(unknown)}: choose among {', '.join(known)}")
        return cls(**dict.fromkeys(names, False))


class Studio:
    """What one process needs to take pictures of people. `size` is a crop's (height, width)."""

    def __init__(self, size: tuple[int, int], seed: int, first: int, variety: Variety) -> None:
        self.size, self.seed, self.variety, self.bodies = size, seed, variety, Bodies()
        self.renderer = Renderer(self.bodies, self._drawn(size[0]), np.random.default_rng([seed, 2, first]))

    def shoot(self, random: Random, person: Person, others: Sequence[Person]) -> tuple[Picture, float, int]:
        """A crop uint8 RGB, the share of the person that shows, and the camera. Tries until enough shows."""
        recording = random_recording(random, self.variety.recording)
        drawn = self._drawn(min(recording.pixels, self.size[0]))
        for _ in range(TRIES):
            place = self._place(random)
            figures = [random_figure(random, self.bodies, person, (0.0, 0.0), self.variety.poses)]
            figures += self._passers_by(random, others)
            view = View(place, (0.0, 0.0, person.height_m / 2))
            window = jittered(box(self.bodies, view, figures[0]), random)
            picture, whose = self.renderer.draw(place, view, window, figures, drawn, random)
            share = visible_share(self.bodies, figures[0], 1, view, window, whose)
            if share >= LEAST_VISIBLE:
                break
        return recording(picture, self.size, random), share, place.number

    def _drawn(self, pixels: int) -> tuple[int, int]:
        """(height, width) to draw a picture at that is recorded with so many pixels."""
        return round(pixels * OVERSAMPLED), round(pixels * OVERSAMPLED * self.size[1] / self.size[0])

    def _place(self, random: Random) -> Place:
        number, own = int(random.integers(PLACES)), random
        if not self.variety.places:
            number %= FEW_PLACES
            own = np.random.default_rng([self.seed, 3, number])
        return random_place(own, number, random_light(own, self.variety.light))

    def _passers_by(self, random: Random, others: Sequence[Person]) -> list[Figure]:
        if not others or random.random() > OTHERS:
            return []
        found = []
        for _ in range(int(random.integers(1, 3))):
            angle, away = random.uniform(0, 2 * np.pi), random.uniform(0.5, 1.3)
            spot = (float(away * np.cos(angle)), float(away * np.sin(angle)))
            other = others[int(random.integers(len(others)))]
            found.append(random_figure(random, self.bodies, other, spot, self.variety.poses))
        return found


def _render_share(
    target: Path, numbers: range, people: int, each: int, size: tuple[int, int], seed: int, variety: Variety
) -> list[list[str]]:
    """Rows of index.csv of the people of these numbers, whose pictures it writes."""
    studio, rows = Studio(size, seed, numbers[0], variety), []
    cast = Cast(seed, people, studio.bodies, cloth if variety.clothes else plain)
    for number in numbers:
        random = np.random.default_rng([seed, 1, number])
        person = cast[number]
        others = [cast[int(k)] for k in random.integers(len(cast), size=3) if k != number]
        for k in range(each):
            picture, share, camera = studio.shoot(random, person, others)
            name = f"images/{number:05d}_c{camera}_{k:02d}.jpg"
            write_picture(target / name, picture, quality=92)
            age = "child" if person.child else "adult"
            rows.append([name, str(number), str(camera), f"{share:.3f}", person.group, age])
    studio.renderer.close()
    return rows


def write_crops(
    target: str | Path,
    people: int,
    each: int,
    *,
    size: tuple[int, int] = (256, 128),
    seed: int = 0,
    variety: Variety | None = None,
    processes: int = 1,
    progress: Callable[[int], None] = lambda done: None,
) -> int:
    """Render `people` identities, `each` crops of every one; returns the number of crops.

    The same arguments give the same crops, whatever the number of processes.

    Args:
        target: Folder, made where missing; its images/ and index.csv are written over.
        size: (height, width) of a crop.
        variety: What differs from crop to crop; None: everything.
        progress: Called with the number of people that are done.

    Raises:
        RenderingError: moderngl or OpenGL is missing.
        OSError: A crop cannot be written; the rest is not rendered then.
    """
    target, variety = Path(target), variety or Variety()
    (target / "images").mkdir(parents=True, exist_ok=True)
    shares = [range(first, min(first + TOGETHER, people)) for first in range(0, people, TOGETHER)]
    rows: list[list[str]] = []
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        render = partial(_render_share, target, people=people, each=each, size=size, seed=seed, variety=variety)
        for share, rendered_rows in zip(shares, pool.map(render, shares), strict=True):  # a failure ends what waits
            rows += rendered_rows
            progress(share.stop)
    with (target / "index.csv").open("w", newline="") as lines:
        writer = csv.writer(lines)
        writer.writerow(COLUMNS)
        writer.writerows(sorted(rows))
    return len(rows)


def contact_sheet(folder: str | Path, people: int = 12) -> Picture:
    """A picture to look at, uint8 RGB: a row a person, the first of a folder of crops that `write_crops` made."""
    pictures = rendered(folder)
    rows = []
    for identity in np.unique(pictures.ids)[:people]:
        crops = [read_picture(file) for file, own in zip(pictures.files, pictures.ids, strict=True) if own == identity]
        rows.append(np.hstack(crops))
    widest = max(row.shape[1] for row in rows)
    return np.vstack([np.pad(row, ((0, 0), (0, widest - row.shape[1]), (0, 0))) for row in rows])
