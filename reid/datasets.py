"""Pictures of people with identity and camera: the field's public sets, a folder, a CSV, and rendered crops.

A loader only lists files; pictures are read when a batch needs them. CUHK03's HDF5 is unpacked to PNG files once
(`reid.cuhk03`).
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp")
Value = TypeVar("Value")
MARKET_NAME = re.compile(r"(-?\d+)_c(\d+)")


class DatasetError(ValueError):
    """A data set is not where or what it should be; the message says what is expected."""


@dataclass(frozen=True)
class Pictures:
    """A list of labelled picture files.

    Attributes:
        name: Where they come from, for reports.
        files: N paths.
        ids: int64 (N,), identity; -1 is junk.
        cameras: int64 (N,).
        groups: N names (look-alike group, age group...), or empty.
    """

    name: str
    files: tuple[Path, ...]
    ids: NDArray[np.int64]
    cameras: NDArray[np.int64]
    groups: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not len(self.files) == len(self.ids) == len(self.cameras):
            raise DatasetError(
                f"{self.name}: {len(self.files)} files, {len(self.ids)} identities and {len(self.cameras)} cameras"
            )
        if not self.files:
            raise DatasetError(f"{self.name}: no pictures")

    def __len__(self) -> int:
        return len(self.files)

    def where(self, keep: NDArray[np.bool_] | NDArray[np.integer], name: str | None = None) -> Pictures:
        """The pictures at a boolean or integer index."""
        places = np.arange(len(self))[keep]
        groups = tuple(self.groups[k] for k in places) if self.groups else ()
        return Pictures(
            name or self.name, tuple(self.files[k] for k in places), self.ids[places], self.cameras[places], groups
        )


@dataclass(frozen=True)
class EvaluationSet:
    """Query and gallery of a protocol. `gallery` None: each picture is a query and the rest is its gallery."""

    name: str
    query: Pictures
    gallery: Pictures | None = None
    rule: str = "market1501"  # or "single-gallery-shot"
    same_group_only: bool = False


def read_picture(path: str | Path) -> NDArray[np.uint8]:
    """One picture, uint8 RGB (H, W, 3).

    Raises:
        DatasetError: The file is missing or is no picture.
    """
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise DatasetError(f"cannot read the picture {path}: it is missing or damaged")
    return np.ascontiguousarray(image[:, :, ::-1])


def write_picture(path: str | Path, picture: NDArray[np.uint8], quality: int = 95) -> None:
    """Writes an RGB picture (H, W, 3) as PNG or JPEG; `quality` is JPEG's.

    Raises:
        OSError: The file cannot be written.
    """
    problem = f"cannot write the picture {path}: does its folder exist, and does it end in .png or .jpg?"
    try:
        written = cv2.imwrite(str(path), np.ascontiguousarray(picture[:, :, ::-1]), [cv2.IMWRITE_JPEG_QUALITY, quality])
    except cv2.error as error:  # an ending that names no format
        raise OSError(problem) from error
    if not written:
        raise OSError(problem)


def joined(parts: Sequence[Pictures], name: str | None = None) -> Pictures:
    """Several sets as one; identities and cameras are renumbered so that no two sets share any."""
    files: list[Path] = []
    ids, cameras = [], []
    next_id = next_camera = 0
    for part in parts:
        own_ids, own_cameras = np.unique(part.ids), np.unique(part.cameras)
        ids.append(np.searchsorted(own_ids, part.ids) + next_id)
        cameras.append(np.searchsorted(own_cameras, part.cameras) + next_camera)
        next_id, next_camera = next_id + len(own_ids), next_camera + len(own_cameras)
        files.extend(part.files)
    return Pictures(
        name or " + ".join(part.name for part in parts),
        tuple(files),
        np.concatenate(ids).astype(np.int64),
        np.concatenate(cameras).astype(np.int64),
    )


def split_identities(pictures: Pictures, held_out: int, seed: int = 0) -> tuple[Pictures, Pictures]:
    """(the rest, `held_out` identities chosen at random by the seed). The two share no identity.

    Raises:
        DatasetError: There are not more identities than that.
    """
    ids = np.unique(pictures.ids[pictures.ids >= 0])
    if not 0 < held_out < len(ids):
        raise DatasetError(f"{pictures.name}: cannot hold out {held_out} of {len(ids)} identities")
    chosen = np.isin(pictures.ids, np.random.default_rng(seed).permutation(ids)[:held_out])
    return pictures.where(~chosen, pictures.name), pictures.where(chosen, f"{pictures.name} (held out)")


def at_most(pictures: Pictures, per_camera: int, seed: int = 0) -> Pictures:
    """At most `per_camera` pictures of each identity in each camera, chosen at random by the seed."""
    generator = np.random.default_rng(seed)
    keep = np.zeros(len(pictures), dtype=bool)
    for identity in np.unique(pictures.ids):
        for camera in np.unique(pictures.cameras[pictures.ids == identity]):
            own = np.flatnonzero((pictures.ids == identity) & (pictures.cameras == camera))
            keep[generator.permutation(own)[:per_camera]] = True
    return pictures.where(keep)


def _listed(folder: Path, expected: str) -> list[Path]:
    if not folder.is_dir():
        raise DatasetError(f"no folder {folder}; expected {expected}")
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in PICTURE_SUFFIXES)
    if not files:
        raise DatasetError(f"no pictures in {folder}; expected {expected}")
    return files


def _named(folder: Path, pattern: re.Pattern[str], expected: str, name: str) -> Pictures:
    files = _listed(folder, expected)
    found = [pattern.match(path.name) for path in files]
    kept = [(path, match) for path, match in zip(files, found, strict=True) if match]
    if not kept:
        raise DatasetError(f"no file in {folder} is named like {expected}")
    return Pictures(
        name,
        tuple(path for path, _ in kept),
        np.array([int(match[1]) for _, match in kept]),
        np.array([int(match[2]) for _, match in kept]),
    )


def market1501(root: str | Path, part: str) -> Pictures:
    """Market-1501's `train`, `query` or `gallery` (bounding_box_train, query, bounding_box_test).

    Training drops junk (-1); query and gallery keep every file: junk is the evaluation's business, identity 0 are
    distractors.
    """
    folders = {"train": "bounding_box_train", "query": "query", "gallery": "bounding_box_test"}
    pictures = _named(Path(root) / _one_of(folders, part), MARKET_NAME, "0002_c1s1_000451_03.jpg", f"market1501 {part}")
    return pictures.where(pictures.ids >= 0) if part == "train" else pictures


def msmt17(root: str | Path, part: str) -> Pictures:
    """MSMT17's `train` (list_train + list_val, as its authors train), `val`, `query` or `gallery`.

    The lists hold `0000/0000_000_01_0303morning_0015_0.jpg 0`: the label is the identity, the third number the camera.
    """
    lists = {
        "train": ("list_train.txt", "list_val.txt"),
        "val": ("list_val.txt",),
        "query": ("list_query.txt",),
        "gallery": ("list_gallery.txt",),
    }
    folder = "train" if part in ("train", "val") else "test"
    files, ids, cameras = [], [], []
    for name in _one_of(lists, part):
        path = Path(root) / name
        if not path.is_file():
            raise DatasetError(f"no {path}; MSMT17 has list_train.txt, list_val.txt, list_query.txt, list_gallery.txt")
        for line in path.read_text().splitlines():
            file, _, label = line.strip().rpartition(" ")
            if file:
                files.append(Path(root) / folder / file)
                ids.append(int(label))
                cameras.append(int(Path(file).name.split("_")[2]))
    return Pictures(f"msmt17 {part}", tuple(files), np.array(ids), np.array(cameras))


def cuhk03_p1(root: str | Path, part: str) -> Pictures:
    """Camera pair 1 of CUHK03 as PID_cCAM_NN.webp; `train` is identities 0..642, `val` is 643..742."""
    pictures = _named(Path(root), MARKET_NAME, "0000_c1_00.webp", f"cuhk03_p1 {part}")
    return pictures.where(pictures.ids < 643 if _one_of({"train": True, "val": False}, part) else pictures.ids >= 643)


def pku_reid(root: str | Path, part: str = "all") -> Pictures:
    """PKU-Reid, ID/CAMERA_ORIENTATION.png: `train` (62 identities), `val` (12) or `all`."""
    parts = {"train": ("train",), "val": ("val/all_imgs",), "all": ("train", "val/all_imgs")}
    files = [path for name in _one_of(parts, part) for path in _listed(Path(root) / name, "001/01_1.png")]
    return Pictures(
        f"pku_reid {part}",
        tuple(files),
        np.array([int(path.parent.name) for path in files]),
        np.array([int(path.name.split("_")[0]) for path in files]),
    )


def folder(root: str | Path, part: str = "all") -> Pictures:
    """Pictures in one folder an identity, the camera in the name (`anything_c3_07.jpg`), or all in one folder named
    like Market-1501's."""
    files = _listed(Path(root), "ID/name_c1_01.jpg or 0001_c1_01.jpg")
    names: dict[str, int] = {}
    ids, cameras = [], []
    for path in files:
        camera = re.search(r"c(\d+)", path.stem)
        if camera is None:
            raise DatasetError(f"{path} names no camera: expected c and a number in the name, as in 0001_c1_01.jpg")
        identity = path.stem.split("_")[0] if path.parent == Path(root) else str(path.parent.relative_to(root))
        ids.append(names.setdefault(identity, len(names)) if identity != "-1" else -1)
        cameras.append(int(camera[1]))
    return Pictures(f"folder {Path(root).name}", tuple(files), np.array(ids), np.array(cameras))


