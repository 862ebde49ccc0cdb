# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Covariance of a pose: what the residuals say, what the model leaves out, and what is not known at all.

The covariance of a pose is that of its error since the start. It is the sum, each part transported to the
image (Sola et al., eq. 55), of

* the covariance of an older keyframe, which grew while the map grew and does not grow while the camera looks
  at what is mapped already: where depths are measured the one with most covisible landmarks; with one
  camera, whose keyframes are many, the one that the landmarks in view come from, so that errors add up from
  one generation of landmarks to the next, however many keyframes there were;
* that of the motion since then, from the information of the landmarks, times the scatter of the
  residuals, a factor for what triangulated landmarks err in common, and what noise of depths adds in a
  single image;
* an error of all rotations and lengths in common: calibration, a rolling shutter, or, for one camera, a
  scale that nobody knows;
* what nothing measured: a position that was held, the time without any estimate, an offset that the
  published pose has yet to follow.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hybrid_features_ros.core import se3
from hybrid_features_ros.core.config import TrackingConfig
from hybrid_features_ros.core.types import Float64, MotionModel, Scale
from hybrid_features_ros.odometry.frame import Frame
from hybrid_features_ros.odometry.tracking_result import TrackingResult


@dataclass(frozen=True)
class ErrorModel:
    """What residuals do not show; chosen so that NEES is honest in rendered rooms (bench consistency), the
    shared errors on rendered scenes with a rolling shutter and a lens that differs from its calibration.

    Attributes:
        min_scatter: scatter of residuals over their sigmas below which it is no measurement.
        common_error: factor on standard deviations: landmarks that one camera triangulated err in common.
        origin_share: share of the inliers that are anchored in the keyframe from which errors are counted, or
            in older ones, where depths are not measured.
        unknown_scale: relative standard deviation of lengths while nothing measures the scale.
        scale_drift: relative standard deviation by which a scale differs from one generation to the next.
        rotation_translation: step aside, over the scene's depth, that passes for a turn in a single image.
        hidden_rotation: rotation that a translation below notice may be taken for [rad].
        held_position: standard deviation of a held position after a second, over the scene's depth.
        lost_position: standard deviation after a second without any estimate, over the scene's depth.
        lost_rotation: the same of the rotation [rad].
        doubt: share of these that a pose in doubt has.
        model_scatter: scatter of residuals over their sigmas that noise of keypoints alone explains; what is
            beyond it is common to many landmarks and does not average out: a rolling shutter, the lens.
        shared_error: rotation that such an error passes for, in those of one keypoint; also a step aside of
            that angle times the scene's depth.
        shared_drift: the same from one generation to the next.
    """

    min_scatter: float = 0.2
    common_error: float = 1.3
    origin_share: float = 0.65
    unknown_scale: float = 0.5
    scale_drift: float = 0.03
    rotation_translation: float = 0.0007
    hidden_rotation: float = 0.003
    held_position: float = 0.01
    lost_position: float = 0.25
    lost_rotation: float = 0.5
    doubt: float = 0.3
    model_scatter: float = 0.7
    shared_error: float = 4.0
    shared_drift: float = 1.0


