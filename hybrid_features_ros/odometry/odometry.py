"""Features to a trajectory: every image is compared with a keyframe, keyframes are chained.

The rotation always comes from all matches; the translation from points of known depth (measured, or
triangulated once the camera has moved). A frame that shows rotation only keeps the position and says so.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from time import perf_counter

import numpy as np
from numpy.typing import ArrayLike

from hybrid_features_ros import pose
from hybrid_features_ros.camera import Camera
from hybrid_features_ros.config import OdometryConfig
from hybrid_features_ros.errors import InputError
from hybrid_features_ros.odometry.mapping import carry_depths, points_at, triangulate
from hybrid_features_ros.odometry.matching import NO_MATCHES, match
from hybrid_features_ros.odometry.pnp import estimate_pnp
from hybrid_features_ros.odometry.two_view import Pairs, estimate_motion, median_parallax, no_motion
from hybrid_features_ros.types import (
    Features,
    Float64,
    Matches,
    MotionEstimate,
    MotionModel,
    OdometryResult,
    Scale,
    State,
)

_DRIFT = np.diag([0.5**2] * 3 + [0.5**2] * 3)  # growth per second while nothing is seen [m^2/s, rad^2/s]

_HELD = (State.DEGRADED, State.LOST)  # the pose was not estimated
_LEAST_RATIOS = 4  # depths that outvote the scene's usual one


@dataclass(frozen=True)
class View:
    """An image with its place in the world: the keyframe, or the last image that was tracked.

    ``rays`` (N, 3) and ``depths`` (N,) [m, NaN = unknown] belong to the features; ``support`` is the
    number of inliers that the first image compared with this view had.
    """

    stamp: int
    features: Features
    rays: Float64
    depths: Float64
    T_world_camera: Float64
    covariance: Float64
    support: int = 0


class Odometry:
    """Camera motion from the features of one image after another.

    Example:
        >>> odometry = Odometry(OdometryConfig())
        >>> result = odometry.process(stamp, extractor.extract(image), camera)
        >>> result.state, result.T_world_camera
    """

    def __init__(self, config: OdometryConfig) -> None:
        self._config = config
        self._keyframe: View | None = None
        self._last: View | None = None  # the newest image with an estimate
        self._fresh: View | None = None  # while LOST: where to start anew if nothing old is found again
        self._previous: OdometryResult | None = None
        self._resume = np.eye(4), np.zeros((6, 6))  # pose and covariance where tracking (re)starts
        self._scale = Scale.UNKNOWN
        self._scene_depth = config.keyframe.assumed_depth  # median of the newest known depths
        self._keyframes = 0
        self._resets = 0

    def process(
        self, stamp: int, features: Features, camera: Camera, prior: Float64 | None = None
    ) -> OdometryResult:
        """Estimate where the camera was at ``stamp``.

        Args:
            stamp: of the image [ns], later than the previous one.
            features: of the image.
            camera: its calibration; ``features.rectified`` and the camera's distortion must agree.
            prior: expected motion since the previous image, ``T_previous_current`` (4, 4), if known.
            prior: expected ``T_previous_current`` (4, 4); taken where nothing else is known.

        Raises:
            InputError: the stamp does not grow, or the image has another size than the calibration.
                The state stays as it was.
        """
        self._check(stamp, features, camera)
        view = self._view(stamp, features, camera)
        if prior is not None and self._previous is not None:
            view = replace(view, T_world_camera=view.T_world_camera @ prior)
        if self._keyframe is None:
            return self._start(view)
        milliseconds = dict.fromkeys(("match", "estimate"), 0.0)
        for reference in self._references():
            matches, motion = self._compare(reference, view, camera, milliseconds)
            if motion.model is not MotionModel.NONE:
                view = self._place(reference, view, matches, motion)
                break
        clock = perf_counter()
        result = self._finish(view, matches, motion, milliseconds)
        if motion.model is not MotionModel.NONE:
            self._choose_keyframe(view, motion)
        elif result.state is State.LOST and len(features) >= self._config.two_view.min_inliers:
            self._fresh = view
        milliseconds["keyframe"] = 1e3 * (perf_counter() - clock)
        return result

    def add_gyro(self, stamp: int, angular_velocity: ArrayLike) -> None:
        """An angular velocity (3,) [rad/s] in the camera's optical axes; not used yet."""

    def reset(self, T_world_camera: Float64 | None = None) -> None:
        """Forget all views and the time; the next image continues from the last pose, or the given one.

        The reset counter grows.
        """
        if self._previous:
            self._resume = self._previous.T_world_camera, self._previous.covariance
        if T_world_camera is not None:
            self._resume = T_world_camera, self._resume[1]
        self._keyframe = self._last = self._fresh = self._previous = None
        self._scale = Scale.UNKNOWN
        self._resets += 1

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

    def _view(self, stamp: int, features: Features, camera: Camera) -> View:
        depths = np.full(len(features), np.nan) if features.depths is None else features.depths
        rays = camera.bearings(features.points)
        if self._previous is None:
            return View(stamp, features, rays, depths.astype(float), *self._resume)
        seconds = (stamp - self._previous.stamp) * 1e-9
        covariance = self._previous.covariance + _DRIFT * seconds
        T = self._previous.T_world_camera
        return View(stamp, features, rays, depths.astype(float), T, covariance)

    def _start(self, view: View) -> OdometryResult:
        self._keyframe = self._last = view
        self._keyframes += 1
        if np.isfinite(view.depths).any():
            self._scale = Scale.METRIC
        return self._finish(view, NO_MATCHES, no_motion(0), {})

    def _references(self) -> list[View]:
        """What to compare an image with, in this order, until a motion is found."""
        views = (self._keyframe, self._last, self._fresh)
        return list({v.stamp: v for v in views if v is not None}.values())

    def _compare(
        self, reference: View, view: View, camera: Camera, milliseconds: dict[str, float]
    ) -> tuple[Matches, MotionEstimate]:
        """Match with the reference and estimate the motion; their times are added up."""
        start = perf_counter()
        matches = match(reference.features, view.features, self._config.matching)
        matched = perf_counter()
        motion = self._motion(reference, view, matches, camera.focal)
        milliseconds["match"] += 1e3 * (matched - start)
        milliseconds["estimate"] += 1e3 * (perf_counter() - matched)
        return matches, motion

    def _motion(self, reference: View, view: View, matches: Matches, focal: float) -> MotionEstimate:
        """Rotation only, or a translation in the units of the reference's depths where it has any."""
        two_view = self._config.two_view
        threshold = two_view.threshold_px / focal
        pairs = _pairs(reference, view, matches, focal)
        motion = estimate_motion(pairs, threshold, two_view, self._config.seed)
        depths = reference.depths[matches.index_a]
        known = np.flatnonzero(np.isfinite(depths))
        if motion.model is MotionModel.ROTATION_ONLY:
            return self._held(motion, threshold)
        if len(known) < self._config.keyframe.min_landmarks:
            return self._scaled(motion, pairs, depths)
        landmarks = points_at(pairs.rays_a[known], depths[known])
        pnp = estimate_pnp(landmarks, pairs.rays_b[known], pairs.sigmas[known], threshold, two_view)
        if pnp is None or pnp[2].sum() < self._config.keyframe.min_landmarks:
            return self._scaled(motion, pairs, depths)
        T, covariance, agree = pnp
        inliers = motion.inliers.copy()
        inliers[known] = agree
        return MotionEstimate(
            model=MotionModel.PNP,
            T_a_b=T,
            covariance=covariance,
            scale=self._scale,
            inliers=inliers,
            parallax=median_parallax(pairs, T[:3, :3], inliers),
        )

    def _held(self, motion: MotionEstimate, threshold: float) -> MotionEstimate:
        """A rotation whose translation is below notice: it moves points by less than the threshold."""
        covariance = motion.covariance.copy()
        covariance[:3, :3] = (threshold * self._scene_depth) ** 2 * np.eye(3)
        return replace(motion, covariance=covariance, scale=self._scale)

    def _scaled(self, motion: MotionEstimate, pairs: Pairs, depths: Float64) -> MotionEstimate:
        """Give an essential matrix the length that the few known depths suggest, or the scene's usual one."""
        if motion.model is not MotionModel.ESSENTIAL:
            return motion
        unit = np.where(motion.inliers, triangulate(pairs, motion.T_a_b, 0.0), np.nan)
        if not np.isfinite(unit).any():
            return no_motion(len(pairs.sigmas))
        ratios = (depths / unit)[np.isfinite(depths / unit)]
        few = len(ratios) < _LEAST_RATIOS
        length = self._scene_depth / np.nanmedian(unit) if few else np.median(ratios)
        units = np.diag([length] * 3 + [1.0] * 3)
        return replace(
            motion,
            T_a_b=pose.make(motion.T_a_b[:3, :3], motion.T_a_b[:3, 3] * length),
            covariance=units @ motion.covariance @ units,
            scale=max(self._scale, Scale.ASSUMED),
        )

    def _place(self, reference: View, view: View, matches: Matches, motion: MotionEstimate) -> View:
        """The view in the world, with the depths that the reference and the motion give it."""
        if reference is self._fresh:
            self._resets += 1
            self._scale = Scale.UNKNOWN
        if reference is not self._keyframe:
            self._keyframe = reference
            self._keyframes += 1
        T_b_a = pose.inverse(motion.T_a_b)
        spread = pose.adjoint(T_b_a)
        self._fresh = None
        self._last = replace(
            view,
            depths=self._depths(reference, view, matches, motion),
            T_world_camera=reference.T_world_camera @ motion.T_a_b,
            covariance=spread @ reference.covariance @ spread.T + motion.covariance,
        )
        return self._last

    def _depths(self, reference: View, view: View, matches: Matches, motion: MotionEstimate) -> Float64:
        """Measured depths, else triangulated ones, else those the reference knows of the same points."""
        if view.features.depths is not None:
            self._scale = Scale.METRIC
            return view.depths
        T_b_a = pose.inverse(motion.T_a_b)
        a, b = matches.index_a[motion.inliers], matches.index_b[motion.inliers]
        depths = view.depths.copy()
        depths[b] = carry_depths(points_at(reference.rays[a], reference.depths[a]), T_b_a)
        if motion.model in (MotionModel.ESSENTIAL, MotionModel.PNP):
            pairs = Pairs(view.rays[b], reference.rays[a], np.zeros(len(a)))
            fresh = triangulate(pairs, T_b_a, np.radians(self._config.keyframe.min_parallax_deg))
            depths[b] = np.where(np.isfinite(fresh), fresh, depths[b])
        if np.isfinite(depths).sum() >= self._config.keyframe.min_landmarks:
            self._scale = max(self._scale, Scale.ASSUMED)
            if motion.model is MotionModel.PNP:
                self._scene_depth = float(np.nanmedian(depths))
        return depths

    def _choose_keyframe(self, view: View, motion: MotionEstimate) -> None:
        """Keep the keyframe while it explains the view well, else take the view."""
        assert self._keyframe is not None
        rule = self._config.keyframe
        inliers = int(motion.inliers.sum())
        if not self._keyframe.support:
            self._keyframe = replace(self._keyframe, support=inliers)
        axis_turn = np.degrees(np.arccos(np.clip(motion.T_a_b[2, 2], -1, 1)))
        moved = motion.model is not MotionModel.ROTATION_ONLY
        if (
            inliers < rule.min_inlier_share * self._keyframe.support
            or axis_turn > rule.max_rotation_deg
            or (moved and np.degrees(motion.parallax) > rule.max_parallax_deg)
        ):
            self._keyframe = view
            self._keyframes += 1

    def _state(self, view: View, motion: MotionEstimate) -> tuple[State, str]:
        if self._previous is None:
            return State.INITIALIZING, "first image"
        if motion.model is MotionModel.NONE:
            reason = f"no motion explains the {len(motion.inliers)} matches with the keyframe"
            if len(view.features) < self._config.two_view.min_inliers:
                reason = f"only {len(view.features)} keypoints: the image is dark, blurred or bare"
            assert self._last is not None
            lost = (view.stamp - self._last.stamp) * 1e-9 > self._config.keyframe.max_lost_s
            return (State.LOST if lost else State.DEGRADED), reason
        if self._previous.state is State.LOST:
            return State.RECOVERING, "found again"
        if self._scale is Scale.UNKNOWN:
            return State.INITIALIZING, "the camera has not moved enough to know depths"
        if motion.model is MotionModel.ROTATION_ONLY:
            return State.ROTATION_ONLY, "the camera turns without moving: position is held"
        return State.TRACKING, ""

    def _finish(
        self, view: View, matches: Matches, motion: MotionEstimate, milliseconds: dict[str, float]
    ) -> OdometryResult:
        assert self._keyframe is not None
        state, reason = self._state(view, motion)
        twist, twist_covariance = self._twist(view, motion)
        self._previous = OdometryResult(
            stamp=view.stamp,
            reference_stamp=self._keyframe.stamp,
            state=state,
            scale=self._scale,
            T_world_camera=view.T_world_camera,
            covariance=view.covariance,
            twist=twist,
            twist_covariance=twist_covariance,
            matches=matches,
            motion=motion,
            keypoints=len(view.features),
            landmarks=int(np.isfinite(self._keyframe.depths).sum()),
            keyframes=self._keyframes,
            resets=self._resets,
            reason=reason,
            milliseconds=milliseconds,
        )
        return self._previous

    def _twist(self, view: View, motion: MotionEstimate) -> tuple[Float64, Float64]:
        """Mean velocity since the previous image, in the axes of the camera now.

        Both images were compared with a keyframe, so both comparisons add to its uncertainty.
        """
        previous = self._previous
        if previous is None or motion.model is MotionModel.NONE or previous.state in _HELD:
            return np.zeros(6), _DRIFT
        seconds = (view.stamp - previous.stamp) * 1e-9
        step = pose.log(pose.inverse(previous.T_world_camera) @ view.T_world_camera)
        covariance = motion.covariance
        if previous.motion.model is not MotionModel.NONE:
            covariance = covariance + previous.motion.covariance
        return step / seconds, covariance / seconds**2


def _pairs(a: View, b: View, matches: Matches, focal: float) -> Pairs:
    i, j = matches.index_a, matches.index_b
    return Pairs(a.rays[i], b.rays[j], np.hypot(a.features.sigmas[i], b.features.sigmas[j]) / focal)
