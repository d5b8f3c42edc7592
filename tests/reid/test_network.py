from __future__ import annotations

import pytest
import torch

from reid.network import build_network
from tests.reid.parity import BRANCHES, authors_keys, parity_difference


@pytest.mark.parametrize("branch", BRANCHES)
def test_names_and_shapes_are_the_authors(branch):
    with torch.device("meta"):
        network = build_network("resnet50", branch, num_classes=16)
    assert {name: list(value.shape) for name, value in network.state_dict().items()} == authors_keys(branch)


@pytest.mark.parametrize("branch", BRANCHES)
def test_features_are_the_authors(branch):
    assert parity_difference(branch, pictures=1) <= 1e-6


@pytest.mark.parametrize(("body", "dimension"), [("resnet18", 512), ("mobilenet_v2", 1280), ("osnet", 256)])
@pytest.mark.parametrize("attention", ["none", "rgasc"])
def test_every_body_trains(body, dimension, attention):
    network = build_network(body, attention, (128, 112), num_classes=3).train()
    outputs = network(torch.randn(2, 3, 128, 112))
    assert outputs.f.shape == outputs.f_bn.shape == (2, dimension) and outputs.logits.shape == (2, 3)
    outputs.logits.logsumexp(1).sum().backward()
    untrained = [name for name, value in network.named_parameters() if value.requires_grad and value.grad is None]
    assert not untrained and not network.feat_bn.bias.requires_grad
    assert network.eval()(torch.randn(1, 3, 128, 112)).f.shape == (1, dimension)


def test_without_classes_there_are_no_logits():
    with torch.device("meta"):
        assert build_network("resnet18", "none").cls is None


@pytest.mark.parametrize("size", [(128, 112), (130, 115), (256, 128), (384, 192)])
def test_stages_are_of_the_size_that_the_body_gives(size):
    with torch.device("meta"):
        for body in ("resnet18", "mobilenet_v2"):
            network = build_network(body, "rgasc", size)
            assert network(torch.zeros(2, 3, *size)).f.shape == (2, network.dimension)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"image_size": (128, 64)}, "stage 3 of 4.*at least 56 positions.*8 x 4 = 32"),
        ({"image_size": (16, 16)}, "at least 32"),
        ({"body": "osnet", "image_size": (250, 128)}, "multiples of 16"),
        ({"body": "vgg"}, "unknown body 'vgg': choose one of resnet50"),
        ({"attention": "rga"}, "unknown attention"),
        ({"num_classes": 0}, "num_classes"),
    ],
)
def test_errors_say_what_to_do(arguments, message):
    with torch.device("meta"), pytest.raises(ValueError, match=message):
        build_network(**arguments)


def test_pictures_of_another_size_are_refused():
    with torch.device("meta"):
        network = build_network("resnet18", "none", (64, 32))
        with pytest.raises(ValueError, match="resize them"):
            network(torch.zeros(1, 3, 32, 64))