class CovarianceModel:
    """What is known about the scale and the scene's depth, and the covariances that follow.

    Args:
        config: the scene's depth until something measures it, and how many depths do.
        pose: (4, 4) where the map begins.
        covariance: (6, 6) of that.

    Attributes:
        scale: what the estimate's unit of length means.
        median_inverse_depth: one over the scene's median depth [1/m].
        origin: (3,) where the map began.
        estimate: (6, 6) of the newest pose, without what is unknown of the scale since the start.
        start_error: relative standard deviation of translations since one camera alone began the map.
        depth_error: standard deviation of what all measured inverse depths err in common [1/m].
        calibration_doubt: relative error of the focal length that images show, see :mod:`self_calibration`.
        scale_sigma: relative standard deviation of lengths where another source than depth makes the scale
            metric; None where depth does.
    """

    def __init__(
        self,
        config: TrackingConfig,
        pose: Float64,
        covariance: Float64,
        errors: ErrorModel = ErrorModel(),
    ) -> None:
        self._config, self._errors = config, errors
        self.scale = Scale.UNKNOWN
        self.median_inverse_depth = 1 / config.assumed_depth
        self.origin, self.estimate = pose[:3, 3], covariance
        self._start_rotation = pose[:3, :3]
        self.start_error = self.depth_error = self.calibration_doubt = 0.0
        self.scale_sigma: float | None = None
        self._shared = 0.0  # error that the newest image's residuals show beyond the noise of keypoints [rad]

    def initialize_scene_depth(self, frame: Frame) -> None:
        """Take the scene's depth from an image that measures enough depths."""
        measured = frame.inverse_depth[np.isfinite(frame.inverse_depth)]
        if len(measured) >= self._config.min_landmarks:
            self.median_inverse_depth = float(np.median(measured))
            self.scale = Scale.METRIC

    def update_scene_depth(self, tracked: TrackingResult) -> None:
        """Take the scene's depth and the scale from an image that was placed in the map."""
        matches = tracked.matches
        has_depth = np.isfinite(matches.frame.inverse_depth).sum() >= self._config.min_landmarks
        if self.scale is Scale.UNKNOWN and has_depth:  # a map of triangulated depths is stretched first
            self.scale = Scale.METRIC
        if tracked.model is not MotionModel.PNP:
            return
        self.scale = max(self.scale, Scale.ASSUMED)
        rows = matches.landmark_idx[tracked.known_inliers]
        if not len(rows):
            return  # all that agree do so loosely
        distances = np.linalg.norm(matches.local_map.points(rows) - tracked.fit.T[:3, 3], axis=1)
        self.median_inverse_depth = float(1 / np.median(distances))

    def forget_scale(self) -> None:
        """The map began anew, and in another unit: what was measured of the old one says nothing of it."""
        self.scale, self.scale_sigma = min(self.scale, Scale.ASSUMED), None

    def restart(self, origin: Float64, scale: Scale) -> None:
        """Another map was adopted, which began at ``origin`` (3,)."""
        self.origin, self.scale, self.start_error, self.scale_sigma = origin, scale, 0.0, None

    def stretch(self, factor: float, T: Float64) -> Float64:
        """All lengths of the map become ``factor`` times as long; it goes on at ``T`` (4, 4).

        Returns:
            (3, 3) covariance of that place, in the world's axes: of the path there, whose scale was in doubt.
        """
        self.median_inverse_depth /= factor
        if self.scale is Scale.METRIC:
            return np.zeros((3, 3))  # a refinement: lengths since the origin err in common as before
        since = T[:3, 3] - self.origin
        sigma = np.hypot(self.relative_scale_error, self.start_error)
        self.origin, self.start_error, self.scale = T[:3, 3], 0.0, Scale.METRIC
        return np.asarray(sigma**2 * np.outer(since, since))

    @property
    def _depth_is_measured(self) -> bool:
        return self.scale is Scale.METRIC and self.scale_sigma is None

    @property
    def relative_scale_error(self) -> float:
        """Relative standard deviation of all lengths in common."""
        return self._relative(self._errors.unknown_scale)

    def update(self, tracked: TrackingResult, covariance: Float64) -> None:
        """Take over the covariance: that of where the landmarks come from, and that of the motion since."""
        e, sigmas = self._errors, tracked.matches.observations.sigmas
        measured = self._depth_is_measured
        origin = tracked.reference_keyframe if measured else tracked.origin_keyframe(e.origin_share)
        T_a_b = se3.inverse(origin.T) @ tracked.fit.T
        before = transport_covariance(origin.covariance, T_a_b)
        beyond = np.sqrt(max(tracked.fit.scatter**2 - e.model_scatter**2, 0.0))
        self._shared = beyond * float(np.median(sigmas)) if len(sigmas) else 0.0
        self.estimate = before + self.add_scale_error(covariance, _translation_in_b(T_a_b))
        self.estimate = self.estimate + self._isotropic(e.shared_drift * self._shared)

    def pose_covariance(self, tracked: TrackingResult, held_s: float) -> Float64:
        """(6, 6) covariance of an image's pose in the map, right perturbations.

        Args:
            held_s: for how long the position has been held [s].
        """
        e = self._errors
        free = tracked.model is MotionModel.PNP or tracked.position_held  # else two views scaled their own
        common = 1.0 if self._depth_is_measured else e.common_error
        factor = (common * (min(max(tracked.fit.scatter, e.min_scatter), 1.0) if free else 1.0)) ** 2
        if not tracked.position_held:
            return se3.symmetric(tracked.fit.covariance) * factor
        C = np.outer(tracked.held_offset, tracked.held_offset)
        rotation = np.linalg.pinv(tracked.fit.information[3:, 3:], hermitian=True) * factor
        C[3:, 3:] += rotation + np.eye(3) * e.hidden_rotation**2
        C[:3, :3] += np.eye(3) * (1 + held_s) * (e.held_position / self.median_inverse_depth) ** 2
        return se3.symmetric(C)

    def velocity_covariance(self, tracked: TrackingResult, seconds: float, velocity: Float64) -> Float64:
        """(6, 6) of a velocity (6,), the difference of two poses over some time."""
        C = self.pose_covariance(tracked, 0.0) * 2 / seconds**2
        return self.add_unknown_scale(C, velocity[:3])

    def motion_covariance(self, covariance: Float64, T_a_b: Float64) -> Float64:
        """(6, 6) of the motion (4, 4) since a keyframe, from that of the pose in the map."""
        C = self.add_rotation_translation_ambiguity(covariance)
        return self.add_unknown_scale(C, _translation_in_b(T_a_b))

    def covariance_since_start(self, T: Float64, velocity: Float64) -> Float64:
        """(6, 6) of the estimate at ``T`` (4, 4), all that is unknown included.

        Args:
            velocity: (6,) in the camera's axes [m/s, rad/s].
        """
        since = T[:3, :3].T @ (T[:3, 3] - self.origin)
        C = self.add_unknown_scale(self.add_rotation_translation_ambiguity(self.estimate), since)
        C = C + self._isotropic(self._errors.shared_error * self._shared) + self._sensor_error(T, velocity)
        aside = float(np.linalg.norm(since)) * self.median_inverse_depth
        turned = se3.rotation_angle(self._start_rotation.T @ T[:3, :3])
        C = C + self._isotropic(self.calibration_doubt * float(np.hypot(turned, aside)))
        return C + self._isotropic(self.start_error * aside)

    def _sensor_error(self, T: Float64, velocity: Float64) -> Float64:
        """(6, 6) of the motion within the error of stamps (a rolling shutter), and of the rotation since the
        start by a wrong focal length: errors that residuals hardly show, along any axis.
        """
        step, turn = (self._config.stamp_error_s * float(np.linalg.norm(v)) for v in np.split(velocity, 2))
        since = self._config.calibration_error * se3.rotation_angle(self._start_rotation.T @ T[:3, :3])
        return np.diag([step**2] * 3 + [turn**2 + since**2] * 3)

    def _isotropic(self, angle: float) -> Float64:
        """(6, 6) of a rotation by an angle [rad], and of a step by it times the scene's depth."""
        return np.diag([(angle / self.median_inverse_depth) ** 2] * 3 + [angle**2] * 3)

    def dead_reckoning_covariance(self, seconds: float) -> Float64:
        """(6, 6) added in a time without estimate [s]."""
        e = self._errors
        position = (e.lost_position / self.median_inverse_depth) ** 2
        return np.diag([position] * 3 + [e.lost_rotation**2] * 3) * seconds

    def add_doubt(self, seconds: float) -> None:
        """The newest estimate may be little better than none was, for so long [s]."""
        self.estimate = self.estimate + self._errors.doubt**2 * self.dead_reckoning_covariance(seconds)

    def add_scale_error(self, C: Float64, length: Float64) -> Float64:
        """A covariance that also admits that the scale of a length (3,) [m], in its own axes, drifts from one
        generation of landmarks to the next.
        """
        return self._stretched(C, length, self._errors.scale_drift)

    def add_unknown_scale(self, C: Float64, length: Float64) -> Float64:
        """A covariance that also admits all that may be wrong with the scale since the start."""
        return self._stretched(C, length, self._errors.unknown_scale)

    def _stretched(self, C: Float64, length: Float64, relative: float) -> Float64:
        C = C.copy()
        C[:3, :3] += self._relative(relative) ** 2 * np.outer(length, length)
        return C

    def _relative(self, unknown: float) -> float:
        """Relative error of lengths, which is ``unknown`` unless something measures them."""
        if self.scale is not Scale.METRIC:
            return unknown
        if self.scale_sigma is None:
            depth = self.depth_error / self.median_inverse_depth
            return float(np.linalg.norm([self._config.calibration_error, self.calibration_doubt, depth]))
        return min(unknown, self.scale_sigma)

    def add_rotation_translation_ambiguity(self, C: Float64) -> Float64:
        """A covariance (6, 6) that also admits a step aside that a turn makes up for.

        Noise of depths blurs the difference of the two by more than a linearisation knows, most of all just
        after a keyframe. The next image knows better: this part does not add up.
        """
        G = np.zeros((6, 2))
        G[[0, 1], [0, 1]] = 1 / self.median_inverse_depth
        G[[4, 3], [0, 1]] = -1, 1
        return np.asarray(C + self._errors.rotation_translation**2 * G @ G.T)


def transport_covariance(C: Float64, T_a_b: Float64) -> Float64:
    """Covariance (6, 6) of a pose b that is exactly at ``T_a_b`` from a pose a with covariance ``C``."""
    A = se3.adjoint(se3.inverse(T_a_b))
    return se3.symmetric(A @ C @ A.T)


def _translation_in_b(T_a_b: Float64) -> Float64:
    return np.asarray(T_a_b[:3, :3].T @ T_a_b[:3, 3])
