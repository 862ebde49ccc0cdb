# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Robust statistics: medians, scales and weights."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2

from hybrid_features_ros.geometry.robust import (
    CAUCHY_WIDTH,
    CHI2_MEDIAN,
    cauchy_weights,
    gated_cauchy_weights,
    robust_scale,
    upper_median,
)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30))
def test_the_upper_median(values):
    assert upper_median(np.array(values)) == sorted(values)[len(values) // 2]


@pytest.mark.parametrize("freedom", CHI2_MEDIAN)
def test_medians_of_chi_square(freedom):
    assert CHI2_MEDIAN[freedom] == pytest.approx(chi2.median(freedom), abs=1e-4)


def test_the_scale_is_that_of_the_inliers():
    rng = np.random.default_rng(0)
    errors = (rng.normal(size=(5000, 2)) ** 2).sum(axis=1) * 4.0
    errors[:250] = 1e6
    assert robust_scale(errors) == pytest.approx(2.0, rel=0.15)
    assert robust_scale(errors / 100) == 1.0 == robust_scale(errors[:0])


def test_weights_fall_from_one_and_end_at_the_gate():
    errors = np.array([0.0, CAUCHY_WIDTH**2, np.inf])
    assert cauchy_weights(errors, 1.0) == pytest.approx([1, 0.5, 0])
    weights = gated_cauchy_weights(np.array([0.0, 0.9, 1.1]), np.full(3, 0.5), 1.0)
    assert weights[0] > weights[1] > weights[2] == 0


def test_a_fit_with_cauchys_weights_is_nearly_as_good_as_least_squares():
    """95 % efficiency: the variance of a weighted mean of Gaussian errors is at most a tenth larger."""
    samples = np.random.default_rng(1).normal(size=(4000, 60))
    mean = samples.mean(axis=1)
    for _ in range(10):
        weights = cauchy_weights((samples - mean[:, None]) ** 2, 1.0)
        mean = (weights * samples).sum(axis=1) / weights.sum(axis=1)
    assert samples.mean(axis=1).var() / mean.var() == pytest.approx(0.95, abs=0.02)
