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
from hybrid_features_ros.odometry.covariance import CovarianceModel, transport_covariance
from hybrid_features_ros.odometry.frame import Frame
from hybrid_features_ros.odometry.mapper import Mapper
from hybrid_features_ros.odometry.metric_scale import MetricScale, depth_ratio
from hybrid_features_ros.odometry.motion_model import ConstantVelocityModel, Gyro
from hybrid_features_ros.odometry.pose_optimizer import PosePrior
from hybrid_features_ros.odometry.pose_smoother import SMOOTHING, PoseSmoother
from hybrid_features_ros.odometry.readout import ReadoutFilter
from hybrid_features_ros.odometry.state import Evidence, next_state
from hybrid_features_ros.odometry.tracker import Tracker
from hybrid_features_ros.odometry.tracking_result import TrackingResult
from hybrid_features_ros.odometry.tracks import NO_TRACKS, Tracks

_SHUTTER_PASSES, _SHUTTER_PX = 3, 1.0  # of a turning camera's image, until rows move by less
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

    Attributes:
        readout: of a rolling shutter, as it is known by now.

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
        self.readout = ReadoutFilter(config.tracking.readout_s, config.tracking.readout_sigma_s)
        self._restart(np.eye(4), np.zeros((6, 6)), Gyro(config.gyro))

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
        self._check(stamp, features, camera)
        prior = _with_covariance(prior, self._config.prior)
        self._milliseconds = {}
        if self._last is not None:
            self._motion.gyro.forget(self._last.stamp)
        with self._timed("bundle"):
            self._apply_correction(self._mapper.apply_finished_adjustment(self._n_frames))
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
                inserted, correction = self._mapper.maybe_insert_keyframe(tracked, *self._uncertainty)
                self._apply_correction(correction)
                result = replace(result, is_keyframe=inserted, keyframes=self._mapper.n_keyframes)
            elif result.state is State.LOST and len(frame) >= self._config.two_view.min_inliers:
                self._covariance.initialize_scene_depth(frame)
                depth = self._covariance.median_inverse_depth
                self._mapper.start_candidate_map(frame, self._motion.pose, result.covariance, depth)
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
        self._motion.gyro.add(stamp, rate)

    def expectation(self, begin: int, end: int) -> Expectation | None:
        """What is expected of an image at a stamp [ns], after one at ``begin``; None before the first one.

        May be called from another thread, while an image before is in work.
        """
        camera, last, motion = self._camera, self._last, self._motion
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
        self._config, self._motion.gyro = config, Gyro(config.gyro)
        self.readout = ReadoutFilter(config.tracking.readout_s, config.tracking.readout_sigma_s)
        self._mapper.config = config.mapping
        if self._last:
            self.reset()
        else:
            self._restart(self._motion.pose, self._covariance.estimate, self._motion.gyro)

    def reset(self, T_world_camera: Float64 | None = None) -> None:
        """Forget the map and the time; the next image continues from the last pose, or from the
        given one (4, 4).

        The reset counter grows.
        """
        pose, covariance = self._motion.pose, self._covariance.estimate
        if self._last:
            pose, covariance = self._last.T_world_camera, self._last.covariance
        if T_world_camera is not None:
            pose, covariance = T_world_camera, np.zeros((6, 6))
        self._motion.gyro.clear()
        self._restart(pose, covariance, self._motion.gyro)
        self._n_resets += 1

    def _restart(self, pose: Float64, covariance: Float64, gyro: Gyro) -> None:
        """Begin at a pose (4, 4) with its covariance (6, 6), without a map."""
        self._mapper.reset()
        self._motion = ConstantVelocityModel(self._config.tracking, pose, gyro)
        self._covariance = CovarianceModel(self._config.tracking, pose, covariance)
        self._smoother = PoseSmoother()
        self._scale = MetricScale(self._config.prior)
        self._last, self._n_frames = None, 0
        self._tracks = NO_TRACKS
        self._first: Frame | None = None  # image, until a rolling shutter's rows of it are put right

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

    @property
    def _uncertainty(self) -> tuple[Float64, float]:
        """Covariance (6, 6) of the estimate, and one over the scene's median depth [1/m]."""
        return self._covariance.estimate, self._covariance.median_inverse_depth

    def _start(self, frame: Frame) -> OdometryResult:
        """The first image begins the map where the odometry was told to begin."""
        self._motion.start(frame.stamp)
        self._first = frame
        self._covariance.initialize_scene_depth(frame)
        if self._covariance.scale is Scale.METRIC:
            self._scale.set_exact()
        self._mapper.start_map(frame, self._motion.pose, *self._uncertainty)
        drift = self._covariance.dead_reckoning_covariance(1.0)
        self._tracks = Tracks.of(frame, self._mapper.local_map, None)
        self._last = self._result(frame, None, self._covariance.estimate, drift)
        return replace(self._last, is_keyframe=True)

    def _track_rolling_shutter(
        self, frame: Frame, camera: Camera, prior: MotionPrior | None, last: OdometryResult
    ) -> tuple[TrackingResult | None, bool]:
        """As :meth:`_track`, of what a turning camera would have seen had it exposed all rows at one time.

        A row's error is a turn by the angular velocity times its delay: first by the expected one, then, if
        the image shows another, by that. The first image of all is put right with the second.
        """
        readout_s = self.readout.used_s
        if not readout_s and not self.readout.sigma_s:
            return self._track(frame, camera, prior, last)
        longest_s = readout_s + self.readout.sigma_s
        expected = self._motion.predict(frame.stamp, self._covariance.median_inverse_depth, prior)
        rate = self._motion.angular_velocity(frame.stamp, expected.T)
        for _ in range(_SHUTTER_PASSES):
            tracked, promoted = self._track(frame.at_one_time(rate, readout_s), camera, prior, last)
            if tracked is None:
                break
            before, rate = rate, self._motion.angular_velocity(frame.stamp, tracked.fit.T)
            if np.linalg.norm(rate - before) * longest_s * camera.focal < _SHUTTER_PX:
                break
            if self._first is not None:
                first = self._first.at_one_time(rate, readout_s)
                self._mapper.restart_map(first, self._covariance.median_inverse_depth)
        self._first = None
        if tracked is not None:
            self.readout.add(tracked)
        return tracked, promoted

    def _track(
        self, frame: Frame, camera: Camera, prior: MotionPrior | None, last: OdometryResult
    ) -> tuple[TrackingResult | None, bool]:
        """Near where it is expected, else near a keyframe, else in the candidate map.

        If the image before was no keyframe, it becomes one as soon as it is missed. Of a candidate map the
        first keyframe counts if it was the image before: an older one can't be announced any more.

        Returns:
            The image in the map, if it was placed, and whether the image before became a keyframe.
        """
        mapper, depth = self._mapper, self._covariance.median_inverse_depth
        tracker, promoted = Tracker(self._config, camera, depth), False
        tracked = self._track_expected(tracker, frame, prior)
        if tracked is None and mapper.last_frame is not None:
            self._apply_correction(mapper.promote_last_frame(self._motion.pose, *self._uncertainty))
            promoted = True
            tracked = self._track_expected(tracker, frame, prior)
        is_lost = last.state is State.LOST
        if tracked is not None and is_lost:
            tracked = tracker.verified(tracked, frame)
        if tracked is None:
            keyframes = _RELOCALIZATION_KEYFRAMES if is_lost else 1
            tracked = tracker.relocalize(mapper.local_map, frame, keyframes)
        else:
            tracked = self._apply_measured_scale(self._revise_start(tracked, camera), tracker)
        candidate_map = mapper.candidate_map_at(frame.stamp) if is_lost else None
        if tracked is None and candidate_map is not None:
            tracked = tracker.relocalize(candidate_map, frame, 1)
            if tracked is not None:
                promoted = self._adopt_candidate_map(frame, last)
        return tracked, promoted

    def _track_expected(
        self, tracker: Tracker, frame: Frame, prior: MotionPrior | None
    ) -> TrackingResult | None:
        """Near where a measured motion expects it, else where the constant velocity does."""
        local_map, depth = self._mapper.local_map, self._covariance.median_inverse_depth
        if prior is not None:
            motion = self._scale.to_map(prior, is_tracked=True)
            expected = self._motion.predict(frame.stamp, depth, motion)
            tracked = tracker.track_local_map(local_map, frame, expected)
            if tracked is not None:
                return tracked
        tracked = tracker.track_local_map(local_map, frame, self._motion.predict(frame.stamp, depth))
        return tracked if tracked is None or prior is None else replace(tracked, prior_rejected=True)

    def _revise_start(self, tracked: TrackingResult, camera: Camera) -> TrackingResult:
        """Begin the map anew where growing parallax shows that it is bent; the image in it."""
        depth = self._covariance.median_inverse_depth
        revised = self._mapper.revise_start(tracked, self._config, camera, depth)
        if self._mapper.start is not None:
            self._covariance.start_error = self._mapper.start.relative_error(
                camera, self._config.tracking.common_noise_px
            )
        if revised is None:
            return tracked
        self._apply_correction(revised.fit.T @ se3.inverse(tracked.fit.T))
        if self._scale.variance:
            self._scale = MetricScale(self._config.prior)
            self._covariance.forget_scale()
        return revised

    def _apply_measured_scale(self, tracked: TrackingResult, tracker: Tracker) -> TrackingResult:
        """Stretch the map where a depth image shows what its unit is; the image in it."""
        if self._covariance.scale is Scale.METRIC and self._covariance.scale_sigma is None:
            return tracked
        found = depth_ratio(tracked, self._config.tracking.min_landmarks)
        if found is None or not self._scale.add_ratio(*found):
            return tracked
        self._scale.common = self._config.tracking.calibration_error
        if not self._stretch_map():
            return tracked
        frame, T = tracked.matches.frame, self._motion.pose
        stretched = Tracker(self._config, tracker.camera, self._covariance.median_inverse_depth)
        again = stretched.track_local_map(self._mapper.local_map, frame, PosePrior(T, T[:3, 3]))
        return tracked if again is None else again

    def _stretch_map(self) -> bool:
        """Make the map metric where measured lengths tell what its unit is; the estimated pose stays."""
        if not self._scale.is_metric:
            return False
        factor = self._scale.take_factor(is_first=self._covariance.scale is not Scale.METRIC)
        if factor is not None:
            doubt = self._covariance.stretch(factor, self._motion.pose)
            self._apply_correction(self._mapper.stretch(factor, self._motion.pose[:3, 3], doubt))
            self._motion.stretch(factor)
        self._covariance.scale_sigma = self._scale.sigma
        return factor is not None

    def _adopt_candidate_map(self, frame: Frame, last: OdometryResult) -> bool:
        """Go on with the candidate map; whether its keyframe, the image before, is a new one."""
        promoted = self._mapper.adopt_candidate_map(last.stamp)
        is_metric = np.isfinite(frame.inverse_depth).any()
        origin = self._mapper.local_map.last_keyframe.T[:3, 3]
        self._covariance.restart(origin, Scale.METRIC if is_metric else Scale.UNKNOWN)
        self._scale = MetricScale(self._config.prior)
        if is_metric:
            self._scale.set_exact()
        self._n_resets += 1
        return promoted

    def _update(
        self, frame: Frame, tracked: TrackingResult | None, prior: MotionPrior | None, last: OdometryResult
    ) -> OdometryResult:
        """Take the estimate over, or dead-reckon without one."""
        if self._scale.variance:
            self._scale.add_step(prior, tracked)
        if tracked is None:
            return self._dead_reckon(frame, prior, last)
        seconds = (frame.stamp - self._motion.last_tracked_stamp) * 1e-9
        self._smooth(tracked, last, seconds)
        self._motion.update(frame.stamp, tracked, is_moving=last.state is not State.LOST)
        velocity = self._covariance.velocity_covariance(tracked, seconds, self._motion.velocity)
        self._covariance.update_scene_depth(tracked)
        self._covariance.depth_error = self._mapper.depth_bias.shift_sigma
        self._covariance.update(tracked, self._covariance.pose_covariance(tracked, self._motion.held_s))
        if tracked.weakness:
            self._covariance.add_doubt(seconds)
        covariance = self._covariance.covariance_since_start(self._motion.pose, self._motion.velocity)
        covariance = covariance + self._smoother.covariance
        return self._result(frame, tracked, covariance, velocity)

    def _dead_reckon(self, frame: Frame, prior: MotionPrior | None, last: OdometryResult) -> OdometryResult:
        """Go on by the measured motion, else stay; what is known of the pose shrinks accordingly."""
        seconds = (frame.stamp - last.stamp) * 1e-9
        motion = self._motion.dead_reckon(frame.stamp, None if prior is None else self._scale.to_map(prior))
        step = se3.inverse(last.T_world_camera) @ self._smoother.apply(self._motion.published_pose)
        drift = self._covariance.dead_reckoning_covariance(seconds)
        if motion is not None and motion.covariance is not None:
            drift = motion.covariance
        covariance = transport_covariance(last.covariance, step) + drift
        return self._result(frame, None, covariance, drift / seconds**2 if motion else drift / seconds)

    def _smooth(self, tracked: TrackingResult, last: OdometryResult, seconds: float) -> None:
        """A step of the estimate that no motion explains goes into the smoother's offset."""
        motion, T = self._motion, tracked.fit.T
        self._smoother.decay(seconds)
        if motion.last_tracked_stamp != last.stamp:  # it dead-reckoned for some time, and returns in as much
            self._smoother.absorb(last.T_world_camera, T, min(SMOOTHING.recovery_s, seconds))
        elif last.motion.model is MotionModel.NONE or tracked.offset_is_clear:
            return
        elif tracked.position_held != motion.position_held:
            expected = self._smoother.apply(motion.published_pose @ se3.exp(motion.velocity * seconds))
            self._smoother.absorb_position(expected, T, SMOOTHING.recovery_s)

    def _apply_correction(self, correction: Float64 | None) -> None:
        """The estimate moves along with the adjusted map; the published pose follows smoothly."""
        if correction is not None:
            published = self._smoother.apply(self._motion.pose)
            self._motion.apply_correction(correction)
            self._scale.apply_correction(correction)
            self._smoother.absorb(published, self._motion.pose, SMOOTHING.correction_s)

    def _result(
        self, frame: Frame, tracked: TrackingResult | None, covariance: Float64, velocity: Float64
    ) -> OdometryResult:
        """What to say about an image, with the covariances (6, 6) of pose and velocity."""
        state, reason = self._next_state(frame, tracked)
        matches, motion = self._relative_motion(tracked)
        local_map = self._mapper.local_map
        keyframe = local_map.last_keyframe if tracked is None else tracked.reference_keyframe
        return OdometryResult(
            stamp=frame.stamp,
            reference_stamp=keyframe.frame.stamp if keyframe.frame else frame.stamp,
            state=state,
            scale=self._covariance.scale,
            T_world_camera=self._smoother.apply(self._motion.published_pose),
            covariance=covariance,
            twist=self._motion.velocity,
            twist_covariance=velocity,
            matches=matches,
            motion=motion,
            keypoints=len(frame),
            landmarks=int(local_map.landmarks.depth_known.sum()),
            keyframes=self._mapper.n_keyframes,
            resets=self._n_resets,
            reason=reason,
            scale_sigma=self._covariance.relative_scale_error,
            prior_rejected=tracked is not None and tracked.prior_rejected,
            milliseconds=self._milliseconds,
        )

    def _next_state(self, frame: Frame, tracked: TrackingResult | None) -> tuple[State, str]:
        evidence = Evidence(
            model=MotionModel.NONE if tracked is None else tracked.model,
            position_held=tracked is not None and tracked.position_held,
            mapped=self._covariance.scale is not Scale.UNKNOWN,
            keypoints=len(frame),
            min_keypoints=self._config.two_view.min_inliers,
            lost_s=(frame.stamp - self._motion.last_tracked_stamp) * 1e-9,
            converged=self._smoother.distance(self._covariance.median_inverse_depth) < SMOOTHING.converged,
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
        C = self._covariance.pose_covariance(tracked, self._motion.held_s)
        return matches, MotionEstimate(
            model=tracked.model,
            T_a_b=T_a_b,
            covariance=self._covariance.motion_covariance(C, T_a_b),
            scale=self._covariance.scale,
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
