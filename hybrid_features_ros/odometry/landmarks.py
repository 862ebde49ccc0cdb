# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Landmarks in inverse-depth parametrization (Civera, Davison, Montiel, T-RO 2008)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from hybrid_features_ros.core.types import Bool, Float32, Float64, Int32, Rows
from hybrid_features_ros.odometry.frame import Frame


@dataclass(frozen=True)
class DepthUncertainty:
    """Relative standard deviations of inverse depths; chosen on rendered rooms with exact truth.

    Attributes:
        prior: of an unknown inverse depth, over the scene's median one.
        unknown: of a depth that may be any, where a single image is placed.
        measured: below this, the prior depth came from a sensor.
        known: largest one of a depth that counts as known.
    """

    prior: float = 1.0
    unknown: float = 3.0
    measured: float = 0.5
    known: float = 0.25


DEPTH_UNCERTAINTY = DepthUncertainty()


@dataclass(frozen=True, eq=False)
class Landmarks:
    """L points in inverse-depth parametrization, each on a ray of the keyframe that saw it first.

    Attributes:
        ids: (L,) int32, ascending, never reused.
        anchors: (L,) int32, number of that keyframe.
        rays: (L, 3) unit vectors in its frame.
        ray_sigmas: (L,) standard deviation of the rays per axis [rad].
        inverse_depth, inverse_depth_sigmas: (L,) one over the distance along the ray, as known now [1/m].
        prior_inverse_depth, prior_inverse_depth_sigmas: (L,) the same before any triangulation [1/m].
        descriptors: (L, D) float32, newest ones.
        n_observations: (L,) int32, how many keyframes observe it, without outliers.
        last_seen: (L,) int32, number of the newest of them.
        expected, found: (L,) float32, images that should have shown it, and those of them that did.
        missed: (L,) float32, how many of the newest of those did not, fading.
    """

    ids: Int32
    anchors: Int32
    rays: Float64
    ray_sigmas: Float64
    inverse_depth: Float64
    inverse_depth_sigmas: Float64
    prior_inverse_depth: Float64
    prior_inverse_depth_sigmas: Float64
    descriptors: Float32
    n_observations: Int32
    last_seen: Int32
    expected: Float32
    found: Float32
    missed: Float32

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, rows: object) -> Landmarks:
        return Landmarks(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))

    def joined(self, other: Landmarks) -> Landmarks:
        """These and then the others, whose ids must be larger."""
        names = self.__dataclass_fields__
        return Landmarks(*(np.concatenate([getattr(self, n), getattr(other, n)]) for n in names))

    @cached_property
    def depth_known(self) -> Bool:
        """(L,) bool, whose depth is measured or triangulated."""
        return np.asarray(self.inverse_depth_sigmas < DEPTH_UNCERTAINTY.known * self.inverse_depth)

    @cached_property
    def measured(self) -> Bool:
        """(L,) bool, see :func:`is_measured`."""
        return is_measured(self.prior_inverse_depth, self.prior_inverse_depth_sigmas)

    @cached_property
    def verified(self) -> Bool:
        """(L,) bool, whether a keyframe more than a depth needs has observed the landmark where it should
        be: in its direction, and, where the camera had moved, at its depth.
        """
        return np.asarray(self.n_observations > np.where(self.measured, 1, 2))


def is_measured(inverse_depth: Float64, sigmas: Float64) -> Bool:
    """(L,) bool, whose depth was measured, not triangulated: from the inverse depths (L,) before any
    triangulation and their standard deviations.
    """
    return np.asarray(sigmas < DEPTH_UNCERTAINTY.measured * inverse_depth)


def new_landmarks(
    frame: Frame, feature_idx: Rows, number: int, next_id: int, median_inverse_depth: float
) -> Landmarks:
    """Landmarks of the features (M,) of a keyframe: at their measured depth, or at the scene's median one
    with a standard deviation as large.

    Args:
        number: of the keyframe.
        next_id: of the first landmark.
        median_inverse_depth: one over the scene's median depth [1/m].
    """
    measured = np.isfinite(frame.inverse_depth[feature_idx])
    inverse_depth = np.where(measured, frame.inverse_depth[feature_idx], median_inverse_depth)
    unknown = DEPTH_UNCERTAINTY.prior * median_inverse_depth
    spread = np.where(measured, frame.inverse_depth_sigmas[feature_idx], unknown)
    n = len(feature_idx)
    return Landmarks(
        ids=np.arange(next_id, next_id + n, dtype=np.int32),
        anchors=np.full(n, number, np.int32),
        rays=frame.rays[feature_idx],
        ray_sigmas=frame.sigmas[feature_idx],
        inverse_depth=inverse_depth,
        inverse_depth_sigmas=spread,
        prior_inverse_depth=inverse_depth,
        prior_inverse_depth_sigmas=spread,
        descriptors=frame.descriptors[feature_idx],
        n_observations=np.ones(n, np.int32),
        last_seen=np.full(n, number, np.int32),
        expected=np.zeros(n, np.float32),
        found=np.zeros(n, np.float32),
        missed=np.zeros(n, np.float32),
    )
