# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""How well two sets of features of the same scene agree, when the warp between the images is known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.spatial import cKDTree

from hybrid_features_ros.core.config import MatchingConfig
from hybrid_features_ros.core.types import Bool, Features, Float64
from hybrid_features_ros.features.selection import spread
from hybrid_features_ros.matching.mutual import match

RADIUS_PX = 3.0  # a keypoint is repeated, a match is correct, within this distance
CLOSE_PX = 1.0  # the same, where exactness is asked
MUTUAL = MatchingConfig(lowe_ratio=1.0)  # mutual nearest neighbours, nothing else
Warp = Callable[[Float64], Float64]


@dataclass(frozen=True)
class Agreement:
    """Agreement of one pair of images.

    Attributes:
        keypoints: mean number of keypoints that both images can show.
        repeatability: share of both images' keypoints with a partner within ``RADIUS_PX``.
        repeatability_1px: the same within ``CLOSE_PX``.
        one_to_one: the same within ``RADIUS_PX`` when every keypoint may be the partner of one other only:
            the largest such pairing / mean number of keypoints. Several keypoints on one spot in both
            images still count as many.
        localisation_px: mean distance to the nearest partner, over the repeated keypoints.
        offset_px: (2,) mean of (found - true) over the pairing, in the second image.
        turn_deg: median error of the partners' relative orientation [deg]; NaN without orientations.
        matches: mutual nearest neighbours of the descriptors.
        correct: those of them within ``RADIUS_PX``.
        distinct: the correct ones at places of the first image that are farther than ``RADIUS_PX`` apart,
            see :func:`distinct_places`.
        mma1, mma3: share of the matches within ``CLOSE_PX`` and ``RADIUS_PX``.
    """

    keypoints: float
    repeatability: float
    repeatability_1px: float
    one_to_one: float
    localisation_px: float
    offset_px: tuple[float, float]
    turn_deg: float
    matches: int
    correct: int
    distinct: int
    mma1: float
    mma3: float


def agreement(a: Features, b: Features, warp: Warp, unwarp: Warp, turn: float | None = None) -> Agreement:
    """Compare features of two images that see the same plane.

    Args:
        a, b: features; those whose partner would lie outside the other image are left out of the
            keypoints, not of the matches.
        warp, unwarp: pixels (N, 2) of the first image to the second and back.
        turn: how much the second image is turned against the first [rad]; None = not asked.
    """
    seen_a, seen_b = _inside(warp(a.points.astype(float)), b), _inside(unwarp(b.points.astype(float)), a)
    expected = warp(a.points[seen_a].astype(float))
    found = b.points[seen_b].astype(float)
    nearest = np.concatenate([_nearest(expected, found), _nearest(found, expected)])
    repeated = nearest[nearest <= RADIUS_PX]
    i, j = _pairing(expected, found)
    keypoints = (seen_a.sum() + seen_b.sum()) / 2
    errors = np.full((1, 2), np.nan) if not len(i) else found[j] - expected[i]
    turns = a.angles[seen_a][i] + (turn or 0.0) - b.angles[seen_b][j]
    turns = np.abs((turns + np.pi) % (2 * np.pi) - np.pi)
    matches = match(a, b, MUTUAL)
    matched = a.points[matches.index_a].astype(float)
    off = np.linalg.norm(warp(matched) - b.points[matches.index_b], axis=1)
    correct = off <= RADIUS_PX
    return Agreement(
        keypoints=float(keypoints),
        repeatability=len(repeated) / max(len(nearest), 1),
        repeatability_1px=float((nearest <= CLOSE_PX).sum() / max(len(nearest), 1)),
        one_to_one=len(i) / max(keypoints, 1.0),
        localisation_px=float(repeated.mean()) if len(repeated) else np.nan,
        offset_px=tuple(errors.mean(axis=0).tolist()),
        turn_deg=float(np.degrees(np.median(turns))) if len(i) and turn is not None else np.nan,
        matches=len(matches),
        correct=int(correct.sum()),
        distinct=distinct_places(matched[correct]),
        mma1=float((off <= CLOSE_PX).sum() / max(len(off), 1)),
        mma3=float(correct.sum() / max(len(off), 1)),
    )


def distinct_places(points: Float64) -> int:
    """How many of some points (N, 2) [px] a greedy choice, first come first served, finds apart by more than
    ``RADIUS_PX``: several keypoints on one spot are one place.
    """
    return len(spread(points, RADIUS_PX))


def _nearest(a: Float64, b: Float64) -> Float64:
    """Distance (N,) of each point of the one set to the other set; inf if that is empty."""
    return np.asarray(cKDTree(b).query(a)[0]) if len(b) else np.full(len(a), np.inf)


def _pairing(a: Float64, b: Float64) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows of the largest one-to-one pairing within ``RADIUS_PX``, and of those the closest."""
    near = cKDTree(a).sparse_distance_matrix(cKDTree(b), RADIUS_PX, output_type="coo_matrix")
    reward = np.zeros((len(a), len(b)))
    reward[near.row, near.col] = 2 * RADIUS_PX * len(a) - near.data
    i, j = linear_sum_assignment(reward, maximize=True)
    paired = reward[i, j] > 0
    return i[paired], j[paired]


def _inside(points: Float64, features: Features) -> Bool:
    low, high = -0.5, np.array([features.width, features.height]) - 0.5
    return np.asarray(((points >= low) & (points <= high)).all(axis=1))
