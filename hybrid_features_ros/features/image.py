# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What every extractor accepts as an image."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.core.types import UInt8


def to_gray(image: NDArray[Any]) -> UInt8:
    """(H, W) uint8 of a grey or BGR image.

    Raises:
        InputError: the image is empty or of another shape or type.
    """
    if not isinstance(image, np.ndarray):
        raise InputError(f"image {image!r:.60}: give an array of pixels; is the path of the image right?")
    if image.dtype != np.uint8 or image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] != 3):
        raise InputError(
            f"image of type {image.dtype} and shape {image.shape}: give uint8, (height, width) or "
            "(height, width, 3) in BGR order"
        )
    if image.size == 0:
        raise InputError(f"image of shape {image.shape} is empty: check the camera driver or the file")
    return image if image.ndim == 2 else np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), dtype=np.uint8)
