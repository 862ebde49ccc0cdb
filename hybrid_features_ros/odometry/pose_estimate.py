# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The newest pose and all that is known of it: velocity, covariance, scale, and what is published of it."""

from __future__ import annotations

import numpy as np

from hybrid_features_ros.core import se3
from hybrid_features_ros.core.config import OdometryConfig
from hybrid_features_ros.core.motion_prior import MotionPrior
from hybrid_features_ros.core.types import Float64, MotionModel, OdometryResult, Scale, State
from hybrid_features_ros.odometry.covariance import CovarianceModel, transport_covariance
from hybrid_features_ros.odometry.frame import Frame
from hybrid_features_ros.odometry.metric_scale import MetricScale
from hybrid_features_ros.odometry.motion_model import ConstantVelocityModel, Gyro
from hybrid_features_ros.odometry.pose_optimizer import PosePrior
from hybrid_features_ros.odometry.pose_smoother import SMOOTHING, PoseSmoother
from hybrid_features_ros.odometry.tracking_result import TrackingResult


class PoseEstimate:
    """The newest pose, as images and other sources of motion carry it on.

    Args:
        config: of the odometry.
        pose: (4, 4) where the map begins.
        covariance: (6, 6) of that.
        gyro: angular velocities.

    Attributes:
        motion: pose and velocity.
        covariance: of the pose; the scene's depth and what its unit means.
        scale: of one camera's map, as lengths that others measure tell it.
        smoother: offset of the published pose.
    """

    def __init__(self, config: OdometryConfig, pose: Float64, covariance: Float64, gyro: Gyro) -> None:
        self._config = config
        self.motion = ConstantVelocityModel(config.tracking, pose, gyro)
        self.covariance = CovarianceModel(config.tracking, pose, covariance)
        self.scale = MetricScale(config.prior)
        self.smoother = PoseSmoother()

    @property
    def uncertainty(self) -> tuple[Float64, float]:
        """Covariance (6, 6) of the pose, and one over the scene's median depth [1/m]."""
        return self.covariance.estimate, self.covariance.median_inverse_depth

    @property
    def published_pose(self) -> Float64:
        """(4, 4) ``T_world_camera`` as it is published."""
        return self.smoother.apply(self.motion.published_pose)

    @property
    def is_converged(self) -> bool:
        """Whether the published pose is the estimated one."""
        return self.smoother.distance(self.covariance.median_inverse_depth) < SMOOTHING.converged

    def start(self, frame: Frame) -> None:
        """The first image begins a map."""
        self.motion.start(frame.stamp)
        self.covariance.initialize_scene_depth(frame)
        if self.covariance.scale is Scale.METRIC:
            self.scale.set_exact()
        self._measure_scale(frame.stamp, None, None)

    def predict(self, stamp: int, prior: MotionPrior | None = None) -> PosePrior:
        """The pose to expect at a stamp [ns]; ``prior`` as of :meth:`ConstantVelocityModel.predict`."""
        return self.motion.predict(stamp, self.covariance.median_inverse_depth, prior)

    def update(
        self, tracked: TrackingResult, prior: MotionPrior | None, last: OdometryResult
    ) -> tuple[Float64, Float64]:
        """Take over the pose of an image that was placed in the map.

        Returns:
            Covariances (6, 6) of the published pose and of the velocity.
        """
        stamp = tracked.matches.frame.stamp
        self._measure_scale(stamp, prior, tracked)
        seconds = (stamp - self.motion.last_tracked_stamp) * 1e-9
        self._smooth(tracked, last, seconds)
        self.motion.update(stamp, tracked, is_moving=last.state is not State.LOST)
        velocity = self.covariance.velocity_covariance(tracked, seconds, self.motion.velocity)
        self.covariance.update_scene_depth(tracked)
        self.covariance.update(tracked, self.covariance.pose_covariance(tracked, self.motion.held_s))
        if tracked.weakness:
            self.covariance.add_doubt(seconds)
        covariance = self.covariance.covariance_since_start(self.motion.pose, self.motion.velocity)
        return covariance + self.smoother.covariance, velocity

    def dead_reckon(
        self, stamp: int, prior: MotionPrior | None, last: OdometryResult
    ) -> tuple[Float64, Float64]:
        """Go on by the measured motion, else stay; what is known of the pose shrinks accordingly.

        Returns:
            Covariances (6, 6) of the published pose and of the velocity.
        """
        self._measure_scale(stamp, prior, None)
        seconds = (stamp - last.stamp) * 1e-9
        motion = self.motion.dead_reckon(stamp, None if prior is None else self.scale.to_map(prior))
        step = se3.inverse(last.T_world_camera) @ self.published_pose
        drift = self.covariance.dead_reckoning_covariance(seconds)
        if motion is not None and motion.covariance is not None:
            drift = motion.covariance
        covariance = transport_covariance(last.covariance, step) + drift
        return covariance, drift / seconds**2 if motion else drift / seconds

    def apply_correction(self, correction: Float64 | None) -> None:
        """Move along with the adjusted map, by ``correction`` (4, 4) on the left; the published pose follows
        smoothly.
        """
        if correction is not None:
            published = self.smoother.apply(self.motion.pose)
            self.motion.apply_correction(correction)
            self.smoother.absorb(published, self.motion.pose, SMOOTHING.correction_s)

    def forget_scale(self) -> None:
        """The map began anew, and in another unit, which nothing but depths has told yet."""
        if self.scale.variance:
            self.scale.forget()
            self.covariance.forget_scale()

    def restart(self, frame: Frame, origin: Float64) -> None:
        """Another map was adopted, which began at ``origin`` (3,), with an image of it."""
        is_metric = bool(np.isfinite(frame.inverse_depth).any())
        self.covariance.restart(origin, Scale.METRIC if is_metric else Scale.UNKNOWN)
        self.scale.forget()
        if is_metric:
            self.scale.set_exact()

    def _measure_scale(self, stamp: int, prior: MotionPrior | None, tracked: TrackingResult | None) -> None:
        if self.scale.variance:
            self.scale.add_step(stamp, prior, tracked)

    def _smooth(self, tracked: TrackingResult, last: OdometryResult, seconds: float) -> None:
        """A step of the estimate that no motion explains goes into the smoother's offset."""
        motion, T = self.motion, tracked.fit.T
        self.smoother.decay(seconds)
        if motion.last_tracked_stamp != last.stamp:  # it dead-reckoned for some time, and returns in as much
            self.smoother.absorb(last.T_world_camera, T, min(SMOOTHING.recovery_s, seconds))
        elif last.motion.model is MotionModel.NONE or tracked.offset_is_clear:
            return
        elif tracked.position_held != motion.position_held:
            expected = self.smoother.apply(motion.published_pose @ se3.exp(motion.velocity * seconds))
            self.smoother.absorb_position(expected, T, SMOOTHING.recovery_s)
