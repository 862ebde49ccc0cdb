# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What this package relies on in tf_transformations: holds for the real one and for the stand-in."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

tf = pytest.importorskip("tf_transformations", reason="no ROS 2: run `make setup` or source one")


def rotations() -> list[NDArray[np.float64]]:
    """Quaternions (x, y, z, w) of unit length with w > 0."""
    q = np.random.default_rng(0).normal(size=(20, 4))
    q *= np.sign(q[:, 3:])
    return list(q / np.linalg.norm(q, axis=1, keepdims=True))


def test_translation() -> None:
    expected = np.identity(4)
    expected[:3, 3] = 1, 2, 3
    np.testing.assert_array_equal(tf.translation_matrix((1, 2, 3)), expected)


def test_a_quarter_turn_about_z_takes_x_to_y() -> None:
    matrix = tf.quaternion_matrix((0, 0, np.sqrt(0.5), np.sqrt(0.5)))
    np.testing.assert_allclose(matrix @ [1, 0, 0, 1], [0, 1, 0, 1], atol=1e-12)


@pytest.mark.parametrize("q", rotations())
def test_quaternion_and_matrix_are_inverse(q: NDArray[np.float64]) -> None:
    matrix = tf.quaternion_matrix(q)
    assert matrix.shape == (4, 4)
    np.testing.assert_allclose(matrix[:3, :3] @ matrix[:3, :3].T, np.identity(3), atol=1e-12)
    matrix[:3, 3] = 4, 5, 6
    back = tf.quaternion_from_matrix(matrix)
    np.testing.assert_allclose(back, q, atol=1e-9)


def test_a_half_turn_survives() -> None:
    q = tf.quaternion_from_matrix(np.diag([1.0, -1.0, -1.0, 1.0]))
    np.testing.assert_allclose(np.abs(q), [1, 0, 0, 0], atol=1e-9)


def test_quaternions_are_normalised() -> None:
    np.testing.assert_allclose(
        tf.quaternion_matrix((0, 0, 2, 2)), tf.quaternion_matrix((0, 0, 0.5**0.5, 0.5**0.5)), atol=1e-12
    )


def test_the_zero_quaternion_turns_nothing() -> None:
    np.testing.assert_array_equal(tf.quaternion_matrix((0, 0, 0, 0)), np.identity(4))


@pytest.mark.parametrize("axes", ["sxyz", "rzyx", "sxyx"])
@pytest.mark.parametrize("q", rotations()[:5])
def test_euler_angles_are_the_same_rotation(q: NDArray[np.float64], axes: str) -> None:
    angles = tf.euler_from_quaternion(q, axes)
    back = tf.quaternion_from_euler(*angles, axes)
    np.testing.assert_allclose(tf.quaternion_matrix(back), tf.quaternion_matrix(q), atol=1e-9)


def test_euler_angles_are_roll_pitch_yaw_about_static_axes() -> None:
    def turn(axis: int, angle: float) -> NDArray[np.float64]:
        q = [0.0, 0.0, 0.0, np.cos(angle / 2)]
        q[axis] = np.sin(angle / 2)
        return np.asarray(tf.quaternion_matrix(q))

    expected = turn(2, 0.3) @ turn(1, 0.2) @ turn(0, 0.1)
    np.testing.assert_allclose(
        tf.quaternion_matrix(tf.quaternion_from_euler(0.1, 0.2, 0.3)), expected, atol=1e-12
    )
    np.testing.assert_allclose(
        tf.euler_from_quaternion(tf.quaternion_from_matrix(expected)), (0.1, 0.2, 0.3), atol=1e-9
    )
