# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Measured depth as an attribute of features, from a rectified pair of images."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hybrid_features_ros.core.config import FeatureConfig
from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.core.types import Features, Float32, Float64
from hybrid_features_ros.geometry.robust import CAUCHY_WIDTH, MAD_TO_SIGMA
from hybrid_features_ros.matching.descriptors import descriptor_vectors, squared_distances
from hybrid_features_ros.matching.mutual import mutual_nearest


@dataclass(frozen=True)
class StereoMatching:
    """Matching along the rows, and the filter of the rectification; no sweep is on record.

    Attributes:
        lowe_ratio: of the distances to the best and to the second best partner along the row.
        row_sigmas: distance of a partner from the row, in standard deviations of both positions.
        min_row_gap: which may always be that large [px].
        scale_ratio: largest ratio of the sizes of partners.
        yaw: standard deviation of the yaw between the cameras, over that of pitch and roll.
        memory: share of the information of earlier pairs that is left with each new one.
    """

    lowe_ratio: float = 0.85
    row_sigmas: float = 3.0
    min_row_gap: float = 1.0
    scale_ratio: float = 1.6
    yaw: float = 5.0
    memory: float = 0.997


MATCHING = StereoMatching()
PAIRS_CHECKED = 3  # first images of a stereo pair in which left and right are compared
FEWEST_POINTS = 30  # with depth when left and right change places, below which nothing is concluded
EXCHANGED = 2.0  # times as many points as in the order given: chance matches are a sixth of the true ones


class StereoDepth:
    """Finds the features of the left image on the right one, and makes up for a poor rectification.

    Partners should lie on one row. The rotation of the right camera that explains the gaps across the rows is
    estimated from pair to pair and compensated. To first order a pitch, yaw and roll
    ``w`` of the right camera move the point (x, y) of the plane z = 1 by

        dx = -w_pitch x y + w_yaw (1 + x^2) - w_roll y,    dy = -w_pitch (1 + y^2) + w_yaw x y + w_roll x.

    ``dy`` shows all three; ``dx`` is the error of the disparity that follows from pitch and roll. The yaw's
    is not taken: rows show a yaw only through ``x y``, which a lens that is not quite undistorted shows as
    well, and a calibration trades it for a shift of the principal point. The odometry learns that error where
    the camera's motion shows it (:mod:`~hybrid_features_ros.odometry.depth_bias`).

    Args:
        focal_px: focal length of both images [px]; their principal point is taken to be near the middle.
        baseline_m: distance of the cameras [m].
        offset_px: principal point of the left image minus that of the right one, in x and y [px]: zero unless
            a pair was rectified to look at a point nearby, or one of its images was cropped.
        rectification_sigma: standard deviation of pitch and roll that the rectification leaves [rad].

    Raises:
        InputError: the baseline is not positive.
    """

    def __init__(
        self,
        focal_px: float,
        baseline_m: float,
        offset_px: tuple[float, float] = (0.0, 0.0),
        rectification_sigma: float = FeatureConfig.rectification_sigma,
    ) -> None:
        if not baseline_m > 0:
            raise InputError(f"baseline {baseline_m} m: give the distance of the two cameras")
        self._focal, self._baseline, self._offset = focal_px, baseline_m, np.array(offset_px)
        self._prior = np.diag(1 / (rectification_sigma * np.array([1, MATCHING.yaw, 1])) ** 2)
        self._information, self._vector = np.zeros((3, 3)), np.zeros(3)

    def add(self, left: Features, right: Features) -> Features:
        """The left features with the depth of those found again on the right.

        Partners are each other's nearest descriptor along the row, clearly so, the right one not further
        right. Half a baseline in depth is the nearest that is looked for. The noise of the disparity is
        no less than what partners differ across the rows.

        Args:
            left, right: features of the two images, by one extractor.

        Raises:
            InputError: the images differ in height.
        """
        if left.height != right.height:
            raise InputError(
                f"left image has {left.height} rows, right image {right.height}; rectify both alike"
            )
        depths = np.full(len(left), np.nan, np.float32)
        sigmas = depths.copy()
        if len(left) and len(right):
            right = replace(right, points=(right.points + self._offset).astype(np.float32))
            if not self._information.any():
                self._match(left, right)  # the first pair's rows tell how it is to be turned itself
            rows, disparity, noise = self._match(left, right)
            seen = disparity > 2 * noise  # nearer than infinity by more than the noise
            rows, disparity, noise = rows[seen], disparity[seen], noise[seen]
            depths[rows] = self._focal * self._baseline / disparity
            sigmas[rows] = depths[rows] * noise / disparity
        return replace(left, depths=depths, depth_sigmas=sigmas)

    def _match(self, left: Features, right: Features) -> tuple[NDArray[np.intp], Float32, Float32]:
        """Left features (M,) with a partner, their disparities and the noise of those [px]; what the rows say
        of the rectification is learnt.
        """
        turned = replace(right, points=(right.points + self._shift(right)).astype(np.float32))
        rows, columns = _partners(left, turned, 2 * self._focal)
        gap = left.points[rows] - turned.points[columns]
        noise = np.hypot(left.sigmas[rows], right.sigmas[columns])
        if len(rows):
            noise *= max(1.0, MAD_TO_SIGMA * float(np.median(np.abs(gap[:, 1]) / noise)))
        self._learn(right, columns, left.points[rows, 1] - right.points[columns, 1], gap[:, 1], noise)
        return rows, gap[:, 0], noise

    def _shift(self, right: Features) -> Float64:
        """(N, 2) by how much points of the right image are to be moved [px]."""
        x, y = self._plane(right)
        turn = np.linalg.solve(self._information + self._prior, self._vector)
        dx = np.stack([-x * y, np.zeros_like(x), -y], axis=1)
        return np.asarray(self._focal * np.stack([dx @ turn, _across(x, y) @ turn], axis=1))

    def _learn(
        self, right: Features, columns: NDArray[np.intp], gap: Float32, rest: Float32, noise: Float32
    ) -> None:
        """Add what gaps across the rows (M,) say; ``rest`` is what was left of them, both in pixels."""
        x, y = self._plane(right)
        J = _across(x, y)[columns] * self._focal
        weights = 1 / (noise**2 + (rest / CAUCHY_WIDTH) ** 2)
        self._information = MATCHING.memory * self._information + (J * weights[:, None]).T @ J
        self._vector = MATCHING.memory * self._vector + (J * weights[:, None]).T @ gap

    def _plane(self, features: Features) -> tuple[Float64, Float64]:
        middle = np.array([features.width - 1, features.height - 1]) / 2
        x, y = ((features.points - middle) / self._focal).T
        return x, y


