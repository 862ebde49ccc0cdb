# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Stand-in for the part of tf_transformations that this package calls; quaternions are (x, y, z, w)."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.transform import Rotation

Quaternion = tuple[float, float, float, float]


def translation_matrix(direction: ArrayLike) -> NDArray[np.float64]:
    """(4, 4) matrix that moves by ``direction``, (3,)."""
    matrix = np.identity(4)
    matrix[:3, 3] = np.asarray(direction)[:3]
    return matrix


def quaternion_matrix(quaternion: ArrayLike) -> NDArray[np.float64]:
    """(4, 4) matrix of a rotation; a quaternion need not have unit length, a zero one turns nothing."""
    q = np.asarray(quaternion, dtype=np.float64)
    matrix = np.identity(4)
    if np.linalg.norm(q) > np.finfo(np.float64).eps:
        matrix[:3, :3] = Rotation.from_quat(q).as_matrix()
    return matrix


def quaternion_from_matrix(matrix: ArrayLike) -> Quaternion:
    """Quaternion with w >= 0 of the rotation in a (4, 4) matrix."""
    return _ordered(Rotation.from_matrix(np.array(matrix, dtype=np.float64)[:3, :3]))


def quaternion_from_euler(ai: float, aj: float, ak: float, axes: str = "sxyz") -> Quaternion:
    """Quaternion of three turns about static (``sxyz`` ...) or rotating (``rzyx`` ...) axes [rad]."""
    return _ordered(Rotation.from_euler(_sequence(axes), (ai, aj, ak)))


def euler_from_quaternion(quaternion: ArrayLike, axes: str = "sxyz") -> tuple[float, float, float]:
    """Inverse of :func:`quaternion_from_euler`."""
    matrix = quaternion_matrix(quaternion)[:3, :3]
    a, b, c = Rotation.from_matrix(matrix).as_euler(_sequence(axes)).tolist()
    return a, b, c


def _sequence(axes: str) -> str:
    """In scipy's notation: lower case for static axes, upper case for rotating ones."""
    return axes[1:] if axes[0] == "s" else axes[1:].upper()


def _ordered(rotation: Rotation) -> Quaternion:
    x, y, z, w = rotation.as_quat().tolist()
    return (x, y, z, w) if w >= 0 else (-x, -y, -z, -w)
