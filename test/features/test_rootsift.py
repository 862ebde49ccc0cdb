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


def test_light_does_not_matter(patches):
    small, _ = patches
    assert np.allclose(describe_patches(small, 6.0), describe_patches(0.4 * small + 3, 6.0), atol=1e-5)


def test_upside_down_reorders_the_histogram(patches):
    small, _ = patches
    a = describe_patches(small, 6.0).reshape(-1, 4, 4, 8)
    b = describe_patches(np.ascontiguousarray(small[:, ::-1, ::-1]), 6.0).reshape(-1, 4, 4, 8)
    assert np.allclose(b, np.roll(a[:, ::-1, ::-1], 4, axis=3), atol=1e-4)


def test_a_bare_patch_is_zero():
    assert not describe_patches(np.full((2, SIDE, SIDE), 7, np.float32), 6.0).any()
