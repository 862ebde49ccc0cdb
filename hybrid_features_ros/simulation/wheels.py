# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Wheels that roll along a known path: motion priors with slip and noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hybrid_features_ros.core import se3
from hybrid_features_ros.core.motion_prior import MotionPrior
from hybrid_features_ros.core.types import Trajectory


@dataclass(frozen=True)
class Wheels:
    """What wheels err.

    Attributes:
        slip: share by which all lengths are too long; the priors do not tell.
        noise_m: standard deviation of the translation after a metre [m]; grows with the root of the distance.
        noise_rad: standard deviation of the rotation after a second [rad]; grows with the root of time.
        seed: of the noise.
    """

    slip: float = 0.02
    noise_m: float = 0.01
    noise_rad: float = 0.005
    seed: int = 0

    def priors(self, path: Trajectory) -> list[MotionPrior | None]:
        """The motion to every pose of a path from the one before, with the covariance of the noise; None to
        the first.
        """
        rng, result = np.random.default_rng(self.seed), [None]
        motions = [se3.inverse(a) @ b for a, b in zip(path.poses[:-1], path.poses[1:], strict=True)]
        return result + [
            self._measured(T, seconds, rng)
            for T, seconds in zip(motions, np.diff(path.stamps) * 1e-9, strict=True)
        ]

    def _measured(self, T: np.ndarray, seconds: float, rng: np.random.Generator) -> MotionPrior:
        m = self.noise_m * np.sqrt(float(np.linalg.norm(T[:3, 3])))
        sigmas = np.array([m] * 3 + [self.noise_rad * np.sqrt(seconds)] * 3)
        longer = se3.make(T[:3, :3], (1 + self.slip) * T[:3, 3])
        return MotionPrior(longer @ se3.exp(sigmas * rng.normal(size=6)), np.diag(sigmas**2))
