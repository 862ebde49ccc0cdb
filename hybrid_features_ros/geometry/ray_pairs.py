# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Two-view correspondences as rays."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from hybrid_features_ros.core.types import Bool, Float64
from hybrid_features_ros.geometry.robust import upper_median
from hybrid_features_ros.geometry.tangent import dot


@dataclass(frozen=True)
class RayPairs:
    """Corresponding rays of two views with their uncertainty.

    Attributes:
        rays_a, rays_b: (M, 3) unit vectors in the two camera frames.
        sigmas: (M,) standard deviation of the angle between corresponding rays [rad].
    """

    rays_a: Float64
    rays_b: Float64
    sigmas: Float64

    def __len__(self) -> int:
        return len(self.sigmas)

    def __getitem__(self, rows: Bool) -> RayPairs:
        return RayPairs(self.rays_a[rows], self.rays_b[rows], self.sigmas[rows])

    @cached_property
    def columns(self) -> tuple[Float64, Float64]:
        """Rays as (3, M): operations run along memory."""
        return np.ascontiguousarray(self.rays_a.T), np.ascontiguousarray(self.rays_b.T)

    def squared_gaps(self, R: Float64) -> Float64:
        """Squared distances (M,) between corresponding rays once the rotation ``R_a_b`` (3, 3) is undone."""
        gap = self.columns[0] - R @ self.columns[1]
        return dot(gap, gap)

    def median_parallax(self, R: Float64, inliers: Bool) -> float:
        """Median angle [rad] between the rays of an inlier (M,) once the rotation ``R_a_b`` is undone."""
        if not inliers.any():
            return 0.0
        gap = np.sqrt(upper_median(self.squared_gaps(R)[inliers]))
        return float(2 * np.arcsin(min(gap / 2, 1.0)))
