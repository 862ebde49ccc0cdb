"""Depths of the points a keyframe sees."""

from __future__ import annotations

import numpy as np

from hybrid_features_ros.odometry.two_view import Pairs
from hybrid_features_ros.types import Float64


def triangulate(pairs: Pairs, T_a_b: Float64, min_parallax: float) -> Float64:
    """Depths (M,) along the optical axis of camera a, NaN where two rays do not determine one.

    The point of ray a closest to ray b. It counts only if it lies in front of both cameras and the
    rays meet under at least ``min_parallax`` [rad].
    """
    a, b = pairs.rays_a, pairs.rays_b @ T_a_b[:3, :3].T
    t = T_a_b[:3, 3]
    cos = (a * b).sum(axis=1)
    sin2 = np.maximum(1 - cos**2, 1e-12)
    range_a = (a @ t - cos * (b @ t)) / sin2
    range_b = (cos * (a @ t) - b @ t) / sin2
    good = (sin2 > np.sin(min_parallax) ** 2) & (range_a > 0) & (range_b > 0)
    return np.where(good, range_a * a[:, 2], np.nan)


def points_at(rays: Float64, depths: Float64) -> Float64:
    """Points (M, 3) on rays (M, 3) at depths (M,) along the optical axis."""
    return np.asarray(rays * (depths / rays[:, 2])[:, None])


def carry_depths(points: Float64, T_b_a: Float64) -> Float64:
    """Depths (M,) in camera b of points (M, 3) in camera a; NaN behind it."""
    z = points @ T_b_a[2, :3] + T_b_a[2, 3]
    return np.where(z > 0, z, np.nan)
