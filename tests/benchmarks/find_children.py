"""Children looked for on rendered stores: how far up the list they stand, by the product's own search.

A query is a picture of a child as a guardian would give one: the true box in one camera with a small margin, at
several box heights. Searched are the lake's tracklets of the other cameras, with `age` child. A query counts where the
child can be seen in the others for at least a second (truth boxes of at least 40 px, at least 30 % visible), whether
the detector saw it there or not. A candidate is right where most of its tracklet's boxes lie on the child
(`flows.score_boxes`).
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from rich.console import Console

from flows.find import Candidate, Filters, Query, TrackletName
from flows.lake import Lake
from flows.person_search import PersonSearch
from flows.plan import plan_store_day
from flows.preflight import preflight
from flows.progress import process_with_progress
from flows.score import microseconds, read_truth
from flows.score_boxes import LEAST_HEIGHT_PX, LEAST_VISIBLE, align, match_boxes
from tests.benchmarks.oracle import cut_crops
from tests.benchmarks.scene import STORE, lay_out

FIND = {"purpose": "Finding lost children in a rendered store"}
DETECTOR = {"model": "aisleflow-person-n", "image_size": 640, "confidence": 0.25}
FPS = 5.0
RANKS = (1, 5, 10)
QUERY_VISIBLE = 0.7
QUERY_HEIGHTS = (0.1, 0.5, 1.0)
"""Quantiles of the child's box heights in a camera that queries are taken at."""
HEIGHTS_PX = (40, 80, 120, 160)
LEAST_SECONDS = 1.0
MARGIN = 0.08
LISTED = 10
TIMED = 8
"""Queries of a scene of which the crops are cut as well, for the seconds to answer."""


@dataclass(frozen=True)
class Outcome:
    """One query: rank of the first right candidate (None: not among the first `LISTED`), by each way of searching.
    `_before_answer` and `_after_answer` are of the next one, where there is one (`_one_answer`).

    `answer_s`: seconds from the picture to the candidates with their crops; None where not measured.
    """

    child: int
    height_px: float
    findable: bool
    ranks: dict[str, int | None]
    answer_s: float | None


def open_scene(folder: Path, work: Path) -> PersonSearch:
    """The search in a scene's lake below `work`, which is made where it is not there yet."""
    work.mkdir(parents=True, exist_ok=True)
    file, start = lay_out(folder, work, detector=DETECTOR, reid="rga-store", fps=FPS)
    file.write_text(yaml.safe_dump(yaml.safe_load(file.read_text()) | {"find": FIND}, sort_keys=False))
    lake = str(work / "lake")
    if not Lake(lake).days([STORE]):
        process_with_progress(plan_store_day(preflight(file, start.date()), lake), Console(stderr=True))
    return PersonSearch(file, lake, "benchmark", "measuring recall on a rendered store", [start.date()])


def look_for_children(folder: Path, work: Path) -> list[Outcome]:
    """Every query of a scene; none where it has no children."""
    search = open_scene(folder, work)
    truth = read_truth(folder / "truth")
    children = truth["people"].loc[truth["people"]["age_group"] == "child", "person_id"]
    boxes = truth["boxes"][truth["boxes"]["person_id"].isin(children)]
    if boxes.empty:
        return []
    true_of = _people_of_tracklets(search, truth["boxes"])
    queries = pd.DataFrame(_queries(boxes))
    widened = _widened(queries)
    outcomes = []
    for row, picture in zip(queries.itertuples(), cut_crops(folder, widened), strict=True):
        others = tuple(sorted(set(truth["boxes"]["camera"]) - {row.camera}))
        seen = boxes[(boxes["person_id"] == row.person_id) & boxes["camera"].isin(others)]
        if not _long_enough(seen):
            continue
        started = time.perf_counter()
        query = replace(search.of_pictures([picture]), age="child")
        found = search.find(query, Filters(others), count=LISTED)
        answer_s = None
        if len(outcomes) < TIMED:
            search.crops([one.name for one in found])
            answer_s = time.perf_counter() - started
        right = {name for name, person in true_of.items() if person == row.person_id and name.camera in others}
        ranks = {"": _rank(found, right)}
        ranks["_by_looks"] = _rank(search.find(replace(query, age=None), Filters(others), count=LISTED), right)
        ranks["_second_list"] = ranks[""] or _rank(_second_list(search, query, found, others), right)
        ranks |= _one_answer(search, query, found, others, right)
        height = float(row.y2 - row.y1)
        outcomes.append(Outcome(int(row.person_id), height, bool(right), ranks, answer_s))
    return outcomes


