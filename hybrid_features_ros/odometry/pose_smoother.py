"""The published pose: it follows the estimate and never jumps (REP-105)."""

from __future__ import annotations

import numpy as np

from hybrid_features_ros.core import se3
from hybrid_features_ros.core.types import Float64


class Published:
    """The difference between the published pose and the estimate, and how it fades.

    Bundle adjustment, a loss or a held position move the estimate in a step; the published pose starts where
    it was and comes back at a steady rate.
    """

    def __init__(self) -> None:
        self._correction, self._settles = np.zeros(6), 0.0

    def at(self, T: Float64) -> Float64:
        """The published pose (4, 4) for an estimate."""
        return T @ se3.exp(self._correction)

    def keep(self, published: Float64, T: Float64, seconds: float) -> None:
        """Stay at ``published`` (4, 4) though the estimate is ``T``, and follow it within some time."""
        self._start(se3.log(se3.inverse(T) @ published), seconds)

    def keep_place(self, published: Float64, T: Float64, seconds: float) -> None:
        """The same for the position of ``published`` (4, 4) alone; the rotation goes on."""
        step = se3.log(se3.inverse(T) @ published)
        self._start(np.concatenate([step[:3], self._correction[3:]]), seconds)

    def settle(self, seconds: float) -> None:
        """Follow the estimate at a steady rate: no step is larger than the others."""
        self._correction = self._correction * max(0.0, 1 - seconds / max(self._settles, 1e-9))
        self._settles = max(0.0, self._settles - seconds)

    def off(self, usual: float) -> float:
        """How far it is from the estimate: over the scene's depth (1 / ``usual`` [1/m]) or in radians."""
        c = np.abs(self._correction)
        return float(max(c[:3].max() * usual, c[3:].max()))

    @property
    def covariance(self) -> Float64:
        """(6, 6) that admits the difference."""
        return np.diag(self._correction**2)

    def _start(self, correction: Float64, seconds: float) -> None:
        self._correction, self._settles = correction, max(seconds, self._settles)
