# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Keyframe rule: when an image becomes a keyframe."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from hybrid_features_ros.core.config import MappingConfig
from hybrid_features_ros.core.types import MotionModel
from hybrid_features_ros.odometry.landmarks import DEPTH_UNCERTAINTY
from hybrid_features_ros.odometry.local_map import LocalMap
from hybrid_features_ros.odometry.tracking_result import TrackingResult


class KeyframeRule(Protocol):
    """Whether an image that was placed in the map becomes a keyframe."""

    def __call__(
        self, tracked: TrackingResult, local_map: LocalMap, max_inliers: int, config: MappingConfig
    ) -> bool:
        """Decide.

        Args:
            max_inliers: most inliers of an image since the newest keyframe.
        """
        ...


def need_new_keyframe(
    tracked: TrackingResult, local_map: LocalMap, max_inliers: int, config: MappingConfig
) -> bool:
    """The rule of this package: too few inliers, a large rotation or parallax since the newest keyframe, a
    translation that begins the map, or enough new depths."""
    if tracked.inliers.sum() < config.min_inlier_share * max_inliers:
        return True
    last = local_map.last_keyframe
    cosine = last.T[:3, 2] @ tracked.fit.T[:3, 2]
    if np.degrees(np.arccos(np.clip(cosine, -1, 1))) > config.max_rotation_deg:
        return True
    if tracked.position_held:
        return False
    if tracked.model is not MotionModel.PNP:
        return True  # two views that begin the map: its depths come from this keyframe
    if np.degrees(tracked.parallax) > config.max_parallax_deg and tracked.reference_keyframe is last:
        return True
    new_depths = count_new_depths(tracked, local_map)
    if new_depths < config.min_new_depths:
        return False
    is_wide = np.degrees(tracked.parallax) > config.min_parallax_deg
    return bool(is_wide or new_depths >= config.min_new_share * tracked.known_inliers.sum())


def count_new_depths(tracked: TrackingResult, local_map: LocalMap) -> int:
    """How many depths that are unknown the image would determine by triangulation."""
    rows = tracked.matches.landmark_idx[tracked.inliers & ~tracked.known_inliers]
    away = local_map.origins[rows] - tracked.fit.T[:3, 3]
    marks = local_map.landmarks
    sine = np.linalg.norm(np.cross(local_map.directions[rows], away), axis=1)  # to first order in 1 / depth
    sigmas = np.sqrt(2) * marks.ray_sigmas[rows] * tracked.fit.noise
    spread = 1 / np.sqrt(1 / marks.inverse_depth_sigmas[rows] ** 2 + (sine / sigmas) ** 2)
    return int((spread < DEPTH_UNCERTAINTY.known * marks.inverse_depth[rows]).sum())
