# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Tangent planes of the unit sphere: products of many vectors at once, and orthonormal bases.

Vectors come as columns (3, M), so that every operation runs along memory.
"""

from __future__ import annotations

from math import copysign

import numpy as np

from hybrid_features_ros.core.types import Float64

TANGENT_COSINE = 0.2  # of a ray and its prediction, 78 degrees: beyond, their tangent planes say nothing
PROJECTABLE_Z = 0.05  # of a ray that is projected onto the plane z = 1: 87 degrees off the axis


def dot(a: Float64, b: Float64) -> Float64:
    """Scalar products of vectors (..., 3, M)."""
    c = a * b
    return np.asarray(c[..., 0, :] + c[..., 1, :] + c[..., 2, :])


def cross(a: Float64, b: Float64) -> Float64:
    """Cross products of vectors (..., 3, M): numpy's own, without its overhead."""
    a0, a1, a2 = a[..., 0, :], a[..., 1, :], a[..., 2, :]
    b0, b1, b2 = b[..., 0, :], b[..., 1, :], b[..., 2, :]
    c = np.empty(np.broadcast(a, b).shape)
    c[..., 0, :], c[..., 1, :], c[..., 2, :] = a1 * b2 - a2 * b1, a2 * b0 - a0 * b2, a0 * b1 - a1 * b0
    return c


def unit(v: Float64) -> Float64:
    """The unit vector (3,) along a vector."""
    return np.asarray(v / np.linalg.norm(v))


def tangent_basis(ray: Float64) -> Float64:
    """(2, 3) orthonormal basis of the plane perpendicular to one unit vector (3,).

    Duff et al., "Building an orthonormal basis, revisited" (2017).
    """
    x, y, z = ray.tolist()
    sign = copysign(1.0, z)
    a = -1 / (sign + z)
    return np.array([[1 + sign * x * x * a, sign * x * y * a, -sign * x], [x * y * a, sign + y * y * a, -y]])


def tangent_bases(rays: Float64) -> Float64:
    """(2, 3, M) orthonormal bases of the planes perpendicular to unit vectors (M, 3)."""
    x, y, z = rays.T
    level = np.abs(z) < 0.9
    zero = np.zeros_like(z)
    first = np.where(level, [y, -x, zero], [zero, z, -y])  # perpendicular to the z axis, or to the x axis
    first /= np.sqrt(dot(first, first))
    return np.stack([first, cross(np.ascontiguousarray(rays.T), first)])