def figures(outcomes: list[Outcome]) -> dict[str, Any]:
    """Flat figures of queries: recall by rank, by box height of the query, after a second list, and what limits it."""
    result: dict[str, Any] = {"child_queries": len(outcomes), "children": len({one.child for one in outcomes})}
    if not outcomes:
        return result
    for name in dict.fromkeys(name for one in outcomes for name in one.ranks):
        asked = [one for one in outcomes if name in one.ranks]
        for rank in RANKS:
            result[f"child_recall{name}_at_{rank}"] = _recall(asked, name, rank)
    result["child_queries_answered"] = sum("_after_answer" in one.ranks for one in outcomes)
    result["child_in_lake"] = round(float(np.mean([one.findable for one in outcomes])), 4)
    for low, high in zip(HEIGHTS_PX, (*HEIGHTS_PX[1:], np.inf), strict=True):
        own = [one for one in outcomes if low <= one.height_px < high]
        label = f"{low}_{high:.0f}px" if np.isfinite(high) else f"over_{low}px"
        result[f"child_queries_{label}"] = len(own)
        for rank in RANKS:
            result[f"child_recall_at_{rank}_{label}"] = _recall(own, "", rank) if own else None
    result["answer_s"] = round(float(np.median([one.answer_s for one in outcomes if one.answer_s is not None])), 2)
    return result


def _recall(outcomes: list[Outcome], name: str, rank: int) -> float:
    ranks = [one.ranks[name] for one in outcomes]
    return round(float(np.mean([own is not None and own <= rank for own in ranks])), 4)


def _rank(found: list[Candidate], right: set[TrackletName]) -> int | None:
    return next((number for number, one in enumerate(found, start=1) if one.name in right), None)


def _second_list(
    search: PersonSearch, query: Query, found: list[Candidate], cameras: tuple[str, ...]
) -> list[Candidate]:
    """What is listed after everybody of the first list was rejected."""
    for one in found:
        query = search.answer(query, one.name, same_person=False)
    return search.find(query, Filters(cameras), count=LISTED)


def _one_answer(
    search: PersonSearch, query: Query, found: list[Candidate], cameras: tuple[str, ...], right: set[TrackletName]
) -> dict[str, int | None]:
    """Rank of the next right candidate before and after the first one got its answer, Yes or No as is true; nothing
    where no other tracklet with an embedding is left to be found. The answered one is in neither list."""
    if not found:
        return {}
    first, (day,) = found[0], search.opened
    left = {name for name in right - set(first.sightings) if day.row_of(name.camera, name.track_id) is not None}
    if not left:
        return {}
    before = search.find(query, Filters(cameras), count=LISTED + 1)
    answered = search.answer(query, first.name, same_person=first.name in right)
    after = search.find(answered, Filters(cameras), count=LISTED)
    return {"_before_answer": _rank(before[1:], left), "_after_answer": _rank(after, left)}


def _queries(boxes: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Rows of truth boxes that queries are cut from."""
    clear = boxes[(boxes["visible_fraction"] >= QUERY_VISIBLE) & (boxes["y2"] - boxes["y1"] >= LEAST_HEIGHT_PX)]
    for _, own in clear.groupby(["person_id", "camera"]):
        ordered = own.iloc[(own["y2"] - own["y1"]).to_numpy().argsort(kind="stable")]
        at = {round(quantile * (len(ordered) - 1)) for quantile in QUERY_HEIGHTS}
        yield from ordered.iloc[sorted(at)].to_dict("records")


def _widened(boxes: pd.DataFrame) -> pd.DataFrame:
    width, height = boxes["x2"] - boxes["x1"], boxes["y2"] - boxes["y1"]
    return boxes.assign(
        x1=boxes["x1"] - MARGIN * width,
        x2=boxes["x2"] + MARGIN * width,
        y1=boxes["y1"] - MARGIN * height,
        y2=boxes["y2"] + MARGIN * height,
    )


def _long_enough(boxes: pd.DataFrame) -> bool:
    seen = boxes[(boxes["visible_fraction"] >= LEAST_VISIBLE) & (boxes["y2"] - boxes["y1"] >= LEAST_HEIGHT_PX)]
    return len(np.unique(seen["time_us"] // round(1e6 / FPS))) >= LEAST_SECONDS * FPS


def _people_of_tracklets(search: PersonSearch, boxes: pd.DataFrame) -> dict[TrackletName, int]:
    """Whom most boxes of each tracklet lie on; negative where on nobody."""
    (day,) = search.opened
    lake = Lake(search.lake)
    positions = microseconds(lake.read_day(STORE, day.day, ["positions"])["positions"].to_pandas())
    aligned, boxes, _ = align(positions, boxes)
    matched, _ = match_boxes(aligned, boxes)
    whose = matched.groupby(["camera", "track_id"])["hit"].agg(lambda hits: int(hits.mode().iloc[0]))
    return {
        TrackletName(day.day, str(camera), int(track)): person
        for (camera, track), person in zip(whose.index, whose.tolist(), strict=True)
    }
