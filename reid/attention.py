"""Relation-Aware Global Attention (Zhang et al., CVPR 2020, arXiv 1904.02998), in its factored form.

Both branches are the same computation over *nodes* with *features* (section 3.1):

* spatial (RGA-S, section 3.2): a node is a position of the feature map, its features are the channels there;
* channel (RGA-C, section 3.3): a node is a channel, its features are its values at all positions.

With embeddings ``theta`` and ``phi`` of the nodes, the paper builds the N x N affinity ``G[i, j] = theta_i . phi_j``,
stacks ``[G^T, G]`` and compresses the 2N relations of each node by a linear map ``[W1, W2]``. That map is linear in G
and G has low rank, so

    W1 G^T + W2 G = (W1 Phi^T) Theta + (W2 Theta^T) Phi

gives the same numbers without anything of size N x N. The parameters, their names and their shapes are the authors'.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

Branch = Literal["spatial", "channel"]


class RelationAwareGlobalAttention(nn.Module):
    """Gates a feature map of fixed size by what each node's relations to all others say about it.

    Args:
        channels: C of the feature map.
        height: H of the feature map, in positions. With ``width`` it is part of the weights' shapes.
        width: W of the feature map, in positions.
        branches: ``("spatial",)`` is RGA-S, ``("channel",)`` RGA-C, both RGA-SC, applied in order.
        ratio: the paper's reduction ratios (s1, s2 and that of W), 8 there.
        gate_bias: start of the bias of W's last batch norm. 0 is the paper; 4 starts with open gates, for bodies that
            come with trained weights.

    Raises:
        ValueError: a reduction leaves no channel; the message names the smallest map that works.
    """

    def __init__(
        self,
        channels: int,
        height: int,
        width: int,
        branches: Sequence[Branch] = ("spatial", "channel"),
        *,
        ratio: int = 8,
        gate_bias: float = 0.0,
    ) -> None:
        super().__init__()
        self.channels, self.height, self.width = channels, height, width
        self.branches = tuple(branches)
        positions = height * width
        for branch in self.branches:
            nodes, features = (positions, channels) if branch == "spatial" else (channels, positions)
            _check_reductions(branch, channels, height, width, ratio)
            embedded, related = features // ratio, nodes // ratio
            self.add_module(f"gx_{branch}", _embedding(features, embedded))
            self.add_module(f"gg_{branch}", _embedding(2 * nodes, related))
            self.add_module(f"W_{branch}", _gate(1 + related, ratio, gate_bias))
            self.add_module(f"theta_{branch}", _embedding(features, embedded))
            self.add_module(f"phi_{branch}", _embedding(features, embedded))

    def forward(self, x: Tensor) -> Tensor:
        """Feature map (B, C, H, W), float, to the gated map of the same shape."""
        if tuple(x.shape[1:]) != (self.channels, self.height, self.width):
            raise ValueError(
                f"this attention was built for maps of {self.channels} x {self.height} x {self.width}, got "
                f"{' x '.join(str(size) for size in x.shape[1:])}: build the network with the image_size you feed it"
            )
        for branch in self.branches:
            x = x * (self.spatial_gate(x) if branch == "spatial" else self.channel_gate(x))
        return x

    def spatial_gate(self, x: Tensor) -> Tensor:
        """Attention of RGA-S for a map (B, C, H, W): (B, 1, H, W), each in (0, 1)."""
        # Free where x is channels_last, which is also what the body's convolutions like best on a CPU.
        nodes = x.permute(0, 2, 3, 1).reshape(-1, self.height * self.width, self.channels)
        return torch.sigmoid(self._relations("spatial", nodes)).reshape(-1, 1, self.height, self.width)

    def channel_gate(self, x: Tensor) -> Tensor:
        """Attention of RGA-C for a map (B, C, H, W): (B, C, 1, 1), each in (0, 1)."""
        nodes = x.reshape(-1, self.channels, self.height * self.width)
        return torch.sigmoid(self._relations("channel", nodes)).reshape(-1, self.channels, 1, 1)

    def _layers(self, part: str, branch: Branch) -> nn.Sequential:
        return cast(nn.Sequential, self.get_submodule(f"{part}_{branch}"))

    def _relations(self, branch: Branch, nodes: Tensor) -> Tensor:
        """Nodes (B, N, D) to their gates before the sigmoid, (B, N)."""
        theta = _apply(self._layers("theta", branch), nodes)
        phi = _apply(self._layers("phi", branch), nodes)
        unary = _apply(self._layers("gx", branch), nodes).mean(dim=2, keepdim=True)
        compress: Any = self._layers("gg", branch)
        related = _normalise_relu(compress, factored_relations(theta, phi, compress[0].weight.flatten(1)))

        gate: Any = self._layers("W", branch)
        weight = gate[0].weight.flatten(1)
        # W's first convolution over cat(unary, related), without building the concatenation.
        hidden = functional.linear(related, weight[:, 1:], gate[0].bias) + unary * weight[:, 0]
        hidden = _normalise_relu(gate, hidden)
        return _normalise(gate[4], functional.linear(hidden, gate[3].weight.flatten(1), gate[3].bias)).squeeze(2)


def factored_relations(theta: Tensor, phi: Tensor, weight: Tensor) -> Tensor:
    """``weight @ [G^T; G]`` for ``G = theta phi^T``, node by node, without G.

    Args:
        theta: (B, N, d).
        phi: (B, N, d).
        weight: (r, 2N), the compression; its first N columns meet G^T.

    Returns:
        (B, N, r).
    """
    nodes, embedded = theta.shape[1:]
    # One plain matrix product over the whole batch, so that the weight's gradient is one as well.
    by_phi = functional.linear(phi.transpose(1, 2).reshape(-1, nodes), weight[:, :nodes])
    by_theta = functional.linear(theta.transpose(1, 2).reshape(-1, nodes), weight[:, nodes:])
    related = weight.shape[0]
    return torch.bmm(theta, by_phi.reshape(-1, embedded, related)) + torch.bmm(
        phi, by_theta.reshape(-1, embedded, related)
    )


def _apply(layers: Any, nodes: Tensor) -> Tensor:
    """1x1 convolution, batch norm and ReLU of ``layers`` over the last axis of nodes (B, N, D)."""
    return _normalise_relu(layers, functional.linear(nodes, layers[0].weight.flatten(1), layers[0].bias))


def _normalise_relu(layers: Any, nodes: Tensor) -> Tensor:
    return functional.relu(_normalise(layers[1], nodes))


def _normalise(norm: nn.Module, nodes: Tensor) -> Tensor:
    """Batch norm over the last axis of nodes (B, N, D)."""
    # As a channels_last picture of N x 1: torch has a vectorised kernel for it, and a slow one for (B * N, D).
    return norm(nodes.unsqueeze(2).permute(0, 3, 1, 2)).permute(0, 2, 3, 1).squeeze(2)


def _embedding(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel_size=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)
    )


def _gate(inputs: int, ratio: int, bias: float) -> nn.Sequential:
    hidden = inputs // ratio
    layers = nn.Sequential(
        nn.Conv2d(inputs, hidden, kernel_size=1, bias=False),
        nn.BatchNorm2d(hidden),
        nn.ReLU(inplace=True),
        nn.Conv2d(hidden, 1, kernel_size=1, bias=False),
        nn.BatchNorm2d(1),
    )
    last = layers[4]
    assert isinstance(last, nn.BatchNorm2d)
    nn.init.constant_(last.bias, bias)
    return layers


def _check_reductions(branch: Branch, channels: int, height: int, width: int, ratio: int) -> None:
    positions = height * width
    nodes, features = (positions, channels) if branch == "spatial" else (channels, positions)
    needed_nodes = ratio * (ratio - 1)  # (1 + nodes // ratio) // ratio >= 1
    if nodes >= needed_nodes and features >= ratio:
        return
    needed = {"spatial": (needed_nodes, ratio), "channel": (ratio, needed_nodes)}[branch]
    raise ValueError(
        f"{branch} attention with ratio {ratio} needs a map of at least {needed[0]} positions and {needed[1]} channels,"
        f" this one has {height} x {width} = {positions} positions and {channels} channels: choose a larger image_size,"
        " fewer branches, or a smaller ratio"
    )
