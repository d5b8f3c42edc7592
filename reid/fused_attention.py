"""Relation-aware attention as it runs: batch norms folded into the layers before them, three embeddings in one product.

The same numbers as `reid.attention` in evaluation mode, in fewer and larger products, so that a crop takes less time on
every backend. What is trained, saved and loaded stays the module there.
"""

from __future__ import annotations

import copy
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from reid.attention import Branch, RelationAwareGlobalAttention
from reid.network import RGANetwork


def fused(network: RGANetwork) -> RGANetwork:
    """A copy of a network for inference, its attention fused: the same features as in evaluation mode, another state
    dict."""
    network = copy.deepcopy(network).eval().requires_grad_(False)
    for name, part in list(network.backbone.named_children()):
        if isinstance(part, RelationAwareGlobalAttention):
            gates = (_SpatialGate(part) if branch == "spatial" else _ChannelGate(part) for branch in part.branches)
            setattr(network.backbone, name, nn.Sequential(*gates))
    return network


class _FusedGate(nn.Module):
    """The layers of one branch of an attention module, for gating a map (B, C, H, W)."""

    branch: Branch
    embed_weight: Tensor
    embed_bias: Tensor
    by_phi: Tensor
    by_theta: Tensor
    related_bias: Tensor
    hidden_weight: Tensor
    hidden_bias: Tensor
    gate_weight: Tensor
    gate_bias: Tensor

    def __init__(self, attention: RelationAwareGlobalAttention) -> None:
        super().__init__()
        theta, phi, unary, compress, gate = (
            cast(nn.Sequential, attention.get_submodule(f"{part}_{self.branch}"))
            for part in ("theta", "phi", "gx", "gg", "W")
        )
        embeddings = [_folded(part[0], part[1]) for part in (theta, phi, unary)]
        self.embedded = len(embeddings[0][1])
        self.register_buffer("embed_weight", torch.cat([weight for weight, _ in embeddings]))
        self.register_buffer("embed_bias", torch.cat([bias for _, bias in embeddings]))
        weight, bias = _folded(compress[0], compress[1])
        by_phi, by_theta = weight.chunk(2, dim=1)
        self.register_buffer("by_phi", by_phi.t().contiguous())
        self.register_buffer("by_theta", by_theta.t().contiguous())
        self.register_buffer("related_bias", bias)
        for name, layer in (("hidden", 0), ("gate", 3)):
            weight, bias = _folded(gate[layer], gate[layer + 1])
            self.register_buffer(f"{name}_weight", weight)
            self.register_buffer(f"{name}_bias", bias)


class _SpatialGate(_FusedGate):
    """Nodes are positions, kept last as they are in the map: the embeddings are a convolution of it."""

    branch = "spatial"

    def forward(self, x: Tensor) -> Tensor:
        embedded = functional.relu(functional.conv2d(x, self.embed_weight[:, :, None, None], self.embed_bias))
        theta, phi, unary = embedded.flatten(2).split(self.embedded, dim=1)
        relations = torch.cat([phi @ self.by_phi, theta @ self.by_theta], dim=1)  # (B, 2 d, r)
        pairs = torch.cat([theta, phi], dim=1)
        related = functional.relu(relations.transpose(1, 2) @ pairs + self.related_bias[:, None])
        features = torch.cat([unary.mean(dim=1, keepdim=True), related], dim=1)
        hidden = functional.relu(functional.conv1d(features, self.hidden_weight[:, :, None], self.hidden_bias))
        gate = torch.sigmoid(functional.conv1d(hidden, self.gate_weight[:, :, None], self.gate_bias))
        return x * gate.reshape(-1, 1, x.shape[2], x.shape[3])


class _ChannelGate(_FusedGate):
    """Nodes are channels, kept first as they are in the map: as a convolution over positions, OpenVINO would turn the
    whole map round twice, in a seventh of the time of all of OSNet."""

    branch = "channel"

    def forward(self, x: Tensor) -> Tensor:
        embedded = functional.relu(functional.linear(x.flatten(2), self.embed_weight, self.embed_bias))
        theta, phi, unary = embedded.split(self.embedded, dim=2)
        relations = torch.cat([phi.transpose(1, 2) @ self.by_phi, theta.transpose(1, 2) @ self.by_theta], dim=1)
        related = functional.relu(torch.cat([theta, phi], dim=2) @ relations + self.related_bias)
        features = torch.cat([unary.mean(dim=2, keepdim=True), related], dim=2)
        hidden = functional.relu(functional.linear(features, self.hidden_weight, self.hidden_bias))
        gate = torch.sigmoid(functional.linear(hidden, self.gate_weight, self.gate_bias))
        return x * gate.reshape(-1, x.shape[1], 1, 1)


def _folded(layer: Any, norm: Any) -> tuple[Tensor, Tensor]:
    """Weight (outputs, inputs) and bias (outputs,) of a 1x1 convolution and the batch norm after it, as one layer."""
    scale = norm.weight / (norm.running_var + norm.eps).sqrt()
    bias = norm.bias - norm.running_mean * scale
    if layer.bias is not None:
        bias = bias + layer.bias * scale
    return (layer.weight.flatten(1) * scale[:, None]).detach(), bias.detach()
