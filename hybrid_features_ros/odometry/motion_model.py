# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Constant-velocity motion model, replaced by what a gyroscope or another odometry measures."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from itertools import takewhile

import numpy as np
from scipy.spatial.transform import Rotation

from hybrid_features_ros.core import se3
from hybrid_features_ros.core.config import GyroConfig, TrackingConfig
from hybrid_features_ros.core.motion_prior import MotionPrior
from hybrid_features_ros.core.types import Float64
from hybrid_features_ros.odometry.pose_optimizer import PosePrior
from hybrid_features_ros.odometry.tracking_result import TrackingResult

_REACH_NS = 100_000_000  # measurements after an interval that help to interpolate its end
_MAX_MEASUREMENTS = 100_000  # of the gyroscope that are remembered, should no image come


class Gyro:
    """Angular velocities in the camera's axes, integrated between images."""

    def __init__(self, config: GyroConfig) -> None:
        self._config = config
        self._measured: deque[tuple[int, Float64]] = deque(maxlen=_MAX_MEASUREMENTS)

    def add(self, stamp: int, angular_velocity: Float64) -> None:
        """Remember a measurement [ns], (3,) [rad/s]; stale or not finite ones are ignored."""
        stamp += round(self._config.time_offset_s * 1e9)
        rate = np.asarray(angular_velocity, dtype=np.float64)
        if rate.shape != (3,) or not np.isfinite(rate).all():
            return
        if self._measured and stamp <= self._measured[-1][0]:
            return
        self._measured.append((stamp, rate))

    def forget(self, stamp: int) -> None:
        """Drop what lies before a stamp [ns], but for the newest of that."""
        while len(self._measured) > 1 and self._measured[1][0] <= stamp:
            self._measured.popleft()

    def clear(self) -> None:
        """Forget all measurements."""
        self._measured.clear()

    def rotation(self, begin: int, end: int) -> tuple[Float64, float] | None:
        """Rotation (3, 3) of the camera from one stamp to another, and its standard deviation [rad].

        None unless measurements cover nearly all of that time.
        """
        near = list(takewhile(lambda m: m[0] <= end + _REACH_NS, tuple(self._measured)))
        stamps = np.array([t for t, _ in near], dtype=np.int64)
        if len(stamps) < 2 or end <= begin:
            return None
        step = float(np.median(np.diff(stamps)))
        if stamps[0] > begin + 2 * step or stamps[-1] < end - 2 * step:
            return None
        inside = stamps[(stamps > begin) & (stamps < end)]
        times = np.concatenate([[begin], inside, [end]])
        rates = np.array([w for _, w in near])
        at = np.stack([np.interp(times - begin, stamps - begin, rates[:, i]) for i in range(3)], axis=1)
        turns = (at[1:] + at[:-1]) / 2 * (np.diff(times) * 1e-9)[:, None]
        R = np.eye(3)
        for turn in Rotation.from_rotvec(turns).as_matrix():
            R = R @ turn
        seconds = (end - begin) * 1e-9
        return R, float(np.hypot(self._config.noise * np.sqrt(seconds), self._config.bias_sigma * seconds))


