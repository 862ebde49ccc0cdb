# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The lens model is OpenCV's, and is undone to rounding errors whatever OpenCV is installed."""

import cv2
import numpy as np
import pytest

from hybrid_features_ros.core.lens import distort, undistort

LENSES = [
    (-0.28, 0.074, 2e-4, 1.8e-5),
    (-0.28, 0.074, 2e-4, 1.8e-5, -0.01),
    (0.26, -0.95, -5e-3, 2e-3, 1.16),  # a cheap lens: turns back within the corners of its image
    (0.1, 0.02, 1e-4, -1e-4, 0.01, 0.1, 0.05, 0.01),
    (0.1, 0.02, 1e-4, -1e-4, 0.01, 0.1, 0.05, 0.01, 0.01, 0.02, -0.01, 0.003),
    (0.1, 0.02, 1e-4, -1e-4, 0.01, 0.1, 0.05, 0.01, 0.01, 0.02, -0.01, 0.003, 0.05, -0.03),
]
POINTS = np.random.default_rng(0).uniform(-0.6, 0.6, (500, 2))


@pytest.mark.parametrize("coefficients", LENSES)
def test_the_model_is_that_of_opencv(coefficients):
    rays = np.column_stack([POINTS, np.ones(len(POINTS))])
    expected = cv2.projectPoints(rays, np.zeros(3), np.zeros(3), np.eye(3), np.array(coefficients))[0]
    assert np.allclose(distort(POINTS, coefficients), expected.reshape(-1, 2), atol=1e-14)


@pytest.mark.parametrize("coefficients", LENSES)
def test_what_is_distorted_can_be_undone(coefficients):
    assert np.allclose(undistort(distort(POINTS, coefficients), coefficients), POINTS, atol=1e-12)


@pytest.mark.parametrize("coefficients", LENSES)
def test_beyond_the_lens_the_result_is_finite(coefficients):
    far = np.array([[3.0, 2.0], [-50.0, 0.0], [0.0, 1e3]])
    assert np.isfinite(undistort(far, coefficients)).all()
