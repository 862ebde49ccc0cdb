# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Tracks: features that were followed from image to image show the landmarks that they showed before."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from hybrid_features_ros.core.types import Int32
from hybrid_features_ros.odometry.frame import Frame
from hybrid_features_ros.odometry.local_map import LocalMap, MapMatches
from hybrid_features_ros.odometry.tracking_result import TrackingResult


@dataclass(frozen=True, eq=False)
class Tracks:
    """The landmarks of the newest image in which features were detected.

    Attributes:
        track_ids: (N,) int32, ascending.
        landmark_ids: (N,) int32, the landmark that each of them shows, -1 = none.
    """

    track_ids: Int32
    landmark_ids: Int32

    @staticmethod
    def of(frame: Frame, local_map: LocalMap, tracked: TrackingResult | None) -> Tracks:
        """Those of an image, as a keyframe or as it was placed in the map."""
        if frame.track_ids is None:
            return NO_TRACKS
        ids = local_map.landmark_ids(frame.stamp)
        if ids is None:
            ids = np.full(len(frame), -1, np.int32)
        if tracked is not None:
            found = tracked.matches[tracked.inliers]
            ids[found.feature_idx] = found.local_map.landmarks.ids[found.landmark_idx]
        order = np.argsort(frame.track_ids)
        return Tracks(frame.track_ids[order], ids[order])

    def recognised(self, frame: Frame) -> Frame:
        """The image with the landmarks of its features, if all of them have been here before."""
        asked = frame.track_ids
        if asked is None or not len(asked) or not len(self.track_ids):
            return frame
        at = np.minimum(np.searchsorted(self.track_ids, asked), len(self.track_ids) - 1)
        if (self.track_ids[at] != asked).any():
            return frame
        return replace(frame, landmark_ids=self.landmark_ids[at])


NO_TRACKS = Tracks(np.zeros(0, np.int32), np.zeros(0, np.int32))


def followed_matches(local_map: LocalMap, frame: Frame) -> MapMatches:
    """Features of a followed image and the landmarks that they show, as far as the map still has them."""
    assert frame.landmark_ids is not None
    known = local_map.landmarks.ids
    at = np.minimum(np.searchsorted(known, frame.landmark_ids), max(len(known) - 1, 0))
    features = np.flatnonzero(known[at] == frame.landmark_ids) if len(known) else np.zeros(0, np.intp)
    return MapMatches(local_map, frame, at[features], features)
