from __future__ import annotations

import numpy as np
import pytest
import torch

from reid.network import build_network
from reid.osnet import load_osnet_from_openvino
from reid.weights import IMAGENET_DEVIATION, IMAGENET_MEAN

NAME = "person-reidentification-retail-0277"


@pytest.fixture(scope="module")
def imported(shared):
    return load_osnet_from_openvino(shared / "models" / NAME / f"{NAME}.xml")


def normalised(pictures):
    mean, deviation = (np.float32(values).reshape(1, 3, 1, 1) for values in (IMAGENET_MEAN, IMAGENET_DEVIATION))
    return torch.from_numpy((pictures / 255 - mean) / deviation)


def test_imported_weights_give_the_features_of_openvino(shared, imported):
    import openvino

    network = build_network("osnet", "none").eval()
    missing, extra = network.load_state_dict(imported, strict=False)
    assert not extra and all(name.startswith("feat_bn.") for name in missing)
    blocks = np.random.default_rng(2).integers(0, 256, (3, 3, 16, 8)).repeat(16, axis=2).repeat(16, axis=3)
    pictures = blocks.astype(np.float32)
    core = openvino.Core()
    model = core.compile_model(
        core.read_model(str(shared / "models" / NAME / f"{NAME}.xml")), "CPU", {"INFERENCE_PRECISION_HINT": "f32"}
    )
    expected = np.concatenate([model(picture[None, ::-1])[0] for picture in pictures])
    with torch.inference_mode():
        outputs = network(normalised(pictures))
    assert np.abs(outputs.f.numpy() - expected).max() <= 1e-4
    assert np.abs(outputs.f_bn.numpy() - expected).max() <= 1e-4, "f_bn starts as f"


def test_open_gates_leave_the_start_close_to_the_body(imported):
    torch.manual_seed(0)
    body, gated = build_network("osnet", "none").eval(), build_network("osnet", "rgasc").eval()
    for network in (body, gated):
        network.load_state_dict(imported, strict=False)
    pictures = torch.rand(2, 3, 16, 8).repeat_interleave(16, 2).repeat_interleave(16, 3)
    with torch.inference_mode():
        cosine = torch.cosine_similarity(body(pictures).f, gated(pictures).f)
    assert cosine.min() > 0.98


def test_another_model_is_refused(shared):
    other = "person-reidentification-retail-0286"
    with pytest.raises(ValueError, match="it is not person-reidentification-retail-0277"):
        load_osnet_from_openvino(shared / "models" / other / f"{other}.xml")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nothing\.xml"):
        load_osnet_from_openvino(tmp_path / "nothing.xml")
