# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Features and matches drawn into images."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from hybrid_features_ros.core.camera import Camera
from hybrid_features_ros.core.types import Features, Matches, UInt8
from hybrid_features_ros.visualization.palette import HORIZON, INLIER, bgr

_SHIFT = 4  # OpenCV draws at 1/16 pixel
_GAP = 8  # white pixels between two images


def draw_features(image: NDArray[Any], features: Features) -> UInt8:
    """The image (H, W, 3) with a circle of each feature's scale and a line in its direction.

    Colours run from dark to bright by the rank of the score.
    """
    canvas = _colour(image)
    if not len(features):
        return canvas
    rank = features.scores.argsort().argsort() / max(len(features) - 1, 1)
    colours = cv2.applyColorMap((255 * rank).astype(np.uint8)[:, None], cv2.COLORMAP_VIRIDIS)[:, 0]
    radius = np.maximum(2 * features.scales, 2.0)
    angle = np.nan_to_num(features.angles)
    tip = features.points + radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    for p, q, r, c, known in zip(
        features.points, tip, radius, colours.tolist(), np.isfinite(features.angles), strict=True
    ):
        cv2.circle(canvas, _fixed(p), int(r * 2**_SHIFT), c, 1, cv2.LINE_AA, _SHIFT)
        if known:
            cv2.line(canvas, _fixed(p), _fixed(q), c, 1, cv2.LINE_AA, _SHIFT)
    return canvas


def draw_matches(
    image_a: NDArray[Any], image_b: NDArray[Any], a: Features, b: Features, matches: Matches
) -> UInt8:
    """Both images (H, W) or (H, W, 3) side by side, each match a line coloured by its direction."""
    left, right = _colour(image_a), _colour(image_b)
    height = max(len(left), len(right))
    width = left.shape[1] + _GAP + right.shape[1]
    canvas = np.full((height, width, 3), 255, np.uint8)
    canvas[: len(left), : left.shape[1]] = left
    canvas[: len(right), left.shape[1] + _GAP :] = right
    starts = a.points[matches.index_a]
    ends = b.points[matches.index_b] + np.array([left.shape[1] + _GAP, 0], np.float32)
    hue = np.degrees(np.arctan2(*(ends - starts).T[::-1])) % 180
    hsv = np.stack([hue, np.full_like(hue, 200), np.full_like(hue, 255)], axis=-1).astype(np.uint8)
    colours = cv2.cvtColor(hsv[:, None], cv2.COLOR_HSV2BGR)[:, 0].tolist() if len(matches) else []
    for p, q, c in zip(starts, ends, colours, strict=True):
        cv2.line(canvas, _fixed(p), _fixed(q), c, 1, cv2.LINE_AA, _SHIFT)
    return canvas


def _colour(image: NDArray[Any]) -> UInt8:
    colour = image.copy() if image.ndim == 3 else cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)
    return np.asarray(colour, dtype=np.uint8)


def _fixed(point: NDArray[Any]) -> tuple[int, int]:
    x, y = np.rint(np.asarray(point) * 2**_SHIFT).astype(int)
    return int(x), int(y)


def draw_tracks(image: NDArray[Any], features: Features, starts: NDArray[Any], ends: NDArray[Any]) -> UInt8:
    """The image with its features, and a line for every point that was followed.

    Args:
        image: (H, W) or (H, W, 3) uint8.
        starts, ends: (M, 2) pixels, where the point was in the keyframe and where it is.
    """
    canvas = draw_features(image, features)
    for p, q in zip(starts, ends, strict=True):
        cv2.line(canvas, _fixed(p), _fixed(q), bgr(INLIER), 1, cv2.LINE_AA, _SHIFT)
        cv2.circle(canvas, _fixed(q), 2 << _SHIFT, bgr(INLIER), -1, cv2.LINE_AA, _SHIFT)
    return canvas


def draw_horizon(canvas: UInt8, camera: Camera, R_odom_camera: NDArray[Any]) -> None:
    """Draw into (H, W, 3) the line of all directions that are level: right angles to the z axis of odom.

    Args:
        R_odom_camera: (3, 3) orientation of the camera.
    """
    up = R_odom_camera[2]  # the z axis of odom in the camera's axes
    level = np.cross(up, [0.0, 0.0, 1.0])
    if np.linalg.norm(level) < 1e-3:
        return  # looking straight up or down
    right = level / np.linalg.norm(level)
    ahead = np.cross(right, up)
    turn = np.radians(np.arange(-80.0, 80.1, 2.0))[:, None]
    pixels = camera.project(np.sign(ahead[2]) * (np.cos(turn) * ahead + np.sin(turn) * right))
    reach = 4 * max(camera.width, camera.height)
    near = np.abs(np.nan_to_num(pixels, nan=np.inf)) < reach
    known = near[:, 0] & near[:, 1]
    for p, q, both in zip(pixels, pixels[1:], known[:-1] & known[1:], strict=False):
        if both:
            cv2.line(canvas, _fixed(p), _fixed(q), bgr(HORIZON), 1, cv2.LINE_AA, _SHIFT)


def draw_status(canvas: UInt8, text: str) -> None:
    """Write one line into the upper left corner of (H, W, 3)."""
    for colour, width in (((0, 0, 0), 3), ((255, 255, 255), 1)):
        cv2.putText(canvas, text, (6, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.45, colour, width, cv2.LINE_AA)
