# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Pose smoothing: the published pose follows the estimate and never jumps (REP-105)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hybrid_features_ros.core import se3
from hybrid_features_ros.core.types import Float64


@dataclass(frozen=True)
class Smoothing:
    """Times of the smoother: as short as controllers bear, a second at most (REP-105).

    Attributes:
        correction_s: in which the published pose follows a correction by bundle adjustment [s].
        recovery_s: the longest in which it returns to an estimate after images without one [s].
        converged: offset, over the scene's depth or in radians, below which the two are one.
    """

    correction_s: float = 0.15
    recovery_s: float = 0.4
    converged: float = 0.01


SMOOTHING = Smoothing()


class PoseSmoother:
    """The offset of the published pose from the estimate, and how it decays.

    Bundle adjustment, a loss or a held position move the estimate in a step; the published pose starts where
    it was and comes back at a steady rate.
    """

    def __init__(self) -> None:
        self._offset, self._remaining_s = np.zeros(6), 0.0

    def apply(self, T: Float64) -> Float64:
        """The published pose (4, 4) for an estimate."""
        return T @ se3.exp(self._offset)

    def absorb(self, published: Float64, T: Float64, seconds: float) -> None:
        """Stay at ``published`` (4, 4) though the estimate is ``T``, and follow it within some time."""
        self._start(se3.log(se3.inverse(T) @ published), seconds)

    def absorb_position(self, published: Float64, T: Float64, seconds: float) -> None:
        """The same for the position of ``published`` (4, 4) alone; the rotation goes on."""
        step = se3.log(se3.inverse(T) @ published)
        self._start(np.concatenate([step[:3], self._offset[3:]]), seconds)

    def decay(self, seconds: float) -> None:
        """Follow the estimate at a steady rate: no step is larger than the others."""
        self._offset = self._offset * max(0.0, 1 - seconds / max(self._remaining_s, 1e-9))
        self._remaining_s = max(0.0, self._remaining_s - seconds)

    def distance(self, median_inverse_depth: float) -> float:
        """Offset over the scene's depth (1 / ``median_inverse_depth`` [1/m]) or in radians."""
        c = np.abs(self._offset)
        return float(max(c[:3].max() * median_inverse_depth, c[3:].max()))

    @property
    def covariance(self) -> Float64:
        """(6, 6) that admits the offset."""
        return np.diag(self._offset**2)

    def _start(self, offset: Float64, seconds: float) -> None:
        self._offset, self._remaining_s = offset, max(seconds, self._remaining_s)
