"""How well detectors find people: recall and precision by height, visibility and age, on the same pictures.

The rule: `matching.match_people` at IoU 0.5. A person counts from `least_height_px` (of the visible box) and
`least_visible` on; whoever is smaller or more hidden is ignored.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from detection.detector import Detections, Detector, load_detector
from detection.labelled_pictures import LabelledPicture, rendered_scene, teacher_clip, yolo_folder
from detection.matching import match_people
from detection.mistake_sheet import Mistake, write_sheet

HEIGHTS_PX = (40, 60, 80, 120, 180, 10_000)
VISIBILITIES = (0.3, 0.5, 0.7, 0.9, 1.01)


@dataclass(frozen=True)
class Rule:
    """Which people are asked for, and when a box is theirs."""

    least_height_px: float = 60.0
    least_visible: float = 0.3
    least_iou: float = 0.5

    def counted(self, picture: LabelledPicture) -> np.ndarray:
        """Bool (T,) of the people who must be found."""
        tall = picture.boxes[:, 3] - picture.boxes[:, 1] >= self.least_height_px
        return tall & (picture.visible >= self.least_visible) & ~picture.doubtful


@dataclass
class Tally:
    """What one detector found, person by person."""

    heights: list[float] = field(default_factory=list)
    visible: list[float] = field(default_factory=list)
    child: list[bool] = field(default_factory=list)
    found: list[bool] = field(default_factory=list)
    false_alarms: int = 0
    pictures: int = 0
    wall_ms: list[float] = field(default_factory=list)
    cpu_ms: list[float] = field(default_factory=list)

    def add(self, picture: LabelledPicture, found: Detections, rule: Rule) -> list[Mistake]:
        """Count one picture; returns its misses and false alarms."""
        counted = rule.counted(picture)
        match = match_people(found.boxes, found.scores, picture.boxes, counted, least_iou=rule.least_iou)
        hit = np.isin(np.arange(len(counted)), match.truth_of)
        self.heights += (picture.boxes[counted, 3] - picture.boxes[counted, 1]).tolist()
        self.visible += picture.visible[counted].tolist()
        self.child += picture.child[counted].tolist()
        self.found += hit[counted].tolist()
        self.false_alarms += int(match.false_alarm.sum())
        self.pictures += 1
        missed = picture.boxes[counted & ~hit]
        return [Mistake("missed", picture, tuple(box), found.boxes) for box in missed] + [
            Mistake("false alarm", picture, tuple(box), found.boxes) for box in found.boxes[match.false_alarm]
        ]

    def summary(self) -> dict[str, Any]:
        """Figures for JSON; a share of nothing is None."""
        found, heights, visible = np.array(self.found, bool), np.array(self.heights), np.array(self.visible)
        hits = int(found.sum())
        recall, precision = _share(found), hits / (hits + self.false_alarms) if hits + self.false_alarms else None
        f1 = 2 * recall * precision / (recall + precision) if recall and precision else None
        return {
            "recall": _rounded(recall),
            "precision": _rounded(precision),
            "f1": _rounded(f1),
            "recall_children": _rounded(_share(found[np.array(self.child, bool)])),
            "children": int(sum(self.child)),
            "people": len(found),
            "pictures": self.pictures,
            "false_alarms": self.false_alarms,
            "recall_by_height": _by(heights, HEIGHTS_PX, found),
            "recall_by_visibility": _by(visible, VISIBILITIES, found),
            "ms_per_frame": _rounded(float(np.median(self.wall_ms)), 1) if self.wall_ms else None,
            "cpu_ms_per_frame": _rounded(float(np.median(self.cpu_ms)), 1) if self.cpu_ms else None,
        }


def _share(found: np.ndarray) -> float | None:
    return float(found.mean()) if len(found) else None


def _rounded(value: float | None, digits: int = 4) -> float | None:
    return None if value is None else round(value, digits)


def _by(values: np.ndarray, edges: Sequence[float], found: np.ndarray) -> dict[str, dict[str, Any]]:
    """Recall between neighbouring edges, with the number of people it is a share of."""
    shares = {}
    for low, high in pairwise(edges):
        inside = (values >= low) & (values < high)
        if inside.any():
            name = f"{low:g}+" if high == edges[-1] else f"{low:g}-{high:g}"
            shares[name] = {"recall": _rounded(_share(found[inside])), "people": int(inside.sum())}
    return shares


def compare(
    detectors: Sequence[Detector], pictures: Iterable[LabelledPicture], rule: Rule
) -> tuple[dict[str, Tally], dict[str, list[Mistake]]]:
    """Run every detector on every picture, in turns, so that times under load are comparable."""
    tallies = {detector.name: Tally() for detector in detectors}
    mistakes: dict[str, list[Mistake]] = {detector.name: [] for detector in detectors}
    for number, picture in enumerate(pictures):
        for detector in detectors:
            began, cpu = time.perf_counter(), time.process_time()
            found = detector.detect([picture.image])[0]
            if number:  # the first run prepares memory
                tallies[detector.name].wall_ms.append((time.perf_counter() - began) * 1e3)
                tallies[detector.name].cpu_ms.append((time.process_time() - cpu) * 1e3)
            mistakes[detector.name] += tallies[detector.name].add(picture, found, rule)
    return tallies, mistakes


def evaluate(
    model: str,
    *,
    rivals: Sequence[str] = (),
    scenes: Sequence[str | Path] = (),
    folders: Sequence[str | Path] = (),
    clips: Sequence[str | Path] = (),
    teachers: Sequence[str] = (),
    every_s: float = 2.0,
    rule: Rule | None = None,
    confidence: float = 0.25,
    image_size: int = 640,
    threads: int | None = 1,
    sheet: str | Path | None = None,
) -> dict[str, Any]:
    """Evaluate a detector beside its rivals.

    Args:
        model, rivals: names or paths for `load_detector`.
        scenes: rendered stores with truth. folders: pictures with YOLO labels. clips: video without labels, for which
            two `teachers` are needed: people both see (from `confidence`) are the truth, boxes of one only are ignored.
        every_s: seconds between two pictures of a camera or clip.
        rule: who counts; None: 60 px, 30 % visible, IoU 0.5.
        sheet: PNG to write the model's misses and false alarms to (from `scenes` only: no picture of real people).

    Returns:
        The model's figures on `scenes` (recall, precision, recall_children, recall_by_height, ms_per_frame ...),
        `rivals` {name: the same}, and the same under `folders` and `clips` where given.

    Raises:
        DetectorNotFound, ValueError: clips without two teachers, nothing to evaluate on.
    """
    if clips and len(teachers) != 2:
        raise ValueError("clips have no labels: name two teachers, detectors of different families")
    if not (scenes or folders or clips):
        raise ValueError("nothing to evaluate on: give scenes, folders or clips")
    rule = rule or Rule()
    settings: dict[str, Any] = {"confidence": confidence, "image_size": image_size, "threads": threads}
    detectors = [load_detector(name, **settings) for name in (model, *rivals)]
    report: dict[str, Any] = {
        "model": detectors[0].name,
        "sha256": detectors[0].sha256,
        "protocol": {
            "plane": "boxes, in the whole picture at any distance; a second box on a person is a false alarm",
            "truth": {
                "scenes": "rendered people, exact",
                "folders": "labels beside the pictures",
                "clips": f"people whom both teachers see: {', '.join(teachers) or 'none'}",
            },
            **settings,
            "every_s": every_s,
            "least_height_px": rule.least_height_px,
            "least_visible": rule.least_visible,
            "least_iou": rule.least_iou,
        },
    }
    if scenes:
        tallies, mistakes = compare(detectors, (p for s in scenes for p in rendered_scene(s, every_s)), rule)
        report |= tallies[detectors[0].name].summary()
        report["rivals"] = {d.name: tallies[d.name].summary() for d in detectors[1:]}
        if sheet is not None:
            write_sheet(mistakes[detectors[0].name], sheet)
    if folders:
        tallies, _ = compare(detectors, (p for f in folders for p in yolo_folder(f)), rule)
        report["folders"] = {name: tally.summary() for name, tally in tallies.items()}
    if clips:
        pair = [load_detector(n, confidence=confidence, threads=threads) for n in teachers]
        tallies, _ = compare(detectors, (p for c in clips for p in teacher_clip(c, pair, every_s)), rule)
        report["clips"] = {name: tally.summary() for name, tally in tallies.items()}
    return report
