# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Measured depth as an attribute of features, from a registered depth image."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from hybrid_features_ros.core.config import FeatureConfig
from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.core.types import Features

_NEIGHBOURHOOD = 7  # pixels across, within which a jump of the depth makes a feature's depth doubtful


def with_depth(
    features: Features, depth: NDArray[Any], inverse_sigma: float = FeatureConfig.inverse_depth_sigma
) -> Features:
    """Features that carry the depth of the pixel nearest to each of them.

    The standard deviation is that of a sensor that triangulates (it grows with the square of the depth;
    Khoshelham and Elberink, 2012), or half the range of depths around the feature if that is larger: at
    the rim of an object, which of the two depths a feature has is not known.

    Args:
        features: of an image.
        depth: (H, W) float, along the optical axis [m], registered to the image; zero, negative, or
            not finite where unknown.
        inverse_sigma: standard deviation of the inverse depth [1/m].

    Raises:
        InputError: the depth image has another size than the image.
    """
    if depth.shape != (features.height, features.width):
        raise InputError(
            f"depth image is {depth.shape[::-1]} but the image is {(features.width, features.height)} "
            "(width, height); use the driver's depth registered to the colour image"
        )
    known = np.isfinite(depth) & (depth > 0)
    box = np.ones((_NEIGHBOURHOOD, _NEIGHBOURHOOD), np.uint8)
    nearest = cv2.erode(np.where(known, depth, np.inf).astype(np.float32), box)
    farthest = cv2.dilate(np.where(known, depth, 0).astype(np.float32), box)
    x, y = np.rint(features.points).astype(int).T
    x, y = x.clip(0, features.width - 1), y.clip(0, features.height - 1)
    with np.errstate(invalid="ignore"):
        depths = np.where(known, depth, np.nan).astype(np.float32)[y, x]
        spread = (farthest[y, x] - nearest[y, x]) / 2
        sigmas = np.hypot(np.float32(inverse_sigma) * depths**2, spread)
    return replace(features, depths=depths, depth_sigmas=np.asarray(sigmas, dtype=np.float32))
