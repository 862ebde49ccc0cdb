# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Some frames of a run as small pictures: their features, and where the inliers came from."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from hybrid_features_ros.core.types import Features, Float32, UInt8
from hybrid_features_ros.evaluation.run import Step
from hybrid_features_ros.visualization.palette import INLIER, OUTLIER, TRACK, bgr
from hybrid_features_ros.visualization.tracks import PointHistory

WIDTH = 640  # of a picture [px]
QUALITY = 80  # of its JPEG
COUNT = 12  # pictures of a run
_SHIFT = 4  # OpenCV draws at 1/16 pixel


@dataclass(frozen=True, eq=False)
class Snapshot:
    """A picture of one frame.

    Attributes:
        stamp: of the frame [ns].
        jpeg: the file's bytes.
        features, inliers: how many it has, and how many of them agree with the motion.
    """

    stamp: int
    jpeg: bytes
    features: int
    inliers: int


class FrameGallery:
    """Takes a picture of frames evenly spread over a run, as a watcher of :func:`.evaluate`.

    Args:
        stamps: (N,) int64 of all frames [ns].
        count: of the pictures.
    """

    def __init__(self, stamps: NDArray[np.int64], count: int = COUNT) -> None:
        chosen = np.linspace(0, len(stamps) - 1, min(count, len(stamps)) + 1)[1:].round().astype(int)
        self._wanted = set(stamps[chosen].tolist()) if len(stamps) else set()
        self._history = PointHistory(len(stamps))
        self.snapshots: list[Snapshot] = []

    def see(self, step: Step) -> None:
        """Remember the frame's points; take its picture if it is one of the chosen."""
        starts, ends = self._history.add(step.result, step.features)
        if step.frame.stamp in self._wanted:
            rows = step.result.matches.index_b[step.result.motion.inliers]
            picture = draw_snapshot(step.frame.image, step.features, rows, (starts, ends))
            encoded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1]
            self.snapshots.append(
                Snapshot(step.frame.stamp, encoded.tobytes(), len(step.features), len(rows))
            )


def draw_snapshot(
    image: NDArray[np.uint8],
    features: Features,
    inliers: NDArray[np.int32],
    tracks: tuple[Float32, Float32],
) -> UInt8:
    """The image, ``WIDTH`` pixels wide, with circles of the features' scales and orientations.

    Args:
        image: (H, W) or (H, W, 3) uint8, grey or BGR.
        inliers: (M,) rows of the features that agree with the motion: green, the others orange.
        tracks: (K, 2) each [px], where points were in the reference keyframe, and where they are.
    """
    scale = WIDTH / image.shape[1]
    grey = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    small = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    faded = (40 + 0.6 * small).astype(np.uint8)  # so that the colours stand out
    canvas = cv2.cvtColor(faded, cv2.COLOR_GRAY2BGR)
    agreed = np.zeros(len(features), np.bool_)
    agreed[inliers] = True
    points = (features.points + 0.5) * scale - 0.5
    radius = np.clip(2 * features.scales * scale, 2.0, 40.0)
    angle = features.angles
    for chosen, colour in ((~agreed, bgr(OUTLIER)), (agreed, bgr(INLIER))):
        for i in np.flatnonzero(chosen):
            cv2.circle(canvas, _fixed(points[i]), int(radius[i] * 2**_SHIFT), colour, 1, cv2.LINE_AA, _SHIFT)
            if np.isfinite(angle[i]):
                tip = points[i] + radius[i] * np.array([np.cos(angle[i]), np.sin(angle[i])])
                cv2.line(canvas, _fixed(points[i]), _fixed(tip), colour, 1, cv2.LINE_AA, _SHIFT)
    trails = canvas.copy()
    for p, q in zip(*((ends + 0.5) * scale - 0.5 for ends in tracks), strict=True):
        cv2.line(trails, _fixed(p), _fixed(q), bgr(TRACK), 1, cv2.LINE_AA, _SHIFT)
    return np.asarray(cv2.addWeighted(trails, 0.45, canvas, 0.55, 0), dtype=np.uint8)


def _fixed(point: NDArray[np.floating]) -> tuple[int, int]:
    x, y = np.rint(np.asarray(point) * 2**_SHIFT).astype(int)
    return int(x), int(y)
