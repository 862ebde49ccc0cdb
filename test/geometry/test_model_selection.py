# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A pure rotation is called one, a translation is found, and both come with an honest covariance."""

import numpy as np
import pytest
from synthetic import CAMERA, World, turn

from hybrid_features_ros.core import se3
from hybrid_features_ros.core.config import TwoViewConfig
from hybrid_features_ros.core.types import MotionModel, Scale
from hybrid_features_ros.geometry.essential import sampson_errors
from hybrid_features_ros.geometry.model_selection import estimate_motion
from hybrid_features_ros.geometry.ray_pairs import RayPairs
from hybrid_features_ros.geometry.rotation import fit_rotation

CONFIG = TwoViewConfig()
THRESHOLD = CONFIG.inlier_threshold_px / CAMERA.focal


def seen_twice(T_a_b, *, noise_px=0.5, outliers=0.3, count=300, seed=0):
    """Rays of random points in two views, a share of them paired wrongly."""
    rng = np.random.default_rng(seed)
    pixels = rng.uniform([0, 0], [CAMERA.width, CAMERA.height], (count, 2))
    points = CAMERA.bearings(pixels) * rng.uniform(2, 8, (count, 1))
    rays = []
    for T in (np.eye(4), se3.inverse(T_a_b)):
        local = points @ T[:3, :3].T + T[:3, 3]
        local /= np.linalg.norm(local, axis=1, keepdims=True)
        local += rng.normal(size=local.shape) * noise_px / CAMERA.focal
        rays.append(local / np.linalg.norm(local, axis=1, keepdims=True))
    wrong = rng.permutation(count)[: int(outliers * count)]
    rays[1][wrong] = rays[1][rng.permutation(wrong)]
    sigma = np.sqrt(2) * noise_px / CAMERA.focal
    return RayPairs(rays[0], rays[1], np.full(count, sigma)), wrong


def angle_between(R, S):
    return np.degrees(se3.rotation_angle(R.T @ S))


ROTATIONS = [("x", 2), ("x", 15), ("y", 2), ("y", 15), ("z", 0), ("z", 2), ("z", 15), ("z", 80), ("z", 179)]


@pytest.mark.parametrize(("axis", "degrees"), ROTATIONS)
def test_pure_rotation_is_not_a_translation(axis, degrees):
    T = turn(**{axis: degrees})
    pairs, wrong = seen_twice(T, seed=degrees)
    motion = estimate_motion(pairs, THRESHOLD, CONFIG, seed=1)
    assert motion.model is MotionModel.ROTATION_ONLY
    assert not motion.T_a_b[:3, 3].any()
    assert angle_between(motion.T_a_b[:3, :3], T[:3, :3]) < 0.05
    assert motion.inliers.mean() > 0.5
    assert motion.inliers[wrong].mean() < 0.05


@pytest.mark.parametrize("seed", range(10))
def test_rays_of_a_flat_fan_give_a_rotation_and_no_reflection(seed):
    """The fan looks the same from behind: only the determinant tells a rotation from a reflection."""
    T = se3.exp(np.array([0, 0, 0, 0.1, -0.15, 0.8]))
    angles = np.random.default_rng(seed).uniform(-0.5, 0.5, 50)
    fan = np.stack([np.sin(angles), np.zeros(50), np.cos(angles)], axis=1)
    R = fit_rotation(RayPairs(fan @ T[:3, :3].T, fan, np.full(50, 1e-3)), THRESHOLD, CONFIG, seed).R
    assert np.linalg.det(R) > 0.99
    assert angle_between(R, T[:3, :3]) < 0.05


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("count", [25, 40, 60])
def test_a_rotation_of_few_points_is_one(count, seed):
    """An essential matrix fits few points closer than they are measured."""
    T = se3.exp(np.array([0, 0, 0, 0.1, -0.15, 0.8]))
    pairs, _ = seen_twice(T, count=count, outliers=0.0, seed=seed)
    motion = estimate_motion(pairs, THRESHOLD, CONFIG, seed=1)
    assert motion.model is MotionModel.ROTATION_ONLY


