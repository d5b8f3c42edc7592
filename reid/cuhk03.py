"""CUHK03 from its HDF5 release: unpacked to PNG files once, then by the new (767/700) or the classic protocol."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reid.datasets import DatasetError, Pictures

BOXES = ("labeled", "detected")
_PART = re.compile(r"(labeled|detected)(-classic(\d*))?-(train|query|gallery)")


def cuhk03(root: str | Path, part: str) -> Pictures:
    """A part of CUHK03: `labeled-train`, `detected-query`, ... of the new protocol (Zhong et al., CVPR 2017), or
    `labeled-classic-train`, `detected-classic7-gallery`, ... of the classic one (Li et al., CVPR 2014).

    `root` or `root`/cuhk03_release holds cuhk-03.mat, and for the new protocol cuhk03_new_protocol_config_*.mat. The
    pictures are unpacked beside it into images_labeled and images_detected at the first call. The camera is the view
    within the pair. The classic protocol has 20 test sets of 100 identities; the number after `classic` (0 where left
    out) chooses one, and all its pictures are both query and gallery, for `single_gallery_shot`.

    Raises:
        DatasetError: Files are missing, or an unknown part.
    """
    match = _PART.fullmatch(part)
    if match is None:
        raise DatasetError(
            f"unknown part {part!r} of cuhk03: for instance labeled-train, detected-query, detected-classic-train"
        )
    boxes, classic, number, role = match.groups()
    folder = _release(Path(root))
    images = folder / f"images_{boxes}"
    if not (images / "complete").is_file():
        unpack(folder / "cuhk-03.mat", boxes, images)
    if classic:
        return _classic(folder / "cuhk-03.mat", images, int(number or 0), role)
    names, labels = new_protocol(folder / f"cuhk03_new_protocol_config_{boxes}.mat", role)
    return Pictures(f"cuhk03 {part}", tuple(images / name for name in names), labels, _views(names))


def _release(root: Path) -> Path:
    for folder in (root, root / "cuhk03_release"):
        if (folder / "cuhk-03.mat").is_file():
            return folder
    raise DatasetError(
        f"no cuhk-03.mat in {root} or {root / 'cuhk03_release'}: it comes with the CUHK03 release that "
        "its authors give to researchers on request"
    )


def _views(names: list[str]) -> NDArray[np.int64]:
    return np.array([int(name.split("_")[2]) for name in names], dtype=np.int64)


def new_protocol(config: str | Path, role: str) -> tuple[list[str], NDArray[np.int64]]:
    """File names and identities of `train`, `query` or `gallery` in a config of the new protocol.

    Raises:
        DatasetError: The config is missing.
    """
    from scipy.io import loadmat

    if not Path(config).is_file():
        raise DatasetError(f"no {config}: it is in the repository of Zhong et al.'s re-ranking paper")
    content = loadmat(str(config))
    places = content[f"{role}_idx"].ravel().astype(np.int64) - 1
    files = content["filelist"].ravel()
    labels = content["labels"].ravel().astype(np.int64)
    return [str(files[place].item()) for place in places], labels[places]


def _open(mat: Path) -> Any:
    try:
        import h5py
    except ImportError as error:
        raise DatasetError("CUHK03's release is an HDF5 file: install h5py (pip install h5py)") from error
    return h5py.File(mat, "r")


def unpack(mat: str | Path, boxes: str, images: Path) -> None:
    """Writes all pictures of `labeled` or `detected` boxes as PAIR_PID_VIEW_IMAGE.png, all numbers from 1.

    In each camera pair a person has ten places: 1 to 5 are view 1, 6 to 10 are view 2; some are empty.
    """
    import cv2

    images.mkdir(parents=True, exist_ok=True)
    with _open(Path(mat)) as content:
        for pair, pair_reference in enumerate(content[boxes][0], 1):
            people = content[pair_reference][:].T
            for person, references in enumerate(people, 1):
                for place, reference in enumerate(references, 1):
                    picture = np.asarray(content[reference]).T  # MATLAB's order: (3, width, height) in the file
                    if picture.ndim != 3 or not picture.size:
                        continue
                    name = f"{pair}_{person:03d}_{1 if place <= 5 else 2}_{place:02d}.png"
                    if not cv2.imwrite(str(images / name), np.ascontiguousarray(picture[:, :, ::-1])):
                        raise DatasetError(f"cannot write {images / name}")
    (images / "complete").touch()


def _classic(mat: Path, images: Path, number: int, role: str) -> Pictures:
    with _open(mat) as content:
        references = content["testsets"][0]
        if not 0 <= number < len(references):
            raise DatasetError(f"cuhk03 has {len(references)} classic test sets, from 0; there is no {number}")
        test = {(int(pair), int(person)) for pair, person in content[references[number]][:].T}
    names = sorted(path.name for path in images.glob("*.png"))
    people = [(int(name.split("_")[0]), int(name.split("_")[1])) for name in names]
    numbers = {person: k for k, person in enumerate(sorted(set(people)))}
    kept = [k for k, person in enumerate(people) if (person in test) == (role != "train")]
    return Pictures(
        f"cuhk03 classic {role} {number}",
        tuple(images / names[k] for k in kept),
        np.array([numbers[people[k]] for k in kept]),
        _views([names[k] for k in kept]),
    )
