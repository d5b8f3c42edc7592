from __future__ import annotations

import numpy as np
import pytest
import torch

from reid import export, weights
from reid.embedder import load_embedder, onnx_runner, openvino_runner
from reid.int8_record import read_int8_record
from reid.network import build_network
from reid.pictures import resize

SIZE = (64, 32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    torch.manual_seed(5)
    target = tmp_path_factory.mktemp("weights") / "small"
    network = build_network("resnet18", "rgac", SIZE)
    weights.save(network, target, licence="test", restricted=False, calibration={"threshold": 0.5})
    return target


@pytest.fixture(scope="module")
def pictures():
    coarse = np.random.default_rng(0).integers(0, 256, (12, 8, 4, 3), dtype=np.uint8)
    return list(coarse.repeat(8, axis=1).repeat(8, axis=2))


@pytest.mark.parametrize(
    ("function", "name", "least", "runner"),
    [
        (export.export_onnx, "small.onnx", 0.999, onnx_runner),
        (export.export_openvino, "small.xml", 0.999, openvino_runner),
        (export.export_onnx_int8, "small-int8.onnx", 0.98, onnx_runner),
        (export.export_int8, "small-int8.xml", 0.98, openvino_runner),
    ],
)
def test_exports_compute_what_torch_computes_for_any_batch(folder, pictures, tmp_path, function, name, least, runner):
    exported = function(folder, tmp_path / name, pictures)
    assert exported.least_cosine >= least and exported.path.is_file()
    run = runner(exported.path)
    for count in (1, 5):
        vectors = run(resize(pictures[:count], SIZE))
        expected = load_embedder(folder, backend="torch").embed(pictures[:count])
        assert (vectors * expected).sum(axis=1).min() >= least


def test_the_int8_model_beside_the_weights_is_taken_by_itself(folder, pictures):
    export.export_int8(folder, folder / "small-int8.xml", pictures)
    embedder = load_embedder(folder)
    assert embedder.backend == "openvino-int8"
    np.testing.assert_allclose(np.linalg.norm(embedder.embed(pictures), axis=1), 1, atol=1e-5)
    assert embedder.sha256 == read_int8_record(folder / "small-int8.xml").sha256
    with (folder / "small-int8.bin").open("r+b") as file:
        file.write(b"changed")
    with pytest.raises(weights.WeightsError, match="not the file"):
        load_embedder(folder)
    expected = load_embedder(folder, backend="openvino").embed(pictures)
    assert (embedder.embed(pictures) * expected).sum(axis=1).min() >= 0.98


def test_an_export_that_differs_is_refused(folder, pictures, tmp_path):
    network, config = weights.load(folder)
    model = export.EmbeddingModel(network, config)
    shape = (len(pictures), 512)
    with pytest.raises(export.ExportError, match="crop 0 has cosine 0"):
        export._checked(tmp_path, lambda batch: np.zeros((len(batch), shape[1])), model, np.stack(pictures), 0.98)


def test_arguments_are_checked(folder, pictures, tmp_path):
    with pytest.raises(ValueError, match="at least one"):
        export.export_onnx(folder, tmp_path / "a.onnx", [])
    with pytest.raises(ValueError, match=r"\.xml"):
        export.export_openvino(folder, tmp_path / "a.bin", pictures)
