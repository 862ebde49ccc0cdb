# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A motion model fitted to two views, and its GRIC cost (Torr, 1997)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hybrid_features_ros.core.types import Float64, MotionModel
from hybrid_features_ros.geometry.homography import PlaneMotion
from hybrid_features_ros.geometry.robust import CHI2_MEDIAN

LAMBDA_DIMENSION = float(np.log(4))  # GRIC's lambda_1: cost of a dimension per correspondence
OUTLIER_COST = 4.0 + 2 * LAMBDA_DIMENSION  # Torr's for a model of two dimensions, here the same for all
EPIPOLAR_LIMIT = OUTLIER_COST - 3 * LAMBDA_DIMENSION  # squared epipolar error, over its variance, of one


@dataclass(frozen=True)
class Hypothesis:
    """One fitted model: ``rays_a ~ R rays_b``, plus a unit translation of b in a unless it is zero.

    ``errors`` (M,) are squared residuals divided by their variance, ``codimension`` is the number of
    independent constraints that one correspondence puts on the model. A homography comes with its
    ``plane``, and with the second motion of its decomposition, the ``rival``, if nothing rules that out.
    """

    model: MotionModel
    R: Float64
    t: Float64
    errors: Float64
    parameters: int
    codimension: int
    plane: PlaneMotion | None = None
    rival: PlaneMotion | None = None

    def gric(self, scale: float) -> float:
        """Torr's GRIC (lower is better) for residuals that scatter by ``scale`` beyond their sigmas."""
        structure = LAMBDA_DIMENSION * (4 - self.codimension)
        cost = np.minimum(self.errors / scale**2 + structure, OUTLIER_COST).sum()
        return float(cost + np.log(4 * len(self.errors)) * self.parameters)

    def scale(self, least: float = 1.0) -> float:
        """By how much the residuals scatter beyond their sigmas, robustly; never below ``least``."""
        return max(least, float(np.sqrt(np.median(self.errors) / CHI2_MEDIAN[self.codimension])))
