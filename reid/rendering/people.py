"""Who is rendered: body, clothes, hair and bags of people made up at random."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from reid.rendering.bodies import Bodies
from reid.rendering.poses import Gait, random_gait
from reid.rendering.surfaces import Colour, Picture, Random, cloth, cloth_colour, hsv, plain_cloth

SKIN = np.array(
    [
        (0.92, 0.77, 0.69),
        (0.87, 0.67, 0.56),
        (0.78, 0.57, 0.44),
        (0.66, 0.46, 0.34),
        (0.5, 0.34, 0.24),
        (0.36, 0.24, 0.18),
    ]
)
HAIR = np.array(
    [(0.08, 0.07, 0.06), (0.15, 0.1, 0.07), (0.27, 0.17, 0.1), (0.42, 0.3, 0.18), (0.66, 0.52, 0.32), (0.55, 0.53, 0.5)]
)
CHILD_SHARE = 0.12
LOOK_ALIKES = 0.2  # share of people who are dressed as somebody else, in another body
# How a second cloth is cut into a garment, as the shader knows it.
CUTS = {"plain": 0, "yoke": 1, "print": 2, "sleeves": 3, "open": 4, "halves": 5, "hem": 6}
NOWHERE = -9.0
MakeCloth = Callable[[Random], Picture]


@dataclass(frozen=True)
class Clothes:
    """What is worn. Lengths are in the template's coordinates (`reid.rendering.bodies.Bodies.template`).

    Attributes:
        top, second, bottom, skirt: Cloths; `second` is cut into the top by `cut`. `skirt` None: trousers alone.
        sleeve: Where sleeves end along the arm, 0 to 1.
        legs: Where trousers end along the leg, 0 to 1.
        neck, hem, waist, skirt_end: Heights.
        looseness: Of the top, metres off the body.
        scales: Repeats of the cloths a template unit.
        strap: Slope, offset and half width of a strap across the chest; a width of 0 is none.
        shoes, sole, strap_colour: Colours.
    """

    top: Picture
    second: Picture
    bottom: Picture
    skirt: Picture | None
    cut: int
    sleeve: float
    legs: float
    neck: float
    hem: float
    waist: float
    skirt_end: float
    looseness: float
    scales: tuple[float, float, float]
    strap: tuple[float, float, float]
    shoes: Colour
    sole: Colour
    strap_colour: Colour


@dataclass(frozen=True)
class Bag:
    """A box: `where` is back, L or R (hand) or front; size in metres (across, deep, high)."""

    where: str
    size: tuple[float, float, float]
    cloth: Picture


@dataclass(frozen=True)
class Person:
    """One identity.

    Attributes:
        body: Number of the shape, `height_m` its height, `girth` its breadth beside the shape's.
        hair: bald, short, bob or long; `hat` is a cap's or a headscarf's colour.
        face: Colour of a beard or mask, or None.
        group: Of look-alikes, or "".
    """

    body: int
    child: bool
    height_m: float
    girth: float
    gait: Gait
    clothes: Clothes
    skin: Colour
    hair: str
    hair_colour: Colour
    hair_end: float
    hat: Colour | None
    face: Colour | None
    bags: tuple[Bag, ...]
    seed: float
    group: str = ""


def plain(random: Random) -> Picture:
    """A cloth of one colour: the narrow choice."""
    return plain_cloth(cloth_colour(random), random)


def random_clothes(random: Random, make: MakeCloth, female: bool) -> Clothes:
    """An outfit."""
    kinds = ["top", "jacket", "coat", "shorts", "skirt", "dress"]
    share = [0.4, 0.25, 0.08, 0.07, 0.1, 0.1] if female else [0.47, 0.33, 0.08, 0.12, 0, 0]
    kind = str(random.choice(kinds, p=share))
    top, second, bottom = (make(random) for _ in range(3))
    if random.random() < 0.65:
        bottom = plain_cloth(_trousers(random), random, 0.1)
    cut = CUTS[str(random.choice(list(CUTS), p=[0.5, 0.07, 0.13, 0.1, 0.06, 0.06, 0.08]))]
    sleeve = random.choice([0.12, 0.3, 0.42, 0.7, 0.98])
    hem, looseness = random.uniform(-0.08, 0.06), random.uniform(0.004, 0.02)
    legs, skirt, skirt_end = 0.955 - 0.1 * random.random() * (random.random() < 0.3), None, NOWHERE
    if kind in ("jacket", "coat"):
        sleeve, looseness = 0.99, random.uniform(0.014, 0.034)
        hem = random.uniform(-0.14, 0.02)
        cut = CUTS["open"] if random.random() < 0.6 else cut
    if kind == "coat":
        skirt, skirt_end = top, random.uniform(-0.5, -0.22)
    elif kind == "shorts":
        legs = random.uniform(0.3, 0.58)
    elif kind in ("skirt", "dress"):
        skirt, skirt_end = (bottom, top)[kind == "dress"], random.uniform(-0.68, -0.28)
        legs = 0.12 if random.random() < 0.5 else 0.955
        bottom = plain_cloth(hsv(0.6, 0.1, random.uniform(0.05, 0.3)), random)
    covered = skirt is not None or kind == "jacket"
    strap = (random.choice([-1, 1]) * random.uniform(0.7, 1.6), random.uniform(0.2, 0.34), random.uniform(0.012, 0.03))
    return Clothes(
        top=top,
        second=second,
        bottom=bottom,
        skirt=skirt,
        cut=cut,
        sleeve=float(sleeve),
        legs=float(legs),
        neck=random.uniform(0.535, 0.585),
        hem=0.06 if skirt is not None and kind != "coat" else hem,
        waist=0.1 if covered else hem + 0.06,
        skirt_end=skirt_end,
        looseness=looseness,
        scales=tuple(random.uniform(0.8, 4.5, 3)),
        strap=strap if random.random() < 0.15 else (0.0, 0.0, 0.0),
        shoes=cloth_colour(random) if random.random() < 0.4 else hsv(0.1, 0.2, random.uniform(0.05, 0.35)),
        sole=np.full(3, random.choice([0.08, 0.85])),
        strap_colour=cloth_colour(random),
    )


def _trousers(random: Random) -> Colour:
    kind = random.random()
    if kind < 0.4:
        return hsv(0.6 + 0.015 * random.normal(), random.uniform(0.2, 0.6), random.uniform(0.2, 0.65))
    if kind < 0.75:
        return hsv(0.6, 0.08, random.uniform(0.05, 0.35))
    return hsv(0.1, random.uniform(0.1, 0.4), random.uniform(0.3, 0.85))


def _bags(random: Random, make: MakeCloth, child: bool) -> tuple[Bag, ...]:
    found = []
    small = 0.7 if child else 1.0
    where = str(random.choice(["", "back", "L", "R", "front"], p=[0.5, 0.2, 0.13, 0.12, 0.05]))
    sizes = {
        "back": (random.uniform(0.24, 0.36), random.uniform(0.1, 0.22), random.uniform(0.32, 0.52)),
        "front": (random.uniform(0.2, 0.45), random.uniform(0.15, 0.35), random.uniform(0.12, 0.35)),
    }
    hand = (random.uniform(0.05, 0.16), random.uniform(0.16, 0.42), random.uniform(0.2, 0.46))
    if where:
        size = sizes.get(where, hand)
        found.append(Bag(where, (small * size[0], small * size[1], small * size[2]), make(random)))
    if where in ("L", "R") and random.random() < 0.2:
        found.append(Bag("LR"[where == "L"], hand, make(random)))
    return tuple(found)


def random_person(random: Random, bodies: Bodies, make: MakeCloth) -> Person:
    """One person; a child has a child's body."""
    child = bool(random.random() < CHILD_SHARE)
    body = int(random.choice(bodies.children if child else bodies.adults))
    female = bool(bodies.female[body])
    height = (
        bodies.height_m(body) * random.uniform(0.95, 1.05) if child else random.normal(1.64 if female else 1.77, 0.075)
    )
    hair = ["short", "long", "bob", "bald"]
    share = [0.2, 0.5, 0.3, 0.0] if female else [0.8, 0.05, 0.05, 0.1]
    style = str(random.choice(hair, p=share))
    ends = {"long": random.uniform(0.15, 0.42), "bob": random.uniform(0.52, 0.6)}
    face = None
    if random.random() < 0.3 and not child:
        face = (
            HAIR[random.integers(len(HAIR))]
            if not female
            else hsv(0.55, random.uniform(0, 0.4), random.uniform(0.6, 1))
        )
    if female and random.random() < 0.7:
        face = None
    dyed = random.random() < 0.06
    return Person(
        body=body,
        child=child,
        height_m=float(np.clip(height, 0.9, 2.02)),
        girth=random.uniform(0.9, 1.16),
        gait=random_gait(random),
        clothes=random_clothes(random, make, female),
        skin=SKIN[random.integers(len(SKIN))] * random.uniform(0.88, 1.08),
        hair=style,
        hair_colour=cloth_colour(random) if dyed else HAIR[random.integers(len(HAIR))] * random.uniform(0.7, 1.2),
        hair_end=ends.get(style, -1.0),
        hat=cloth_colour(random) if random.random() < 0.12 else None,
        face=face,
        bags=_bags(random, make, child),
        seed=random.uniform(0, 99),
    )


class Cast:
    """People by number, each made when it is asked for, so that processes need not hand cloths to each other.

    A fifth are dressed as the one before, in a body of their own: what re-identification finds hard.
    """

    def __init__(self, seed: int, count: int, bodies: Bodies, make: MakeCloth = cloth) -> None:
        self.seed, self.count, self.bodies, self.make = seed, count, bodies, make
        alike = np.random.default_rng([seed, 4]).random(count) < LOOK_ALIKES
        alike[:1] = False
        self._dressed_as = np.maximum.accumulate(np.where(alike, 0, np.arange(count)))
        self._alike = np.bincount(self._dressed_as, minlength=count)[self._dressed_as] > 1

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, number: int) -> Person:
        person = random_person(np.random.default_rng([self.seed, 5, number]), self.bodies, self.make)
        first = int(self._dressed_as[number])
        if first == number:
            return replace(person, group=f"look_alikes_{first}" if self._alike[number] else "")
        return replace(person, clothes=self[first].clothes, group=f"look_alikes_{first}")
