from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from reid.losses import LossSettings, TrainingLoss, similarity_difference


def features(seed=0, batch=8, dimension=6):
    return torch.randn(batch, dimension, generator=torch.Generator().manual_seed(seed), requires_grad=True)


IDS = torch.tensor([0, 0, 1, 1, 2, 2, 3, 3])


def test_the_papers_losses_equal_their_formulas():
    f, logits = features(), features(1, dimension=4)
    parts = TrainingLoss(LossSettings(), 4, 6)(f, f, logits, IDS, [])
    assert parts["classifier"].item() == pytest.approx(
        functional.cross_entropy(logits, IDS, label_smoothing=0.1).item()
    )
    distance = torch.cdist(f, f)
    same = IDS[:, None] == IDS[None]
    farthest = (distance * same).max(1).values
    nearest = distance.masked_fill(same, torch.inf).min(1).values
    each = functional.relu(farthest - nearest + 0.3)
    # pytorch-metric-learning averages over the triplets that are not 0.
    assert parts["triplet"].item() == pytest.approx((each.sum() / (each > 0).sum()).item(), rel=1e-4)


def test_unlabelled_pictures_teach_only_through_the_teachers():
    f = features()
    settings = LossSettings(distil_features=1, distil_similarities=1)
    unknown = torch.full((8,), -1)
    assert set(TrainingLoss(settings, 4, 6)(f, f, None, unknown, [f.detach()])) == {
        "distil_features",
        "distil_similarities",
    }
    assert TrainingLoss(settings, 4, 6)(f, f, None, unknown, []) == {}


def test_a_student_like_its_teachers_has_no_loss_and_another_has():
    f = features()
    assert similarity_difference(f, [f.detach(), 3 * f.detach()]).item() == pytest.approx(0, abs=1e-10)
    assert similarity_difference(f, [features(5, dimension=9).detach()]).item() > 0.01


def test_hardness_weighs_the_pairs_that_teachers_find_alike():
    teacher = torch.tensor([[1.0, 0], [1, 0.1], [0, 1]])
    apart = torch.tensor([[1.0, 0], [0.7, 0.7], [0, 1]])  # the alike pair is 0.3 off, another is 0.6 off
    even, hard = (similarity_difference(apart, [teacher], hardness) for hardness in (0.0, 8.0))
    alike = (
        functional.cosine_similarity(apart[0], apart[1], dim=0)
        - functional.cosine_similarity(teacher[0], teacher[1], dim=0)
    ) ** 2
    assert abs(hard - alike) < 0.1 * abs(even - alike)


def test_class_vectors_start_at_the_identities_means():
    means = features(2, batch=4).detach()
    loss = TrainingLoss(LossSettings(classifier=0, triplet=0, cosine_classifier=1), 4, 6, means)
    torch.testing.assert_close(loss.cosine_classifier.W.T, functional.normalize(means, dim=1))
    own = means[IDS].clone().requires_grad_()
    other = means[(IDS + 1) % 4].clone()
    assert loss(own, own, None, IDS, [])["cosine_classifier"] < loss(other, other, None, IDS, [])["cosine_classifier"]
