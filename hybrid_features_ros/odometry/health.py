# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Health of a tracked pose: when it rests on too little to be called TRACKING."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hybrid_features_ros.core import se3
from hybrid_features_ros.core.camera import Camera
from hybrid_features_ros.core.types import Float64, MotionModel
from hybrid_features_ros.odometry.pose_optimizer import PosePrior
from hybrid_features_ros.odometry.tracking_result import TrackingResult


@dataclass(frozen=True)
class Health:
    """Limits, set by looking at rendered places and at recordings, where sound poses keep away from them.

    Attributes:
        min_inliers: inliers of known depth.
        min_found_ratio: inliers over the landmarks that should be in the image ...
        min_expected: ... where as many were expected.
        min_spread: standard deviation of the inliers' directions, over the half angle of view: along the
            axis along which they lie closer together.
        max_scatter: scatter of the residuals over their sigmas: beyond it the map contradicts itself.
        max_jump: distance from the predicted position, in standard deviations of the prediction, root mean
            square of the axes. On rendered walks, desks and spins with rolling shutters poses stay below 2.7.
    """

    min_inliers: int = 30
    min_found_ratio: float = 0.08
    min_expected: int = 100
    min_spread: float = 0.08
    max_scatter: float = 5.0
    max_jump: float = 6.0


HEALTH = Health()


def weakness(
    tracked: TrackingResult, camera: Camera, prior: PosePrior | None = None, limits: Health = HEALTH
) -> str:
    """Why a pose from landmarks of known depth is in doubt, in one sentence; empty if it is not.

    Args:
        prior: where it was expected.
    """
    if tracked.model is not MotionModel.PNP:
        return ""
    inliers, expected = int(tracked.known_inliers.sum()), len(tracked.expected)
    if inliers < limits.min_inliers:
        return f"only {inliers} landmarks of known depth agree"
    found = int(tracked.inliers.sum())
    if expected >= limits.min_expected and found < limits.min_found_ratio * expected:
        return f"only {found} of {expected} landmarks are found that should be in the image"
    rays = tracked.matches.frame.rays[tracked.matches.feature_idx[tracked.known_inliers]]
    spread = np.arctan2(rays[:, :2], rays[:, 2:]).std(axis=0) / camera.half_view
    if spread.min() < limits.min_spread:
        return "the landmarks that agree lie in one place of the image"
    if tracked.fit.scatter > limits.max_scatter:
        return f"the map contradicts itself: errors are {tracked.fit.scatter:.0f} times their noise"
    jump = 0.0 if prior is None else _jump(tracked.fit.T, prior)
    return f"the pose jumps by {jump:.0f} sigma against the prediction" if jump > limits.max_jump else ""


def rotation_jump(T: Float64, prior: PosePrior) -> float:
    """As :func:`_jump`, of an orientation: no weakness, as a camera may begin to spin from image to image."""
    if prior.information is None or prior.is_measured:
        return 0.0
    turn = se3.log(se3.inverse(prior.T) @ T)[3:]
    return float(np.sqrt(turn @ prior.information[3:, 3:] @ turn / 3))


def _jump(T: Float64, prior: PosePrior) -> float:
    """Distance of a position from where the constant-velocity model expects it, root mean square of the axes
    in standard deviations; 0 where another source measured the motion, which may be the one that is wrong.
    """
    if prior.information is None or prior.is_measured:
        return 0.0
    step = se3.log(se3.inverse(prior.T) @ T)[:3]
    return float(np.sqrt(step @ prior.information[:3, :3] @ step / 3))
