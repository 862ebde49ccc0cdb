# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A plane is a model of its own: found, told from depth, and never believed more than it says."""

import numpy as np
import pytest
from synthetic import CAMERA, World, turn

from hybrid_features_ros.core import se3
from hybrid_features_ros.core.config import OdometryConfig, TwoViewConfig
from hybrid_features_ros.core.types import MotionModel, State
from hybrid_features_ros.geometry.homography import fit_homography
from hybrid_features_ros.geometry.model_selection import estimate_motion
from hybrid_features_ros.geometry.ray_pairs import RayPairs
from hybrid_features_ros.odometry import Odometry

CONFIG = TwoViewConfig()
THRESHOLD = CONFIG.inlier_threshold_px / CAMERA.focal
FACING, TILTED, FLOOR = [0, 0, 1.0], [0.4, 0.2, 1], [0, 1, 0.35]
SIDEWAYS, AHEAD, OBLIQUE = [0.4, 0, 0], [0.05, 0, 0.5], [0.1, 0, 0.5]


def seen_twice(T_a_b, normal, *, off=0.0, outliers=0.3, noise_px=0.5, count=300, seed=0):
    """Rays of points on a plane three metres away, a share ``off`` of them nearer."""
    rng = np.random.default_rng(seed)
    rays = CAMERA.bearings(rng.uniform([0, 0], [CAMERA.width, CAMERA.height], (count, 2)))
    depth = 3 * np.linalg.norm(normal) / (rays @ normal)
    depth[: int(off * count)] *= rng.uniform(0.4, 0.9, int(off * count))
    views = []
    for T in (np.eye(4), se3.inverse(T_a_b)):
        local = (rays * depth[:, None]) @ T[:3, :3].T + T[:3, 3]
        local /= np.linalg.norm(local, axis=1, keepdims=True)
        local += rng.normal(size=local.shape) * noise_px / CAMERA.focal
        views.append(local / np.linalg.norm(local, axis=1, keepdims=True))
    wrong = rng.permutation(count)[: int(outliers * count)]
    views[1][wrong] = views[1][rng.permutation(wrong)]
    return RayPairs(views[0], views[1], np.full(count, np.sqrt(2) * noise_px / CAMERA.focal))


def moved(translation):
    return se3.make(turn(z=25, y=4)[:3, :3], translation)


def errors_deg(motion, T):
    direction = T[:3, 3] / np.linalg.norm(T[:3, 3])
    turned = se3.rotation_angle(motion.T_a_b[:3, :3].T @ T[:3, :3])
    return np.degrees([turned, np.arccos(np.clip(motion.T_a_b[:3, 3] @ direction, -1, 1))])


@pytest.mark.parametrize("seed", range(3))
def test_points_off_a_plane_make_the_motion_known_better(seed):
    """Most points lie on the plane, so that a homography costs least; all of them fit an essential matrix."""
    T = moved([0.15, 0, 0.02])
    motion = estimate_motion(seen_twice(T, TILTED, off=0.15, count=400, seed=seed), THRESHOLD, CONFIG, seed=1)
    assert motion.model is MotionModel.ESSENTIAL
    turned, astray = errors_deg(motion, T)
    assert turned < 0.2 and astray < 0.6


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    ("normal", "translation"), [(FACING, SIDEWAYS), (TILTED, SIDEWAYS), (FLOOR, [0, 0, 0.5])]
)
def test_a_plane_is_a_homography_with_one_motion_in_sight(normal, translation, seed):
    T = moved(translation)
    motion = estimate_motion(seen_twice(T, normal, seed=seed), THRESHOLD, CONFIG, seed=1)
    assert motion.model is MotionModel.HOMOGRAPHY and not motion.ambiguous
    turned, astray = errors_deg(motion, T)
    assert turned < 0.3 and astray < 2.5
    assert np.linalg.eigvalsh(motion.covariance)[0] > 0


