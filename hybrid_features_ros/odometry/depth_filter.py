# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Depth filter: inverse depths of landmarks, updated by an image at a known pose."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from hybrid_features_ros.core.types import Float64
from hybrid_features_ros.odometry.local_map import LocalMap, MapMatches
from hybrid_features_ros.odometry.pose_optimizer import linearise
from hybrid_features_ros.odometry.tracking_result import TrackingResult


@dataclass(frozen=True)
class DepthUpdate:
    """Gauss-Newton on one inverse depth; no sweep is on record.

    Attributes:
        gate: residual, in standard deviations per axis, up to which an observation updates a depth.
        steps: of the iteration.
        min_share: of the inverse depth before that is left: no point goes to infinity in one image.
        min_depth: least distance along the anchor's ray that a measured depth may give [m].
    """

    gate: float = 3.0
    steps: int = 3
    min_share: float = 0.05
    min_depth: float = 1e-3


UPDATE = DepthUpdate()


def update_inverse_depths(local_map: LocalMap, tracked: TrackingResult) -> LocalMap:
    """Bayesian update of the inverse depths of the landmarks that an image at a known pose observes.

    First its own measured depths, then triangulation: one unknown each, a few Gauss-Newton steps.
    """
    matches = replace(tracked.matches[tracked.inliers], local_map=local_map)
    local_map = _update_measured(matches, tracked.fit.T)
    rows, marks = matches.landmark_idx, local_map.landmarks
    before, spread = marks.inverse_depth[rows], marks.inverse_depth_sigmas[rows]
    inverse_depth, V, fits = before, 1 / spread**2, np.ones(len(rows), np.bool_)
    observations = replace(matches, local_map=local_map).observations
    observations = replace(observations, inverse_depth_sigmas=spread)
    basis, variance = observations.basis, (observations.sigmas * tracked.fit.noise) ** 2
    for _ in range(UPDATE.steps):
        r, _, A = linearise(replace(observations, inverse_depth=inverse_depth), tracked.fit.T, basis)
        fits = (r**2).sum(axis=0) < 2 * UPDATE.gate**2 * variance
        r = np.where(np.isfinite(r), r, 0)
        V = 1 / spread**2 + (A**2).sum(axis=0) / variance
        gradient = (A * r).sum(axis=0) / variance + (inverse_depth - before) / spread**2
        inverse_depth = np.clip(inverse_depth - gradient / V, UPDATE.min_share * before, None)
    changed, spreads = marks.inverse_depth.copy(), marks.inverse_depth_sigmas.copy()
    changed[rows] = np.where(fits, inverse_depth, before)
    spreads[rows] = np.where(fits, 1 / np.sqrt(V), spread)
    marks = replace(marks, inverse_depth=changed, inverse_depth_sigmas=spreads)
    return replace(local_map, landmarks=marks)


def _update_measured(matches: MapMatches, T: Float64) -> LocalMap:
    """Measured depths of an image, turned into depths along the anchors' rays and averaged into the prior."""
    local_map, frame = matches.local_map, matches.frame
    has = np.isfinite(frame.inverse_depth[matches.feature_idx])
    rows, features = matches.landmark_idx[has], matches.feature_idx[has]
    if not len(rows):
        return local_map
    depths = frame.inverse_depth[features]
    points = (frame.rays[features] / depths[:, None]) @ T[:3, :3].T + T[:3, 3]
    along = ((points - local_map.origins[rows]) * local_map.directions[rows]).sum(1)
    inverse_depth = 1 / np.maximum(along, UPDATE.min_depth)
    spread = frame.inverse_depth_sigmas[features] * (inverse_depth / depths) ** 2
    marks = local_map.landmarks
    changes: dict[str, Any] = {}
    for name in ("prior_inverse_depth", "inverse_depth"):
        mean, sigma = getattr(marks, name).copy(), getattr(marks, f"{name}_sigmas").copy()
        agrees = np.abs(mean[rows] - inverse_depth) < UPDATE.gate * np.hypot(sigma[rows], spread)
        at, value, s = rows[agrees], inverse_depth[agrees], spread[agrees]
        weight = 1 / sigma[at] ** 2 + 1 / s**2
        mean[at] = (mean[at] / sigma[at] ** 2 + value / s**2) / weight
        sigma[at] = 1 / np.sqrt(weight)
        changes[name], changes[f"{name}_sigmas"] = mean, sigma
    return replace(local_map, landmarks=replace(marks, **changes))
