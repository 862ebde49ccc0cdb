"""How sure a pose is: what the residuals say, what the model leaves out, and what is not known at all."""

from __future__ import annotations

import numpy as np

from hybrid_features_ros import pose
from hybrid_features_ros.odometry.tracking import Tracked
from hybrid_features_ros.types import Float64, MotionEstimate, Scale

DRIFT = np.diag([0.5**2] * 3 + [0.5**2] * 3)  # growth per second while nothing is seen [m^2/s, rad^2/s]
_MODEL = 2.0  # standard deviations are this much larger than the residuals alone say: landmarks err together
_UNKNOWN_LENGTH = 0.5  # relative standard deviation of a monocular translation
_TAKEN = 0.003  # rotation that a translation below notice may be taken for [rad]
_HELD = 0.01  # standard deviation of a held position, over the scene's depth


def relative(tracked: Tracked, usual: float) -> Float64:
    """(6, 6) covariance of an image's pose in the map, right perturbations."""
    information = tracked.fit.information
    if tracked.held:
        C = np.zeros((6, 6))
        C[3:, 3:] = np.linalg.pinv(information[3:, 3:], hermitian=True) * _MODEL**2
        C[3:, 3:] += np.eye(3) * _TAKEN**2
        C[:3, :3] = np.eye(3) * (_HELD / usual) ** 2
        return C
    return pose.symmetric(np.asarray(np.linalg.pinv(information, rcond=1e-12, hermitian=True))) * _MODEL**2


def with_scale(C: Float64, tracked: Tracked, scale: Scale) -> Float64:
    """A covariance (6, 6) that also admits how little one camera knows of the length of a translation."""
    if scale is Scale.METRIC or tracked.held:
        return C
    moved = tracked.fit.T[:3, :3].T @ (tracked.fit.T[:3, 3] - tracked.partner.T[:3, 3])
    C = C.copy()
    C[:3, :3] += _UNKNOWN_LENGTH**2 * np.outer(moved, moved)
    return C


def placed(partner: Float64, motion: MotionEstimate, correction: Float64) -> Float64:
    """(6, 6) covariance in the world: of the keyframe, of the motion since, of what is being corrected."""
    A = pose.adjoint(pose.inverse(motion.T_a_b))
    return pose.symmetric(A @ partner @ A.T + motion.covariance + np.diag(correction**2))