def test_points_off_the_plane_make_an_essential_matrix():
    for seed in range(4):
        pairs = seen_twice(moved(SIDEWAYS), TILTED, off=0.6, seed=seed)
        assert estimate_motion(pairs, THRESHOLD, CONFIG, seed=1).model is MotionModel.ESSENTIAL


def test_a_turn_in_front_of_a_plane_is_a_rotation():
    for seed in range(4):
        pairs = seen_twice(moved([0, 0, 0]), FACING, seed=seed)
        motion = estimate_motion(pairs, THRESHOLD, CONFIG, seed=1)
        assert motion.model is MotionModel.ROTATION_ONLY and not motion.T_a_b[:3, 3].any()


def test_two_motions_that_nothing_tells_apart_are_declared():
    """Both are in sight; the wrong one lies within the covariance."""
    T = moved(OBLIQUE)
    truth = se3.make(T[:3, :3], T[:3, 3] / np.linalg.norm(T[:3, 3]))
    declared, surprise = 0, []
    for seed in range(6):
        motion = estimate_motion(seen_twice(T, [0.5, 0, 1], outliers=0, seed=seed), THRESHOLD, CONFIG, seed=1)
        assert motion.model is MotionModel.HOMOGRAPHY
        declared += motion.ambiguous
        error = se3.log(se3.inverse(motion.T_a_b) @ truth)
        surprise.append(error @ np.linalg.solve(motion.covariance, error))
    assert declared >= 5
    assert np.median(surprise) < 12


def test_a_tenth_of_the_points_off_the_plane_tells_the_two_apart():
    for seed in range(4):
        T = moved(OBLIQUE)
        pairs = seen_twice(T, [0.5, 0, 1], off=0.15, outliers=0.1, seed=seed)
        motion = estimate_motion(pairs, THRESHOLD, CONFIG, seed=1)
        assert not motion.ambiguous
        assert max(errors_deg(motion, T)) < 2.5


def test_without_noise_the_decomposition_is_exact():
    T = moved(SIDEWAYS)
    pairs = seen_twice(T, TILTED, noise_px=1e-6, outliers=0)
    best = min(
        fit_homography(pairs, THRESHOLD, CONFIG, 1),
        key=lambda p: np.linalg.norm(p.R - T[:3, :3]),
    )
    normal = T[:3, :3].T @ TILTED / np.linalg.norm(TILTED)
    assert np.allclose(best.R, T[:3, :3], atol=1e-5)
    assert np.allclose(best.normal, normal, atol=1e-4)
    assert np.allclose(best.shift, T[:3, 3] / (3 - normal @ T[:3, :3].T @ T[:3, 3]), atol=1e-4)


def test_a_wall_begins_a_map():
    rng = np.random.default_rng(5)
    points = np.column_stack([rng.uniform(-5, 5, (1500, 2)), np.full(1500, 3.0)])
    wall = World(points, World.random(seed=5, count=1500).descriptors)
    odometry = Odometry(OdometryConfig())
    poses = [se3.make(turn(z=2.0 * i)[:3, :3], [0.04 * i, 0.01 * i, 0]) for i in range(30)]
    results = [
        odometry.process((i + 1) * 50_000_000, wall.seen_from(T, noise_px=0.4, seed=i), CAMERA)
        for i, T in enumerate(poses)
    ]
    assert MotionModel.HOMOGRAPHY in {r.motion.model for r in results}
    assert results[-1].state is State.TRACKING
    for r, T in zip(results[12:], poses[12:], strict=True):
        assert np.degrees(se3.rotation_angle(r.T_world_camera[:3, :3].T @ T[:3, :3])) < 1.0
    travelled = results[-1].T_world_camera[:3, 3] - results[12].T_world_camera[:3, 3]
    expected = poses[-1][:3, 3] - poses[12][:3, 3]
    assert travelled @ expected > np.cos(np.radians(4)) * np.linalg.norm(travelled) * np.linalg.norm(expected)
