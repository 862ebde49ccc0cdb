# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Mapping: the local map, its keyframes, and bundle adjustment in the background."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace

from hybrid_features_ros.core import se3
from hybrid_features_ros.core.camera import Camera
from hybrid_features_ros.core.config import MappingConfig, OdometryConfig
from hybrid_features_ros.core.threads import name_thread
from hybrid_features_ros.core.types import Float64, MotionModel
from hybrid_features_ros.odometry.bundle_adjustment import Solution
from hybrid_features_ros.odometry.depth_bias import DepthBias
from hybrid_features_ros.odometry.depth_filter import update_inverse_depths
from hybrid_features_ros.odometry.frame import Frame
from hybrid_features_ros.odometry.initializer import (
    INITIALIZATION,
    MapStart,
    parallax_since,
    revise_start,
)
from hybrid_features_ros.odometry.keyframes import KeyframeRule, need_new_keyframe
from hybrid_features_ros.odometry.local_map import LocalMap, empty_map, map_of
from hybrid_features_ros.odometry.self_calibration import SelfCalibration
from hybrid_features_ros.odometry.tracking_result import TrackingResult
from hybrid_features_ros.odometry.visibility import with_visibility
from hybrid_features_ros.odometry.window import BAWindow, adjust_window, apply_solution, select_window

TWO_VIEW_TRANSLATION = (MotionModel.ESSENTIAL, MotionModel.HOMOGRAPHY)
CANDIDATE_DELAY_S = 0.4  # how long images are compared with the old map alone before a new one may begin

Adjust = Callable[[BAWindow, MappingConfig], Solution]


