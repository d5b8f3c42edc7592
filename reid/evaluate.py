"""Evaluation of re-identification models on named sets, as JSON and as pictures of ranked lists."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reid.augment import network_input, resized
from reid.datasets import EvaluationSet, Pictures, load_evaluation, read_picture, write_picture
from reid.metrics import (
    Ranking,
    cosine_distances,
    market_ranking,
    normalised,
    ranking_of_distances,
    single_gallery_shot,
)
from reid.ranked_lists import ranked_list_picture
from reid.rerank import rerank
from reid.verification import pair_similarities, true_positive_rate

Describe = Callable[[NDArray[np.uint8]], dict[str, NDArray[np.float32]]]


def evaluate(
    models: str | Sequence[str],
    sets: Sequence[str],
    *,
    flip: bool = False,
    reranked: bool = False,
    output: str | Path | None = None,
    ranked_lists: str | Path | None = None,
    threads: int = 0,
) -> dict[str, Any]:
    """Measure models on sets, each with each: the cross-domain matrix.

    Args:
        models: Shipped names, folders of weights, or the .xml or .onnx of other models.
        sets: `KIND:ROOT` or `KIND:ROOT:VARIANT`, see `reid.datasets.load_evaluation`.
        flip: Add the features of the mirrored picture.
        reranked: Also measure after k-reciprocal re-ranking.
        output: Write the result there as JSON.
        ranked_lists: Folder for a picture of ranked lists of each model and set.
        threads: Of the CPU; 0 is all.

    Returns:
        {"results": {model: {set: {feature: {rank1, rank5, rank10, mAP, mINP, queries, protocol, tpr_at_fpr1}}}},
        "cross_domain": {model: {set: "rank-1 / mAP"}}, "flip": ...}. Features are `f` and `f_bn`, or `f` alone of
        models of others; the matrix shows the feature that the weights use.

    Raises:
        DatasetError, WeightsError, FileNotFoundError: Nothing there, or not what it should be.
        ValueError: A set is not written as described.
    """
    opened = [_opened_set(text) for text in sets]
    results: dict[str, Any] = {}
    matrix: dict[str, dict[str, str]] = {}
    for model in [models] if isinstance(models, str) else models:
        describe, used = open_model(model, threads)
        results[model], matrix[model] = {}, {}
        for chosen in opened:
            figures, distances = evaluate_set(describe, chosen, flip=flip, reranked=reranked, used=used)
            results[model][chosen.name] = figures
            matrix[model][chosen.name] = f"{figures[used]['rank1']:.3f} / {figures[used]['mAP']:.3f}"
            if ranked_lists is not None:
                Path(ranked_lists).mkdir(parents=True, exist_ok=True)
                picture = ranked_list_picture(distances, chosen.query, chosen.gallery or chosen.query)
                file = f"{Path(model).stem}-{chosen.name.replace(' ', '-')}.png"
                write_picture(Path(ranked_lists) / file, picture)
    report = {"results": results, "cross_domain": matrix, "flip": flip}
    if output is not None:
        Path(output).write_text(json.dumps(report, indent=1) + "\n")
    return report


def _opened_set(text: str) -> EvaluationSet:
    kind, _, rest = text.partition(":")
    root, _, variant = rest.partition(":")
    if not root:
        raise ValueError(
            f"cannot read the set {text!r}: write KIND:ROOT or KIND:ROOT:VARIANT, for instance "
            "market1501:data/market or rendered:data/crops:children"
        )
    return load_evaluation(kind, root, variant)


def evaluate_set(
    describe: Describe, chosen: EvaluationSet, *, flip: bool = False, reranked: bool = False, used: str = "f"
) -> tuple[dict[str, dict[str, Any]], NDArray[np.float32]]:
    """Figures of one model on one set by feature, and the distances (queries, gallery) of the feature `used`."""
    query = features_of(describe, chosen.query, flip)
    gallery = query if chosen.gallery is None else features_of(describe, chosen.gallery, flip)
    figures: dict[str, dict[str, Any]] = {}
    for name in query:
        figures[name] = measure(query[name], gallery[name], chosen)
        if reranked:
            figures[f"{name} reranked"] = _reranked(query[name], gallery[name], chosen)
    return figures, cosine_distances(query[used], gallery[used])


def features_of(describe: Describe, pictures: Pictures, flip: bool = False) -> dict[str, NDArray[np.float32]]:
    """Features (N, D) by name; with `flip` the sum of the normalised features of picture and mirror image."""
    rows: dict[str, list[NDArray[np.float32]]] = {}
    for image in _images(pictures):
        described = describe(image)
        mirrored = describe(np.ascontiguousarray(image[:, ::-1])) if flip else {}
        for name, values in described.items():
            row = values if not flip else normalised(np.stack([values, mirrored[name]])).sum(axis=0)
            rows.setdefault(name, []).append(row)
    return {name: np.stack(values) for name, values in rows.items()}


def _images(pictures: Pictures) -> Iterator[NDArray[np.uint8]]:
    return (read_picture(file) for file in pictures.files)


def measure(query: NDArray[np.float32], gallery: NDArray[np.float32], chosen: EvaluationSet) -> dict[str, Any]:
    """Figures of features by the set's own rule, with TPR at 1 % FPR over all pairs of different cameras."""
    own, other = chosen.query, chosen.gallery or chosen.query
    if chosen.rule == "single-gallery-shot":
        ranking = single_gallery_shot(query, own.ids, own.cameras, gallery, other.ids, other.cameras)
    elif chosen.same_group_only:
        ranking = ranking_of_distances(
            _within_groups(cosine_distances(query, gallery), own, other),
            own.ids,
            own.cameras,
            other.ids,
            other.cameras,
            protocol="market1501 within a group",
        )
    elif chosen.gallery is None:
        ranking = _other_cameras(query, own)
    else:
        ranking = market_ranking(query, own.ids, own.cameras, gallery, other.ids, other.cameras)
    if chosen.gallery is None:
        pairs = pair_similarities(query, own.ids, own.cameras)
    else:
        pairs = pair_similarities(
            np.concatenate([query, gallery]),
            np.concatenate([own.ids, other.ids]),
            np.concatenate([own.cameras, other.cameras]),
        )
    rate, threshold = true_positive_rate(pairs)
    return {**ranking.as_dict(), "tpr_at_fpr1": rate, "threshold_at_fpr1": threshold}


