from __future__ import annotations

import numpy as np
import pytest
import torch

from reid import explain, weights
from reid.network import build_network


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    torch.manual_seed(5)
    target = tmp_path_factory.mktemp("weights") / "small"
    network = build_network("resnet18", "rgas", (128, 112))
    weights.save(network, target, licence="test", restricted=False, calibration={"threshold": 0.5})
    return target


CROPS = [np.random.default_rng(1).integers(0, 256, (60 + index, 40, 3), dtype=np.uint8) for index in range(2)]


def test_maps_are_the_gates_of_each_stage(folder):
    network, config = weights.load(folder)
    maps = explain.spatial_attention(network, config, CROPS)
    assert [stage.shape for stage in maps] == [(2, 32, 28), (2, 16, 14), (2, 8, 7), (2, 8, 7)]
    assert all(0 < stage.min() and stage.max() < 1 for stage in maps)
    alone = explain.spatial_attention(network, config, CROPS[1:])
    np.testing.assert_allclose(alone[3][0], maps[3][1], atol=1e-5)


def test_a_sheet_has_a_row_a_crop_and_a_column_a_stage(folder, tmp_path):
    sheet = explain.attention_sheet(folder, CROPS)
    assert sheet.shape == (2 * (128 + 4), 5 * (112 + 4), 3) and sheet.dtype == np.uint8
    explain.save_attention_sheet(folder, CROPS, tmp_path / "sheet.png")
    assert (tmp_path / "sheet.png").stat().st_size > 1000
    with pytest.raises(ValueError, match="picture file"):
        explain.save_attention_sheet(folder, CROPS, tmp_path / "sheet.nothing")


def test_heat_lies_where_the_attention_is():
    attention = np.zeros((4, 4), dtype=np.float32)
    attention[0, 0] = 1
    picture = explain.overlay(np.zeros((40, 40, 3), np.uint8), attention, strength=1.0).astype(int)
    assert picture[3, 3, 0] > picture[3, 3, 2] and picture[30, 30, 2] > picture[30, 30, 0]
    flat = explain.overlay(np.zeros((40, 40, 3), np.uint8), np.full((4, 4), 0.7, np.float32), strength=1.0)
    assert (flat == flat[0, 0]).all()


def test_a_network_without_spatial_attention_has_no_maps():
    network = build_network("resnet18", "rgac", (64, 32))
    config = weights.WeightsConfig(
        name="plain",
        body="resnet18",
        attention="rgac",
        image_size=(64, 32),
        feature="f",
        mean=weights.IMAGENET_MEAN,
        deviation=weights.IMAGENET_DEVIATION,
        licence="",
        restricted=False,
        sha256="",
        calibration={},
        known_answer=[],
    )
    with pytest.raises(ValueError, match="rgas or rgasc"):
        explain.spatial_attention(network, config, CROPS)
