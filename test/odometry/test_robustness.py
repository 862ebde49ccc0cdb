# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What robots do to cameras: dropped frames, darkness, things that move, long standstills, long runs."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from synthetic import CAMERA, World, turn

from hybrid_features_ros.core import se3
from hybrid_features_ros.core.config import OdometryConfig, with_options
from hybrid_features_ros.core.motion_prior import MotionPrior
from hybrid_features_ros.core.types import State
from hybrid_features_ros.odometry import Odometry

pytestmark = pytest.mark.slow

FRAME_NS = 50_000_000
WORLD = World.random(seed=3)


def path(count):
    """A walk on a slow circle while looking around."""
    return [
        se3.make(
            turn(y=1.2 * i, z=10 * np.sin(0.1 * i))[:3, :3],
            [0.8 * np.sin(0.03 * i), 0.1 * np.sin(0.05 * i), 0.8 - 0.8 * np.cos(0.03 * i)],
        )
        for i in range(count)
    ]


def replay(poses, *, every=1, with_depth=False, change=None, config=None):
    """Results at every ``every``-th pose; ``change(i, features)`` spoils an image."""
    odometry = Odometry(config or OdometryConfig())
    results = []
    for i in range(0, len(poses), every):
        features = WORLD.seen_from(poses[i], noise_px=0.4, seed=i, with_depth=with_depth)
        features = change(i, features) if change else features
        results.append(odometry.process((i + 1) * FRAME_NS, features, CAMERA))
    return results


def metric_errors(results, poses):
    return [
        np.linalg.norm(r.T_world_camera[:3, 3] - (se3.inverse(poses[0]) @ T)[:3, 3])
        for r, T in zip(results, poses, strict=True)
    ]


def steps(results):
    return [
        np.linalg.norm((se3.inverse(a.T_world_camera) @ b.T_world_camera)[:3, 3])
        for a, b in itertools.pairwise(results)
    ]


@pytest.mark.parametrize("every", [1, 2, 3])
def test_dropped_frames(every):
    poses = path(120)
    results = replay(poses, every=every, with_depth=True)
    assert all(r.state is State.TRACKING for r in results[1:])
    assert max(metric_errors(results, poses[::every])) < 0.05


def test_a_third_of_the_points_moves_on_its_own():
    def foreground(i, features):
        points = features.points.copy()
        moving = np.flatnonzero(features.descriptors[:, 0] > 0.08)
        points[moving] += np.float32(3.0 * (i % 40))
        return replace(features, points=points)

    poses = path(80)
    results = replay(poses, with_depth=True, change=foreground)
    assert all(r.state is State.TRACKING for r in results[1:])
    assert max(metric_errors(results, poses)) < 0.05


def dark(i, features, begin=40, end=60):
    if not begin <= i < end:
        return features
    names = ("points", "scores", "scales", "angles", "sigmas", "descriptors")
    return replace(features, depths=None, **{n: getattr(features, n)[:4] for n in names})


@pytest.mark.parametrize("with_depth", [False, True])
def test_a_second_of_darkness(with_depth):
    poses = path(110)
    results = replay(poses, with_depth=with_depth, change=dark)
    states = [r.state for r in results]
    assert State.LOST in states[46:60]
    assert State.LOST not in states[62:]
    assert states[80] in (State.TRACKING, State.RECOVERING) and states[-1] is State.TRACKING
    assert results[-1].resets == 0
    assert max(steps(results)) < 0.2  # half a metre was missed in the dark


def test_a_gyro_bridges_the_dark():
    poses = path(110)
    odometry = Odometry(OdometryConfig())
    rates = [
        se3.rotation_vector(a[:3, :3].T @ b[:3, :3]) / (FRAME_NS * 1e-9) for a, b in itertools.pairwise(poses)
    ]
    errors = []
    for i, T in enumerate(poses):
        for k in range(5):  # constant between images, as an exact gyroscope would tell
            odometry.add_gyro(round((i + (k + 0.5) / 5) * FRAME_NS), rates[max(i - 1, 0)])
        features = WORLD.seen_from(T, noise_px=0.4, seed=i, with_depth=True)
        result = odometry.process((i + 1) * FRAME_NS, dark(i, features), CAMERA)
        expected = se3.inverse(poses[0]) @ T
        errors.append(np.degrees(se3.rotation_angle(result.T_world_camera[:3, :3].T @ expected[:3, :3])))
    assert max(errors[40:60]) < 3.0


def test_standing_still():
    start = path(30)
    poses = start + [start[-1]] * 150
    results = replay(poses)
    still = np.array([r.T_world_camera[:3, 3] for r in results[60:]])
    assert np.linalg.norm(still - still.mean(axis=0), axis=1).max() < 0.02
    drift = se3.rotation_angle(results[60].T_world_camera[:3, :3].T @ results[-1].T_world_camera[:3, :3])
    assert np.degrees(drift) < 0.3


def test_the_map_stays_small():
    """Few keyframes hold fewer landmarks than many, and a lap that shows nothing new adds none."""
    lap = 300  # frames of a full turn
    few, many = (
        replay(path(laps * lap), with_depth=True, config=with_options(OdometryConfig(), options))
        for laps, options in (
            (3, {"mapping.max_keyframes": 8}),
            (2, {"mapping.max_keyframes": 1000, "mapping.cull_after_keyframes": 100}),
        )
    )
    assert sum(r.is_keyframe for r in few) == few[-1].keyframes > 8
    assert few[0].is_keyframe
    second, third = (max(r.landmarks for r in few[i * lap : (i + 1) * lap]) for i in (1, 2))
    assert third < 1.1 * second
    assert third < 0.85 * many[-1].landmarks


def test_a_prior_from_outside_is_heard():
    poses = path(12)
    odometry = Odometry(OdometryConfig())
    for i, T in enumerate(poses):
        hint = np.eye(4) if i == 0 else se3.inverse(poses[i - 1]) @ T
        features = WORLD.seen_from(T, noise_px=0.4, seed=i, with_depth=True)
        result = odometry.process((i + 1) * FRAME_NS, features, CAMERA, prior=MotionPrior(hint))
    assert result.state is State.TRACKING
    expected = se3.inverse(poses[0]) @ poses[-1]
    assert np.allclose(result.T_world_camera[:3, 3], expected[:3, 3], atol=0.05)


def test_reset_to_a_pose():
    odometry = Odometry(OdometryConfig())
    T = se3.exp(np.array([1.0, 2, 3, 0.1, 0.2, 0.3]))
    odometry.process(FRAME_NS, WORLD.seen_from(np.eye(4)), CAMERA)
    odometry.reset(T)
    result = odometry.process(2 * FRAME_NS, WORLD.seen_from(np.eye(4)), CAMERA)
    assert np.allclose(result.T_world_camera, T)
    assert result.resets == 1


def test_a_long_replay_repeats_itself():
    """Adjustments run beside the tracking; when their results count is not a matter of luck."""
    a, b = (replay(path(90)) for _ in range(2))
    assert all(np.array_equal(x.T_world_camera, y.T_world_camera) for x, y in zip(a, b, strict=True))
