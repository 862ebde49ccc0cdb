# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""SE(3) algebra holds for every motion."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hybrid_features_ros.core import se3

# Angles stay below pi, where the logarithm is unique.
twists = arrays(np.float64, 6, elements=st.floats(-1.7, 1.7))


@given(twists)
def test_log_undoes_exp(xi):
    assert np.allclose(se3.log(se3.exp(xi)), xi, atol=1e-9)


@given(twists, twists)
def test_adjoint_moves_a_twist_to_the_other_side(xi, eta):
    T = se3.exp(xi)
    assert np.allclose(T @ se3.exp(eta), se3.exp(se3.adjoint(T) @ eta) @ T, atol=1e-9)


@given(twists)
def test_inverse(xi):
    T = se3.exp(xi)
    assert np.allclose(T @ se3.inverse(T), np.eye(4), atol=1e-12)
    assert np.allclose(se3.inverse(T), se3.exp(-xi), atol=1e-9)


@given(twists)
def test_quaternion_round_trip(xi):
    T = se3.exp(xi)
    q = se3.to_quaternion(T)
    assert q[3] >= 0
    assert np.allclose(se3.from_quaternion(q, T[:3, 3]), T, atol=1e-12)


def test_exp_follows_a_known_screw():
    """A quarter turn about z while moving along x: a circle of radius 2/pi."""
    T = se3.exp([1.0, 0, 0, 0, 0, np.pi / 2])
    assert np.allclose(T[:3, 3], [2 / np.pi, 2 / np.pi, 0])
    assert np.allclose(T[:3, 0], [0, 1, 0])


def test_exp_is_smooth_where_its_formula_changes():
    direction = np.array([0.3, -0.2, 0.5, 0.6, 0.0, 0.8])
    below, above = se3.exp(direction * 0.99e-4), se3.exp(direction * 1.01e-4)
    assert np.allclose(se3.log(below) / 0.99e-4, se3.log(above) / 1.01e-4, atol=1e-9)


def test_rotation_angle_of_half_a_turn():
    assert se3.rotation_angle(np.diag([1.0, -1.0, -1.0])) == pytest.approx(np.pi)


def test_covariance_in_parent_axes_matches_sampling():
    rng = np.random.default_rng(0)
    T = se3.exp([1, 2, 3, 0.4, -0.9, 0.2])
    root = rng.normal(size=(6, 6)) * 1e-3
    samples = [T @ se3.exp(root @ rng.normal(size=6)) for _ in range(4000)]
    moved = np.array([S[:3, 3] - T[:3, 3] for S in samples])
    turned = np.array([se3.rotation_vector(S[:3, :3] @ T[:3, :3].T) for S in samples])
    expected = se3.to_parent_axes(root @ root.T, T)
    assert np.allclose(np.cov(np.hstack([moved, turned]).T), expected, atol=0.1 * np.abs(expected).max())


@pytest.mark.parametrize("bad", [[0, 0, 0, 0], [np.nan, 0, 0, 1]])
def test_no_rotation_in_a_broken_quaternion(bad):
    with pytest.raises(ValueError, match="no rotation"):
        se3.from_quaternion(bad)


def test_frozen_arrays_are_welcome():
    """SciPy before 1.15 hands only writable arrays to its compiled code; types freeze theirs."""
    T = se3.exp([1.0, 2.0, 3.0, 2.0, -1.0, 0.5])
    q = se3.to_quaternion(T)
    frozen = [a.copy() for a in (T, q, T[:3, 3])]
    for array in frozen:
        array.flags.writeable = False
    assert np.array_equal(se3.to_quaternion(frozen[0]), q)
    assert np.array_equal(se3.log(frozen[0]), se3.log(T))
    assert np.allclose(se3.from_quaternion(*frozen[1:]), T)
    assert np.allclose(se3.rotations(np.broadcast_to(T[:3, :3], (2, 3, 3))).as_matrix(), T[:3, :3])