class Mapper:
    """The map and everything that changes it.

    Example:
        >>> Odometry(config, Mapper(config.mapping, adjust=my_back_end))

    Args:
        config: of the keyframes and the bundle adjustment.
        adjust: back end: an adjusted window of keyframes and landmarks; runs in a thread of its own and
            must give the same for the same window, so that a replay repeats itself.
        needs_keyframe: keyframe rule.

    Attributes:
        local_map: keyframes and landmarks.
        candidate_map: begun where the camera was lost, in case that ``local_map`` is not found again.
        last_frame: the newest image that was placed, if it is no keyframe.
        n_keyframes: made since the start; never decreases.
        depth_bias: common error of the depths that the keyframes measured.
        self_calibration: how far keyframes contradict the focal length.
        wants_keyframe: the newest image would be one, had features been detected in it.
        start: how one camera alone began the map; None before, or where depth is measured.
    """

    def __init__(
        self,
        config: MappingConfig,
        adjust: Adjust = adjust_window,
        needs_keyframe: KeyframeRule = need_new_keyframe,
    ) -> None:
        self.config = config
        self._adjust, self._needs_keyframe = adjust, needs_keyframe
        self._executor = ThreadPoolExecutor(max_workers=1, initializer=name_thread, initargs=("bundle",))
        self.n_keyframes = 0
        self.reset()

    def reset(self) -> None:
        """Forget the map."""
        self.local_map = empty_map(0)
        self.candidate_map: LocalMap | None = None
        self.last_frame: TrackingResult | None = None
        self._candidate_stamp = 0  # from which on the candidate map may be adopted [ns]
        self._job: tuple[int, BAWindow, Future[Solution]] | None = None
        self._max_inliers = 0  # of an image since the newest keyframe
        self.wants_keyframe = False
        self.depth_bias, self.self_calibration = DepthBias(), SelfCalibration()
        self.start: MapStart | None = None
        self._next_revision = INITIALIZATION.first_revision  # parallax [rad]

    def start_map(self, frame: Frame, T: Float64, covariance: Float64, median_inverse_depth: float) -> None:
        """Begin the map with an image at ``T`` (4, 4)."""
        self.local_map = map_of(frame, T, covariance, median_inverse_depth, self.local_map.next_id)
        self.depth_bias.add_keyframe(frame)
        self.n_keyframes += 1

    def restart_map(self, frame: Frame, median_inverse_depth: float) -> None:
        """Begin the map with its only keyframe's image anew: more is known of how it was taken."""
        first = self.local_map.last_keyframe
        self.local_map = map_of(
            frame, first.T, first.covariance, median_inverse_depth, self.local_map.next_id, first.number
        )

    def start_candidate_map(
        self, frame: Frame, T: Float64, covariance: Float64, median_inverse_depth: float
    ) -> None:
        """Begin another map where the camera was lost, at ``T`` (4, 4).

        It may be adopted ``CANDIDATE_DELAY_S`` after the first one since the loss.
        """
        if self.candidate_map is None:
            self._candidate_stamp = frame.stamp + round(CANDIDATE_DELAY_S * 1e9)
        self.candidate_map = map_of(frame, T, covariance, median_inverse_depth, self.local_map.next_id)

    def candidate_map_at(self, stamp: int) -> LocalMap | None:
        """The candidate map, if it may be adopted at a stamp [ns]."""
        return self.candidate_map if stamp >= self._candidate_stamp else None

    def adopt_candidate_map(self, previous_stamp: int) -> bool:
        """Go on with the candidate map; whether its keyframe is the previous image, and so a new one."""
        assert self.candidate_map is not None
        self.local_map, self._job, self._max_inliers = self.candidate_map, None, 0
        self.start = None
        frame = self.local_map.last_keyframe.frame
        assert frame is not None
        is_previous = frame.stamp == previous_stamp
        self.n_keyframes += is_previous
        return is_previous

    def maybe_insert_keyframe(
        self, tracked: TrackingResult, covariance: Float64, median_inverse_depth: float
    ) -> tuple[bool, Float64 | None]:
        """Make an image a keyframe if the rule asks for one.

        Returns:
            Whether it did, and what :meth:`insert_keyframe` returns.
        """
        self.candidate_map = None
        is_followed = tracked.matches.frame.is_followed
        if not is_followed:
            found = tracked.matches.landmark_idx[tracked.inliers]
            self.local_map = with_visibility(self.local_map, tracked.expected, found)
        self._max_inliers = max(self._max_inliers, int(tracked.inliers.sum()))
        is_needed = self._needs_keyframe(tracked, self.local_map, self._max_inliers, self.config)
        self.wants_keyframe = is_needed and is_followed
        if is_needed and not is_followed:
            self.depth_bias.add_keyframe(tracked.matches.frame, None if tracked.position_held else tracked)
            self.self_calibration.add_keyframe(tracked)
            return True, self.insert_keyframe(tracked, covariance, median_inverse_depth)
        self.last_frame = tracked
        return False, None

    def revise_start(
        self, tracked: TrackingResult, config: OdometryConfig, camera: Camera, median_inverse_depth: float
    ) -> TrackingResult | None:
        """Put the map's start to the test once its parallax has grown, and begin it anew if it was bent.

        Returns:
            The image in the new map, which then holds the first keyframe only; None if there is no need.
        """
        if self.start is None or not self.start.is_open or tracked.model is not MotionModel.PNP:
            return None
        number = self.start.keyframe_number
        first = next(
            (k for k in self.local_map.keyframes if k.number == number and k.frame is not None), None
        )
        parallax = None if first is None else parallax_since(first, tracked)
        if first is None or first.frame is None or parallax is None or parallax < self._next_revision:
            return None
        fresh = map_of(
            first.frame, first.T, first.covariance, median_inverse_depth, self.local_map.next_id, number
        )
        self.start, self._next_revision = MapStart(number, parallax), 2 * parallax
        revised = revise_start(fresh, tracked, config, camera, median_inverse_depth)
        if revised is not None:
            self.local_map, self._job, self.last_frame, self._max_inliers = fresh, None, None, 0
        return revised

    def stretch(self, factor: float, centre: Float64, doubt: Float64) -> Float64 | None:
        """Make all lengths of the map ``factor`` times as long, see :meth:`LocalMap.stretched`.

        Returns:
            Correction (4, 4) of poses in the world, on the left, of an adjustment that was applied before.
        """
        correction = None if self._job is None else self._apply_adjustment()
        self.local_map = self.local_map.stretched(factor, centre, doubt)
        return correction

    def promote_last_frame(
        self, T: Float64, covariance: Float64, median_inverse_depth: float
    ) -> Float64 | None:
        """Make the image before a keyframe, now at ``T`` (4, 4), because it is missed; returns as
        :meth:`insert_keyframe`.
        """
        assert self.last_frame is not None
        tracked = replace(self.last_frame, fit=replace(self.last_frame.fit, T=T))
        return self.insert_keyframe(tracked, covariance, median_inverse_depth)

    def insert_keyframe(
        self, tracked: TrackingResult, covariance: Float64, median_inverse_depth: float
    ) -> Float64 | None:
        """Make an image a keyframe and schedule an adjustment.

        Returns:
            Correction (4, 4) of poses in the world, on the left, if an earlier adjustment was applied.
        """
        config, local_map = self.config, self.local_map
        if tracked.model in TWO_VIEW_TRANSLATION and not tracked.position_held and self.start is None:
            self.start = MapStart(tracked.reference_keyframe.number, tracked.parallax)
            self._next_revision = max(INITIALIZATION.first_revision, 2 * tracked.parallax)
        if not tracked.position_held:
            local_map = update_inverse_depths(local_map, tracked)
        inliers = tracked.matches[tracked.inliers]
        local_map = local_map.with_keyframe(inliers, tracked.fit.T, covariance, median_inverse_depth)
        self.local_map = local_map.culled(
            config.max_keyframes, config.cull_after_keyframes, 1 / median_inverse_depth
        )
        self.n_keyframes += 1
        self.last_frame, self._max_inliers = None, 0
        return self._schedule_adjustment(tracked.matches.frame.number)

    def apply_finished_adjustment(self, frame_number: int) -> Float64 | None:
        """Put an adjustment into the map at a fixed image after it was scheduled, so that a replay repeats
        itself.

        Args:
            frame_number: of the newest image.

        Returns:
            Correction (4, 4) of poses in the world, on the left, if one was applied.
        """
        if self._job is None or frame_number < self._job[0]:
            return None
        return self._apply_adjustment()

    def _schedule_adjustment(self, frame_number: int) -> Float64 | None:
        """Start an adjustment; the one before it is applied first, so that a replay repeats itself."""
        correction = None if self._job is None else self._apply_adjustment()
        self.local_map = self.depth_bias.corrected_map(self.local_map)
        window = select_window(self.local_map, self.config) if self.config.iterations else None
        if window is not None:
            due = frame_number + 1 + self.config.adjustment_delay
            self._job = due, window, self._executor.submit(self._adjust, window, self.config)
        return correction

    def _apply_adjustment(self) -> Float64:
        assert self._job is not None
        _, window, future = self._job
        self._job = None
        before = self.local_map.last_keyframe.T
        self.local_map = apply_solution(self.local_map, window, future.result())
        return self.local_map.last_keyframe.T @ se3.inverse(before)
