# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The cheap form of the network: principal axes of energies, and stencils for smooth levels."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hybrid_features_ros.features.pyramid import gauss, pyramid
from hybrid_features_ros.features.steerable import (
    SteerableNetwork,
    Stencil,
    harmonics,
    level_covariance,
    principal_filters,
    stencil,
)
from hybrid_features_ros.features.weights import Weights, load_weights
from hybrid_features_ros.features.workspace import Workspace

NUMBERS = st.floats(-1, 1, width=32)


@given(
    st.integers(0, 3), arrays(np.float32, (3, 3), elements=NUMBERS), arrays(np.float32, 3, elements=NUMBERS)
)
def test_principal_axes_carry_the_whole_form(order, profiles, signs):
    """Sum of signed squares of the axes' responses = that of the filters', for any patch."""
    basis = harmonics(order).reshape(3, 2, 49)
    patch = np.random.default_rng(order).normal(size=49)
    parts = 2 if order else 1
    squares = [((profiles @ basis[:, p]) @ patch) ** 2 for p in range(parts)]
    expected = sum(signs @ s for s in squares)
    scale = sum(np.abs(signs) @ s for s in squares)
    found = sum(sign * (k.ravel() @ patch) ** 2 for sign, k in principal_filters(order, profiles, signs))
    assert found == pytest.approx(expected, abs=0.02 * scale + 1e-9)


@pytest.mark.parametrize("order", [0, 1, 2, 3])
def test_a_stencil_answers_smooth_images_as_its_kernel_does(order):
    kernel = harmonics(order)[1, 0]
    noise = np.random.default_rng(1).normal(0, 1, (200, 200)).astype(np.float32)
    level = cv2.GaussianBlur(noise, (0, 0), 2.0)
    expected = cv2.filter2D(level, cv2.CV_32F, kernel)
    strength = float(kernel.ravel() @ level_covariance(3) @ kernel.ravel()) ** 0.5
    small = stencil(kernel, 0.01 * strength)
    window, found = gauss(2, 1.0), np.empty_like(level)
    small.apply(cv2.sepFilter2D(level, -1, window, window), found)
    assert np.std(found - expected) < 0.03 * np.std(expected)
    assert abs(small.kernel.sum()) < 1e-5 * np.abs(small.kernel).sum()


def test_quarter_turns_are_exact():
    image = np.random.default_rng(0).integers(0, 256, (96, 96), dtype=np.uint8)
    level = pyramid(image, 1)[0]
    network = SteerableNetwork(load_weights("strek"), Workspace())
    straight = network.heat(level, 0).logits.copy()
    turned = network.heat(np.ascontiguousarray(np.rot90(level)), 0).logits
    assert np.allclose(np.rot90(straight), turned, atol=2e-3)


def test_several_factors_multiply():
    """Twice the same factor, each with half the exponent, is the factor itself."""
    weights = load_weights("strek")
    double = {k: np.concatenate([weights.arrays[k]] * 2) for k in ("signs", "floors", "exponents")}
    double["exponents"] = double["exponents"] / 2
    level = pyramid(np.random.default_rng(0).integers(0, 256, (60, 80), dtype=np.uint8), 1)[0]
    once = SteerableNetwork(weights, Workspace()).heat(level, 2).logits
    twice = SteerableNetwork(Weights({**weights.arrays, **double}, {}), Workspace()).heat(level, 2).logits
    assert np.allclose(once, twice, atol=1e-3)


@pytest.mark.parametrize("rank", [1, 2])
def test_the_last_digits_of_a_linear_algebra_library_change_no_stencil(rank):
    """Of a kernel of rank one, which is applied as a row and a column, and of another."""
    random = np.random.default_rng(rank)
    kernel = sum(np.outer(*random.normal(size=(2, 3))) for _ in range(rank))
    one, other = (Stencil.make(k) for k in (kernel, kernel * (1 + 1e-12)))
    assert (one.row is None) == (rank == 2)
    assert np.array_equal(one.kernel, other.kernel)