class ConstantVelocityModel:
    """The estimated pose and velocity, and the pose to expect next.

    Attributes:
        gyro: angular velocities since the newest image.
        pose: (4, 4) ``T_world_camera``, the newest estimate.
        velocity: (6,) in the camera's axes [m/s, rad/s].
        stamp: of the newest image [ns]; None before the first.
        last_tracked_stamp: of the newest image that was placed in the map [ns].
        last_tracked_pose: (4, 4) there.
        position_held: whether the position was held there and published, see :class:`TrackingResult`.
        provisional: (6,) from the estimated pose to the published one, before one camera's map begins.
        held_s: for how long it has been held [s].
        candidate_translation: that image showed, see :class:`TrackingResult`.
        drift: (6, 6) covariance of ``pose`` in the map, right perturbations, as long as measurements carried
            it since the newest image that was placed there; None = it was not carried.
    """

    def __init__(self, config: TrackingConfig, pose: Float64, gyro: Gyro) -> None:
        self._config, self.gyro = config, gyro
        self.pose = self.last_tracked_pose = pose
        self.velocity = np.zeros(6)
        self.stamp: int | None = None
        self.last_tracked_stamp = 0
        self.position_held, self.held_s, self.provisional = False, 0.0, np.zeros(6)
        self.candidate_translation: Float64 | None = None
        self.drift: Float64 | None = np.zeros((6, 6))

    def start(self, stamp: int) -> None:
        """The first image came, at a stamp [ns]; the pose is what it was made with."""
        self.stamp = self.last_tracked_stamp = stamp

    def predict(
        self, stamp: int, median_inverse_depth: float, motion: MotionPrior | None = None
    ) -> PosePrior:
        """The pose to expect at a stamp [ns]: where another source measured the motion, with its uncertainty,
        else with that of a usual acceleration.

        Args:
            median_inverse_depth: one over the scene's median depth [1/m].
            motion: since the newest image, with a covariance.
        """
        assert self.stamp is not None
        seconds = (stamp - self.stamp) * 1e-9
        prior = predict(self.pose, self.velocity, seconds, median_inverse_depth, self._config)
        if self.last_tracked_stamp == self.stamp:
            prior = replace(prior, candidate_translation=self.candidate_translation)
        else:
            prior = replace(prior, information=None)
        measured = self.gyro.rotation(self.stamp, stamp)
        if motion is None:
            return prior if measured is None else with_rotation(prior, self.pose, measured)
        motion = turned(motion, measured)
        prior = replace(prior, T=self.pose @ motion.T_previous_current, information=None, is_measured=True)
        if self.drift is None:
            return prior
        C = MotionPrior(self.pose, self.drift).then(motion).covariance
        assert C is not None
        return replace(prior, information=np.asarray(np.linalg.inv(C + 1e-12 * np.eye(6))))

    def rotation(self, begin: int, end: int) -> Float64:
        """(3, 3) ``R_begin_end`` to expect between two stamps [ns]: measured, else at the newest angular
        velocity.
        """
        measured = self.gyro.rotation(begin, end)
        turn = self.velocity[3:] * (end - begin) * 1e-9
        return se3.exp([0, 0, 0, *turn])[:3, :3] if measured is None else measured[0]

    @property
    def published_pose(self) -> Float64:
        """(4, 4) the newest estimate with a translation that is yet provisional."""
        return np.asarray(self.pose @ se3.exp(self.provisional))

    def angular_velocity(self, stamp: int, T: Float64) -> Float64:
        """(3,) mean one since the newest image of a camera that is at ``T`` (4, 4) at a stamp [ns], in its
        axes [rad/s].
        """
        assert self.stamp is not None
        return se3.rotation_vector(self.pose[:3, :3].T @ T[:3, :3]) / ((stamp - self.stamp) * 1e-9)

    def update(self, stamp: int, tracked: TrackingResult, *, is_moving: bool = True) -> None:
        """Take over the pose of an image that was placed in the map, and the velocity since the one before.

        Args:
            is_moving: False leaves the velocity at 0, as after a loss.
        """
        seconds, T = (stamp - self.last_tracked_stamp) * 1e-9, tracked.fit.T
        before, self.provisional = self.provisional, tracked.held_offset * tracked.offset_is_clear
        step = se3.inverse(self.last_tracked_pose @ se3.exp(before)) @ T @ se3.exp(self.provisional)
        self.velocity = se3.log(step) / seconds * is_moving
        self.held_s = (self.held_s + seconds) * tracked.position_held
        self.pose = self.last_tracked_pose = T
        self.stamp = self.last_tracked_stamp = stamp
        self.position_held = tracked.position_held and not tracked.offset_is_clear
        self.candidate_translation = tracked.candidate_translation
        self.drift = tracked.covariance

    def dead_reckon(self, stamp: int, motion: MotionPrior | None = None) -> MotionPrior | None:
        """Without an estimate the pose follows what another source measured.

        Without that the position is held; the rotation follows the gyroscope, or its last rate until the
        camera counts as lost.

        Args:
            motion: since the newest image, with a covariance.

        Returns:
            The measured motion by which the pose went on; None if there is none.
        """
        assert self.stamp is not None
        seconds = (stamp - self.stamp) * 1e-9
        measured = self.gyro.rotation(self.stamp, stamp)
        if motion is None:
            is_turning = (stamp - self.last_tracked_stamp) * 1e-9 <= self._config.max_lost_s
            turn = self.velocity[3:] * is_turning * seconds
            R = se3.exp([0, 0, 0, *turn])[:3, :3] if measured is None else measured[0]
            step, self.drift = se3.make(R, np.zeros(3)), None
        else:
            motion = turned(motion, measured)
            step = motion.T_previous_current
            if self.drift is not None:
                self.drift = MotionPrior(self.pose, self.drift).then(motion).covariance
        self.pose = se3.orthonormal(self.pose @ step)
        self.velocity = se3.log(step) / seconds
        self.stamp = stamp
        return motion

    def stretch(self, factor: float) -> None:
        """All lengths of the map became ``factor`` times as long; the pose is where it was."""
        away = self.last_tracked_pose[:3, 3] - self.pose[:3, 3]
        self.last_tracked_pose = se3.make(self.last_tracked_pose[:3, :3], self.pose[:3, 3] + factor * away)
        self.velocity = np.concatenate([factor * self.velocity[:3], self.velocity[3:]])
        if self.drift is not None:
            units = np.diag([factor] * 3 + [1.0] * 3)
            self.drift = units @ self.drift @ units

    def apply_correction(self, correction: Float64) -> None:
        """Move the estimate along with the map: by ``correction`` (4, 4) in the world, on the left."""
        self.pose = se3.orthonormal(correction @ self.pose)
        self.last_tracked_pose = se3.orthonormal(correction @ self.last_tracked_pose)


