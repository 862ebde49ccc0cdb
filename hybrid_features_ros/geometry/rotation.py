# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Pure rotation between two views: two-point RANSAC and a reweighted Kabsch fit."""

from __future__ import annotations

import numpy as np

from hybrid_features_ros.core.config import TwoViewConfig
from hybrid_features_ros.core.types import Float64, MotionModel
from hybrid_features_ros.geometry.hypothesis import Hypothesis
from hybrid_features_ros.geometry.ray_pairs import RayPairs
from hybrid_features_ros.geometry.robust import gated_cauchy_weights

_MAX_SAMPLES = 200  # all tried at once; two inliers among half outliers are drawn long before
_IRLS_STEPS = 6


def fit_rotation(pairs: RayPairs, threshold: float, config: TwoViewConfig, seed: int) -> Hypothesis:
    """Two-point RANSAC on the rays, then Kabsch's algorithm with Cauchy weights (IRLS).

    Args:
        threshold: largest residual of an inlier [rad].
        seed: of the random samples.
    """
    a, b = pairs.rays_a, pairs.rays_b
    samples = min(config.ransac_iterations, _MAX_SAMPLES)
    draws = np.random.default_rng(seed).integers(len(a), size=(samples, 2))
    hypotheses = _triad(a[draws]) @ _triad(b[draws]).transpose(0, 2, 1)
    sound = np.linalg.det(hypotheses) > 0.5  # else the two rays of a sample are one
    if not sound.any():
        return Hypothesis(MotionModel.ROTATION_ONLY, np.eye(3), np.zeros(3), np.full(len(a), np.inf), 3, 2)
    hypotheses = hypotheses[sound]
    products = (pairs.columns[0][:, None] * pairs.columns[1]).reshape(9, -1)
    squared = 2 - 2 * hypotheses.reshape(-1, 9) @ products  # a . R b is linear in R
    R = hypotheses[np.minimum(squared, threshold**2).sum(axis=1).argmin()]
    for _ in range(_IRLS_STEPS):
        weights = gated_cauchy_weights(pairs.squared_gaps(R), pairs.sigmas, threshold)
        if np.count_nonzero(weights) < 2:
            break
        R = kabsch((products @ weights).reshape(3, 3))
    errors = pairs.squared_gaps(R) / pairs.sigmas**2
    return Hypothesis(MotionModel.ROTATION_ONLY, R, np.zeros(3), errors, parameters=3, codimension=2)


def kabsch(correlation: Float64) -> Float64:
    """The rotation ``R_a_b`` (3, 3) of least squares between rays, from their correlation
    (3, 3) ``sum(weight * outer(ray_a, ray_b))`` (Kabsch, 1976).
    """
    U, _, Vt = np.linalg.svd(correlation)
    return np.asarray(U * [1, 1, np.linalg.det(U @ Vt)] @ Vt)


def _triad(rays: Float64) -> Float64:
    """(H, 3, 3) orthonormal frames spanned by pairs of rays (H, 2, 3)."""
    along = rays[:, 0] + rays[:, 1]
    normal = np.cross(rays[:, 0], rays[:, 1])
    along, normal = (v / np.maximum(np.linalg.norm(v, axis=1, keepdims=True), 1e-12) for v in (along, normal))
    return np.stack([along, normal, np.cross(along, normal)], axis=2)
