# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""From heatmaps to keypoints."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import map_coordinates

from hybrid_features_ros.features.detector import Heat, HeatPyramid, _between_pixels, balanced, select


def scattered(seed, count=400):
    """Most points in the first cell of a 2x2 grid, best first."""
    rng = np.random.default_rng(seed)
    points = rng.uniform(0, 50, (count, 2))
    points[::10] += 50
    return points


def test_a_poor_cell_keeps_its_own():
    points = scattered(0)
    first = points[balanced(points, 100, 100, 80, 2)[:80]]
    assert ((first >= 50).all(axis=1)).sum() == 20  # its whole share, out of 40
    assert ((points[:80] >= 50).all(axis=1)).sum() == 8  # without a grid


@given(st.integers(0, 50), st.integers(1, 9), st.integers(1, 300))
def test_no_one_is_lost_and_the_best_of_a_cell_come_first(seed, grid, budget):
    points = scattered(seed, 200)
    order = balanced(points, 100, 100, budget, grid)
    assert sorted(order.tolist()) == list(range(200))
    cell = (points / 100 * grid).astype(int)
    for c in np.unique(cell, axis=0):
        mine = [i for i in order if (cell[i] == c).all()]
        assert mine == sorted(mine)


def test_one_cell_changes_nothing():
    assert balanced(scattered(1), 100, 100, 30, 1).tolist() == list(range(400))


@given(st.integers(0, 2**31), st.integers(1, 60))
def test_a_small_budget_gets_the_best_of_a_large_one(seed, budget):
    """Only as many maxima are looked at as the budget needs: more would change nothing."""
    rng = np.random.default_rng(seed)
    shapes = ((40, 60), (28, 42), (20, 30), (14, 21))
    heats = [Heat(*(rng.normal(size=s).astype(np.float32) for s in (shape, (2, *shape)))) for shape in shapes]
    pyramid = HeatPyramid(heats, 3, 60, 40)
    everything, best = select(pyramid, 10_000), select(pyramid, budget)
    assert len(best.points) == min(budget, len(everything.points))
    for name in ("points", "scores", "scales", "levels"):
        assert np.allclose(getattr(best, name), getattr(everything, name)[:budget], atol=1e-4)
    turn = np.exp(1j * best.angles) - np.exp(1j * everything.angles[:budget])
    assert np.abs(turn).max() < 0.01  # rounding counts where a gradient is weak


def test_gradients_are_interpolated_linearly_and_go_on_beyond_the_border():
    random = np.random.default_rng(0)
    maps = random.normal(size=(2, 30, 40)).astype(np.float32)
    points = random.uniform([-3, -3], [42, 32], (200, 2))
    expected = [map_coordinates(m.astype(float), points.T[::-1], order=1, mode="nearest") for m in maps]
    assert np.allclose(_between_pixels(maps, points), np.transpose(expected), atol=1e-9)