@pytest.mark.parametrize("seed", range(5))
def test_cautious_sigmas_do_not_flatten_a_corner(seed):
    """Two walls are no plane, even where the noise is half of what the sigmas say."""
    rng, n, f = np.random.default_rng(seed), 340, 262.5
    across = rng.uniform(-1, 1, (n, 2)) * [0.6, 0.45]
    depth = np.where(across[:, 0] < 0.1, 3.0, 3.0 - 4.0 * (across[:, 0] - 0.1))
    points = np.column_stack([across * depth[:, None], depth])
    T = se3.exp(np.array([0.05, 0.035, 0.01, 0.004, 0.01, 0.002]))
    rays = []
    for local in (points, (points - T[:3, 3]) @ T[:3, :3]):
        seen = local[:, :2] / local[:, 2:] + rng.normal(size=(n, 2)) * 0.25 / f
        rays.append(
            np.column_stack([seen, np.ones(n)]) / np.linalg.norm([*seen.T, np.ones(n)], axis=0)[:, None]
        )
    motion = estimate_motion(RayPairs(*rays, np.full(n, np.sqrt(2) * 0.5 / f)), 3 / f, CONFIG, seed=0)
    assert motion.model is MotionModel.ESSENTIAL
    assert angle_between(motion.T_a_b[:3, :3], T[:3, :3]) < 0.4


@pytest.mark.parametrize("seed", range(5))
def test_translation_is_found_with_its_direction(seed):
    T = se3.exp(np.array([0.3, 0.1, -0.2, 0.1, -0.15, 0.8]))
    pairs, _ = seen_twice(T, seed=seed)
    motion = estimate_motion(pairs, THRESHOLD, CONFIG, seed=1)
    assert motion.model is MotionModel.ESSENTIAL
    assert motion.scale is Scale.UNKNOWN
    assert angle_between(motion.T_a_b[:3, :3], T[:3, :3]) < 0.15
    direction = T[:3, 3] / np.linalg.norm(T[:3, 3])
    assert motion.T_a_b[:3, 3] @ direction > np.cos(np.radians(3))


@pytest.mark.parametrize(("baseline", "model"), [(0.0, "ROTATION_ONLY"), (0.3, "ESSENTIAL")])
def test_covariance_is_consistent(baseline, model):
    """Normalised squared errors over repeated draws average to their degrees of freedom (NEES)."""
    T = se3.make(turn(z=20, y=5)[:3, :3], np.array([0.8, 0.0, 0.6]) * baseline)
    nees = []
    for seed in range(60):
        pairs, _ = seen_twice(T, seed=seed, outliers=0.0)
        motion = estimate_motion(pairs, THRESHOLD, CONFIG, seed=seed)
        assert motion.model.name == model
        error = se3.rotation_vector(motion.T_a_b[:3, :3].T @ T[:3, :3])
        nees.append(error @ np.linalg.solve(motion.covariance[3:, 3:], error))
    assert 3 * 0.6 < np.mean(nees) < 3 * 1.6


def test_sampson_error_vanishes_for_the_true_motion():
    T = se3.exp(np.array([0.3, 0.1, -0.2, 0.1, -0.15, 0.8]))
    pairs, _ = seen_twice(T, noise_px=0.0, outliers=0.0)
    pairs = RayPairs(pairs.rays_a, pairs.rays_b, np.ones(len(pairs.rays_a)))
    t = T[:3, 3] / np.linalg.norm(T[:3, 3])
    assert sampson_errors(T[:3, :3], t, pairs).max() < 1e-25
    assert sampson_errors(T[:3, :3], np.roll(t, 1), pairs).max() > 1e-4


def test_chance_is_no_motion():
    rng = np.random.default_rng(0)
    rays = [CAMERA.bearings(rng.uniform([0, 0], [640, 480], (200, 2))) for _ in range(2)]
    motion = estimate_motion(RayPairs(*rays, np.full(200, 1e-3)), THRESHOLD, CONFIG, seed=1)
    assert motion.model is MotionModel.NONE
    assert not motion.inliers.any()
    assert np.linalg.eigvalsh(motion.covariance).min() > 0.5


def test_too_few_matches_are_no_motion():
    pairs, _ = seen_twice(np.eye(4), count=CONFIG.min_inliers - 1)
    assert estimate_motion(pairs, THRESHOLD, CONFIG, seed=1).model is MotionModel.NONE


def test_the_same_seed_gives_the_same_motion():
    pairs, _ = seen_twice(turn(z=30))
    a, b = (estimate_motion(pairs, THRESHOLD, CONFIG, seed=5) for _ in range(2))
    assert np.array_equal(a.T_a_b, b.T_a_b) and np.array_equal(a.covariance, b.covariance)


def test_covariance_is_symmetric_and_positive_where_something_is_known():
    for T in (turn(z=10), se3.exp(np.array([0.3, 0, 0, 0, 0, 0.2]))):
        pairs, _ = seen_twice(T)
        C = estimate_motion(pairs, THRESHOLD, CONFIG, seed=1).covariance
        assert np.array_equal(C, C.T)
        assert np.linalg.eigvalsh(C).min() > 0


def test_world_is_random_enough():
    """The fixture of the other tests fills the image."""
    features = World.random().seen_from(np.eye(4))
    assert len(features) > 200
    assert features.points.std(axis=0).min() > 100
