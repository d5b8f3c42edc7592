from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from reid.attention import RelationAwareGlobalAttention, factored_relations
from tests.reid.naive_rga import NaiveAttention, stir

BRANCHES = [("spatial",), ("channel",), ("spatial", "channel")]
CHANNELS, HEIGHT, WIDTH = 72, 10, 7


def attention_pair(branches, **options):
    """The factored module and the naive one with the same parameters, none of them at its start value."""
    torch.manual_seed(1)
    module = RelationAwareGlobalAttention(CHANNELS, HEIGHT, WIDTH, branches, **options).double()
    stir(module.state_dict())
    naive = NaiveAttention(CHANNELS, HEIGHT, WIDTH, branches, **options).double()
    naive.load_state_dict(module.state_dict())
    return module, naive


@pytest.mark.parametrize("branches", BRANCHES)
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_the_factored_form_gives_the_naive_values_gradients_and_statistics(branches, training, memory_format):
    module, naive = attention_pair(branches)
    source = torch.randn(3, CHANNELS, HEIGHT, WIDTH, dtype=torch.float64).contiguous(memory_format=memory_format)
    results = []
    for network in (module.train(training), naive.train(training)):
        x = source.clone().requires_grad_()
        output = network(x)
        (output * torch.linspace(-1, 1, output.numel(), dtype=torch.float64).reshape(output.shape)).sum().backward()
        gradients = {name: value.grad for name, value in network.named_parameters()}
        results.append((output, x.grad, gradients, network.state_dict()))
    (output, grad, gradients, state), (expected, expected_grad, expected_gradients, expected_state) = results
    torch.testing.assert_close(output, expected, atol=1e-12, rtol=1e-12)
    torch.testing.assert_close(grad, expected_grad, atol=1e-10, rtol=1e-9)
    torch.testing.assert_close(gradients, expected_gradients, atol=1e-9, rtol=1e-8)
    torch.testing.assert_close(state, expected_state, atol=1e-12, rtol=1e-12)


def test_the_compression_is_of_the_stacked_affinities():
    theta, phi = torch.randn(2, 2, 9, 4, dtype=torch.float64).unbind()
    weight = torch.randn(5, 18, dtype=torch.float64)
    affinity = theta @ phi.transpose(1, 2)
    stacked = torch.cat((affinity.transpose(1, 2), affinity), dim=1)
    expected = (weight @ stacked).transpose(1, 2)
    torch.testing.assert_close(factored_relations(theta, phi, weight), expected)


class LargestAffinity(TorchDispatchMode):
    """Notes whether any operation makes a tensor that ends in N x N or 2N x N."""

    def __init__(self, nodes):
        super().__init__()
        self.nodes, self.found = nodes, []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        shape = tuple(result.shape) if isinstance(result, torch.Tensor) else ()
        if any({first, second} <= {self.nodes, 2 * self.nodes} for first, second in pairwise(shape)):
            self.found.append((str(func), shape))
        return result


def test_nothing_of_nodes_times_nodes_is_built():
    module, naive = attention_pair(("spatial", "channel"))
    x = torch.randn(3, CHANNELS, HEIGHT, WIDTH, dtype=torch.float64, requires_grad=True)
    for nodes in (CHANNELS, HEIGHT * WIDTH):
        with LargestAffinity(nodes) as built:
            module(x).sum().backward()
        assert not [entry for entry in built.found if entry[1][-2:] != (CHANNELS, HEIGHT * WIDTH)]
        with LargestAffinity(nodes) as built:
            naive(x)
        assert built.found, "the check itself sees the naive form's affinities"


def test_gates_lie_between_0_and_1_and_start_open_with_a_bias():
    x = torch.randn(2, CHANNELS, HEIGHT, WIDTH)
    paper = RelationAwareGlobalAttention(CHANNELS, HEIGHT, WIDTH).eval()
    open_gates = RelationAwareGlobalAttention(CHANNELS, HEIGHT, WIDTH, gate_bias=4.0).eval()
    for gate in (paper.spatial_gate(x), paper.channel_gate(x)):
        assert 0 < gate.min() and gate.max() < 1
    assert open_gates.spatial_gate(x).shape == (2, 1, HEIGHT, WIDTH)
    assert open_gates.channel_gate(x).shape == (2, CHANNELS, 1, 1)
    assert open_gates.spatial_gate(x).mean() > 0.95 > 0.6 > paper.spatial_gate(x).mean()


@pytest.mark.parametrize(
    ("branches", "channels", "positions", "works"),
    [
        (("spatial",), 8, (8, 7), True),
        (("spatial",), 8, (11, 5), False),
        (("spatial",), 7, (8, 7), False),
        (("channel",), 56, (4, 2), True),
        (("channel",), 55, (4, 2), False),
        (("channel",), 56, (7, 1), False),
    ],
)
def test_maps_that_leave_no_channel_are_refused(branches, channels, positions, works):
    if works:
        RelationAwareGlobalAttention(channels, *positions, branches)
    else:
        with pytest.raises(ValueError, match="larger image_size"):
            RelationAwareGlobalAttention(channels, *positions, branches)


def test_a_map_of_another_size_is_refused():
    module = RelationAwareGlobalAttention(CHANNELS, HEIGHT, WIDTH)
    with pytest.raises(ValueError, match="image_size"):
        module(torch.zeros(1, CHANNELS, HEIGHT, WIDTH + 1))
