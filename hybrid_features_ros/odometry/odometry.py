# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Visual odometry: every image is tracked against a local map of landmarks, keyframes extend the map."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from time import perf_counter

import numpy as np
from numpy.typing import ArrayLike

from hybrid_features_ros.core import se3
from hybrid_features_ros.core.camera import Camera
from hybrid_features_ros.core.config import OdometryConfig, PriorConfig
from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.core.expectation import Expectation
from hybrid_features_ros.core.motion_prior import MotionPrior
from hybrid_features_ros.core.types import (
    Features,
    Float64,
    Int32,
    Matches,
    MotionEstimate,
    MotionModel,
    OdometryResult,
    Scale,
    State,
)
from hybrid_features_ros.geometry.model_selection import no_motion
from hybrid_features_ros.matching.mutual import NO_MATCHES
from hybrid_features_ros.odometry.frame import Frame
from hybrid_features_ros.odometry.mapper import Mapper
from hybrid_features_ros.odometry.metric_scale import depth_ratio
from hybrid_features_ros.odometry.motion_model import Gyro
from hybrid_features_ros.odometry.pose_estimate import PoseEstimate
from hybrid_features_ros.odometry.pose_optimizer import PosePrior
from hybrid_features_ros.odometry.readout import ReadoutFilter
from hybrid_features_ros.odometry.relocalization import relocalize, verified
from hybrid_features_ros.odometry.rolling_shutter import RollingShutter
from hybrid_features_ros.odometry.state import Evidence, next_state
from hybrid_features_ros.odometry.tracker import Tracker
from hybrid_features_ros.odometry.tracking_result import TrackingResult
from hybrid_features_ros.odometry.tracks import NO_TRACKS, Tracks

_FOLLOWED_STATES = (
    State.INITIALIZING,
    State.TRACKING,
    State.ROTATION_ONLY,
)  # in others features are detected
_RELOCALIZATION_KEYFRAMES = 4  # that an image is compared with while LOST; one before that


