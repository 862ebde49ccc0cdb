# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Perspective-n-point (PnP): the pose of a camera from known points and their rays."""

from __future__ import annotations

import cv2
import numpy as np
from scipy.spatial.transform import Rotation

from hybrid_features_ros.core import se3
from hybrid_features_ros.core.types import Bool, Float64
from hybrid_features_ros.geometry.tangent import PROJECTABLE_Z

_MIN_POINTS = 6  # that agree: as many again as P3P takes
_CONFIDENCE = 0.9999  # that a sample is free of outliers
_MAX_ITERATIONS = 200  # of RANSAC: samples of P3P are few points, so that few are needed


def estimate_pnp(points: Float64, rays: Float64, threshold: float) -> tuple[Float64, Bool] | None:
    """Camera b from points in camera a and their rays in b: P3P in RANSAC, then Levenberg-Marquardt.

    Args:
        points: (M, 3) in the frame of camera a.
        rays: (M, 3) unit vectors in camera b.
        threshold: largest reprojection error of an inlier, on the plane z = 1: [rad] on the optical axis,
            stricter away from it.

    Returns:
        ``T_a_b`` (4, 4) and the inliers (M,) bool; None without consensus.
    """
    front = np.flatnonzero(rays[:, 2] > PROJECTABLE_Z)
    if len(front) < _MIN_POINTS:
        return None
    xy = rays[front, :2] / rays[front, 2:]
    K, D = np.eye(3), np.zeros(4)
    found, rvec, tvec, index = cv2.solvePnPRansac(
        points[front],
        xy,
        K,
        D,
        iterationsCount=_MAX_ITERATIONS,
        reprojectionError=threshold,
        confidence=_CONFIDENCE,
        flags=cv2.SOLVEPNP_AP3P,
    )
    if not found or index is None or len(index) < _MIN_POINTS:
        return None
    for _ in range(2):
        chosen = index.ravel()
        rvec, tvec = cv2.solvePnPRefineLM(points[front][chosen], xy[chosen], K, D, rvec, tvec)
        projected, _ = cv2.projectPoints(points[front], rvec, tvec, K, D)
        errors = projected.reshape(-1, 2) - xy
        index = np.flatnonzero((errors**2).sum(axis=1) < threshold**2)
        if len(index) < _MIN_POINTS:
            return None
    T_b_a = se3.make(Rotation.from_rotvec(np.asarray(rvec).ravel()).as_matrix(), np.asarray(tvec).ravel())
    inliers = np.zeros(len(rays), np.bool_)
    inliers[front[index]] = True
    return se3.inverse(T_b_a), inliers