def table(root: str | Path, part: str = "all") -> Pictures:
    """A CSV with the columns file (relative to it), id, camera; rows of `part` where it has a column part.

    Columns look_alike_group and age_group, as rendered crops have them, become `groups` ("group|age").
    """
    path = Path(root) if Path(root).suffix == ".csv" else Path(root) / "index.csv"
    if not path.is_file():
        raise DatasetError(f"no table {path}: expected a CSV with the columns file, id, camera")
    with path.open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    missing = {"file", "id", "camera"} - set(rows[0] if rows else ())
    if missing:
        raise DatasetError(f"{path} lacks the columns {', '.join(sorted(missing))}")
    if part != "all":
        rows = [row for row in rows if row.get("part") == part]
    groups = tuple(f"{row['look_alike_group']}|{row['age_group']}" for row in rows) if "age_group" in rows[0] else ()
    return Pictures(
        f"{path.parent.name} {part}",
        tuple(path.parent / row["file"] for row in rows),
        np.array([int(row["id"]) for row in rows]),
        np.array([int(row["camera"]) for row in rows]),
        groups,
    )


def rendered(root: str | Path, part: str = "all") -> Pictures:
    """Crops of rendered people (`reid.rendering`): one run's folder, or a folder of several runs, whose identities
    differ."""
    if (Path(root) / "index.csv").is_file():
        return table(root, part)
    runs = sorted(path.parent for path in Path(root).glob("*/index.csv"))
    if not runs:
        raise DatasetError(
            f"no index.csv in {root} or in a folder below it: render crops with `aisleflow reid render` first"
        )
    return joined([table(run, part) for run in runs], f"rendered {Path(root).name}")


