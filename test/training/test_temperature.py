# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Draws stay as uncertain as asked, and the gradient knows of it."""

import numpy as np
import pytest

torch = pytest.importorskip(
    "torch", reason="torch is not installed: pip install 'hybrid_features_ros[train]'"
)

from hybrid_features_ros.training import temperature
from hybrid_features_ros.training.sampling import draw
from hybrid_features_ros.training.temperature import mean_entropy, tempered

pytestmark = pytest.mark.slow


def normal(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def greatest(logits, count):
    return draw([x.detach().numpy() for x in logits], count, 1, None, apart=3.0)


def test_the_sequence_without_noise_is_that_of_the_greatest():
    (logits,) = levels = [normal(9, 9)]
    found = greatest(levels, 5)
    values = logits[found.row, found.column]
    assert len(found) == 5 and values[0] == logits.max() and (values.diff() < 0).all()


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
@pytest.mark.parametrize("uncertainty", [2.0, 4.0, 6.0])
def test_draws_are_as_uncertain_as_asked_whatever_the_scale(scale, uncertainty):
    logits = [scale * normal(60, 50), scale * normal(30, 25, seed=1)]
    best = greatest(logits, 40)
    assert mean_entropy(tempered(logits, uncertainty, best), best) == pytest.approx(uncertainty, abs=1e-3)


def test_the_entropy_is_that_of_the_definition():
    logits = [normal(5, 4)]
    drawn, flat, found = greatest(logits, 3), logits[0].reshape(-1), []
    for turn in range(3):
        p = torch.softmax(flat[torch.from_numpy(drawn.turn_of_death[0].ravel() >= turn)], 0)
        found.append(float(-(p * torch.log(p)).sum()))
    assert mean_entropy(logits, drawn) == pytest.approx(np.mean(found), abs=1e-9)


def test_outstanding_pixels_do_not_make_the_other_draws_uniform():
    """Three of them, twice as high as all others: these are no more uncertain for it than without."""
    even = normal(60, 60)
    outstanding = even.clone()
    outstanding[10, 10], outstanding[10, 30], outstanding[40, 20] = (2 * even.max() + i for i in range(3))
    best = greatest([outstanding], 60)
    (heated,) = tempered([outstanding], 3.0, best)
    later = torch.from_numpy(best.turn_of_death[0] >= 3)
    p = torch.softmax(heated[later], 0)
    assert float(-(p * torch.log(p)).sum()) < 3.5


def test_the_gradient_knows_that_the_entropy_is_held(monkeypatch):
    monkeypatch.setattr(temperature, "_HALVINGS", 50)  # differences of 1e-5 need more digits
    logits, weights = normal(12, 12).requires_grad_(), normal(12, 12, seed=1)
    best = greatest([logits], 6)
    assert torch.autograd.gradcheck(
        lambda x: (tempered([x], 2.0, best)[0] * weights).sum(), (logits,), eps=1e-5, atol=1e-4
    )


def test_a_greater_scale_of_the_logits_earns_nothing():
    """The gradient of anything drawn has no part along the logits themselves."""
    logits, weights = normal(40, 40).requires_grad_(), normal(40, 40, seed=1)
    (tempered([logits], 4.0, greatest([logits], 30))[0] * weights).sum().backward()
    assert abs((logits.grad * logits).sum()) < 1e-6 * logits.grad.norm() * logits.norm()


def test_a_pixel_far_above_all_others_leaves_the_gradient_finite():
    logits = normal(30, 30)
    logits[3, 3] = 1e6
    logits.requires_grad_()
    best = greatest([logits], 20)
    (heated,) = tempered([logits], 3.0, best)
    (heated * normal(30, 30, seed=1)).sum().backward()
    assert mean_entropy([heated], best) == pytest.approx(3.0, abs=0.2) and torch.isfinite(logits.grad).all()
