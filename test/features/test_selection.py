# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Maxima of heatmaps: none within the disc of another, and where they really lie."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid_features_ros.features.selection import disc, maxima, refine, spread, suppress


def one_by_one(heat, radius):
    """Greedy suppression as it is defined: the maximum, then the maximum of what its disc leaves, ..."""
    left, taken = heat.astype(float).copy(), np.zeros(heat.shape, bool)
    y, x = np.mgrid[: heat.shape[0], : heat.shape[1]]
    while np.isfinite(left).any():
        i, j = np.unravel_index(np.argmax(left), left.shape)
        taken[i, j] = True
        left[(y - i) ** 2 + (x - j) ** 2 <= (radius + 0.5) ** 2] = -np.inf
    return taken


@given(st.integers(0, 2**31), st.integers(0, 4))
def test_suppression_equals_its_definition(seed, radius):
    heat = np.random.default_rng(seed).normal(size=(13, 17)).astype(np.float32)
    assert np.array_equal(suppress(heat, radius), one_by_one(heat, radius))


def test_forbidden_pixels_are_never_taken():
    heat = np.full((5, 5), -np.inf, np.float32)
    assert not suppress(heat, 1).any()
    heat[2, 3] = -4
    assert np.argwhere(suppress(heat, 1)).tolist() == [[2, 3]]


def test_disc_is_round():
    assert disc(0).tolist() == [[1]]
    assert disc(2).sum() == 21
    assert np.array_equal(disc(3), np.rot90(disc(3)))


@pytest.mark.parametrize("centre", [(10.0, 8.0), (10.3, 8.4), (9.6, 7.8)])
def test_refined_maximum_of_a_blob(centre):
    y, x = np.mgrid[:17, :21]
    heat = (-((x - centre[0]) ** 2) - (y - centre[1]) ** 2 - 0.3 * (x - centre[0]) * (y - centre[1])) / 8
    peaks = maxima(heat.astype(np.float32), 2)
    assert len(peaks) == 1
    where = refine(heat.astype(np.float32), peaks)
    assert np.allclose(where, [centre], atol=1e-3)
    assert refine(heat.astype(np.float32), np.zeros((0, 2), np.intp)).shape == (0, 2)


def test_a_peak_on_the_border_is_no_keypoint():
    heat = np.zeros((9, 9), np.float32)
    heat[0, 4] = 1
    assert [0, 4] not in maxima(heat, 2).tolist()


@given(st.integers(0, 2**31), st.integers(0, 80), st.floats(0.1, 30))
def test_spread_equals_its_definition(seed, count, apart):
    points = np.random.default_rng(seed).uniform(0, 60, (count, 2))
    kept: list[int] = []
    for i, p in enumerate(points):
        if all(np.linalg.norm(p - points[k]) > apart for k in kept):
            kept.append(i)
    assert spread(points, apart).tolist() == kept
