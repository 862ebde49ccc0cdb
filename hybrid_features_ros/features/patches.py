"""Upright patches: the neighbourhood of each keypoint, turned by its orientation and sized by its scale."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from hybrid_features_ros.features.detector import Keypoints
from hybrid_features_ros.features.pyramid import to_level
from hybrid_features_ros.types import Float32


def oriented_patches(
    levels: Sequence[Float32], keypoints: Keypoints, width: int, height: int, side: int, spacing: float
) -> Float32:
    """Patches (N, side, side) float32 of an image's pyramid, the x axis along each keypoint's orientation.

    Args:
        levels: the pyramid that the keypoints were found in.
        width, height: of the image [px].
        spacing: between two samples [px of the keypoint's level].
    """
    ticks = (np.arange(side) - (side - 1) / 2) * spacing
    c, s = np.cos(keypoints.angles)[:, None, None], np.sin(keypoints.angles)[:, None, None]
    x, y = ticks[None, None, :], ticks[None, :, None]
    patches = np.empty((len(keypoints.points), side, side), np.float32)
    for i, level in enumerate(levels):
        mine = np.flatnonzero(keypoints.levels == i)
        if not len(mine):
            continue
        centre = to_level(keypoints.points[mine].astype(float), level, width, height)[:, :, None, None]
        map_x = (centre[:, 0] + c[mine] * x - s[mine] * y).astype(np.float32)
        map_y = (centre[:, 1] + s[mine] * x + c[mine] * y).astype(np.float32)
        flat = (-1, side)
        # OpenCV's images end at 32767 rows, hence in portions.
        for k in range(0, len(mine), _PORTION):
            part = slice(k, k + _PORTION)
            patches[mine[part]] = cv2.remap(
                level, map_x[part].reshape(flat), map_y[part].reshape(flat), cv2.INTER_LINEAR,
                borderMode=cv2.BORDER_REFLECT_101,
            ).reshape(-1, side, side)  # fmt: skip
    return patches


_PORTION = 500
