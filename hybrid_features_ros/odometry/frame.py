# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""One image as the odometry sees it: rays with their noise, and inverse depths where measured."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial.transform import Rotation

from hybrid_features_ros.core.camera import Camera
from hybrid_features_ros.core.types import Features, Float32, Float64, Int32
from hybrid_features_ros.matching.descriptors import descriptor_vectors


@dataclass(frozen=True, eq=False)
class Frame:
    """Features turned into bearing vectors.

    Attributes:
        stamp: of the image [ns].
        number: of the image since the last reset, from 0.
        descriptors: (N, D) float32, as numbers.
        rays: (N, 3) unit vectors in the camera's frame.
        sigmas: (N,) standard deviation of a ray per axis [rad].
        inverse_depth: (N,) one over the measured distance along the ray [1/m], NaN = not measured.
        inverse_depth_sigmas: (N,) its standard deviation [1/m].
        rows: (N,) where in the image each feature is, from -0.5 in the first row to 0.5 in the last.
        track_ids: (N,) int32, identity of the features over time; None = not tracked.
        landmark_ids: (N,) int32, of the landmark that each feature shows, -1 = none, in an image whose
            features were all followed from one before, see :mod:`tracks`; None = in others.
        turning, readout_s: angular velocity (3,) [rad/s] and read-out [s] that rays were put right by; None =
            they were not.
    """

    stamp: int
    number: int
    descriptors: Float32
    rays: Float64
    sigmas: Float64
    inverse_depth: Float64
    inverse_depth_sigmas: Float64
    rows: Float64
    track_ids: Int32 | None = None
    landmark_ids: Int32 | None = None
    turning: Float64 | None = None
    readout_s: float = 0.0

    def __len__(self) -> int:
        return len(self.rays)

    @property
    def is_followed(self) -> bool:
        """Whether nothing was detected in the image: all its features are those of an image before."""
        return self.landmark_ids is not None

    def at_one_time(self, angular_velocity: Float64, readout_s: float) -> Frame:
        """What a camera that turns would have seen had it exposed all rows with the middle one.

        Args:
            angular_velocity: (3,) in its own axes [rad/s].
            readout_s: from the first row to the last [s].
        """
        turns = Rotation.from_rotvec(np.outer(self.rows * readout_s, angular_velocity))
        return replace(self, rays=turns.apply(self.rays), turning=angular_velocity, readout_s=readout_s)

    def as_exposed(self) -> Frame:
        """With the rays as the rows saw them: :meth:`at_one_time` undone."""
        if self.turning is None:
            return self
        return replace(self.at_one_time(self.turning, -self.readout_s), turning=None, readout_s=0.0)

    @staticmethod
    def make(
        stamp: int, features: Features, camera: Camera, inverse_depth_sigma: float, number: int = 0
    ) -> Frame:
        """Bearing vectors of all features; where the features do not tell their depth's noise, it is
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
        return Frame(
            stamp=stamp,
            number=number,
            descriptors=descriptor_vectors(features),
            rays=rays,
            sigmas=features.sigmas.astype(float) / camera.focal,
            inverse_depth=rays[:, 2] / depths,
            inverse_depth_sigmas=spread * rays[:, 2],
            rows=features.points[:, 1].astype(float) / max(camera.height - 1, 1) - 0.5,
            track_ids=features.track_ids,
        )
