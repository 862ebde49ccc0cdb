# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A heatmap's keypoints: the best first, and none within the disc around another."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from hybrid_features_ros.core.types import Bool, Float32, Float64, Rows
from hybrid_features_ros.features.workspace import Workspace

FIT_RADIUS, FIT_SIGMA = 2, 0.7  # of the square to which a quadratic is fitted, and of its weights [px]
FIT_REACH = 0.75  # most distance of a fitted maximum from its pixel, along each axis [px]
PLAIN = 1e-3  # logits that differ by less are equal


@cache
def disc(radius: int) -> NDArray[np.uint8]:
    """The (2r+1, 2r+1) uint8 mask of pixels no farther than ``radius + 0.5``: as round as pixels can be."""
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    return np.asarray(x**2 + y**2 <= (radius + 0.5) ** 2, dtype=np.uint8)


def suppress(heat: Float32, radius: int) -> Bool:
    """Greedy non-maximum suppression of a map (H, W): take the maximum, forbid its disc, repeat.

    A pixel that is the largest of its disc among those still allowed is taken whatever happens
    elsewhere, so that all such pixels are taken at once; few rounds are left. Pixels of -inf never are.
    """
    kernel = disc(radius)
    left = np.where(np.isfinite(heat), heat, -np.inf).astype(np.float32)
    taken = np.zeros(heat.shape, np.bool_)
    while True:
        peaks = (left >= cv2.dilate(left, kernel, borderType=cv2.BORDER_CONSTANT, borderValue=-np.inf)) & (
            left > -np.inf
        )
        if not peaks.any():
            return taken
        taken |= peaks
        left[cv2.dilate(peaks.astype(np.uint8), kernel) > 0] = -np.inf


def maxima(heat: Float32, radius: int, workspace: Workspace | None = None) -> NDArray[np.intp]:
    """Rows and columns (N, 2) of pixels that no pixel of their disc exceeds, one pixel off the border.

    A plain, where nothing stands out by more than rounding, has none.

    The first round of :func:`suppress`: what later rounds would add lies on the slope of a greater peak.

    Args:
        heat: (H, W).
        workspace: for what is computed on the way.
    """
    array, kernel = (workspace or Workspace()).array, disc(radius)
    greatest = cv2.dilate(heat, kernel, dst=array("greatest", *heat.shape))
    peaks = heat >= greatest
    least = cv2.erode(heat, kernel, dst=greatest)
    least += np.float32(PLAIN)
    peaks &= heat > least
    peaks[[0, -1]] = peaks[:, [0, -1]] = False
    return np.stack(np.divmod(np.flatnonzero(peaks), heat.shape[1]), axis=1)


def refine(heat: Float32, peaks: NDArray[np.intp]) -> Float64:
    """Sub-pixel positions (N, 2) (x, y) of peaks (N, 2) (row, column) of a map (H, W).

    The top of the quadratic that fits the peak and its surroundings best, with Gaussian weights: less
    drawn to the middles of pixels, and less moved by noise, than the one through the nearest values only.
    """
    r = FIT_RADIUS
    padded = cv2.copyMakeBorder(heat, r, r, r, r, cv2.BORDER_REFLECT_101)
    square = np.arange(2 * r + 1)
    around = (square[:, None] * padded.shape[1] + square).ravel()
    corners = peaks[:, 0] * padded.shape[1] + peaks[:, 1]
    values = padded.ravel()[corners[:, None] + around]
    values -= heat[tuple(peaks.T)][:, None]
    gx, gy, gxx, gyy, gxy = (values @ FIT).T
    determinant = np.maximum(gxx * gyy - gxy**2, np.float32(1e-12))
    step = np.stack([gxy * gy - gyy * gx, gxy * gx - gxx * gy], axis=1) / determinant[:, None]
    return np.asarray(peaks[:, ::-1] + step.clip(-FIT_REACH, FIT_REACH), dtype=np.float64)


def _quadratic_fit(radius: int, sigma: float) -> Float32:
    """Weights (N, 5) of the N values in a square for gradient (x, y) and Hessian (xx, yy, xy) in its middle:
    those of weighted least squares.
    """
    y, x = (axis.ravel() for axis in np.mgrid[-radius : radius + 1, -radius : radius + 1].astype(float))
    weights = np.exp(-(x**2 + y**2) / (2 * sigma**2))
    terms = np.stack([x, y, x**2 / 2, y**2 / 2, x * y, np.ones_like(x)], axis=1)
    solved = np.linalg.solve(terms.T @ (weights[:, None] * terms), terms.T * weights)
    return np.asarray(solved[:5].T, dtype=np.float32)


FIT = _quadratic_fit(FIT_RADIUS, FIT_SIGMA)


def spread(points: Float64, apart: float) -> Rows:
    """Greedy non-maximum suppression of points (N, 2), best first: rows that are left, in their order.

    The first point is kept, all later ones no farther than ``apart`` are dropped; the next one left is kept,
    and so on. Points that no better undecided one disturbs are decided all at once.
    """
    kept = np.ones(len(points), np.bool_)
    better, worse = cKDTree(points).query_pairs(apart, output_type="ndarray").T
    while len(better):
        disturbed = np.zeros(len(points), np.bool_)
        disturbed[worse] = True
        kept[worse[~disturbed[better]]] = False
        undecided = kept[better] & kept[worse]
        better, worse = better[undecided], worse[undecided]
    return np.flatnonzero(kept)