class PairOrder:
    """Whether left and right have changed places, by the points with depth in the first pairs.

    Args:
        pair: focal length, baseline, offset and uncertainty, as :class:`StereoDepth` takes them.
    """

    def __init__(self, *pair: Any) -> None:
        focal_px, baseline_m, offset_px, *rest = pair
        self._exchanged = StereoDepth(focal_px, baseline_m, (-offset_px[0], -offset_px[1]), *rest)
        self._pairs = self._found = self._found_exchanged = 0

    @property
    def is_seen(self) -> bool:
        """Whether enough pairs were seen."""
        return self._pairs >= PAIRS_CHECKED

    @property
    def doubt(self) -> str:
        """Why left and right are to be exchanged; empty: there is no reason to."""
        there, here = self._found_exchanged, self._found
        if there <= max(FEWEST_POINTS, EXCHANGED * here):
            return ""
        return f"{there} points have depth when left and right images change places, {here} as they are"

    def see(self, left: Features, right: Features) -> None:
        """Count the points of a pair, ``left`` with its depths."""
        self._pairs += 1
        self._found += known_depths(left)
        self._found_exchanged += known_depths(self._exchanged.add(right, left))


def known_depths(features: Features) -> int:
    """How many features have a depth."""
    return 0 if features.depths is None else int(np.isfinite(features.depths).sum())


def _across(x: Float64, y: Float64) -> Float64:
    """(N, 3) by how much pitch, yaw and roll move points down."""
    return np.stack([-1 - y**2, x * y, x], axis=1)


def _partners(
    left: Features, right: Features, most_disparity: float
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows of left and right features that show the same point: mutual nearest neighbours along the row."""
    gap = left.points[:, None, 1] - right.points[:, 1]
    disparity = left.points[:, None, 0] - right.points[:, 0]
    tolerance = MATCHING.row_sigmas**2 * (left.sigmas[:, None] ** 2 + right.sigmas**2)
    size = np.log(np.maximum(left.scales, 1e-3))[:, None] - np.log(np.maximum(right.scales, 1e-3))
    allowed = (gap**2 <= np.maximum(tolerance, MATCHING.min_row_gap**2)) & (
        np.abs(size) < np.log(MATCHING.scale_ratio)
    )
    allowed &= (disparity > -MATCHING.min_row_gap) & (disparity < most_disparity)
    squared = squared_distances(descriptor_vectors(left), descriptor_vectors(right))
    squared[~allowed] = np.inf
    return mutual_nearest(squared, MATCHING.lowe_ratio)
