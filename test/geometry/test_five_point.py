# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Samples of five find a motion among outliers, the same one every time."""

import numpy as np
import pytest
from synthetic import CAMERA

from hybrid_features_ros.core import se3
from hybrid_features_ros.geometry.five_point import five_point
from hybrid_features_ros.geometry.ray_pairs import RayPairs

THRESHOLD = 3 / CAMERA.focal


def seen_twice(T_a_b, outliers, seed):
    rng = np.random.default_rng(seed)
    b = rng.uniform([-3, -2, 2], [3, 2, 8], (300, 3))
    a = b @ T_a_b[:3, :3].T + T_a_b[:3, 3]
    a, b = (p / np.linalg.norm(p, axis=1, keepdims=True) for p in (a, b))
    a[: int(300 * outliers)] = rng.permutation(a[: int(300 * outliers)])
    return RayPairs(a, b, np.full(300, 1e-3))


MOTIONS = [(0.3, 0.1, -0.2, 0.1, -0.15, 0.8), (0, 0, 0.3, 0, 0.1, 3.0), (1, 0, 0, 0, 0, 0)]


@pytest.mark.parametrize("outliers", [0.0, 0.4])
@pytest.mark.parametrize("xi", MOTIONS)
def test_one_of_the_starts_is_the_motion(xi, outliers):
    """Without noise a sample without outliers solves to the motion itself."""
    T = se3.exp(xi)
    R0 = T[:3, :3] @ se3.exp([0, 0, 0, 0.02, -0.03, 0.01])[:3, :3]
    away = []
    for R, t in five_point(seen_twice(T, outliers, 1), R0, THRESHOLD, seed=0):
        across = np.linalg.norm(np.cross(t, T[:3, 3] / np.linalg.norm(T[:3, 3])))
        away.append(across + se3.rotation_angle(R.T @ T[:3, :3]))
    assert min(away) < 1e-4


def test_the_same_seed_gives_the_same_starts():
    pairs = seen_twice(se3.exp(MOTIONS[0]), 0.3, 1)
    first, second = (five_point(pairs, np.eye(3), THRESHOLD, seed=4) for _ in range(2))
    for (R, t), (S, u) in zip(first, second, strict=True):
        assert np.array_equal(R, S) and np.array_equal(t, u)


def test_pairs_that_are_all_the_same_give_finite_motions():
    rays = np.tile([0.0, 0.0, 1.0], (30, 1))
    for R, t in five_point(RayPairs(rays, rays, np.ones(30)), np.eye(3), THRESHOLD, seed=0):
        assert np.isfinite(R).all() and np.isfinite(t).all()
