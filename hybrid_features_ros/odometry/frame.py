"""One image as the odometry sees it: rays with their noise, and inverse distances where measured."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hybrid_features_ros.core.camera import Camera
from hybrid_features_ros.core.types import Features, Float32, Float64
from hybrid_features_ros.matching.descriptors import values


@dataclass(frozen=True, eq=False)
class View:
    """Features turned into rays.

    Attributes:
        stamp: of the image [ns].
        values: (N, D) float32, descriptors as numbers.
        rays: (N, 3) unit vectors in the camera's frame.
        sigmas: (N,) standard deviation of a ray per axis [rad].
        inverse: (N,) one over the measured distance along the ray [1/m], NaN = not measured.
        inverse_sigmas: (N,) its standard deviation [1/m].
    """

    stamp: int
    values: Float32
    rays: Float64
    sigmas: Float64
    inverse: Float64
    inverse_sigmas: Float64

    def __len__(self) -> int:
        return len(self.rays)

    @staticmethod
    def make(stamp: int, features: Features, camera: Camera, inverse_depth_sigma: float) -> View:
        """Rays of all features; where the features do not tell their depth's noise, it is
        ``inverse_depth_sigma`` [1/m], which is how disparity-measuring sensors err.
        """
        rays = camera.bearings(features.points)
        depths = np.full(len(features), np.nan) if features.depths is None else features.depths.astype(float)
        with np.errstate(divide="ignore", invalid="ignore"):
            depths = np.where((depths > 0) & (rays[:, 2] > 0.01), depths, np.nan)
            spread = np.full(len(features), inverse_depth_sigma)
            if features.depth_sigmas is not None:
                given = features.depth_sigmas / depths**2
                spread = np.where(np.isfinite(given) & (given > 0), given, spread)
        return View(
            stamp=stamp,
            values=values(features),
            rays=rays,
            sigmas=features.sigmas.astype(float) / camera.focal,
            inverse=rays[:, 2] / depths,
            inverse_sigmas=spread * rays[:, 2],
        )