class Odometry:
    """Camera motion from the features of one image after another.

    Example:
        >>> odometry = Odometry(OdometryConfig())
        >>> result = odometry.process(stamp, extractor.extract(image), camera)
        >>> result.state, result.T_world_camera

    The estimate may be corrected in steps, by bundle adjustment or when the camera is found again; the
    published pose never jumps, it follows within a second (REP-105).

    Args:
        mapper: one with another back end or keyframe rule; default: ``Mapper(config.mapping)``.
    """

    def __init__(self, config: OdometryConfig, mapper: Mapper | None = None) -> None:
        self._config = config
        self._mapper = mapper or Mapper(config.mapping)
        self._last: OdometryResult | None = None
        self._milliseconds: dict[str, float] = {}
        self._n_frames = self._n_resets = 0  # frames since the last reset
        self._camera: Camera | None = None  # of the newest image
        self._tracks = NO_TRACKS
        self._shutter = RollingShutter(config.tracking)
        self._restart(np.eye(4), np.zeros((6, 6)), Gyro(config.gyro))

    @property
    def readout(self) -> ReadoutFilter:
        """Read-out of a rolling shutter, as it is known by now."""
        return self._shutter.readout

    @property
    def focal_error(self) -> tuple[float, float]:
        """Relative error of the focal length that images show by now, positive where the true one is longer.

        And its standard deviation, which is 0.3 before there is evidence.
        """
        return self._mapper.self_calibration.focal_error

    def process(
        self, stamp: int, features: Features, camera: Camera, prior: MotionPrior | None = None
    ) -> OdometryResult:
        """Estimate where the camera was at ``stamp``.

        Args:
            stamp: of the image [ns], later than the previous one.
            features: of the image.
            camera: its calibration; ``features.rectified`` and the camera's distortion must agree.
            prior: the camera's motion since the previous image as another source measured it, in metres. It
                predicts the pose, carries it while images tell nothing, and gives one camera its metric
                scale. Where images contradict it, it is not used and the result says so.

        Raises:
            InputError: the stamp is no integer or does not grow, or the image has another size than the
                calibration. The state stays as it was.
        """
        estimate = self._estimate
        self._check(stamp, features, camera)
        prior = _with_covariance(prior, self._config.prior)
        self._milliseconds = {}
        if self._last is not None:
            estimate.motion.gyro.forget(self._last.stamp)
        with self._timed("bundle"):
            estimate.apply_correction(self._mapper.apply_finished_adjustment(self._n_frames))
            self._stretch_map()
        sigma = self._config.tracking.inverse_depth_sigma
        frame = self._mapper.depth_bias.corrected(Frame.make(stamp, features, camera, sigma, self._n_frames))
        self._n_frames += 1
        self._camera = camera
        if self._last is None:
            return self._start(frame)
        frame = self._tracks.recognised(frame)
        with self._timed("track"):
            tracked, promoted = self._track_rolling_shutter(frame, camera, prior, self._last)
        result = self._update(frame, tracked, prior, self._last)
        self._last = result = replace(result, previous_is_keyframe=promoted)
        with self._timed("keyframe"):
            if tracked is not None:
                inserted, correction = self._mapper.maybe_insert_keyframe(tracked, *estimate.uncertainty)
                estimate.apply_correction(correction)
                result = replace(result, is_keyframe=inserted, keyframes=self._mapper.n_keyframes)
            elif result.state is State.LOST and len(frame) >= self._config.two_view.min_inliers:
                estimate.covariance.initialize_scene_depth(frame)
                depth = estimate.covariance.median_inverse_depth
                self._mapper.start_candidate_map(frame, estimate.motion.pose, result.covariance, depth)
        if not frame.is_followed:
            self._tracks = Tracks.of(frame, self._mapper.local_map, tracked)
        return result

    def add_gyro(self, stamp: int, angular_velocity: ArrayLike) -> None:
        """Remember an angular velocity (3,) [rad/s] in the camera's optical axes, at a stamp [ns].

        Raises:
            InputError: the stamp is no integer, or the velocity is not of three finite numbers.
        """
        _check_stamp("angular velocity's", stamp)
        rate = np.asarray(angular_velocity, dtype=np.float64)
        if rate.shape != (3,) or not np.isfinite(rate).all():
            raise InputError(f"angular velocity {rate.tolist()}: give three finite numbers [rad/s]")
        self._estimate.motion.gyro.add(stamp, rate)

    def expectation(self, begin: int, end: int) -> Expectation | None:
        """What is expected of an image at a stamp [ns], after one at ``begin``; None before the first one.

        May be called from another thread, while an image before is in work.
        """
        camera, last, motion = self._camera, self._last, self._estimate.motion
        if camera is None or last is None:
            return None
        detect = self._mapper.wants_keyframe or last.state not in _FOLLOWED_STATES
        return Expectation(camera, motion.rotation(begin, end), detect)

    def landmark_ids(self, stamp: int) -> Int32 | None:
        """Id of the landmark that each feature (N,) of the keyframe at ``stamp`` [ns] shows, -1 = none.

        None where the map has no such keyframe. Ids count up from a reset to the next.
        """
        return self._mapper.local_map.landmark_ids(stamp)

    def configure(self, config: OdometryConfig) -> None:
        """Go on with another configuration, from the last pose and with a new map."""
        estimate = self._estimate
        self._config, estimate.motion.gyro = config, Gyro(config.gyro)
        self._shutter = RollingShutter(config.tracking)
        self._mapper.config = config.mapping
        if self._last:
            self.reset()
        else:
            self._restart(estimate.motion.pose, estimate.covariance.estimate, estimate.motion.gyro)

    def reset(self, T_world_camera: Float64 | None = None) -> None:
        """Forget the map and the time; the next image continues from the last pose, or from the
        given one (4, 4).

        The reset counter grows.
        """
        estimate = self._estimate
        pose, covariance = estimate.motion.pose, estimate.covariance.estimate
        if self._last:
            pose, covariance = self._last.T_world_camera, self._last.covariance
        if T_world_camera is not None:
            pose, covariance = T_world_camera, np.zeros((6, 6))
        estimate.motion.gyro.clear()
        self._restart(pose, covariance, estimate.motion.gyro)
        self._n_resets += 1

    def _restart(self, pose: Float64, covariance: Float64, gyro: Gyro) -> None:
        """Begin at a pose (4, 4) with its covariance (6, 6), without a map."""
        self._mapper.reset()
        self._estimate = PoseEstimate(self._config, pose, covariance, gyro)
        self._last, self._n_frames = None, 0
        self._tracks = NO_TRACKS
        self._shutter.start(None)

    def _check(self, stamp: int, features: Features, camera: Camera) -> None:
        _check_stamp("image", stamp)
        if self._last and stamp <= self._last.stamp:
            raise InputError(
                f"image stamp {stamp} ns is not after the previous {self._last.stamp} ns; "
                "reset the odometry if time was set back"
            )
        if (features.width, features.height) != (camera.width, camera.height):
            raise InputError(
                f"image is {features.width}x{features.height} but the calibration is for "
                f"{camera.width}x{camera.height}; publish the camera_info that belongs to the image"
            )

    def _start(self, frame: Frame) -> OdometryResult:
        """The first image begins the map where the odometry was told to begin."""
        estimate = self._estimate
        estimate.start(frame)
        self._shutter.start(frame)
        self._mapper.start_map(frame, estimate.motion.pose, *estimate.uncertainty)
        drift = estimate.covariance.dead_reckoning_covariance(1.0)
        self._tracks = Tracks.of(frame, self._mapper.local_map, None)
        self._last = self._result(frame, None, estimate.covariance.estimate, drift)
        return replace(self._last, is_keyframe=True)

    def _track_rolling_shutter(
        self, frame: Frame, camera: Camera, prior: MotionPrior | None, last: OdometryResult
    ) -> tuple[TrackingResult | None, bool]:
        """As :meth:`_track`, of what a turning camera would have seen had it exposed all rows at one time."""
        estimate, mapper = self._estimate, self._mapper
        if not self._shutter.is_rolling:
            return self._track(frame, camera, prior, last)
        return self._shutter.track(
            frame,
            camera,
            estimate.motion,
            estimate.predict(frame.stamp, prior).T,
            lambda f: self._track(f, camera, prior, last),
            lambda f: mapper.restart_map(f, estimate.covariance.median_inverse_depth),
        )

    def _track(
        self, frame: Frame, camera: Camera, prior: MotionPrior | None, last: OdometryResult
    ) -> tuple[TrackingResult | None, bool]:
        """Near where it is expected, else near a keyframe, else in the candidate map.

        If the image before was no keyframe, it becomes one as soon as it is missed. Of a candidate map the
        first keyframe counts if it was the image before: an older one can't be announced any more.

        Returns:
            The image in the map, if it was placed, and whether the image before became a keyframe.
        """
        estimate = self._estimate
        mapper, depth = self._mapper, estimate.covariance.median_inverse_depth
        tracker, promoted = Tracker(self._config, camera, depth), False
        tracked = self._track_expected(tracker, frame, prior)
        if tracked is None and mapper.last_frame is not None:
            estimate.apply_correction(mapper.promote_last_frame(estimate.motion.pose, *estimate.uncertainty))
            promoted = True
            tracked = self._track_expected(tracker, frame, prior)
        is_lost = last.state is State.LOST
        if tracked is not None and is_lost:
            tracked = verified(tracker, tracked)
        if tracked is None:
            keyframes = _RELOCALIZATION_KEYFRAMES if is_lost else 1
            tracked = relocalize(tracker, mapper.local_map, frame, keyframes)
        else:
            tracked = self._apply_measured_scale(self._revise_start(tracked, camera), tracker)
        candidate_map = mapper.candidate_map_at(frame.stamp) if is_lost else None
        if tracked is None and candidate_map is not None:
            tracked = relocalize(tracker, candidate_map, frame, 1)
            if tracked is not None:
                promoted = self._adopt_candidate_map(frame, last)
        return tracked, promoted

    def _track_expected(
        self, tracker: Tracker, frame: Frame, prior: MotionPrior | None
    ) -> TrackingResult | None:
        """Near where a measured motion expects it, else where the constant velocity does."""
        local_map, estimate = self._mapper.local_map, self._estimate
        if prior is not None:
            expected = estimate.predict(frame.stamp, estimate.scale.to_map(prior, is_tracked=True))
            tracked = tracker.track_local_map(local_map, frame, expected)
            if tracked is not None:
                return tracked
        tracked = tracker.track_local_map(local_map, frame, estimate.predict(frame.stamp))
        return tracked if tracked is None or prior is None else replace(tracked, prior_rejected=True)

    def _revise_start(self, tracked: TrackingResult, camera: Camera) -> TrackingResult:
        """Begin the map anew where growing parallax shows that it is bent; the image in it."""
        estimate = self._estimate
        depth = estimate.covariance.median_inverse_depth
        revised = self._mapper.revise_start(tracked, self._config, camera, depth)
        if self._mapper.start is not None:
            estimate.covariance.start_error = self._mapper.start.relative_error(
                camera, self._config.tracking.common_noise_px
            )
        if revised is None:
            return tracked
        estimate.apply_correction(revised.fit.T @ se3.inverse(tracked.fit.T))
        estimate.forget_scale()
        return revised

    def _apply_measured_scale(self, tracked: TrackingResult, tracker: Tracker) -> TrackingResult:
        """Stretch the map where a depth image shows what its unit is; the image in it."""
        estimate = self._estimate
        if estimate.covariance.scale is Scale.METRIC and estimate.covariance.scale_sigma is None:
            return tracked
        found = depth_ratio(tracked, self._config.tracking.min_landmarks)
        if found is None or not estimate.scale.add_ratio(*found):
            return tracked
        estimate.scale.common = self._config.tracking.calibration_error
        if not self._stretch_map():
            return tracked
        frame, T = tracked.matches.frame, estimate.motion.pose
        stretched = Tracker(self._config, tracker.camera, estimate.covariance.median_inverse_depth)
        again = stretched.track_local_map(self._mapper.local_map, frame, PosePrior(T, T[:3, 3]))
        return tracked if again is None else again

    def _stretch_map(self) -> bool:
        """Make the map metric where measured lengths tell what its unit is; the estimated pose stays."""
        estimate = self._estimate
        if not estimate.scale.is_metric:
            if estimate.covariance.scale_sigma is not None:  # it was, and is in doubt now
                estimate.covariance.scale_sigma = estimate.scale.sigma
            return False
        factor = estimate.scale.take_factor(is_first=estimate.covariance.scale is not Scale.METRIC)
        if factor is not None:
            doubt = estimate.covariance.stretch(factor, estimate.motion.pose)
            estimate.apply_correction(self._mapper.stretch(factor, estimate.motion.pose[:3, 3], doubt))
            estimate.motion.stretch(factor)
        estimate.covariance.scale_sigma = estimate.scale.sigma
        return factor is not None

    def _adopt_candidate_map(self, frame: Frame, last: OdometryResult) -> bool:
        """Go on with the candidate map; whether its keyframe, the image before, is a new one."""
        promoted = self._mapper.adopt_candidate_map(last.stamp)
        self._estimate.restart(frame, self._mapper.local_map.last_keyframe.T[:3, 3])
        self._n_resets += 1
        return promoted

    def _update(
        self, frame: Frame, tracked: TrackingResult | None, prior: MotionPrior | None, last: OdometryResult
    ) -> OdometryResult:
        """Take the estimate over, or dead-reckon without one."""
        estimate = self._estimate
        if tracked is None:
            return self._result(frame, None, *estimate.dead_reckon(frame.stamp, prior, last))
        estimate.covariance.depth_error = self._mapper.depth_bias.shift_sigma
        estimate.covariance.calibration_doubt = self._mapper.self_calibration.doubt
        return self._result(frame, tracked, *estimate.update(tracked, prior, last))

    def _result(
        self, frame: Frame, tracked: TrackingResult | None, covariance: Float64, velocity: Float64
    ) -> OdometryResult:
        """What to say about an image, with the covariances (6, 6) of pose and velocity."""
        estimate = self._estimate
        state, reason = self._next_state(frame, tracked)
        matches, motion = self._relative_motion(tracked)
        local_map = self._mapper.local_map
        keyframe = local_map.last_keyframe if tracked is None else tracked.reference_keyframe
        return OdometryResult(
            stamp=frame.stamp,
            reference_stamp=keyframe.frame.stamp if keyframe.frame else frame.stamp,
            state=state,
            scale=estimate.covariance.scale,
            T_world_camera=estimate.published_pose,
            covariance=covariance,
            twist=estimate.motion.velocity,
            twist_covariance=velocity,
            matches=matches,
            motion=motion,
            keypoints=len(frame),
            landmarks=int(local_map.landmarks.depth_known.sum()),
            keyframes=self._mapper.n_keyframes,
            resets=self._n_resets,
            reason=reason,
            scale_sigma=estimate.covariance.relative_scale_error,
            prior_rejected=tracked is not None and tracked.prior_rejected,
            milliseconds=self._milliseconds,
        )

    def _next_state(self, frame: Frame, tracked: TrackingResult | None) -> tuple[State, str]:
        evidence = Evidence(
            model=MotionModel.NONE if tracked is None else tracked.model,
            position_held=tracked is not None and tracked.position_held,
            mapped=self._estimate.covariance.scale is not Scale.UNKNOWN,
            keypoints=len(frame),
            min_keypoints=self._config.two_view.min_inliers,
            lost_s=(frame.stamp - self._estimate.motion.last_tracked_stamp) * 1e-9,
            converged=self._estimate.is_converged,
            weakness="" if tracked is None else tracked.weakness,
        )
        before = State.WAITING if self._last is None else self._last.state
        return next_state(before, evidence, self._config.tracking.max_lost_s)

    def _relative_motion(self, tracked: TrackingResult | None) -> tuple[Matches, MotionEstimate]:
        """The matches with the reference keyframe, and the motion since then."""
        if tracked is None:
            return NO_MATCHES, no_motion(0)
        common, fit = tracked.common, tracked.fit
        scores = np.exp(-0.5 * np.minimum(fit.errors[common], 1e3) / fit.noise**2)
        features = tracked.matches.feature_idx[common]
        matches = Matches(
            tracked.reference_features.astype(np.int32), features.astype(np.int32), scores.astype(np.float32)
        )
        T_a_b = se3.inverse(tracked.reference_keyframe.T) @ fit.T
        C = self._estimate.covariance.pose_covariance(tracked, self._estimate.motion.held_s)
        return matches, MotionEstimate(
            model=tracked.model,
            T_a_b=T_a_b,
            covariance=self._estimate.covariance.motion_covariance(C, T_a_b),
            scale=self._estimate.covariance.scale,
            inliers=tracked.inliers[common],
            parallax=tracked.parallax,
        )

    @contextmanager
    def _timed(self, stage: str) -> Iterator[None]:
        start = perf_counter()
        yield
        self._milliseconds[stage] = 1e3 * (perf_counter() - start)


def _with_covariance(prior: MotionPrior | None, config: PriorConfig) -> MotionPrior | None:
    if prior is not None and not isinstance(prior, MotionPrior):
        raise InputError(f"prior: a {type(prior).__name__} is no MotionPrior; give MotionPrior(T)")
    return None if prior is None else prior.with_shares(config.translation_sigma, config.rotation_sigma)


def _check_stamp(what: str, stamp: int) -> None:
    if not isinstance(stamp, (int, np.integer)):
        raise InputError(f"{what} stamp {stamp!r}: give whole nanoseconds")
