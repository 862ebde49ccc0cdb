# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""How far the images contradict their calibration: self-calibration of the focal length from tracked points.

With another focal length, what a rotation does to an image has another shape; so the motion between two
keyframes tells of the focal length, whatever the depths are (Hartley, "Self-calibration of stationary
cameras", 1997). The pose is eliminated by the Schur complement, depths are left free, and so is a radial
distortion, which looks much the same. Images are not corrected by it: what is estimated also takes up what
else is wrong with the sensor, as a rolling shutter; its size says how far the calibration can be believed.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from hybrid_features_ros.core.types import Float64
from hybrid_features_ros.geometry.robust import marginal, robust_normal_matrix
from hybrid_features_ros.geometry.tangent import dot
from hybrid_features_ros.odometry.landmarks import DEPTH_UNCERTAINTY
from hybrid_features_ros.odometry.pose_optimizer import Observations, linearise, whitened
from hybrid_features_ros.odometry.tracking_result import TrackingResult

_POSE, _LENS = slice(0, 6), slice(6, 8)


@dataclass(frozen=True)
class CalibrationPrior:
    """What is known before any evidence, and what counts as evidence. ``groups`` was chosen on ten rendered
    rooms, whose calibration is exact (docs/consistency.md).

    Attributes:
        focal, radial: standard deviations of the relative error of the focal length, and of the radial
            distortion that the calibration leaves, at 45 degrees from the axis: wide.
        significance: standard deviations of the estimate that pass for noise.
        min_keyframes: that must tell of it.
        keyframes: newest ones that do.
        groups: of successive keyframes, each of which is left out in turn to see how certain the estimate is.
        min_points: points that a keyframe must share with the one before.
    """

    focal: float = 0.3
    radial: float = 0.3
    significance: float = 2.0
    min_keyframes: int = 6
    keyframes: int = 200
    groups: int = 8
    min_points: int = 50


class SelfCalibration:
    """Estimate of what the focal length and the lens differ from their calibration, from keyframes.

    Attributes:
        focal_error: relative error of the focal length, positive where the true one is longer, and its
            standard deviation.
    """

    def __init__(self, prior: CalibrationPrior = CalibrationPrior()) -> None:
        self._prior = prior
        self.focal_error = 0.0, prior.focal
        self._told: deque[tuple[Float64, Float64]] = deque(maxlen=prior.keyframes)

    @property
    def doubt(self) -> float:
        """Relative error of the focal length that the images show beyond noise; 0 = none."""
        if len(self._told) < self._prior.min_keyframes:
            return 0.0
        error, sigma = self.focal_error
        return float(np.sqrt(max(error**2 - (self._prior.significance * sigma) ** 2, 0.0)))

    def _estimated(self) -> tuple[float, float]:
        """The error, and its standard deviation: that of the noise of keypoints, or what leaving out groups
        of keyframes shows (delete-a-group jackknife), if that is more. Keyframes in a row share landmarks.
        """
        prior = np.diag([self._prior.focal**-2, self._prior.radial**-2])
        information, vectors = (np.array(part) for part in zip(*self._told, strict=True))
        n_groups = min(self._prior.groups, len(vectors))
        others = np.arange(len(vectors)) * n_groups // len(vectors) != np.arange(n_groups)[:, None]
        without = np.linalg.solve(
            np.einsum("gn,nij->gij", others, information) + prior, (others @ vectors)[..., None]
        )
        C = np.linalg.inv(information.sum(axis=0) + prior)
        variance = max(C[0, 0], (n_groups - 1) * without[:, 0, 0].var())
        return float((C @ vectors.sum(axis=0))[0]), float(np.sqrt(variance))

    def add_keyframe(self, tracked: TrackingResult) -> None:
        """Use an image that became a keyframe, with the reference keyframe of its pose."""
        keyframe, common = tracked.reference_keyframe, tracked.common
        if keyframe.frame is None or len(common) < self._prior.min_points:
            return
        points = tracked.matches.local_map.points(tracked.matches.landmark_idx[common])
        away = np.linalg.norm(points - keyframe.T[:3, 3], axis=1)
        features, frame = tracked.matches.feature_idx[common], tracked.matches.frame
        there, inverse_depth = tracked.reference_features, 1 / np.maximum(away, 1e-9)
        observations = Observations(
            origins=np.broadcast_to(keyframe.T[:3, 3], points.shape),
            directions=keyframe.frame.rays[there] @ keyframe.T[:3, :3].T,
            inverse_depth=inverse_depth,
            inverse_depth_sigmas=DEPTH_UNCERTAINTY.unknown * inverse_depth,
            rays=frame.rays[features],
            sigmas=np.hypot(frame.sigmas[features], keyframe.frame.sigmas[there]),
        )
        r, J, A = linearise(observations, tracked.fit.T, observations.basis)
        by_lens = _by_lens(observations, keyframe.T, tracked.fit.T)
        rows = np.concatenate([J, by_lens, r[:, None]], axis=1)
        in_front = np.isfinite(r).all(axis=0)
        prior = np.diag([0.0] * 6 + [self._prior.focal**-2, self._prior.radial**-2])
        N = robust_normal_matrix(whitened(rows, A, observations)[:, :, in_front], prior, np.zeros(8))
        self._told.append(marginal(N, _LENS, _POSE))
        self.focal_error = self._estimated()


def _by_lens(observations: Observations, T_world_keyframe: Float64, T_world_camera: Float64) -> Float64:
    """(2, 2, M) derivatives of residuals in the lens: the keyframe's rays change, and those of the image,
    which are taken where the landmarks project, without the noise of keypoints.
    """
    into = T_world_camera[:3, :3].T
    origins, directions, _ = observations.columns
    d = into @ (directions + observations.inverse_depth * (origins - T_world_camera[:3, 3:]))
    length = np.maximum(np.sqrt(dot(d, d)), 1e-12)
    u = d / length
    then = into @ T_world_keyframe[:3, :3] @ _lens(T_world_keyframe[:3, :3].T @ directions)
    change = (then - u * (then * u).sum(axis=1, keepdims=True)) / length - _lens(u)
    return np.asarray(np.einsum("kim,pim->kpm", observations.basis, change))


def _lens(rays: Float64) -> Float64:
    """(2, 3, M) how unit rays (3, M) move with a longer focal length, relatively, and with a radial
    distortion that grows with the square of the distance from the axis on the plane z = 1.
    """
    inwards = -rays * np.array([[1.0], [1.0], [0.0]])
    inwards = inwards - rays * dot(rays, inwards)
    squared = (rays[0] ** 2 + rays[1] ** 2) / np.maximum(rays[2], 0.1) ** 2
    return np.stack([inwards, inwards * squared])
