"""RGA as the paper writes it, every affinity built: the reference that the factored form is held against."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from reid.attention import RelationAwareGlobalAttention
from reid.network import RGANetwork


class NaiveAttention(RelationAwareGlobalAttention):
    """The same parameters, sections 3.2 and 3.3 of the paper step by step; builds S x S and C x C."""

    def spatial_gate(self, x: Tensor) -> Tensor:
        batch, _, height, width = x.shape
        positions = height * width
        theta = self.theta_spatial(x).flatten(2).transpose(1, 2)
        phi = self.phi_spatial(x).flatten(2)
        affinity = torch.matmul(theta, phi)  # (B, S, S)
        inward = affinity.transpose(1, 2).reshape(batch, positions, height, width)
        outward = affinity.reshape(batch, positions, height, width)
        relations = self.gg_spatial(torch.cat((inward, outward), dim=1))
        unary = self.gx_spatial(x).mean(dim=1, keepdim=True)
        return torch.sigmoid(self.W_spatial(torch.cat((unary, relations), dim=1)))

    def channel_gate(self, x: Tensor) -> Tensor:
        batch, channels = x.shape[:2]
        nodes = x.flatten(2).transpose(1, 2).unsqueeze(3)  # (B, S, C, 1)
        theta = self.theta_channel(nodes).squeeze(3).transpose(1, 2)
        phi = self.phi_channel(nodes).squeeze(3)
        affinity = torch.matmul(theta, phi)  # (B, C, C)
        inward = affinity.transpose(1, 2).unsqueeze(3)
        outward = affinity.unsqueeze(3)
        relations = self.gg_channel(torch.cat((inward, outward), dim=1))
        unary = self.gx_channel(nodes).mean(dim=1, keepdim=True)
        gate = self.W_channel(torch.cat((unary, relations), dim=1))  # (B, 1, C, 1)
        return torch.sigmoid(gate).reshape(batch, channels, 1, 1)


def stir(state: Mapping[str, Tensor]) -> None:
    """Moves the values of a state, in place, away from where fresh ones start."""
    for name, value in state.items():
        if value.is_floating_point():
            value.uniform_(0.5, 1.5) if name.endswith("var") else value.normal_(0, 0.3)


def make_naive(network: RGANetwork) -> RGANetwork:
    """Replaces, in place, each attention module by the naive one that holds the same parameters."""
    for module in network.modules():
        if isinstance(module, RelationAwareGlobalAttention):
            module.__class__ = NaiveAttention
    return network
