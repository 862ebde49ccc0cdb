# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What keypoints of two views are worth: to be found again, exactly, and to be matched right."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from hybrid_features_ros.benchmarks.agreement import CLOSE_PX, RADIUS_PX
from hybrid_features_ros.core.types import Bool, Float32, Float64, Rows
from hybrid_features_ros.matching.descriptors import squared_distances
from hybrid_features_ros.matching.mutual import mutual_nearest
from hybrid_features_ros.training.correspondences import TwoViews


@dataclass(frozen=True, eq=False)
class Seen:
    """Keypoints of one view: places (N, 2) float64 [px] and descriptors (N, D) float32."""

    points: Float64
    descriptors: Float32


def rewards(a: Seen, b: Seen, pair: TwoViews, *, plain: bool = False) -> tuple[Float64, Float64]:
    """Rewards (N,), (M,) from 0 to 1 of keypoints of two views; NaN where the other view cannot show them.

    Partners are paired one to one, the most profitable pairing of all (a linear assignment). A pair at
    distance d earns ``1 / (1 + (d / CLOSE_PX)^2)`` within ``RADIUS_PX``, and half of that unless the two are
    each other's nearest neighbours among the descriptors, too: a place that repeats and looks like others
    is worth less.

    Args:
        plain: pay 1 for any partner within ``RADIUS_PX``.
    """
    there, back = pair.transfer(a.points), pair.swapped().transfer(b.points)
    earned = tuple(
        np.where(_inside(points, image.shape), 0.0, np.nan)
        for points, image in ((there, pair.b), (back, pair.a))
    )
    with np.errstate(invalid="ignore"):
        off = np.linalg.norm(there[:, None] - b.points[None], axis=2)
        worth = np.where(off <= RADIUS_PX, 1.0 if plain else 1 / (1 + (off / CLOSE_PX) ** 2), 0.0)
    if not plain:
        matched = np.full(worth.shape, 0.5)
        matched[_matches(a, b)] = 1.0
        worth = worth * matched
    i, j = linear_sum_assignment(worth, maximize=True)
    for reward, rows in zip(earned, (i, j), strict=True):
        reward[rows] = np.where(np.isfinite(reward[rows]), worth[i, j], np.nan)
    return earned[0], earned[1]


def _matches(a: Seen, b: Seen) -> tuple[Rows, Rows]:
    if not (len(a.points) and len(b.points)):
        return np.zeros(0, np.intp), np.zeros(0, np.intp)
    i, j = mutual_nearest(squared_distances(a.descriptors, b.descriptors), 1.0)
    return i, j


def _inside(points: Float64, shape: tuple[int, ...]) -> Bool:
    with np.errstate(invalid="ignore"):
        return np.asarray(((points >= 0) & (points <= np.array(shape[::-1]) - 1)).all(axis=1))