def unlabelled(root: str | Path, part: str = "all") -> Pictures:
    """Every picture below a folder, without identity (-1), for teachers; each folder counts as a camera."""
    files = _listed(Path(root), "pictures of people")
    cameras = np.unique([str(file.parent) for file in files], return_inverse=True)[1]
    return Pictures(f"unlabelled {Path(root).name}", tuple(files), np.full(len(files), -1), cameras.astype(np.int64))


def _one_of(choices: dict[str, Value], part: str) -> Value:
    if part not in choices:
        raise DatasetError(f"unknown part {part!r}: choose one of {', '.join(choices)}")
    return choices[part]


def load_pictures(kind: str, root: str | Path, part: str) -> Pictures:
    """Pictures of a named kind: cuhk03 and the loaders of this module.

    Raises:
        DatasetError: An unknown kind or part, or files that are not there.
    """
    from reid.cuhk03 import cuhk03  # reads HDF5, which only this set needs

    loaders: dict[str, Callable[..., Pictures]] = {
        "cuhk03": cuhk03,
        "market1501": market1501,
        "msmt17": msmt17,
        "cuhk03_p1": cuhk03_p1,
        "pku_reid": pku_reid,
        "folder": folder,
        "csv": table,
        "rendered": rendered,
        "unlabelled": unlabelled,
    }
    return _one_of(loaders, kind)(root, part)


def load_evaluation(kind: str, root: str | Path, variant: str = "") -> EvaluationSet:
    """The evaluation of a set by its own protocol.

    Variants: cuhk03 takes `labeled`, `detected` (new protocol) or `labeled-classic`, `detected-classic`; rendered
    takes `all`, `look-alikes` or `children`; cuhk03_p1 is camera 1 -> 2 on identities 643..742; pku_reid is
    camera 1 -> 2 on all 74 identities.
    """
    if kind in ("market1501", "msmt17"):
        return EvaluationSet(kind, load_pictures(kind, root, "query"), load_pictures(kind, root, "gallery"))
    if kind == "cuhk03":
        prefix = variant or "detected"
        query, gallery = (load_pictures(kind, root, f"{prefix}-{part}") for part in ("query", "gallery"))
        rule = "single-gallery-shot" if prefix.endswith("classic") else "market1501"
        return EvaluationSet(f"cuhk03 {prefix}", query, gallery, rule)
    if kind in ("cuhk03_p1", "pku_reid"):
        pictures = load_pictures(kind, root, variant or ("val" if kind == "cuhk03_p1" else "all"))
        return EvaluationSet(kind, pictures.where(pictures.cameras == 1), pictures.where(pictures.cameras == 2))
    pictures = load_pictures(kind, root, "all")
    if kind != "rendered" or variant in ("", "all"):
        return EvaluationSet(f"{kind} {variant or 'all'}", pictures)
    return _rendered_variant(pictures, variant)


def _rendered_variant(pictures: Pictures, variant: str) -> EvaluationSet:
    groups = [(group.split("|")[0], group.split("|")[-1]) for group in pictures.groups]
    if variant == "look-alikes":
        kept = pictures.where(np.array([group != "" for group, _ in groups]))
        return EvaluationSet("rendered look-alikes", kept, same_group_only=True)
    if variant == "children":
        children = pictures.where(np.array([age == "child" for _, age in groups]))
        return EvaluationSet("rendered children", children)
    raise DatasetError(f"unknown variant {variant!r} of rendered: choose all, look-alikes or children")
