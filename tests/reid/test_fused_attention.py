from __future__ import annotations

import pytest
import torch

from reid.fused_attention import fused
from reid.network import build_network
from tests.reid.naive_rga import stir


def trained_like(body, attention):
    """A network none of whose values is that of a fresh one, float64."""
    torch.manual_seed(3)
    network = build_network(body, attention, (128, 112)).double().eval()
    stir({name: value for name, value in network.state_dict().items() if "rga_att" in name})
    return network


@pytest.mark.parametrize("body", ["osnet", "resnet18"])
@pytest.mark.parametrize("attention", ["rgas", "rgac", "rgasc"])
def test_the_fused_network_gives_the_networks_features(body, attention):
    network = trained_like(body, attention)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    pictures = torch.randn(3, 3, 128, 112, dtype=torch.float64)
    with torch.no_grad():
        expected, found = network(pictures), fused(network)(pictures)
        open_gates = build_network(body, "none", (128, 112)).double().eval()
        open_gates.load_state_dict({name: value for name, value in before.items() if "rga_att" not in name})
        assert (
            open_gates(pictures).f - expected.f
        ).abs().max() > 1e-3 * expected.f.abs().max()  # the gates do something
    torch.testing.assert_close(found.f, expected.f, atol=1e-12, rtol=1e-9)
    torch.testing.assert_close(found.f_bn, expected.f_bn, atol=1e-12, rtol=1e-9)
    torch.testing.assert_close(network.state_dict(), before)  # the network itself is as it was


def test_a_plain_body_stays_as_it_is():
    network = trained_like("resnet18", "none")
    pictures = torch.randn(2, 3, 128, 112, dtype=torch.float64)
    with torch.no_grad():
        assert torch.equal(fused(network)(pictures).f, network(pictures).f)
