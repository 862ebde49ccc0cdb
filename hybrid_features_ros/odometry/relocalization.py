# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Relocalisation: an image placed anywhere in the map, and whether that place is believed.

Places look alike: tiles repeat, two walls bear one pattern. A wrong place is worse than none, so a place is
held against all landmarks around, against the scatter of residuals (a pattern that only repeats fits less
well than what was mapped), and, where the image measures depths, against those of the landmarks that were
not found.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from hybrid_features_ros.core.types import MotionModel
from hybrid_features_ros.odometry.frame import Frame
from hybrid_features_ros.odometry.health import HEALTH, weakness
from hybrid_features_ros.odometry.local_map import LocalMap
from hybrid_features_ros.odometry.pose_optimizer import PosePrior
from hybrid_features_ros.odometry.tracker import Tracker
from hybrid_features_ros.odometry.tracking_result import TrackingResult


@dataclass(frozen=True)
class Belief:
    """When a place is believed; chosen on blackouts of nine rendered scenes. There, depths agree for .76 of
    the landmarks or more in right places and .42 or less in wrong ones, but for one (.71: the opposite wall
    bears the same pattern); places where few are found and that scatter by more than 4 are wrong.
    ``min_agreement`` was .75 and came down after a right place of a recording (7-Scenes) was refused.

    Attributes:
        few_found: share of the landmarks that should be in the image, below which those found must fit ...
        max_scatter: ... with residuals that scatter over their sigmas by less than those of a tracked pose.
        near_px: how far from a landmark's projection a depth that was measured tells of it [px].
        same_depth: relative difference of two depths that agree.
        min_depths: landmarks with a depth nearby, from which on depths decide ...
        min_agreement: ... by the share of them that agree: the place is refused below it ...
        clear_agreement: ... and from here on fewer landmarks have to be found ...
        min_found_ratio: ... of those that should be in the image.
    """

    few_found: float = 0.15
    max_scatter: float = 4.0
    near_px: float = 15.0
    same_depth: float = 0.1
    min_depths: int = 100
    min_agreement: float = 0.5
    clear_agreement: float = 0.75
    min_found_ratio: float = 0.04


BELIEF = Belief()


def relocalize(
    tracker: Tracker, local_map: LocalMap, frame: Frame, max_keyframes: int
) -> TrackingResult | None:
    """Place an image among the landmarks of one keyframe, wherever it may be.

    Tried are the newest keyframes and, as the last of ``max_keyframes``, another one with every image. The
    newest alone is where the camera was a moment ago: that place needs no proof.
    """
    keyframes = [k for k in reversed(local_map.keyframes) if k.frame is not None]
    for i in range(min(max_keyframes, len(keyframes))):
        rotating = max_keyframes > 1 and i == max_keyframes - 1
        keyframe = keyframes[(frame.number + i) % len(keyframes) if rotating else i]
        prior = PosePrior(keyframe.T, keyframe.T[:3, 3])
        tracked = tracker.track_landmarks(local_map, local_map.landmarks_of(keyframe), frame, prior)
        if tracked is not None and max_keyframes > 1:
            tracked = verified(tracker, tracked)
        if tracked is not None:
            return tracked
    return None


def verified(tracker: Tracker, tracked: TrackingResult) -> TrackingResult | None:
    """Place an image that was found again among all landmarks around; None: the place only looks alike."""
    matches, T = tracked.matches, tracked.fit.T
    found = tracker.track_local_map(matches.local_map, matches.frame, PosePrior(T, T[:3, 3]))
    return found if found is not None and is_believed(tracker, found) else None


def is_believed(tracker: Tracker, found: TrackingResult) -> bool:
    """Whether a place where the camera was found again explains what the image shows."""
    agreement = depth_agreement(found, BELIEF.near_px / tracker.camera.focal)
    is_clear = agreement is not None and agreement >= BELIEF.clear_agreement
    if agreement is not None and agreement < BELIEF.min_agreement:
        return False
    depth_known = found.matches.local_map.landmarks.depth_known[found.expected]
    if found.model is not MotionModel.PNP and depth_known.sum() < HEALTH.min_expected:
        return True  # of a map without depths, which a rotation explains
    ratio = BELIEF.min_found_ratio if is_clear else HEALTH.min_found_ratio
    limits = replace(HEALTH, min_found_ratio=ratio)
    if found.inliers.sum() < BELIEF.few_found * len(found.expected):
        limits = replace(limits, max_scatter=BELIEF.max_scatter)
    return not weakness(replace(found, model=MotionModel.PNP), tracker.camera, limits=limits)


def depth_agreement(found: TrackingResult, radius: float) -> float | None:
    """Share of the landmarks not found in an image that are as far away as what it shows at their place; None
    if the image measures too few depths to tell.

    Args:
        radius: how far from a landmark's ray the measurement may be [rad].
    """
    matches, T = found.matches, found.fit.T
    local_map, frame = matches.local_map, matches.frame
    rows = np.setdiff1d(found.expected, matches.landmark_idx[found.inliers])
    rows = rows[local_map.landmarks.depth_known[rows]]
    measured = np.flatnonzero(np.isfinite(frame.inverse_depth))
    measured = np.setdiff1d(measured, matches.feature_idx[found.inliers])
    if min(len(rows), len(measured)) < BELIEF.min_depths:
        return None
    rays, _ = local_map.predict_rays(T, rows)
    cosines = rays.astype(np.float32) @ frame.rays[measured].T.astype(np.float32)
    nearest = cosines.argmax(axis=1)
    near = cosines[np.arange(len(rows)), nearest] > np.cos(radius)
    if near.sum() < BELIEF.min_depths:
        return None
    distances = np.linalg.norm(local_map.points(rows[near]) - T[:3, 3], axis=1)
    ratio = distances * frame.inverse_depth[measured[nearest[near]]]
    return float(np.mean(np.abs(np.log(ratio)) < BELIEF.same_depth))
