# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A camera that turns while its rows are exposed one after another."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation
from synthetic import CAMERA, World

from hybrid_features_ros.core import se3
from hybrid_features_ros.core.config import OdometryConfig, with_options
from hybrid_features_ros.core.types import State
from hybrid_features_ros.odometry import Odometry
from hybrid_features_ros.odometry.frame import Frame

READOUT_S, RATE_HZ = 0.03, 30.0
WORLD = World.random(count=6000)


def rolled(T, rate, seed=0, readout_s=READOUT_S):
    """Features of a camera that turns at a rate (3,) [rad/s] and is at ``T`` (4, 4) with its middle row."""
    sharp = WORLD.seen_from(T, seed=seed)
    rays, points = CAMERA.bearings(sharp.points), sharp.points.astype(float)
    for _ in range(8):  # the row that shows a point is exposed when it does
        delay = (points[:, 1] / (CAMERA.height - 1) - 0.5) * readout_s
        points = CAMERA.project(Rotation.from_rotvec(np.outer(-delay, rate)).apply(rays))
    inside = ((points >= 0) & (points <= [CAMERA.width - 1, CAMERA.height - 1])).all(axis=1)
    noisy = points[inside] + np.random.default_rng(seed).normal(size=(inside.sum(), 2)) * 0.4
    names = ("scores", "scales", "angles", "descriptors")
    return replace(
        sharp,
        points=noisy.astype(np.float32),
        sigmas=np.full(inside.sum(), 0.4, np.float32),
        **{name: getattr(sharp, name)[inside] for name in names},
    )


def turned(axis, degrees_per_s, readout_s, count=20):
    rate = np.radians(degrees_per_s) * np.eye(3)["xyz".index(axis)]
    odometry = Odometry(with_options(OdometryConfig(), {"tracking.readout_s": readout_s}))
    errors, states = [], []
    for i in range(count):
        T = se3.exp([0, 0, 0, *(rate * i / RATE_HZ)])
        result = odometry.process(round((i + 1) * 1e9 / RATE_HZ), rolled(T, rate, i), CAMERA)
        errors.append(np.degrees(se3.rotation_angle(result.T_world_camera[:3, :3].T @ T[:3, :3])))
        states.append(result.state)
    return max(errors), states


@pytest.mark.parametrize("axis", "yz")
@pytest.mark.parametrize("degrees_per_s", [100.0, 300.0])
def test_known_readout_makes_a_turn_one_again(axis, degrees_per_s):
    with_it, states = turned(axis, degrees_per_s, READOUT_S)
    without, _ = turned(axis, degrees_per_s, 0.0)
    assert with_it < 0.15 and without > 1.0
    assert states[1:].count(State.ROTATION_ONLY) >= 15


def estimated(axis, degrees_per_s, readout_s, sigma_s=0.02, count=16):
    rate = np.radians(degrees_per_s) * np.eye(3)["xyz".index(axis)]
    odometry = Odometry(with_options(OdometryConfig(), {"tracking.readout_sigma_s": sigma_s}))
    for i in range(count):
        T = se3.exp([0, 0, 0, *(rate * i / RATE_HZ)])
        result = odometry.process(round((i + 1) * 1e9 / RATE_HZ), rolled(T, rate, i, readout_s), CAMERA)
    error = np.degrees(se3.rotation_angle(result.T_world_camera[:3, :3].T @ T[:3, :3]))
    return odometry.readout, error


@pytest.mark.parametrize("readout_s", [READOUT_S, 0.0])
@pytest.mark.parametrize(("axis", "degrees_per_s"), [("z", 100.0), ("z", 300.0), ("y", 300.0)])
def test_a_turn_tells_the_readout_and_how_certain_it_is(axis, degrees_per_s, readout_s):
    readout, error = estimated(axis, degrees_per_s, readout_s)
    assert abs(readout.seconds - readout_s) < 3 * readout.sigma_s
    assert readout.sigma_s < 4e-3
    assert readout_s or error < 0.15


def test_an_uncertain_readout_is_not_used():
    readout, error = estimated("x", 100.0, 0.0)
    assert readout.sigma_s > 3e-3 and readout.used_s == 0.0
    assert error < 0.15


def test_without_a_turn_nothing_is_known_of_the_readout():
    readout, _ = estimated("z", 0.0, READOUT_S)
    assert readout.sigma_s > 0.019


def test_a_readout_that_is_given_stays():
    readout, _ = estimated("z", 100.0, READOUT_S, sigma_s=0.0, count=5)
    assert (readout.seconds, readout.sigma_s, readout.used_s) == (0.0, 0.0, 0.0)


def test_rays_come_back_as_the_rows_saw_them():
    frame = Frame.make(1, rolled(np.eye(4), np.array([1.0, 2.0, 5.0])), CAMERA, 0.01)
    again = frame.at_one_time(np.array([1.0, 2.0, 5.0]), READOUT_S).as_exposed()
    assert np.allclose(again.rays, frame.rays, atol=1e-12)


@given(st.lists(st.floats(-8, 8), min_size=3, max_size=3))
def test_rays_are_those_of_the_middle_row(rate):
    frame = Frame.make(1, rolled(np.eye(4), np.array(rate)), CAMERA, 0.01)
    sharp = frame.at_one_time(np.array(rate), READOUT_S)
    seen = {tuple(d): ray for d, ray in zip(WORLD.descriptors, WORLD.points, strict=True)}
    truth = np.array([seen[tuple(d)] for d in frame.descriptors])
    truth /= np.linalg.norm(truth, axis=1, keepdims=True)
    off = np.arccos(np.clip((sharp.rays * truth).sum(axis=1), -1, 1))
    assert np.median(off) < 2 * 0.4 / CAMERA.focal
    assert np.allclose(np.linalg.norm(sharp.rays, axis=1), 1)