def _other_cameras(features: NDArray[np.float32], pictures: Pictures) -> Ranking:
    """Each picture against all pictures of other cameras: pictures of the query's camera are no part of its list."""
    distances = cosine_distances(features, features)
    distances[pictures.cameras[:, None] == pictures.cameras[None, :]] = _NEVER
    return ranking_of_distances(
        distances,
        pictures.ids,
        pictures.cameras,
        pictures.ids,
        pictures.cameras,
        protocol="market1501, gallery of other cameras",
    )


_NEVER = np.float32(10)  # farther than any cosine distance: behind every picture that counts


def _within_groups(distances: NDArray[np.float32], query: Pictures, gallery: Pictures) -> NDArray[np.float32]:
    own = np.array([group.split("|")[0] for group in query.groups])
    other = np.array([group.split("|")[0] for group in gallery.groups])
    apart = (own[:, None] != other[None, :]) | (query.cameras[:, None] == gallery.cameras[None, :])
    distances[apart] = _NEVER
    return distances


def _reranked(query: NDArray[np.float32], gallery: NDArray[np.float32], chosen: EvaluationSet) -> dict[str, Any]:
    own, other = chosen.query, chosen.gallery or chosen.query
    ranking = ranking_of_distances(
        rerank(query, gallery),
        own.ids,
        own.cameras,
        other.ids,
        other.cameras,
        protocol="market1501, k-reciprocal re-ranking k1=20 k2=6 lambda=0.3",
    )
    return ranking.as_dict()


def open_model(model: str, threads: int = 0) -> tuple[Describe, str]:
    """A function from a uint8 RGB picture to features by name, and the name of the feature that counts.

    OpenVINO runs it on the CPU, also for our own weights, whose torch form it converts.
    """
    if Path(model).suffix in (".xml", ".onnx"):
        from reid.teachers import open_teacher

        run = open_teacher(model, threads)
        return (lambda image: {"f": run(image)}), "f"
    return _own_network(model, threads)


def _own_network(model: str, threads: int) -> tuple[Describe, str]:
    import openvino
    import torch

    from reid import weights

    class Pair(torch.nn.Module):  # a traced module can't return the None of the missing classifier
        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            features = network(x)
            return features.f, features.f_bn

    network, config = weights.load(model)
    pair = Pair()
    pair.network = network
    converted = openvino.convert_model(pair.eval(), example_input=torch.zeros(1, 3, *network.image_size))
    converted.reshape([1, 3, *network.image_size])
    options: dict[str, object] = {"INFERENCE_PRECISION_HINT": "f32"}
    if threads:
        options["INFERENCE_NUM_THREADS"] = threads
    request = openvino.Core().compile_model(converted, "CPU", options).create_infer_request()

    def describe(image: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
        values = network_input(resized(image, network.image_size))
        outputs = list(request.infer([values[None]]).values())
        return {"f": np.array(outputs[0][0]), "f_bn": np.array(outputs[1][0])}

    return describe, config.feature
