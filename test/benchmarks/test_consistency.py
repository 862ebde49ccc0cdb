# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Covariances hold what they promise, on rendered rooms that nothing was tuned on."""

import numpy as np
import pytest

from hybrid_features_ros.benchmarks.consistency import (
    consistency,
    journey,
    rendered_features,
    run_nees,
)
from hybrid_features_ros.benchmarks.endurance import endure
from hybrid_features_ros.core.config import Config, OdometryConfig, with_options

pytestmark = pytest.mark.slow

FRAMES, ROOMS = 60, (100, 101)


@pytest.fixture(scope="module")
def rooms():
    pytest.importorskip("skimage", reason="the room's photographs lie in scikit-image and scikit-learn")
    pytest.importorskip("sklearn", reason="the room's photographs lie in scikit-image and scikit-learn")
    return [(path, rendered_features(seed, path)) for seed in ROOMS for path in [journey(seed, FRAMES)]]


@pytest.mark.parametrize("mode", ["mono", "rgbd", "stereo"])
def test_average_nees_lies_within_the_chi_square_bounds(rooms, mode):
    found = consistency([run_nees(f[mode], path, mode, Config()) for path, f in rooms], mode)
    assert found.low < found.mean < found.high


def test_bounds_are_those_of_chi_square():
    rng = np.random.default_rng(0)
    bounds = consistency([6.0] * 10, "rgbd")
    averages = rng.chisquare(6, (20000, 10)).mean(axis=1)
    assert np.mean((averages > bounds.low) & (averages < bounds.high)) == pytest.approx(0.95, abs=0.01)
    assert bounds.mean == 6.0 and consistency([6.0], "mono").high < consistency([6.0], "rgbd").high


def test_laps_do_not_fill_the_map():
    """Keyframes and what they see are bounded, however many were made."""
    config = with_options(OdometryConfig(), {"mapping.max_keyframes": 10})
    (minute,) = endure(1, config, points=1500)
    assert minute.lost == 0
    assert 0 < minute.landmarks < 10 * 150  # that many features an image has at most
