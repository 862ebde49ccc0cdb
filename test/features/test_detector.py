# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""From heatmaps to keypoints."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hybrid_features_ros.features.detector import balanced


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
