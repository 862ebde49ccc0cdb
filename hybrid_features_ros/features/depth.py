"""Measured depth as an attribute of features: from a registered depth image or from a rectified pair."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from hybrid_features_ros.errors import InputError
from hybrid_features_ros.types import Features, Float32

_NEIGHBOURHOOD = 7  # pixels across, within which a jump of the depth makes a feature's depth doubtful
_INVERSE_SIGMA = 0.003  # noise of sensors that triangulate, of the inverse depth [1/m]
_RATIO = 0.85  # of the distances to the best and to the second best partner along the row
_ROW_SIGMAS = 3.0  # how far a partner may lie off the row, in standard deviations of both positions
_LEAST_ROW_GAP = 1.0  # and at least that far [px]
_SCALES = 1.6  # largest ratio of the sizes of partners


def with_depth(features: Features, depth: NDArray[Any]) -> Features:
    """Features that carry the depth of the pixel nearest to each of them.

    The standard deviation is that of a sensor that triangulates (it grows with the square of the depth;
    Khoshelham and Elberink, 2012), or half the range of depths around the feature if that is larger: at
    the rim of an object, which of the two depths a feature has is not known.

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
    known = np.isfinite(depth) & (depth > 0)
    box = np.ones((_NEIGHBOURHOOD, _NEIGHBOURHOOD), np.uint8)
    nearest = cv2.erode(np.where(known, depth, np.inf).astype(np.float32), box)
    farthest = cv2.dilate(np.where(known, depth, 0).astype(np.float32), box)
    x, y = np.rint(features.points).astype(int).T
    x, y = x.clip(0, features.width - 1), y.clip(0, features.height - 1)
    with np.errstate(invalid="ignore"):
        depths = np.where(known, depth, np.nan).astype(np.float32)[y, x]
        spread = (farthest[y, x] - nearest[y, x]) / 2
        sigmas = np.hypot(np.float32(_INVERSE_SIGMA) * depths**2, spread)
    return replace(features, depths=depths, depth_sigmas=np.asarray(sigmas, dtype=np.float32))


def with_stereo_depth(left: Features, right: Features, focal_px: float, baseline_m: float) -> Features:
    """Features of the left image of a rectified pair with the depth of those found again on the right.

    Partners lie on one row, the right one not further right, and are each other's nearest descriptor
    among those, clearly so. Half a baseline in depth is the nearest that is looked for. The noise of the
    disparity is no less than what partners differ across the rows, where they should agree.

    Args:
        left, right: features of the two images, by one extractor.
        focal_px: focal length along the rows [px].
        baseline_m: distance of the cameras [m].

    Raises:
        InputError: the baseline is not positive, or the images differ in height.
    """
    if not baseline_m > 0:
        raise InputError(f"baseline {baseline_m} m: give the distance of the two cameras")
    if left.height != right.height:
        raise InputError(f"left image has {left.height} rows, right image {right.height}; rectify both alike")
    depths = np.full(len(left), np.nan, np.float32)
    sigmas = depths.copy()
    if len(left) and len(right):
        rows, columns = _partners(left, right, 2 * focal_px)
        disparity = left.points[rows, 0] - right.points[columns, 0]
        noise = np.hypot(left.sigmas[rows], right.sigmas[columns])
        across = np.abs(left.points[rows, 1] - right.points[columns, 1]) / noise
        noise = noise * max(1.0, 1.4826 * float(np.median(across))) if len(rows) else noise
        seen = disparity > 2 * noise  # nearer than infinity by more than the noise
        rows, disparity, noise = rows[seen], disparity[seen], noise[seen]
        depths[rows] = focal_px * baseline_m / disparity
        sigmas[rows] = depths[rows] * noise / disparity
    return replace(left, depths=depths, depth_sigmas=sigmas)


def _partners(
    left: Features, right: Features, most_disparity: float
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows of left and right features that show the same point."""
    gap = np.abs(left.points[:, None, 1] - right.points[None, :, 1])
    disparity = left.points[:, None, 0] - right.points[None, :, 0]
    tolerance = _ROW_SIGMAS * np.hypot(left.sigmas[:, None], right.sigmas[None])
    size = np.abs(np.log(np.maximum(left.scales[:, None], 1e-3) / np.maximum(right.scales[None], 1e-3)))
    allowed = (gap <= np.maximum(tolerance, _LEAST_ROW_GAP)) & (size < np.log(_SCALES))
    allowed &= (disparity > -_LEAST_ROW_GAP) & (disparity < most_disparity)
    distance = np.where(allowed, _squared_distances(left, right), np.float32(np.inf))
    best = distance.argmin(axis=1)
    nearest = distance[np.arange(len(left)), best]
    mutual = (distance.min(axis=0)[best] == nearest) & np.isfinite(nearest)
    rows = np.flatnonzero(mutual)
    rest = distance[rows]
    rest[np.arange(len(rows)), best[rows]] = np.inf
    rows = rows[nearest[rows] < _RATIO**2 * rest.min(axis=1)]
    return rows, best[rows]


def _squared_distances(left: Features, right: Features) -> Float32:
    """(N, M) between descriptors as they are stored; those of a Hamming metric bit by bit."""
    a, b = (_numbers(f) for f in (left, right))
    return np.asarray((a**2).sum(1)[:, None] + (b**2).sum(1) - 2 * a @ b.T, dtype=np.float32)


def _numbers(features: Features) -> Float32:
    raw = features.descriptors
    if features.format.metric.name == "HAMMING":
        raw = np.unpackbits(raw.view(np.uint8), axis=1)
    return np.asarray(raw, dtype=np.float32)
