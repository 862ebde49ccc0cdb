# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""RootSIFT of patches against OpenCV's, and what turning the world does to it."""

import cv2
import numpy as np
import pytest

from hybrid_features_ros.features.rootsift import describe_patches
from hybrid_features_ros.features.sift import root_sift

SIDE = 40


@pytest.fixture(scope="module")
def patches():
    rng = np.random.default_rng(1)
    noise = rng.normal(0, 1, (60, 120, 120)).astype(np.float32)
    return np.array([cv2.GaussianBlur(n, (0, 0), 4)[40:80, 40:80] for n in noise]), np.array(
        [cv2.GaussianBlur(n, (0, 0), 4) for n in noise]
    )


def test_close_to_opencv(patches):
    """The same cells on the same image; OpenCV blurs it a little more, to the keypoint's scale."""
    small, large = patches
    ours = describe_patches(small, cell=6.0)  # three times a scale of 2
    sift = cv2.SIFT_create()
    similar = []
    for descriptor, image in zip(ours, large, strict=True):
        gray = np.clip(128 + 600 * image, 0, 255).astype(np.uint8)
        keypoint = cv2.KeyPoint(59.5, 59.5, 4.0, 0.0)
        _, raw = sift.compute(gray, [keypoint])
        similar.append(float(root_sift(raw)[0] @ descriptor))
    assert np.min(similar) > 0.97


def test_equals_its_definition(patches):
    """Sample by sample: linear shares in two directions and four cells, under the window."""
    patch, cell, side = patches[0][0], 6.0, SIDE
    histogram = np.zeros((4, 4, 8))
    for y in range(1, side - 1):
        for x in range(1, side - 1):
            gx, gy = patch[y, x + 1] - patch[y, x - 1], patch[y + 1, x] - patch[y - 1, x]
            turn = (-np.arctan2(gy, gx) / (2 * np.pi) * 8) % 8
            v, u = (y - (side - 1) / 2) / cell, (x - (side - 1) / 2) / cell
            strength = np.hypot(gx, gy) * np.exp(-(u**2 + v**2) / 8)
            for i, j, k in np.ndindex(4, 4, 8):
                apart = min(abs(turn - k), 8 - abs(turn - k))
                shares = (1 - abs(v - (i - 1.5)), 1 - abs(u - (j - 1.5)), 1 - apart)
                histogram[i, j, k] += strength * np.prod(np.maximum(shares, 0))
    clipped = np.minimum(histogram, 0.2 * np.linalg.norm(histogram)).ravel()
    expected = np.sqrt(clipped / clipped.sum())
    found = describe_patches(patches[0][:1], cell)[0]
    assert np.allclose(found**2, expected**2, atol=1e-5)


def test_light_does_not_matter(patches):
    small, _ = patches
    assert np.allclose(describe_patches(small, 6.0), describe_patches(0.4 * small + 3, 6.0), atol=1e-3)


def test_upside_down_reorders_the_histogram(patches):
    small, _ = patches
    a = describe_patches(small, 6.0).reshape(-1, 4, 4, 8)
    b = describe_patches(np.ascontiguousarray(small[:, ::-1, ::-1]), 6.0).reshape(-1, 4, 4, 8)
    assert np.allclose(b, np.roll(a[:, ::-1, ::-1], 4, axis=3), atol=1e-3)


def test_a_bare_patch_is_zero():
    assert not describe_patches(np.full((2, SIDE, SIDE), 7, np.float32), 6.0).any()
