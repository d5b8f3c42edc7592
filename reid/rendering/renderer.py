"""Draws people in a place with OpenGL, straight into the box a detector would have cut. Runs in software (Mesa)."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reid.rendering import shaders
from reid.rendering.bodies import Bodies, box_mesh, box_triangles
from reid.rendering.figures import Figure
from reid.rendering.people import Person
from reid.rendering.places import KINDS_OF_SURFACE, Place
from reid.rendering.surfaces import SIZE, Picture, Random, surface
from reid.rendering.views import View, Window

PARTS = {
    "skin": 0,
    "top": 1,
    "bottom": 2,
    "shoes": 3,
    "skirt": 4,
    "hair": 5,
    "hair_cap": 6,
    "eyes": 7,
    "bag0": 8,
    "bag1": 8,
}
KEPT_CLOTHS = 64
POOL = 96  # surfaces held; one is made anew for each picture


class RenderingError(OSError):
    """OpenGL is missing on this machine; the message says what to install."""


class Renderer:
    """One OpenGL context. `largest` is the (height, width) of the largest picture."""

    def __init__(self, bodies: Bodies, largest: tuple[int, int], random: Random) -> None:
        self.bodies = bodies
        self._gl = _opengl()
        self.context = _context(self._gl)
        self.person = self.context.program(shaders.PERSON_VERTEX, shaders.PERSON_FRAGMENT)
        self.box = self.context.program(shaders.BOX_VERTEX, shaders.BOX_FRAGMENT)
        self.shadow = self.context.program(shaders.SHADOW_VERTEX, shaders.SHADOW_FRAGMENT)
        wide = largest[::-1]
        textures = [self.context.texture(wide, 4), self.context.texture(wide, 1)]
        self.target = self.context.framebuffer(textures, self.context.depth_renderbuffer(wide))
        self._people_buffers()
        corners, normals = box_mesh(np.zeros(3), np.ones(3))
        cube = self.context.buffer(np.hstack([corners, normals])[box_triangles().ravel()].tobytes())
        self.cube = self.context.vertex_array(self.box, [(cube, "3f 3f", "corner", "normal")])
        square = self.context.buffer(np.array([(-1, -1), (1, -1), (-1, 1), (1, 1)], "f4").tobytes())
        self.blob = self.context.vertex_array(self.shadow, [(square, "2f", "corner")])
        self.cloths: dict[int, tuple[Picture, Any]] = {}
        self.surfaces = [self._texture(surface(random)) for _ in range(POOL)]

    def _people_buffers(self) -> None:
        template, paint = self.bodies.template, self.bodies.paint
        self.vertices, self.normals = (self.context.buffer(reserve=template.nbytes, dynamic=True) for _ in range(2))
        shared = [
            (self.vertices, "3f", "position"),
            (self.normals, "3f", "normal"),
            (self.context.buffer(template.tobytes()), "3f", "rest"),
            (self.context.buffer(paint.tobytes()), "4f", "paint"),
        ]
        self.parts = {
            part: self.context.vertex_array(self.person, shared, self.context.buffer(self.bodies.faces[part].tobytes()))
            for part in PARTS
        }

    def _texture(self, picture: Picture) -> Any:
        texture = self.context.texture((SIZE, SIZE), 3, picture.tobytes())
        texture.build_mipmaps()
        return texture

    def _kept_texture(self, picture: Picture) -> Any:
        """A cloth's, made once for all pictures of the people who wear it now."""
        held = self.cloths.pop(id(picture), None) or (picture, self._texture(picture))
        self.cloths[id(picture)] = held  # the picture as well, so that no other takes its id
        if len(self.cloths) > KEPT_CLOTHS:
            self.cloths.pop(next(iter(self.cloths)))[1].release()
        return held[1]

    def draw(
        self, place: Place, view: View, window: Window, figures: Sequence[Figure], size: tuple[int, int], random: Random
    ) -> tuple[Picture, NDArray[np.uint8]]:
        """A picture uint8 RGB of (height, width), and whose each pixel is, uint8: 0 nobody's, k the k-th figure's."""
        height, width = size
        number = int(random.integers(POOL))
        self.surfaces[number].release()
        self.surfaces[number] = self._texture(surface(random))
        chosen = [self.surfaces[k] for k in np.random.default_rng(place.number).permutation(POOL)[:KINDS_OF_SURFACE]]
        self.context.enable(self._gl.DEPTH_TEST)
        self.target.viewport = 0, 0, width, height
        self.target.use()
        self.target.clear(*_display(place.behind), 1.0)
        clip = view.clip(window).T.astype("f4").tobytes()
        for program in (self.person, self.box, self.shadow):
            program["clip"].write(clip)
        for program in (self.person, self.box):
            for name in ("sky", "ground", "key", "key_direction"):
                program[name].value = tuple(getattr(place.light, name))
        self._draw_boxes(place, chosen)
        self._draw_shadows(place, figures)
        for k, figure in enumerate(figures):
            self._draw_figure(figure, k + 1)
        view_of = {"viewport": self.target.viewport, "alignment": 1}
        picture = np.frombuffer(self.target.read(components=3, **view_of), np.uint8).reshape(height, width, 3)
        whose = np.frombuffer(self.target.read(components=1, attachment=1, **view_of), np.uint8)
        return np.ascontiguousarray(picture[::-1]), whose.reshape(height, width)[::-1]

    def _draw_boxes(self, place: Place, surfaces: Sequence[Any]) -> None:
        for box in place.boxes:
            surfaces[box.surface].use(0)
            self.box["model"].write(box.matrix().T.astype("f4").tobytes())
            self.box["repeat"].value, self.box["tint"].value = box.repeat, (box.tint,) * 3
            self.cube.render()

    def _draw_shadows(self, place: Place, figures: Iterable[Figure]) -> None:
        flags = self._gl
        self.context.enable(flags.BLEND)
        self.context.blend_func = flags.ZERO, flags.SRC_COLOR
        self.target.depth_mask = False
        direction = place.light.key_direction
        for figure in figures:
            along = -direction[:2] / max(direction[2], 0.4) * figure.person.height_m
            along = along if np.hypot(*along) > 0.3 else np.array([0.3, 0.0])
            self.shadow["spot"].value, self.shadow["along"].value = figure.spot, tuple(along)
            self.shadow["depth"].value = 0.25 + 0.5 * place.light.shadow
            self.blob.render(flags.TRIANGLE_STRIP)
        self.target.depth_mask = True
        self.context.disable(flags.BLEND)

    def _draw_figure(self, figure: Figure, number: int) -> None:
        person, clothes, program = figure.person, figure.person.clothes, self.person
        self.vertices.write(figure.vertices.tobytes())
        self.normals.write(figure.normals.tobytes())
        program["model"].write(figure.matrix().T.astype("f4").tobytes())
        program["id"].value, program["seed"].value, program["cut"].value = number / 255, person.seed, clothes.cut
        program["looseness"].value = clothes.looseness
        program["ends"].value = (clothes.sleeve, clothes.legs, clothes.neck, clothes.hem)
        program["strap"].value, program["strap_colour"].value = clothes.strap, _linear(clothes.strap_colour)
        cloths = {name: self._kept_texture(picture) for name, picture in self._cloths(person).items()}
        cloths["second"].use(1)
        program["cloth"].value, program["second"].value = 0, 1
        first, second, bottom = clothes.scales
        for part, (a, b) in self._colours(person).items():
            cloths.get(part, cloths["top"]).use(0)
            waist = 0.1 if part == "skirt" else clothes.waist
            program["heights"].value = (clothes.skirt_end, person.hair_end, waist)
            program["repeat"].value = (bottom if part == "bottom" else first, second)
            program["part"].value, program["hat"].value = PARTS[part], part == "hair_cap" and person.hat is not None
            program["a"].value, program["b"].value = a, b
            self.parts[part].render()

    def _cloths(self, person: Person) -> dict[str, Picture]:
        clothes = person.clothes
        found = {"top": clothes.top, "second": clothes.second, "bottom": clothes.bottom}
        if clothes.skirt is not None:
            found["skirt"] = clothes.skirt
        return found | {f"bag{k}": bag.cloth for k, bag in enumerate(person.bags)}

    def _colours(self, person: Person) -> dict[str, tuple[tuple[float, ...], tuple[float, ...]]]:
        """Two colours of each part that the person has."""
        none, black = (-1.0, -1.0, -1.0), (0.0, 0.0, 0.0)
        face = none if person.face is None else _linear(person.face)
        found = {
            "skin": (_linear(person.skin), face),
            "top": (black, black),
            "bottom": (black, black),
            "shoes": (_linear(person.clothes.shoes), _linear(person.clothes.sole)),
            "eyes": (black, black),
        }
        hair = _linear(person.hair_colour)
        if person.clothes.skirt is not None:
            found["skirt"] = (black, black)
        if person.hair != "bald" or person.hat is not None:
            found["hair_cap"] = (hair if person.hat is None else _linear(person.hat), black)
        if person.hair in ("long", "bob"):
            found["hair"] = (hair, black)
        return found | {f"bag{k}": (black, black) for k in range(len(person.bags))}

    def close(self) -> None:
        """Give the context back, and all that it holds."""
        self.context.release()


def _linear(colour: NDArray[np.float64]) -> tuple[float, ...]:
    return tuple(np.clip(colour, 0, 1) ** 2.2)


def _display(colour: NDArray[np.float64]) -> tuple[float, ...]:
    return tuple(np.clip(colour, 0, 1) ** (1 / 2.2))


def _opengl() -> Any:
    os.environ.setdefault("LP_NUM_THREADS", "1")  # Mesa's software driver; processes share the cores instead
    try:
        import moderngl
    except ImportError as error:
        raise RenderingError("rendering people needs moderngl: pip install 'aisleflow[render]'") from error
    return moderngl


def _context(opengl: Any) -> Any:
    try:
        return opengl.create_context(standalone=True, backend="egl")
    except Exception as error:
        raise RenderingError(f"no OpenGL ({error}): on Debian and Ubuntu, apt-get install libegl1") from error
