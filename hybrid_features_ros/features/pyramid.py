"""An image at scales half an octave apart, each level equally sharp in its own pixels."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from hybrid_features_ros.core.types import Float32, Float64, UInt8

STEP = 2**0.5  # between two levels
BLUR = 2.0  # standard deviation of every level's blur [px of the level]
_CAMERA_BLUR = 0.5  # what a camera's image already has [px]
_LEAST_SIDE = 24  # of a level [px]


def pyramid(gray: UInt8, levels: int) -> list[Float32]:
    """Up to ``levels`` images (H_l, W_l) float32 in [0, 1], level l smaller by ``STEP**l``.

    Level 0 has the size of the image, so that it moves with it pixel by pixel. Every level has the blur
    ``BLUR``, taken from the level two steps finer (Lowe, 2004, section 3), which is exactly halved. An image
    with a side under 24 px has none: no filter fits in.
    """
    if min(gray.shape) < _LEAST_SIDE:
        return []
    image = gray.astype(np.float32) * np.float32(1 / 255)
    found = [_blur(image, (BLUR**2 - _CAMERA_BLUR**2) ** 0.5)]
    height, width = gray.shape
    while len(found) < levels:
        size = tuple(round(side / STEP ** len(found)) for side in (width, height))
        if min(size) < _LEAST_SIDE:
            break
        parent, shrink = (found[-2], 2.0) if len(found) > 1 else (found[0], STEP)
        smooth = _blur(parent, BLUR * (shrink**2 - 1) ** 0.5)
        found.append(np.asarray(cv2.resize(smooth, size, interpolation=cv2.INTER_LINEAR), dtype=np.float32))
    return found


def to_image(points: Float64, level: Float32, width: int, height: int) -> Float64:
    """Pixels (N, 2) of a level as pixels of the image: ``(k + 0.5) * s - 0.5``."""
    return (points + 0.5) * ratio(level, width, height) - 0.5


def to_level(points: Float64, level: Float32, width: int, height: int) -> Float64:
    """Pixels (N, 2) of the image as pixels of a level."""
    return (points + 0.5) / ratio(level, width, height) - 0.5


def ratio(level: Float32, width: int, height: int) -> NDArray[np.float64]:
    """Image pixels per pixel of a level (H, W), in x and y: (2,)."""
    return np.array([width / level.shape[1], height / level.shape[0]])


def _blur(image: Float32, sigma: float) -> Float32:
    return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma, borderType=cv2.BORDER_REFLECT_101))
