"""Measured depth as an attribute of features."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hybrid_features_ros.errors import InputError
from hybrid_features_ros.types import Features


def with_depth(features: Features, depth: NDArray[Any]) -> Features:
    """Features that carry the depth of the pixel nearest to each of them.

    Args:
        features: of an image.
        depth: (H, W) float, along the optical axis [m], registered to the image; zero, negative, or
            not finite where unknown.

    Raises:
        InputError: the depth image has another size than the image.
    """
    if depth.shape != (features.height, features.width):
        raise InputError(
            f"depth image is {depth.shape[::-1]} but the image is {(features.width, features.height)} "
            "(width, height); use the driver's depth registered to the colour image"
        )
    x, y = np.rint(features.points).astype(int).T
    values = depth[y.clip(0, features.height - 1), x.clip(0, features.width - 1)].astype(np.float32)
    return replace(features, depths=np.where(np.isfinite(values) & (values > 0), values, np.float32(np.nan)))


def with_stereo_depth(left: Features, right: Features, focal_px: float, baseline_m: float) -> Features:
    """Features of the left image of a rectified pair with the depth of those found again on the right.

    Raises:
        InputError: the baseline is not positive.
    """
    if not baseline_m > 0:
        raise InputError(f"baseline {baseline_m} m: give the distance of the two cameras")
    depths = np.full(len(left), np.nan, np.float32)
    if len(left) and len(right):
        a, b = left.descriptors.astype(np.float32), right.descriptors.astype(np.float32)
        squared = (a**2).sum(1)[:, None] + (b**2).sum(1) - 2 * a @ b.T
        disparity = left.points[:, None, 0] - right.points[None, :, 0]
        same_row = np.abs(left.points[:, None, 1] - right.points[None, :, 1]) < 2
        squared[~(same_row & (disparity > 0.5))] = np.inf
        best = squared.argmin(axis=1)
        rows = np.arange(len(left))
        mutual = np.isfinite(squared[rows, best]) & (squared.argmin(axis=0)[best] == rows)
        depths[mutual] = focal_px * baseline_m / disparity[rows, best][mutual]
    return replace(left, depths=depths)
