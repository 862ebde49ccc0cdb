"""Features to a trajectory: every image is placed in a map of landmarks, keyframes extend the map."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from time import perf_counter

import numpy as np
from numpy.typing import ArrayLike

from hybrid_features_ros.core import se3
from hybrid_features_ros.core.camera import Camera
from hybrid_features_ros.core.config import OdometryConfig
from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.core.types import (
    Features,
    Float64,
    Matches,
    MotionEstimate,
    MotionModel,
    OdometryResult,
    Scale,
    State,
)
from hybrid_features_ros.geometry.two_view import no_motion
from hybrid_features_ros.matching.descriptors import NO_MATCHES
from hybrid_features_ros.odometry import mapper
from hybrid_features_ros.odometry.bundle_adjustment import Solution
from hybrid_features_ros.odometry.covariance import drift, moved_along, relative, stretched, swayed, unscaled
from hybrid_features_ros.odometry.frame import View
from hybrid_features_ros.odometry.local_map import LocalMap, empty_map
from hybrid_features_ros.odometry.motion_model import Gyro, predict, with_gyro
from hybrid_features_ros.odometry.pose_smoother import Published
from hybrid_features_ros.odometry.state import Evidence, next_state
from hybrid_features_ros.odometry.tracker import find, track
from hybrid_features_ros.odometry.tracking_result import Guess, Lens, Tracked

_SETTLE_S = 0.15  # time in which the published pose follows a correction by bundle adjustment
_RETURN_S = 0.4  # the longest in which it returns to an estimate after images without one
_SETTLED = 0.01  # correction, over the scene's depth or in radians, below which the two are one
_TRIED = 4  # keyframes that an image is compared with while LOST
_PATIENCE_S = 0.4  # how long images with texture are compared with the old map before a new one begins


class Odometry:
    """Camera motion from the features of one image after another.

    Example:
        >>> odometry = Odometry(OdometryConfig())
        >>> result = odometry.process(stamp, extractor.extract(image), camera)
        >>> result.state, result.T_world_camera

    The estimate may be corrected in steps, by bundle adjustment or when the camera is found again; the
    published pose never jumps, it follows within a second (REP-105).
    """

    def __init__(self, config: OdometryConfig) -> None:
        self._config = config
        self._gyro = Gyro(config.gyro)
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="bundle")
        self._milliseconds: dict[str, float] = {}
        self._resets = self._keyframes = 0
        self._resume = np.eye(4), np.zeros((6, 6))  # pose and covariance where the map begins
        self._forget()

    def process(
        self, stamp: int, features: Features, camera: Camera, prior: Float64 | None = None
    ) -> OdometryResult:
        """Estimate where the camera was at ``stamp``.

        Args:
            stamp: of the image [ns], later than the previous one.
            features: of the image.
            camera: its calibration; ``features.rectified`` and the camera's distortion must agree.
            prior: (4, 4) motion since the previous image that another source expects,
                ``T_previous_current``.

        Raises:
            InputError: the stamp does not grow, or the image has another size than the calibration.
                The state stays as it was.
        """
        self._check(stamp, features, camera)
        self._milliseconds, self._late = {}, False
        if self._previous is not None:
            self._gyro.forget(self._previous.stamp)
        with self._timed("bundle"):
            self._take_over()
        view = View.make(stamp, features, camera, self._config.tracking.inverse_depth_sigma)
        if self._previous is None:
            return self._start(view)
        with self._timed("track"):
            tracked = self._locate(view, prior, Lens.of(camera))
        result = self._finish(view, tracked)
        with self._timed("keyframe"):
            if tracked is not None:
                if self._extend(view, tracked):
                    result = replace(result, is_keyframe=True, keyframes=self._keyframes)
            elif result.state is State.LOST and len(view) >= self._config.two_view.min_inliers:
                self._begin_anew(view, result.covariance)
        return result

    def add_gyro(self, stamp: int, angular_velocity: ArrayLike) -> None:
        """Remember an angular velocity (3,) [rad/s] in the camera's optical axes, at a stamp [ns]."""
        self._gyro.add(stamp, np.asarray(angular_velocity, dtype=np.float64))

    def configure(self, config: OdometryConfig) -> None:
        """Go on with another configuration, from the last pose and with a new map."""
        self._config, self._gyro = config, Gyro(config.gyro)
        if self._previous:
            self.reset()
        else:
            self._forget()

    def reset(self, T_world_camera: Float64 | None = None) -> None:
        """Forget the map and the time; the next image continues from the last pose, or from the
        given one (4, 4).

        The reset counter grows.
        """
        if self._previous:
            self._resume = self._previous.T_world_camera, self._previous.covariance
        if T_world_camera is not None:
            self._resume = T_world_camera, np.zeros((6, 6))
        self._gyro.clear()
        self._forget()
        self._resets += 1

    def _forget(self) -> None:
        self._map = empty_map(0)
        self._fresh: LocalMap | None = None
        self._patience_ends = 0
        self._job: tuple[int, mapper.Window, Future[Solution]] | None = None
        self._previous: OdometryResult | None = None
        self._milliseconds = {}
        self._T, self._seen = self._resume[0], 0  # the newest estimate and its stamp
        self._seen_at = self._T
        self._twist = np.zeros(6)
        self._sure, self._origin = self._resume[1], self._T[:3, 3]
        self._published = Published()
        self._held, self._held_s = False, 0.0
        self._heading: Float64 | None = None
        self._passed: tuple[View, Tracked] | None = None  # the image before, if it is no keyframe
        self._late = False  # whether that became one with this image
        self._support = self._frames = 0
        self._scale = Scale.UNKNOWN
        self._usual = 1 / self._config.tracking.assumed_depth

    def _check(self, stamp: int, features: Features, camera: Camera) -> None:
        if self._previous and stamp <= self._previous.stamp:
            raise InputError(
                f"image stamp {stamp} ns is not after the previous {self._previous.stamp} ns; "
                "reset the odometry if time was set back"
            )
        if (features.width, features.height) != (camera.width, camera.height):
            raise InputError(
                f"image is {features.width}x{features.height} but the calibration is for "
                f"{camera.width}x{camera.height}; publish the camera_info that belongs to the image"
            )

    def _begin_anew(self, view: View, covariance: Float64) -> None:
        """Prepare a map where the camera was lost, in case that the old one is not found again."""
        if self._fresh is None:
            self._patience_ends = view.stamp + round(_PATIENCE_S * 1e9)
        self._fresh = self._map_from(view, self._T, covariance)

    def _start(self, view: View) -> OdometryResult:
        self._seen = view.stamp
        self._map = self._map_from(view, *self._resume)
        self._keyframes += 1
        return replace(self._finish(view, None), is_keyframe=True)

    def _map_from(self, view: View, T: Float64, covariance: Float64) -> LocalMap:
        measured = view.inverse[np.isfinite(view.inverse)]
        if len(measured) >= self._config.tracking.min_landmarks:
            self._usual = float(np.median(measured))
            self._scale = Scale.METRIC
        nothing = np.zeros(0, np.intp)
        start = empty_map(view.values.shape[1], self._map.next_id)
        return start.grown(view, T, covariance, nothing, nothing, self._usual)

    def _guess(self, stamp: int, prior: Float64 | None) -> Guess:
        """The pose to expect: from the caller, else from the last velocity; the gyroscope knows better."""
        assert self._previous is not None
        begin = self._previous.stamp
        seconds = (stamp - begin) * 1e-9
        guess = predict(self._T, self._twist, seconds, self._usual, self._config.tracking)
        if self._seen == begin:
            guess = replace(guess, heading=self._heading)
        else:
            guess = replace(guess, information=None)
        if prior is not None:
            guess = replace(guess, T=self._T @ prior)
        measured = self._gyro.rotation(begin, stamp)
        return guess if measured is None else with_gyro(guess, self._T, measured)

    def _locate(self, view: View, prior: Float64 | None, lens: Lens) -> Tracked | None:
        """Near where it is expected, else near a keyframe, else near where it was lost.

        If the image before was no keyframe, it becomes one as soon as it is missed. Of a new map the first
        keyframe counts if it was the image before: an older one can't be announced any more.
        """
        assert self._previous is not None
        given = lens, self._config, self._usual
        passed, self._passed = self._passed, None
        lost = self._previous.state is State.LOST
        tracked = track(self._map, view, self._guess(view.stamp, prior), *given)
        if tracked is None and passed is not None:
            seen, there = passed
            self._keep(seen, replace(there, fit=replace(there.fit, T=self._T)))
            self._late = True
            tracked = track(self._map, view, self._guess(view.stamp, prior), *given)
        if tracked is not None:
            return tracked
        alive = [k for k in reversed(self._map.keyframes) if k.view is not None]
        for i in range(min(_TRIED if lost else 1, len(alive))):
            keyframe = alive[i if i < _TRIED - 1 else (self._frames + i) % len(alive)]
            tracked = find(self._map, keyframe, view, *given)
            if tracked is not None:
                return tracked
        if self._fresh is None or not lost or view.stamp < self._patience_ends:
            return None
        tracked = find(self._fresh, self._fresh.reference, view, *given)
        if tracked is not None:
            self._map, self._job, self._support = self._fresh, None, 0
            self._origin = self._fresh.reference.T[:3, 3]
            assert self._fresh.reference.view is not None
            self._late = self._fresh.reference.view.stamp == self._previous.stamp
            self._keyframes += self._late
            self._resets += 1
            self._scale = Scale.METRIC if np.isfinite(view.inverse).any() else Scale.UNKNOWN
        return tracked

    def _finish(self, view: View, tracked: Tracked | None) -> OdometryResult:
        """Take the estimate over and say what the image showed."""
        twist, twist_covariance = self._move(view, tracked)
        state, reason = self._judge(view, tracked)
        C = np.zeros((6, 6)) if tracked is None else relative(tracked, self._usual, self._held_s, self._scale)
        matches, motion = _with_partner(tracked, self._scale, C, self._usual)
        reference = self._map.reference if tracked is None else tracked.partner
        covariance = self._covariance(view, tracked, C)
        self._frames += 1
        self._previous = OdometryResult(
            stamp=view.stamp,
            reference_stamp=reference.view.stamp if reference.view else view.stamp,
            state=state,
            scale=self._scale,
            T_world_camera=self._published.at(self._T),
            covariance=covariance,
            twist=twist,
            twist_covariance=twist_covariance,
            matches=matches,
            motion=motion,
            keypoints=len(view),
            landmarks=int(self._map.landmarks.known.sum()),
            keyframes=self._keyframes,
            resets=self._resets,
            previous_is_keyframe=self._late,
            reason=reason,
            milliseconds=self._milliseconds,
        )
        return self._previous

    def _move(self, view: View, tracked: Tracked | None) -> tuple[Float64, Float64]:
        """The new pose and velocity; a step that no motion explains goes into the correction."""
        if tracked is None or self._previous is None:
            return self._coast(view), drift(1.0, self._usual)
        previous, T = self._previous, tracked.fit.T
        seconds = (view.stamp - self._seen) * 1e-9
        self._published.settle(seconds)
        if self._seen != previous.stamp:  # it was held for some time, and returns in as much
            self._published.keep(previous.T_world_camera, T, min(_RETURN_S, seconds))
        elif previous.motion.model is not MotionModel.NONE and tracked.held != self._held:
            expected = self._T @ se3.exp(self._twist * seconds)
            self._published.keep_place(self._published.at(expected), T, _RETURN_S)
        begin = self._T if previous.stamp == self._seen else self._seen_at
        self._twist = se3.log(se3.inverse(begin) @ T) / seconds * (previous.state is not State.LOST)
        self._seen_at = T
        self._held_s = (self._held_s + seconds) * tracked.held
        self._T, self._seen, self._held, self._heading = T, view.stamp, tracked.held, tracked.heading
        covariance = relative(tracked, self._usual, 0.0, self._scale) * 2 / seconds**2
        return self._twist, unscaled(covariance, self._twist[:3], self._scale)

    def _coast(self, view: View) -> Float64:
        """Without an estimate the position is held; the rotation follows the gyroscope, or its last rate
        until the camera counts as lost.
        """
        if self._previous is None:
            return np.zeros(6)
        begin, seconds = self._previous.stamp, (view.stamp - self._previous.stamp) * 1e-9
        measured = self._gyro.rotation(begin, view.stamp)
        rate = self._twist[3:] * ((view.stamp - self._seen) * 1e-9 <= self._config.tracking.max_lost_s)
        R = se3.exp([0, 0, 0, *(rate * seconds)])[:3, :3] if measured is None else measured[0]
        self._T = se3.make(self._T[:3, :3] @ R, self._T[:3, 3])
        self._twist = np.concatenate([np.zeros(3), se3.rotation_vector(R) / seconds])
        return self._twist

    def _judge(self, view: View, tracked: Tracked | None) -> tuple[State, str]:
        rule = self._config.tracking
        if tracked is not None:
            self._learn_depth(view, tracked)
        seen = Evidence(
            model=MotionModel.NONE if tracked is None else tracked.model,
            held=tracked is not None and tracked.held,
            mapped=self._scale is not Scale.UNKNOWN,
            keypoints=len(view),
            least_keypoints=self._config.two_view.min_inliers,
            unseen_s=(view.stamp - self._seen) * 1e-9,
            settled=self._published.off(self._usual) < _SETTLED,
        )
        previous = State.WAITING if self._previous is None else self._previous.state
        return next_state(previous, seen, rule.max_lost_s)

    def _learn_depth(self, view: View, tracked: Tracked) -> None:
        """What the newest image says about the scene's depth and about the scale."""
        if np.isfinite(view.inverse).sum() >= self._config.tracking.min_landmarks:
            self._scale = Scale.METRIC
        if tracked.model is not MotionModel.PNP:
            return
        self._scale = max(self._scale, Scale.ASSUMED)
        rows = tracked.rows[tracked.known]
        if not len(rows):
            return  # all that agree do so loosely
        marks = self._map.landmarks
        points = self._map.origins[rows] + self._map.directions[rows] / marks.inverse[rows][:, None]
        self._usual = float(1 / np.median(np.linalg.norm(points - self._T[:3, 3], axis=1)))

    def _covariance(self, view: View, tracked: Tracked | None, C: Float64) -> Float64:
        """Of the published pose; that of the estimate, and without what is unsure of the scale since the
        start, is kept for the next keyframe.
        """
        previous = self._previous
        if previous is None:
            return self._resume[1]
        if tracked is None:
            step = se3.inverse(previous.T_world_camera) @ self._published.at(self._T)
            return moved_along(previous.covariance, step) + drift(
                (view.stamp - previous.stamp) * 1e-9, self._usual
            )
        T_a_b = se3.inverse(tracked.partner.T) @ tracked.fit.T
        length = T_a_b[:3, :3].T @ T_a_b[:3, 3]
        self._sure = moved_along(tracked.partner.covariance, T_a_b) + stretched(C, length, self._scale)
        since = self._T[:3, :3].T @ (self._T[:3, 3] - self._origin)
        seen = swayed(self._sure, self._usual)
        return unscaled(seen, since, self._scale) + self._published.covariance

    def _extend(self, view: View, tracked: Tracked) -> bool:
        """Make the image a keyframe if it is worth one; whether it was."""
        rule = self._config.mapping
        self._fresh = None
        self._support = max(self._support, int(tracked.inliers.sum()))
        due = mapper.is_due(tracked, self._map, self._support, rule)
        if due:
            self._keep(view, tracked)
        else:
            self._passed = view, tracked
        return due

    def _keep(self, view: View, tracked: Tracked) -> None:
        """Make the newest image that was placed a keyframe."""
        rule = self._config.mapping
        local_map = self._map if tracked.held else mapper.with_depths(self._map, tracked, view)
        rows, columns = tracked.rows[tracked.inliers], tracked.columns[tracked.inliers]
        local_map = local_map.grown(view, tracked.fit.T, self._sure, rows, columns, self._usual)
        self._map = local_map.culled(rule.max_keyframes, rule.patience, 1 / self._usual)
        self._keyframes += 1
        self._support = 0
        self._submit()

    def _submit(self) -> None:
        """Start an adjustment; the one before it is taken over first, so that a replay repeats itself."""
        rule = self._config.mapping
        if self._job is not None:
            self._take_over(now=True)
        given = mapper.window(self._map, rule) if rule.iterations else None
        if given is not None:
            self._job = self._frames + rule.delay, given, self._worker.submit(mapper.solve, given, rule)

    def _take_over(self, now: bool = False) -> None:
        """Put a finished adjustment into the map, at a fixed image after it was started."""
        if self._job is None or not (now or self._frames >= self._job[0]):
            return
        _, given, future = self._job
        self._job = None
        before = self._map.reference.T
        self._map = mapper.adjusted(self._map, given, future.result())
        after = self._map.reference.T
        published = self._published.at(self._T)
        shift = after @ se3.inverse(before)
        self._T, self._seen_at = se3.orthonormal(shift @ self._T), se3.orthonormal(shift @ self._seen_at)
        self._published.keep(published, self._T, _SETTLE_S)

    @contextmanager
    def _timed(self, stage: str) -> Iterator[None]:
        start = perf_counter()
        yield
        self._milliseconds[stage] = 1e3 * (perf_counter() - start)


def _with_partner(
    tracked: Tracked | None, scale: Scale, C: Float64, usual: float
) -> tuple[Matches, MotionEstimate]:
    """The matches with the keyframe that shares most of them, and the motion since then."""
    if tracked is None:
        return NO_MATCHES, no_motion(0)
    shared = tracked.shared
    sure = np.exp(-0.5 * np.minimum(tracked.fit.errors[shared], 1e3) / tracked.fit.noise**2)
    matches = Matches(
        tracked.theirs.astype(np.int32), tracked.columns[shared].astype(np.int32), sure.astype(np.float32)
    )
    T_a_b = se3.inverse(tracked.partner.T) @ tracked.fit.T
    return matches, MotionEstimate(
        model=tracked.model,
        T_a_b=T_a_b,
        covariance=unscaled(swayed(C, usual), T_a_b[:3, :3].T @ T_a_b[:3, 3], scale),
        scale=scale,
        inliers=tracked.inliers[shared],
        parallax=tracked.parallax,
    )
