# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Known points to a motion."""

import numpy as np
from synthetic import CAMERA

from hybrid_features_ros.core import se3
from hybrid_features_ros.geometry.pnp import estimate_pnp

T_A_B = se3.exp(np.array([0.3, -0.1, 0.2, 0.1, -0.2, 1.1]))
SIGMA = 0.5 / CAMERA.focal
THRESHOLD = 1.5 / CAMERA.focal


def scene(seed, outliers=0.0, count=120):
    rng = np.random.default_rng(seed)
    rays_b = CAMERA.bearings(rng.uniform([0, 0], [640, 480], (count, 2)))
    points = (rays_b * rng.uniform(2, 8, (count, 1))) @ T_A_B[:3, :3].T + T_A_B[:3, 3]
    rays_b = rays_b + rng.normal(size=rays_b.shape) * SIGMA
    wrong = rng.permutation(count)[: int(outliers * count)]
    rays_b[wrong] = rays_b[np.roll(wrong, 1)]
    return points, rays_b / np.linalg.norm(rays_b, axis=1, keepdims=True), wrong


def test_finds_the_motion_among_outliers():
    points, rays, wrong = scene(0, outliers=0.4)
    T, inliers = estimate_pnp(points, rays, THRESHOLD)
    assert np.linalg.norm(se3.log(se3.inverse(T) @ T_A_B)) < 0.02
    assert inliers.sum() > 0.5 * 120
    assert inliers[wrong].mean() < 0.1


def test_no_consensus_no_motion():
    points, rays, _ = scene(1)
    shuffled = np.random.default_rng(0).permutation(120)
    found = estimate_pnp(points[shuffled], rays, THRESHOLD)
    assert found is None or found[1].sum() < 12
    assert estimate_pnp(points[:5], rays[:5], THRESHOLD) is None
