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
