# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Where the inliers of an image were in its reference keyframe."""

from __future__ import annotations

from collections import OrderedDict

import numpy as np

from hybrid_features_ros.core.types import Features, Float32, OdometryResult


class PointHistory:
    """Keypoints of the images so far: each may be the reference keyframe of a later one.

    Args:
        limit: images remembered; the keyframes in use stay.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._points: OrderedDict[int, Float32] = OrderedDict()

    def add(self, result: OdometryResult, features: Features) -> tuple[Float32, Float32]:
        """Remember the keypoints of an image, the one of ``result``.

        Returns:
            Where its inliers were in the reference keyframe, and where they are, (M, 2) each [px]; none if
            that keyframe is not remembered.
        """
        self._points[result.stamp] = features.points
        if result.reference_stamp in self._points:
            self._points.move_to_end(result.reference_stamp)
        while len(self._points) > self._limit:
            self._points.popitem(last=False)
        reference = self._points.get(result.reference_stamp)
        matches, good = result.matches, result.motion.inliers
        if reference is None or (good.any() and matches.index_a[good].max() >= len(reference)):
            return np.empty((0, 2), np.float32), np.empty((0, 2), np.float32)
        return reference[matches.index_a[good]], features.points[matches.index_b[good]]
