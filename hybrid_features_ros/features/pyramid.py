# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""An image at scales half an octave apart.

Other versions of OpenCV and numpy shall find the same features: which of two nearly equal keypoints comes
first is enough to lead to another path of the camera. OpenCV's filters and its halving agree to the last bit,
but for the last columns of a width that is no multiple of 8. Its other changes of size do not, and are
written in numpy here; nor does sampling between pixels at positions finer than 1/32 px (:func:`snapped`).
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from hybrid_features_ros.core.types import Float32, Float64, UInt8
from hybrid_features_ros.features.workspace import Workspace

STEP = 2**0.5  # between two levels
BLUR = 2.0  # standard deviation of a level's blur, but for level 0 [px of the level]
FINEST_BLUR = BLUR / STEP  # of level 0, which shows more than its size would ask for [px]
_CAMERA_BLUR = 0.5  # what a camera's image already has [px]
_LEAST_SIDE = 24  # of a level [px]
_SUBPIXELS = 32  # positions within a pixel, to which OpenCV 4 rounds when it interpolates


def pyramid(gray: UInt8, levels: int, workspace: Workspace | None = None) -> list[Float32]:
    """Up to ``levels`` images (H_l, W_l) float32 in [0, 1], level l smaller by ``STEP**l``.

    Level 0 has the size of the image, so that it moves with it pixel by pixel, and the blur ``FINEST_BLUR``.
    The others have the blur ``BLUR`` in their own pixels. They are taken from the level two steps finer
    (Lowe, 2004, section 3), which is halved: a level has little left above half its highest frequency, so
    that it is resized first and blurred where it has fewer pixels. An image with a side under 24 px has no
    level: no filter fits in.

    Args:
        workspace: of the levels, which are then valid until the next image.
    """
    workspace = workspace or Workspace()
    found: list[Float32] = []
    for i, (width, height) in enumerate(level_sizes(gray.shape[1], gray.shape[0], levels)):
        out = workspace.array(f"level {i}", height, width)
        if i == 0:
            found.append(_blur(gray, level_blur(0), out, 1 / 255))
        else:
            small = _resized(found[parent(i)], width, height, workspace)
            found.append(_blur(small, level_blur(i), out))
    return found


def level_sizes(width: int, height: int, levels: int) -> list[tuple[int, int]]:
    """Width and height [px] of up to ``levels`` levels of an image, finest first."""
    sizes = [(round(width / STEP**i), round(height / STEP**i)) for i in range(levels)]
    return [size for size in sizes if min(size) >= _LEAST_SIDE]


def parent(level: int) -> int:
    """The level that a level from 1 on is made of."""
    return max(level - 2, 0)


def level_blur(level: int) -> float:
    """Standard deviation [px] of the blur that a level lacks: the image, or its parent resized."""
    if level == 0:
        return float((FINEST_BLUR**2 - _CAMERA_BLUR**2) ** 0.5)
    shrink, blur = STEP ** (level - parent(level)), BLUR if parent(level) else FINEST_BLUR
    return float((BLUR**2 - (blur / shrink) ** 2) ** 0.5)


def snapped(positions: Float32) -> Float32:
    """Positions (N, M) [px] at the nearest 1/32, in place: every version interpolates the same there."""
    positions *= np.float32(_SUBPIXELS)
    np.rint(positions, out=positions)
    positions *= np.float32(1 / _SUBPIXELS)
    return positions


def to_image(points: Float64, level: Float32, width: int, height: int) -> Float64:
    """Pixels (N, 2) of a level as pixels of the image: ``(k + 0.5) * s - 0.5``."""
    return (points + 0.5) * ratio(level, width, height) - 0.5


def to_level(points: Float64, level: Float32, width: int, height: int) -> Float64:
    """Pixels (N, 2) of the image as pixels of a level."""
    return (points + 0.5) / ratio(level, width, height) - 0.5


def ratio(level: Float32, width: int, height: int) -> NDArray[np.float64]:
    """Image pixels per pixel of a level (H, W), in x and y: (2,)."""
    return np.array([width / level.shape[1], height / level.shape[0]])


def gauss(radius: int, sigma: float) -> Float64:
    """Weights (N,) of a Gaussian of ``sigma`` [px], N = 2 radius + 1; their sum is 1."""
    weights = np.exp(-(np.arange(-radius, radius + 1.0) ** 2) / (2 * sigma**2))
    return np.asarray(weights / weights.sum())


def _resized(image: Float32, width: int, height: int, workspace: Workspace) -> Float32:
    """An image (H, W) resized with linear interpolation."""
    out = workspace.array("resized", height, width)
    if image.shape == (2 * height, 2 * width):
        return np.asarray(cv2.resize(image, (width, height), dst=out, interpolation=cv2.INTER_LINEAR))
    columns = workspace.array("columns", image.shape[1], height)
    cv2.transpose(_interpolated(image, height, workspace), dst=columns)
    return np.asarray(cv2.transpose(_interpolated(columns, width, workspace), dst=out))


def _interpolated(image: Float32, n: int, workspace: Workspace) -> Float32:
    """``n`` rows of an image (H, W), evenly spaced, each between the two nearest ones."""
    at = ((np.arange(n) + 0.5) * (len(image) / n) - 0.5).clip(0, len(image) - 1)
    above = np.minimum(at.astype(int), len(image) - 2)
    upper, lower = (workspace.array(f"{name} rows", n, image.shape[1]) for name in ("upper", "lower"))
    np.take(image, above, axis=0, out=upper, mode="clip")
    np.take(image, above + 1, axis=0, out=lower, mode="clip")
    lower -= upper
    lower *= (at - above).astype(np.float32)[:, None]
    lower += upper
    return lower


def _blur(image: Float32 | UInt8, sigma: float, out: Float32, gain: float = 1.0) -> Float32:
    """An image blurred and multiplied, as float32."""
    window = gauss(round(4 * sigma), sigma)
    cv2.sepFilter2D(image, cv2.CV_32F, window, gain * window, dst=out, borderType=cv2.BORDER_REFLECT_101)
    return out
