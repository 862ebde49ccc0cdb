# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Drawing keypoints: the parallel form against the one-by-one form, and its probabilities."""

from itertools import permutations

import numpy as np
import pytest

torch = pytest.importorskip(
    "torch", reason="torch is not installed: pip install 'hybrid_features_ros[train]'"
)

from scipy.stats import chisquare

from hybrid_features_ros.training.sampling import draw, log_probability

pytestmark = pytest.mark.slow

LOGITS = np.array([[0.0, 1.0, 0.3], [-0.5, 0.2, 0.8]], np.float32)
RADIUS = 1


def sequences():
    """Every sequence of two draws on the small grid with its probability, from the definition."""
    mass = np.exp(LOGITS.astype(float))
    y, x = np.mgrid[:2, :3]
    found = {}
    for first, second in permutations(np.ndindex(2, 3), 2):
        allowed = (y - first[0]) ** 2 + (x - first[1]) ** 2 > (RADIUS + 0.5) ** 2
        if allowed[second]:
            found[first, second] = mass[first] / mass.sum() * mass[second] / mass[allowed].sum()
    return found


def test_parallel_draws_have_the_distribution_of_one_by_one_draws():
    expected = sequences()
    blocked = 1 - sum(expected.values())  # a first draw in the middle column leaves nothing
    rng = np.random.default_rng(0)
    counts = dict.fromkeys([*expected, "blocked"], 0)
    n = 20000
    for _ in range(n):
        drawn = draw([LOGITS], 2, RADIUS, rng)
        key = tuple(zip(drawn.row.tolist(), drawn.column.tolist(), strict=True))
        counts[key if len(key) == 2 else "blocked"] += 1
    theory = np.array([*expected.values(), blocked]) * n
    assert chisquare(list(counts.values()), theory).pvalue > 0.001


def test_log_probability_is_that_of_the_definition():
    expected = sequences()
    rng = np.random.default_rng(1)
    for _ in range(40):
        drawn = draw([LOGITS], 2, RADIUS, rng)
        if len(drawn) < 2:
            continue
        key = tuple(zip(drawn.row.tolist(), drawn.column.tolist(), strict=True))
        found = log_probability([torch.from_numpy(LOGITS)], drawn).sum()
        assert float(found) == pytest.approx(np.log(expected[key]), abs=1e-5)


def test_gradient_of_the_log_probability():
    drawn = draw([LOGITS], 2, RADIUS, np.random.default_rng(5))
    logits = torch.from_numpy(LOGITS.astype(np.float64)).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: log_probability([x], drawn).sum(), (logits,))


def test_levels_compete_but_discs_do_not_reach_across():
    rng = np.random.default_rng(2)
    big, small = np.zeros((9, 9), np.float32), np.full((3, 3), 5.0, np.float32)
    drawn = draw([big, small], 4, 1, rng)
    assert (drawn.level == 1).sum() >= 1 and (drawn.level == 0).sum() >= 1
    for level in (0, 1):
        p = np.stack([drawn.row, drawn.column], axis=1)[drawn.level == level]
        apart = np.linalg.norm(p[:, None] - p[None], axis=2)[~np.eye(len(p), dtype=bool)]
        assert (apart > RADIUS + 0.5).all()


def test_independent_draws_forbid_only_themselves():
    drawn = draw([LOGITS], 6, RADIUS, np.random.default_rng(0), independent=True)
    assert len(drawn) == 6


def test_no_two_levels_have_a_keypoint_at_one_place():
    """As in the finished detector: three pixels apart, or what a rounded middle leaves of them."""
    rng = np.random.default_rng(4)
    levels = [rng.normal(0, 5, (40, 48)).astype(np.float32), rng.normal(0, 5, (20, 24)).astype(np.float32)]
    drawn = draw(levels, 60, 1, rng, apart=3.0)
    place = (np.stack([drawn.row, drawn.column], axis=1) + 0.5) * np.where(drawn.level, 2, 1)[:, None]
    apart = np.linalg.norm(place[:, None] - place[None], axis=2)
    other = drawn.level[:, None] != drawn.level[None]
    assert len(set(drawn.level.tolist())) == 2 and apart[other].min() > 3.0 - 2**0.5
