"""Evaluation end to end with small weights saved here, on made-up people."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest
import torch

from reid import weights
from reid.calibration import calibrate_weights
from reid.datasets import folder, load_evaluation
from reid.evaluate import evaluate, features_of, measure, open_model
from reid.metrics import market_ranking
from reid.network import build_network
from reid.ranked_lists import GREEN, RED, ranked_list_picture
from tests.reid.pictures import write_people


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    return write_people(tmp_path_factory.mktemp("people"), 6)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    torch.manual_seed(0)
    saved = tmp_path_factory.mktemp("weights") / "small"
    weights.save(
        build_network("osnet", "none", (64, 32)),
        saved,
        licence="made up",
        restricted=False,
        calibration={},
        feature="f_bn",
    )
    return str(saved)


def test_a_report_holds_both_features_reranking_and_the_matrix(people, model, tmp_path):
    report = evaluate(
        model,
        [f"folder:{people}"],
        flip=True,
        reranked=True,
        output=tmp_path / "report.json",
        ranked_lists=tmp_path / "lists",
        threads=1,
    )
    assert json.loads((tmp_path / "report.json").read_text()) == report
    figures = report["results"][model]["folder all"]
    assert set(figures) == {"f", "f_bn", "f reranked", "f_bn reranked"}
    assert {"rank1", "rank5", "rank10", "mAP", "mINP", "queries", "protocol", "tpr_at_fpr1"} <= set(figures["f"])
    assert figures["f"]["queries"] == 24 and figures["f"]["rank1"] > 1 / 6
    assert report["cross_domain"][model]["folder all"] == (
        f"{figures['f_bn']['rank1']:.3f} / {figures['f_bn']['mAP']:.3f}"
    )
    picture = cv2.imread(str(next((tmp_path / "lists").iterdir())))
    assert picture.shape[0] > 10 * 128


def test_the_own_network_is_run_as_torch_runs_it(people, model):
    describe, used = open_model(model, 1)
    pictures = folder(people)
    few = pictures.where(np.arange(3))
    features = features_of(describe, few)
    from reid.batches import plain_inputs

    network, _ = weights.load(model)
    with torch.no_grad():
        expected = network(next(plain_inputs(few.files, (64, 32))))
    assert used == "f_bn"
    np.testing.assert_allclose(features["f"], expected.f, atol=1e-4)
    np.testing.assert_allclose(features["f_bn"], expected.f_bn, atol=1e-3)


def test_flipping_makes_mirrored_pictures_the_same(people, model):
    describe, _ = open_model(model, 1)
    few = folder(people).where(np.arange(2))
    plain = features_of(describe, few, flip=True)["f"]
    mirrored = features_of(lambda image: describe(np.ascontiguousarray(image[:, ::-1])), few, flip=True)["f"]
    np.testing.assert_allclose(plain, mirrored, atol=1e-5)


def test_pictures_of_the_querys_camera_are_no_part_of_its_list(people):
    chosen = load_evaluation("folder", people)
    pictures = chosen.query
    features = np.random.default_rng(0).normal(size=(len(pictures), 8)).astype(np.float32)
    one, two = pictures.cameras == 1, pictures.cameras == 2
    directions = [
        market_ranking(
            features[a], pictures.ids[a], pictures.cameras[a], features[b], pictures.ids[b], pictures.cameras[b]
        ).mean_average_precision
        for a, b in ((one, two), (two, one))
    ]
    assert measure(features, features, chosen)["mAP"] == pytest.approx(np.mean(directions))


def test_frames_are_green_where_right_and_red_where_wrong(people):
    pictures = folder(people)
    query, gallery = pictures.where(pictures.cameras == 1), pictures.where(pictures.cameras == 2)
    right = (query.ids[:, None] == gallery.ids[None]).astype(float)
    for distances, colour in ((1 - right, GREEN), (right, RED)):
        picture = ranked_list_picture(distances, query, gallery, queries=3, shown=2)
        frame = picture[6, 6 + (64 + 2 * 4 + 6) + 6 + 10]
        assert tuple(int(value) for value in frame) == colour


def test_calibration_is_written_beside_the_weights(people, model):
    values = calibrate_weights(model, folder(people))
    _, config = weights.load(model)
    assert config.calibration == values
    assert values["fpr"] <= 0.01 and 0 <= values["tpr"] <= 1 and "threshold_centred" in values


def test_mistakes_are_said(model):
    with pytest.raises(ValueError, match="write KIND:ROOT"):
        evaluate(model, ["market1501"])
    with pytest.raises(weights.WeightsError, match="no re-identification weights"):
        evaluate("nothing", [])
    with pytest.raises(FileNotFoundError, match="no model"):
        open_model("missing.onnx")
