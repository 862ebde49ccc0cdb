# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""An image placed in the map."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from hybrid_features_ros.core import se3
from hybrid_features_ros.core.types import Bool, Float64, MotionModel, Rows
from hybrid_features_ros.geometry.ray_pairs import RayPairs
from hybrid_features_ros.odometry.local_map import Keyframe, MapMatches, select_reference_keyframe
from hybrid_features_ros.odometry.pose_optimizer import Observations, PoseFit

_LEAST_INFORMATION = 1e-6  # about every axis [1/m^2, 1/rad^2]: what landmarks leave open has a variance, too
LENIENT = 3.0  # by how much larger than an inlier's the error of a match that still counts may be


@dataclass(frozen=True, eq=False)
class TrackingResult:
    """An image placed in the map.

    Attributes:
        model: what explains it.
        fit: the pose, its information and the residuals.
        matches: its features and the M landmarks that they match.
        inliers: (M,) bool, which of the matches agree with the pose.
        known_inliers: (M,) bool, which inliers have a known depth.
        reference_keyframe: the keyframe with most covisible landmarks.
        common, reference_features: (S,) which of the matches it observes too, and as what features.
        parallax: median angle by which the inliers moved since that keyframe, rotation undone [rad].
        position_held: the position was not estimated but kept: the camera only turned, or the translation
            cannot be told from noise.
        candidate_translation: direction (3,) in the world of a translation to be confirmed.
        held_offset: (6,) from the pose to the one that two views show while the position is held.
        offset_is_clear: that offset stands out against noise: it is published, provisionally.
        expected: (E,) rows of the landmarks that were looked for and should be in the image.
        weakness: why the pose is in doubt, see :mod:`health`; empty if it is not.
        prior_rejected: another source measured a motion that the landmarks contradict.
    """

    model: MotionModel
    fit: PoseFit
    matches: MapMatches
    inliers: Bool
    known_inliers: Bool
    reference_keyframe: Keyframe
    common: Rows
    reference_features: Rows
    parallax: float
    position_held: bool = False
    candidate_translation: Float64 | None = None
    held_offset: Float64 = field(default_factory=lambda: np.zeros(6))
    offset_is_clear: bool = False
    expected: Rows = field(default_factory=lambda: np.zeros(0, np.intp))
    weakness: str = ""
    prior_rejected: bool = False

    @property
    def covariance(self) -> Float64:
        """(6, 6) of the pose in the map by the information alone, zero where it was held."""
        free, C = slice(3 if self.position_held else 0, 6), np.zeros((6, 6))
        C[free, free] = np.linalg.inv(
            self.fit.information[free, free] + _LEAST_INFORMATION * np.eye(6)[free, free]
        )
        return se3.symmetric(C)

    def origin_keyframe(self, share: float) -> Keyframe:
        """The oldest keyframe in which, or in older ones, at least a ``share`` of the inliers are anchored;
        the reference keyframe where there are none.
        """
        local_map = self.matches.local_map
        anchors = np.sort(local_map.landmarks.anchors[self.matches.landmark_idx[self.inliers]])
        if not len(anchors):
            return self.reference_keyframe
        number = anchors[max(int(np.ceil(share * len(anchors))), 1) - 1]
        return next(k for k in local_map.keyframes if k.number == number)

    @staticmethod
    def make(model: MotionModel, matches: MapMatches, fit: PoseFit, inliers: Bool) -> TrackingResult:
        """Find the reference keyframe and the parallax that go with a pose."""
        keyframe, common, features = select_reference_keyframe(
            matches.local_map, matches.landmark_idx, inliers
        )
        assert keyframe.frame is not None
        rays = matches.frame.rays[matches.feature_idx[common]]
        pairs = RayPairs(keyframe.frame.rays[features], rays, np.zeros(len(common)))
        parallax = pairs.median_parallax(keyframe.T[:3, :3].T @ fit.T[:3, :3], inliers[common])
        known = inliers & matches.depth_known
        return TrackingResult(model, fit, matches, inliers, known, keyframe, common, features, parallax)


def inlier_mask(errors: Float64, observations: Observations, threshold: float) -> Bool:
    """(M,) bool: residuals, given as squares over their variance, below ``threshold`` [rad]; uncertain depths
    are forgiven.
    """
    return np.asarray(errors * observations.sigmas**2 < threshold**2)
