# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Where the camera is expected."""

import numpy as np
import pytest
from synthetic import turn

from hybrid_features_ros.core import se3
from hybrid_features_ros.core.config import GyroConfig, TrackingConfig
from hybrid_features_ros.odometry.motion_model import Gyro, predict, with_rotation

STEP_NS = 5_000_000


def filled(config=None, rate=(0.0, 0.0, 2.0), begin=0, count=41, noise=0.0, seed=0):
    gyro = Gyro(config or GyroConfig())
    rng = np.random.default_rng(seed)
    for i in range(count):
        gyro.add(begin + i * STEP_NS, np.array(rate) + rng.normal(size=3) * noise)
    return gyro


def test_constant_velocity():
    twist = np.array([1.0, 0, 0, 0, 0.5, 0])
    T = turn(x=10)
    prior = predict(T, twist, 0.1, 0.5, TrackingConfig())
    assert np.allclose(prior.T, T @ se3.exp(0.1 * twist))
    assert np.array_equal(prior.last_position, T[:3, 3])
    assert (np.linalg.eigvalsh(prior.information) > 0).all()


def test_longer_waits_are_less_sure():
    early, late = (predict(np.eye(4), np.zeros(6), t, 0.5, TrackingConfig()).information for t in (0.03, 0.1))
    assert (np.diag(early) > np.diag(late)).all()


def test_gyro_is_integrated():
    R, sigma = filled().rotation(20_000_000, 120_000_000)
    assert np.degrees(se3.rotation_angle(R)) == pytest.approx(np.degrees(0.2), rel=1e-6)
    assert 0 < sigma < 0.01


def test_noisy_gyro_is_as_good_as_it_says():
    config = GyroConfig(noise=0.01, bias_sigma=0.0)
    per_sample = config.noise / np.sqrt(STEP_NS * 1e-9)
    errors = []
    for seed in range(100):
        R, sigma = filled(config, noise=per_sample, seed=seed).rotation(0, 200_000_000)
        errors.append(se3.rotation_vector(R @ turn(z=np.degrees(-0.4))[:3, :3]) / sigma)
    assert 0.7 < np.mean(np.square(errors)) < 1.4


@pytest.mark.parametrize(("begin", "end"), [(-50_000_000, 100_000_000), (100_000_000, 300_000_000), (5, 5)])
def test_time_that_is_not_covered_has_no_rotation(begin, end):
    assert filled().rotation(begin, end) is None


def test_time_offset_shifts_the_stamps():
    shifted = filled(GyroConfig(time_offset_s=10.0))
    assert shifted.rotation(0, 100_000_000) is None
    assert shifted.rotation(10_000_000_000, 10_100_000_000) is not None


def test_bad_measurements_are_ignored():
    gyro = filled(count=3)
    gyro.add(10, np.array([np.nan, 0, 0]))
    gyro.add(STEP_NS, np.array([9.0, 0, 0]))
    gyro.add(3 * STEP_NS, np.array([1.0, 2.0]))
    R, _ = gyro.rotation(0, 2 * STEP_NS)
    assert se3.rotation_angle(R) == pytest.approx(0.02)


def test_forgetting_keeps_what_is_still_needed():
    gyro = filled()
    gyro.forget(100_000_000)
    assert gyro.rotation(100_000_000, 150_000_000) is not None
    assert gyro.rotation(0, 50_000_000) is None


def test_gyro_turns_the_prior():
    prior = predict(np.eye(4), np.zeros(6), 0.1, 0.5, TrackingConfig())
    turned = with_rotation(prior, np.eye(4), (turn(z=15)[:3, :3], 0.001))
    assert np.allclose(turned.T[:3, :3], turn(z=15)[:3, :3])
    assert turned.information[5, 5] > prior.information[5, 5]
