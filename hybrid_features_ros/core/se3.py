# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Rigid motions as 4x4 matrices.

``T_a_b`` maps homogeneous coordinates in frame b to frame a, so ``T_a_c = T_a_b @ T_b_c``. A twist
``xi`` is a 6-vector ``(rho, phi)``, translation first as in REP-103 covariances, in metres and radians.
Perturbations are on the right, in the axes of the moving frame: ``T = T_mean @ exp(xi)``.

Formulas: Sola, Deray, Atchuthan, "A micro Lie theory for state estimation in robotics" (2018).
"""

from __future__ import annotations

from math import cos, sin, sqrt
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.transform import Rotation

Array = NDArray[np.float64]
_EYE, _IDENTITY = np.eye(3), np.eye(4)


def make(rotation: ArrayLike, translation: ArrayLike) -> Array:
    """Join a (3, 3) rotation matrix and a (3,) translation [m] to a (4, 4) motion."""
    T = _IDENTITY.copy()
    T[:3, :3] = rotation
    T[:3, 3] = translation
    return T


def inverse(T: Array) -> Array:
    """The inverse motion (4, 4): ``inverse(T_a_b)`` is ``T_b_a``."""
    R = T[:3, :3].T
    return make(R, -R @ T[:3, 3])


def skew(v: ArrayLike) -> Array:
    """The (3, 3) matrix of the cross product: ``skew(v) @ w == cross(v, w)``."""
    x, y, z = np.asarray(v, dtype=np.float64).tolist()
    return np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])


def exp(xi: ArrayLike) -> Array:
    """The motion reached by following the twist ``xi`` (6,) for unit time (Sola et al., eq. 172).

    Its rotation is ``I + skew(phi) V``, where ``V`` is the left Jacobian.
    """
    xi = np.asarray(xi, dtype=np.float64)
    V = left_jacobian(xi[3:])
    return make(_EYE + skew(xi[3:]) @ V, V @ xi[:3])


def log(T: Array) -> Array:
    """The twist (6,) whose ``exp`` is ``T``; its angle is at most pi (Sola et al., eq. 173)."""
    phi = rotation_vector(T[:3, :3])
    return np.concatenate([np.linalg.solve(left_jacobian(phi), T[:3, 3]), phi])


def adjoint(T: Array) -> Array:
    """The (6, 6) map of twists: ``T @ exp(xi) == exp(adjoint(T) @ xi) @ T`` (Sola et al., eq. 175)."""
    R = T[:3, :3]
    A = np.zeros((6, 6))
    A[:3, :3] = A[3:, 3:] = R
    A[:3, 3:] = skew(T[:3, 3]) @ R
    return A


def rotations(R: Array) -> Any:
    """SciPy's ``Rotation`` of matrices (3, 3) or (N, 3, 3).

    Of a copy: before version 1.15 SciPy refuses read-only arrays.
    """
    return Rotation.from_matrix(np.array(R))


def rotation_vector(R: Array) -> Array:
    """Axis times angle (3,) [rad] of a rotation matrix."""
    sine = 0.5 * np.array([R[2, 1] - R[1, 2], R[0, 2] - R[2, 0], R[1, 0] - R[0, 1]])
    length, cosine = float(np.sqrt(sine @ sine)), 0.5 * (R[0, 0] + R[1, 1] + R[2, 2] - 1)
    if cosine > 0:  # the usual, small angle, without SciPy's checks
        return sine if length < 1e-9 else sine * (np.arctan2(length, cosine) / length)
    return np.asarray(rotations(R).as_rotvec(), dtype=np.float64)


def rotation_angle(R: Array) -> float:
    """Angle of a (3, 3) rotation matrix in [0, pi] [rad]."""
    return float(np.linalg.norm(rotation_vector(R)))


def to_quaternion(T: Array) -> Array:
    """Unit quaternion ``(x, y, z, w)`` of the rotation, with w >= 0."""
    q: Any = rotations(T[:3, :3]).as_quat()
    return np.asarray(-q if q[3] < 0 else q, dtype=np.float64)


def from_quaternion(xyzw: ArrayLike, translation: ArrayLike = (0.0, 0.0, 0.0)) -> Array:
    """Motion from a quaternion ``(x, y, z, w)`` of any non-zero length and a translation [m].

    Raises:
        ValueError: the quaternion is zero or not finite.
    """
    q = np.array(xyzw, dtype=np.float64)
    if not np.isfinite(q).all() or not q.any():
        raise ValueError(f"quaternion {q.tolist()} is no rotation: it must be finite and not zero")
    return make(Rotation.from_quat(q).as_matrix(), translation)


def to_parent_axes(covariance: Array, T: Array) -> Array:
    """Turn a covariance (6, 6) of ``xi`` (moving axes) into the axes of the parent frame.

    ``nav_msgs/Odometry`` and ``geometry_msgs/PoseWithCovariance`` express the uncertainty of position
    and of rotation in the fixed axes of the header's frame.
    """
    B = np.kron(np.eye(2), T[:3, :3])
    return np.asarray(B @ covariance @ B.T)


def left_jacobian(phi: Array) -> Array:
    """Left Jacobian (3, 3) of SO(3) at the rotation vector ``phi`` (Sola et al., eq. 145)."""
    squared = float(phi @ phi)
    if squared < 1e-8:  # the next terms are of the size of rounding errors
        b, c = 0.5, 1 / 6
    else:
        angle = sqrt(squared)
        b, c = (1 - cos(angle)) / squared, (angle - sin(angle)) / (angle * squared)
    x, y, z = phi.tolist()
    a = 1 - c * squared
    return np.array(
        [
            [a + c * x * x, c * x * y - b * z, c * x * z + b * y],
            [c * y * x + b * z, a + c * y * y, c * y * z - b * x],
            [c * z * x - b * y, c * z * y + b * x, a + c * z * z],
        ]
    )


def symmetric(C: Array) -> Array:
    """The symmetric part of a square matrix (N, N): rounding errors of a covariance removed."""
    return np.asarray((C + C.T) / 2)


def orthonormal(T: Array) -> Array:
    """The motion (4, 4), its rotation made one again after rounding errors (one Newton step)."""
    R = T[:3, :3]
    return make(R @ (1.5 * _EYE - 0.5 * R.T @ R), T[:3, 3])
