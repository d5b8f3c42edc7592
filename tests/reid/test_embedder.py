from __future__ import annotations

import numpy as np
import pytest
import torch

from reid import weights
from reid.embedder import load_embedder
from reid.embedding_model import EmbeddingModel, torch_runner
from reid.network import build_network
from reid.pictures import CropError, resize
from reid.weights_config import WeightsError

BACKENDS = ("torch", "onnx", "openvino")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    torch.manual_seed(5)
    target = tmp_path_factory.mktemp("weights") / "small"
    network = build_network("resnet18", "rgasc", (128, 112))
    weights.save(
        network,
        target,
        licence="for research only",
        restricted=True,
        calibration={"threshold": 0.625},
        feature="f_bn",
    )
    return target


@pytest.fixture(scope="module")
def embedders(folder):
    return {backend: load_embedder(folder, backend=backend, batch_size=3, threads=1) for backend in BACKENDS}


def crops(count, seed=0):
    random = np.random.default_rng(seed)
    sizes = random.integers(8, 200, (count, 2))
    return [random.integers(0, 256, (height, width, 3), dtype=np.uint8) for height, width in sizes]


@pytest.mark.parametrize("backend", BACKENDS)
def test_every_backend_gives_the_same_unit_vectors_in_any_batch(embedders, backend):
    pictures = crops(7)
    embedder = embedders[backend]
    vectors = embedder.embed(pictures)
    assert vectors.dtype == np.float32 and vectors.shape == (7, embedder.dimension) == (7, 512)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(vectors, embedders["torch"].embed(pictures), atol=1e-5)
    np.testing.assert_allclose(embedder.embed(pictures[::-1])[::-1], vectors, atol=1e-5)
    np.testing.assert_allclose(embedder.embed([pictures[4]])[0], vectors[4], atol=1e-5)
    np.testing.assert_array_equal(embedder.embed(pictures), vectors)


def test_what_an_embedder_tells_of_itself(folder, embedders):
    embedder = embedders["torch"]
    assert (embedder.name, embedder.threshold, embedder.backend) == ("small", 0.625, "torch")
    assert embedder.sha256 == weights.file_sha256(folder / "small.safetensors")


def test_an_array_of_crops_and_no_crops(embedders):
    embedder = embedders["openvino"]
    array = np.stack([crop[:8, :8] for crop in crops(2)])
    np.testing.assert_allclose(embedder.embed(array), embedder.embed(list(array)), atol=1e-6)
    assert embedder.embed([]).shape == (0, 512)


@pytest.mark.parametrize(
    ("bad", "problem"),
    [
        (np.zeros((0, 20, 3), np.uint8), "empty"),
        (np.zeros((30, 7, 3), np.uint8), "at least 8"),
        (np.zeros((30, 20), np.uint8), "shape"),
        (np.zeros((30, 20, 4), np.uint8), "shape"),
        (np.zeros((30, 20, 3), np.float32), "float32: it must be uint8"),
        (np.full((30, 20, 3), np.nan, np.float32), "not finite"),
        ("crop.png", "numpy array"),
        (None, "numpy array"),
    ],
)
def test_a_bad_crop_is_named_by_its_index(embedders, bad, problem):
    with pytest.raises(CropError, match=f"crop 2 .*{problem}") as refused:
        embedders["torch"].embed([*crops(2), bad, *crops(1)])
    assert refused.value.index == 2


def test_restricted_weights_print_their_licence(folder, capsys):
    load_embedder(folder, backend="torch")
    assert "small: for research only" in capsys.readouterr().out


def test_threads_of_torch_are_put_back(folder):
    before = torch.get_num_threads()
    load_embedder(folder, backend="torch", threads=before + 1).embed(crops(1))
    assert torch.get_num_threads() == before


def test_half_precision_as_on_a_gpu_changes_next_to_nothing(folder, embedders):
    network, config = weights.load(folder)
    run = torch_runner(EmbeddingModel(network, config).eval(), 1, half=True)
    pictures = resize(crops(5), config.image_size)
    assert run(pictures).dtype == np.float32
    assert np.abs(run(pictures) - embedders["torch"].embed(crops(5))).max() < 0.003


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_without_a_gpu_none_is_used_in_silence(folder):
    with pytest.raises(WeightsError, match=r"device cuda: torch .* finds no GPU here"):
        load_embedder(folder, backend="cuda")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_gives_the_same_vectors(folder, embedders):
    found = load_embedder(folder, backend="cuda").embed(crops(9))
    assert np.abs(found - embedders["torch"].embed(crops(9))).max() < 0.005


def test_arguments_are_checked(folder):
    with pytest.raises(ValueError, match="unknown backend"):
        load_embedder(folder, backend="tensorrt")
    with pytest.raises(ValueError, match="batch_size"):
        load_embedder(folder, batch_size=0)
    with pytest.raises(WeightsError, match="no INT8 model"):
        load_embedder(folder, backend="openvino-int8")


@pytest.mark.case("deep-person-reid 483, VersReID 1")
def test_crops_are_rgb_and_the_known_answer_pins_it():
    """The shipped weights answer RGB as they were saved; the same pictures as BGR are other people to them."""
    embedder = load_embedder("rga-store", backend="torch")
    known = weights.known_pictures(embedder.config.image_size)
    answer = np.asarray(embedder.config.known_answer)
    width = answer.shape[1]
    np.testing.assert_allclose(embedder.embed(known)[:, :width], answer, atol=embedder.config.tolerance)
    swapped = embedder.embed(known[..., ::-1])
    assert np.abs(swapped[:, :width] - answer).max() > 20 * embedder.config.tolerance
    assert {"threshold", "slope", "offset", "tpr", "fpr"} <= embedder.config.calibration.keys()


@pytest.mark.case("sibling: crops with an alpha channel, in grey, or of a few pixels")
@pytest.mark.parametrize("shape", [(64, 32, 4), (64, 32), (4, 3, 3)])
def test_crops_that_are_no_pictures_of_people_are_refused(embedders, shape):
    with pytest.raises(CropError, match="crop 0"):
        embedders["torch"].embed([np.zeros(shape, np.uint8)])
