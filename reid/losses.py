"""Losses of training: classifier and triplets on labelled pictures, teachers on all of them.

Losses and miners are pytorch-metric-learning's; the teacher's two are a line each.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from pytorch_metric_learning.distances import CosineSimilarity, LpDistance
from pytorch_metric_learning.losses import CosFaceLoss, MultiSimilarityLoss, TripletMarginLoss
from pytorch_metric_learning.miners import BatchHardMiner
from torch import Tensor, nn
from torch.nn import functional


@dataclass(frozen=True)
class LossSettings:
    """Weights of the losses; a weight of 0 leaves one out. The defaults are the paper's.

    Attributes:
        classifier: Cross-entropy of the network's own classifier on f_bn.
        label_smoothing: Of that cross-entropy.
        triplet: Batch-hard triplet loss on f, Euclidean.
        triplet_margin: None: the soft margin log(1 + exp(.)) (Hermans et al., 2017).
        cosine_classifier: Cosine softmax with margin (CosFace) on f_bn; its class vectors start at the mean features
            of the identities, which makes it useful from the first step on.
        cosine_scale, cosine_margin: Of that softmax.
        multi_similarity: Multi-similarity loss on f_bn (Wang et al., CVPR 2019).
        distil_features: 1 - cosine between f_bn and the first teacher's features.
        distil_similarities: Mean squared difference between the batch's cosine similarities and the teachers' mean.
        distil_hardness: Weight exp(hardness * teachers' similarity) on each pair of the latter, so that pairs that
            are easily confused count more; 0 is even.
    """

    classifier: float = 1.0
    label_smoothing: float = 0.1
    triplet: float = 1.0
    triplet_margin: float | None = 0.3
    cosine_classifier: float = 0.0
    cosine_scale: float = 16.0
    cosine_margin: float = 0.1
    multi_similarity: float = 0.0
    distil_features: float = 0.0
    distil_similarities: float = 0.0
    distil_hardness: float = 0.0


class TrainingLoss(nn.Module):
    """The weighted sum; call with the network's features, identities (-1: unlabelled) and teachers' features."""

    def __init__(
        self, settings: LossSettings, identities: int, dimension: int, class_means: Tensor | None = None
    ) -> None:
        super().__init__()
        self.settings = settings
        soft = settings.triplet_margin is None
        self.miner = BatchHardMiner(distance=LpDistance(normalize_embeddings=False))
        self.triplet = TripletMarginLoss(
            margin=0.0 if soft else settings.triplet_margin,
            smooth_loss=soft,
            distance=LpDistance(normalize_embeddings=False),
        )
        self.multi_similarity = MultiSimilarityLoss(alpha=2, beta=20, base=0.5, distance=CosineSimilarity())
        self.cosine_classifier: CosFaceLoss | None = None
        if settings.cosine_classifier and identities:
            self.cosine_classifier = CosFaceLoss(
                identities, dimension, margin=settings.cosine_margin, scale=settings.cosine_scale
            )
            if class_means is not None:
                with torch.no_grad():
                    self.cosine_classifier.W.copy_(functional.normalize(class_means, dim=1).T)

    def forward(
        self, f: Tensor, f_bn: Tensor, logits: Tensor | None, ids: Tensor, teachers: list[Tensor]
    ) -> dict[str, Tensor]:
        """Each loss by name, weighted; f, f_bn (B, D), logits (B, classes) or None, ids int64 (B,).

        A network without a feature norm passes f as both.
        """
        settings, known = self.settings, ids >= 0
        parts: dict[str, Tensor] = {}
        if known.any():
            if settings.classifier and logits is not None:
                parts["classifier"] = settings.classifier * functional.cross_entropy(
                    logits[known], ids[known], label_smoothing=settings.label_smoothing
                )
            if settings.triplet:
                hard = self.miner(f[known], ids[known])
                parts["triplet"] = settings.triplet * self.triplet(f[known], ids[known], hard)
            if self.cosine_classifier is not None:
                parts["cosine_classifier"] = settings.cosine_classifier * self.cosine_classifier(
                    f_bn[known], ids[known]
                )
            if settings.multi_similarity:
                parts["multi_similarity"] = settings.multi_similarity * self.multi_similarity(f_bn[known], ids[known])
        if teachers:
            if settings.distil_features:
                cosine = functional.cosine_similarity(f_bn, teachers[0], dim=1)
                parts["distil_features"] = settings.distil_features * (1 - cosine).mean()
            if settings.distil_similarities:
                parts["distil_similarities"] = settings.distil_similarities * similarity_difference(
                    f_bn, teachers, settings.distil_hardness
                )
        return parts


def similarity_difference(features: Tensor, teachers: list[Tensor], hardness: float = 0.0) -> Tensor:
    """Weighted mean squared difference between the cosine similarities of all pairs of a batch (B, D) and the mean of
    the teachers' (B, D_t) (relational distillation, Tung and Mori, ICCV 2019, with several teachers)."""

    def similarities(values: Tensor) -> Tensor:
        values = functional.normalize(values, dim=1)
        return values @ values.T

    wanted = torch.stack([similarities(teacher) for teacher in teachers]).mean(0)
    pairs = 1 - torch.eye(len(features), device=features.device)
    weights = pairs * torch.exp(hardness * wanted)
    return (weights * (similarities(features) - wanted) ** 2).sum() / weights.sum()
