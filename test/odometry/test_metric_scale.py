# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The filter of the metres per unit of the map."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid_features_ros.core import se3
from hybrid_features_ros.core.config import PriorConfig
from hybrid_features_ros.core.motion_prior import MotionPrior
from hybrid_features_ros.odometry.metric_scale import FILTER, MeasuredPath, MetricScale, path_ratio

NOISE = 0.05


def measured(truth, count, seed=0, noise=NOISE):
    scale, rng = MetricScale(PriorConfig()), np.random.default_rng(seed)
    for _ in range(count):
        scale.add_ratio(truth * np.exp(noise * rng.normal()), noise**2)
    return scale


@given(st.floats(0.2, 5.0), st.integers(0, 50))
def test_ratios_give_the_scale_within_what_it_says(truth, seed):
    scale = measured(truth, 40, seed)
    assert abs(scale.log - np.log(truth)) < 4.5 * np.sqrt(scale.variance) < 0.12
    assert scale.is_metric
    factor = scale.take_factor(is_first=True)
    assert factor == pytest.approx(truth, rel=0.12)
    assert scale.log == 0 and scale.take_factor(is_first=False) is None


def test_what_all_measurements_have_in_common_stays():
    assert measured(2.0, 1000).sigma > PriorConfig().scale_error


@pytest.mark.parametrize("seed", range(8))
def test_ratios_that_scatter_more_than_told_leave_more_doubt(seed):
    sound, scattered = measured(1.0, 40, seed), MetricScale(PriorConfig())
    rng = np.random.default_rng(seed)
    for _ in range(40):
        scattered.add_ratio(float(np.exp(3 * NOISE * rng.normal())), NOISE**2)
    assert scattered.sigma > 1.3 * sound.sigma
    assert abs(scattered.log) < 3 * scattered.sigma


def test_a_wrong_ratio_is_not_used_until_others_agree_with_it():
    scale = measured(1.0, 20)
    before = scale.log
    used = [scale.add_ratio(2.0, NOISE**2) for _ in range(FILTER.patience)]
    assert used == [False] * (FILTER.patience - 1) + [True]
    assert scale.log == pytest.approx(np.log(2.0), rel=0.05)
    assert before == pytest.approx(0.0, abs=0.05)


@given(st.floats(0.1, 10.0))
def test_a_motion_in_units_of_the_map_points_the_same_way(truth):
    scale = MetricScale(PriorConfig())
    scale.add_ratio(truth, 1e-4)
    motion = MotionPrior(se3.exp([0.3, 0.1, 0.0, 0.0, 0.2, 0.0]), np.diag([1e-6] * 6))
    there = scale.to_map(motion)
    ratio = motion.T_previous_current[:3, 3] / np.where(
        there.T_previous_current[:3, 3], there.T_previous_current[:3, 3], 1
    )
    assert np.allclose(ratio[:2], np.exp(scale.log))
    assert np.array_equal(there.T_previous_current[:3, :3], motion.T_previous_current[:3, :3])
    R, t = there.T_previous_current[:3, :3], there.T_previous_current[:3, 3]
    along = R @ there.covariance[:3, :3] @ R.T @ t / (t @ t)
    assert t @ along == pytest.approx((scale.sigma**2) * (t @ t) + 1e-6 * np.exp(-2 * scale.log), rel=1e-3)


def test_measured_depths_leave_nothing_to_estimate():
    scale = MetricScale(PriorConfig())
    scale.set_exact()
    assert not scale.is_metric
    assert scale.to_map(MotionPrior(np.eye(4), np.eye(6))).covariance == pytest.approx(np.eye(6))


def wandering(seed, count=20):
    """Positions (N, 3) of a random walk."""
    return np.cumsum(np.random.default_rng(seed).normal(size=(count, 3)), axis=0)


@given(st.floats(0.05, 20.0), st.integers(0, 200))
def test_two_paths_give_the_scale_wherever_and_however_they_lie(truth, seed):
    units = wandering(seed)
    T = se3.exp(np.random.default_rng(seed).uniform(-3, 3, 6))
    ratio, variance = path_ratio(units, truth * units @ T[:3, :3].T + T[:3, 3])
    assert ratio == pytest.approx(truth, rel=1e-9)
    assert variance == pytest.approx(FILTER.shape**2, rel=1e-3)


def test_the_scale_of_noisy_paths_is_within_what_it_says():
    z = []
    for seed in range(200):
        units, rng = wandering(seed), np.random.default_rng(1000 + seed)
        drift = np.cumsum(0.05 * rng.normal(size=units.shape), axis=0)  # as the noise of wheels grows
        ratio, variance = path_ratio(units, 2.0 * units + drift)
        z.append(np.log(ratio / 2.0) / np.sqrt(variance))
    assert 0.4 < np.sqrt(np.mean(np.square(z))) < 1.2 and np.abs(z).max() < 4


def test_paths_that_tell_nothing():
    assert path_ratio(wandering(0, FILTER.min_positions - 1), wandering(0, FILTER.min_positions - 1)) is None
    assert path_ratio(np.zeros((9, 3)), np.zeros((9, 3))) is None
    unrelated = path_ratio(wandering(1), wandering(2))
    assert unrelated is None or unrelated[1] > 0.1**2


class Keyframe:
    """What a path needs of one."""

    def __init__(self, stamp, T):
        self.frame, self.T = self, T
        self.stamp = stamp


def test_a_path_goes_through_the_keyframes_it_has_passed():
    step = MotionPrior(se3.exp([0.3, 0.1, 0.0, 0.0, 0.2, 0.0]), np.eye(6))
    poses = [np.linalg.matrix_power(step.T_previous_current, i) for i in range(600)]
    path = MeasuredPath(0)
    for i in range(1, 8):
        path.add(i, step)
    before = Keyframe(-5, np.eye(4))  # of before the path began
    units, metres = path.beside([before, Keyframe(0, poses[0]), Keyframe(4, poses[4])], poses[7])
    assert np.allclose(units, metres) and len(units) == 3
    for i in range(8, 600):
        path.add(i, step)
    units, metres = path.beside([Keyframe(i, poses[i]) for i in (4, 6, 598)], poses[599])
    assert np.allclose(units, metres) and len(units) == 3  # number 6 was none in time