def predict(
    T: Float64, velocity: Float64, seconds: float, median_inverse_depth: float, config: TrackingConfig
) -> PosePrior:
    """The pose after some time at constant velocity, uncertain by half an acceleration.

    Args:
        T: (4, 4) the last pose.
        velocity: (6,) in the camera's axes [m/s, rad/s].
        median_inverse_depth: one over the scene's median depth [1/m].
    """
    drift = 0.5 * config.max_acceleration * seconds**2 / median_inverse_depth
    turn = 0.5 * config.max_angular_acceleration * seconds**2
    variances = [drift**2 + 1e-12] * 3 + [turn**2 + 1e-12] * 3
    return PosePrior(T @ se3.exp(velocity * seconds), T[:3, 3], np.diag(1 / np.array(variances)))


def with_rotation(prior: PosePrior, T: Float64, measured: tuple[Float64, float]) -> PosePrior:
    """A prior whose rotation since ``T`` (4, 4) is the measured one (3, 3), with its deviation [rad]."""
    R, sigma = measured
    turned = se3.make(T[:3, :3] @ R, prior.T[:3, 3])
    if prior.information is None:
        return replace(prior, T=turned)
    information = prior.information.copy()
    information[3:, 3:] = np.eye(3) / (sigma**2 + 1e-12)
    return replace(prior, T=turned, information=information)


def turned(motion: MotionPrior, measured: tuple[Float64, float] | None) -> MotionPrior:
    """A measured motion, with the rotation (3, 3) of a gyroscope if its standard deviation [rad] is less."""
    if measured is None or motion.covariance is None:
        return motion
    R, sigma = measured
    if motion.covariance[3:, 3:].trace() <= 3 * sigma**2:
        return motion
    C = motion.covariance.copy()
    C[3:] = C[:, 3:] = 0
    C[3:, 3:] = np.eye(3) * sigma**2
    return MotionPrior(se3.make(R, motion.T_previous_current[:3, 3]), C)
