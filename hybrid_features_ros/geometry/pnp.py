"""Known points to a motion: perspective-n-point."""

from __future__ import annotations

import cv2
import numpy as np
from scipy.spatial.transform import Rotation

from hybrid_features_ros.core import se3
from hybrid_features_ros.core.config import TwoViewConfig
from hybrid_features_ros.core.types import Bool, Float64

_LEAST = 6


def estimate_pnp(
    points: Float64, rays: Float64, sigmas: Float64, threshold: float, config: TwoViewConfig
) -> tuple[Float64, Float64, Bool] | None:
    """Camera b from points in camera a and their rays in b: P3P in RANSAC, then Levenberg-Marquardt.

    Args:
        points: (M, 3) in the frame of camera a.
        rays: (M, 3) unit vectors in camera b.
        sigmas: (M,) standard deviation of each ray [rad].
        threshold: largest reprojection error of an inlier [rad].

    Returns:
        ``T_a_b`` (4, 4), its covariance (6, 6) under right perturbations (from the reprojection
        Jacobian, scaled by the scatter of the inliers) and the inliers (M,) bool; None without consensus.
    """
    front = np.flatnonzero(rays[:, 2] > 0.05)
    if len(front) < _LEAST:
        return None
    xy = rays[front, :2] / rays[front, 2:]
    K, D = np.eye(3), np.zeros(4)
    found, rvec, tvec, index = cv2.solvePnPRansac(
        points[front],
        xy,
        K,
        D,
        iterationsCount=200,
        reprojectionError=threshold,
        confidence=config.confidence,
        flags=cv2.SOLVEPNP_AP3P,
    )
    if not found or index is None or len(index) < _LEAST:
        return None
    for _ in range(2):
        chosen = index.ravel()
        rvec, tvec = cv2.solvePnPRefineLM(points[front][chosen], xy[chosen], K, D, rvec, tvec)
        projected, jacobian = cv2.projectPoints(points[front], rvec, tvec, K, D)
        errors = projected.reshape(-1, 2) - xy
        index = np.flatnonzero((errors**2).sum(axis=1) < threshold**2)
        if len(index) < _LEAST:
            return None
    J = jacobian[:, :6].reshape(-1, 2, 6)[index]
    weights = 1 / sigmas[front][index] ** 2
    noise = max(1.0, float(np.median((errors[index] ** 2).sum(axis=1) * weights) / 1.3863))
    C = np.linalg.pinv(np.einsum("mki,m,mkj->ij", J, weights, J), hermitian=True) * noise
    T_b_a = se3.make(Rotation.from_rotvec(np.asarray(rvec).ravel()).as_matrix(), np.asarray(tvec).ravel())
    inliers = np.zeros(len(rays), np.bool_)
    inliers[front[index]] = True
    return se3.inverse(T_b_a), _right_of_inverse(C, np.asarray(rvec).ravel(), T_b_a), inliers


def _right_of_inverse(C: Float64, rvec: Float64, T_b_a: Float64) -> Float64:
    """Covariance of OpenCV's (rvec, tvec) of ``T_b_a`` as one of right perturbations of ``T_a_b``.

    A left perturbation of ``T_b_a`` is a right one of its inverse with the sign turned; rotating about
    the camera moves the translation along: ``rho = dt - dphi x t``, ``phi = J_left(rvec) drvec``.
    """
    M = np.zeros((6, 6))
    left = se3.left_jacobian(rvec)
    M[3:, :3] = left
    M[:3, :3] = se3.skew(T_b_a[:3, 3]) @ left
    M[:3, 3:] = np.eye(3)
    return np.asarray(M @ C @ M.T)
