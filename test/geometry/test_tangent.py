# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Bases of tangent planes are orthonormal, products are those of numpy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid_features_ros.geometry.tangent import cross, dot, tangent_bases, tangent_basis

VECTORS = st.tuples(*[st.floats(-1, 1)] * 3).filter(lambda v: np.linalg.norm(v) > 0.1)


@given(VECTORS)
def test_one_basis_is_orthonormal_and_right_handed(v):
    ray = np.array(v) / np.linalg.norm(v)
    frame = np.vstack([tangent_basis(ray), ray])
    assert np.allclose(frame @ frame.T, np.eye(3), atol=1e-12)
    assert np.isclose(np.linalg.det(frame), 1)


@given(st.lists(VECTORS, min_size=1, max_size=20))
def test_many_bases_are_orthonormal(vectors):
    rays = np.array(vectors) / np.linalg.norm(vectors, axis=1, keepdims=True)
    frames = np.concatenate([tangent_bases(rays), rays.T[None]]).transpose(2, 0, 1)
    assert np.allclose(frames @ frames.transpose(0, 2, 1), np.eye(3), atol=1e-12)


@pytest.mark.parametrize("ray", [[0, 0, 1], [0, 0, -1], [1, 0, 0], [0, -1, 0]])
def test_the_axes_have_bases(ray):
    basis = tangent_basis(np.array(ray, float))
    assert np.allclose(basis @ basis.T, np.eye(2)) and np.allclose(basis @ ray, 0)


def test_products_are_those_of_numpy():
    a, b = np.random.default_rng(0).normal(size=(2, 3, 50))
    assert np.allclose(dot(a, b), (a * b).sum(axis=0))
    assert np.allclose(cross(a, b), np.cross(a.T, b.T).T)
