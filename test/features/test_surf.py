# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""SURF of patches: what does not depend on the pictures."""

import cv2
import numpy as np
import pytest

from hybrid_features_ros.features.surf import describe_patches

SIDE = 40


@pytest.fixture(scope="module")
def images():
    rng = np.random.default_rng(1)
    noise = rng.normal(0, 1, (40, 120, 120)).astype(np.float32)
    return np.array([cv2.GaussianBlur(n, (0, 0), 3) for n in noise])


def test_unit_length_and_light_does_not_matter(images):
    patches = images[:, 40:80, 40:80]
    found = describe_patches(patches, 6.0)
    assert found.shape == (40, 64)
    assert np.allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
    assert np.allclose(found, describe_patches(0.4 * patches + 3, 6.0), atol=1e-5)


def test_a_mirror_reorders_the_cells_and_turns_dx(images):
    patches = images[:, 40:80, 40:80]
    a = describe_patches(patches, 6.0).reshape(-1, 4, 4, 4)
    b = describe_patches(np.ascontiguousarray(patches[:, :, ::-1]), 6.0).reshape(-1, 4, 4, 4)
    assert np.allclose(b, a[:, :, ::-1] * np.array([-1, 1, 1, 1]), atol=1e-5)


def test_a_bare_patch_is_zero():
    assert not describe_patches(np.full((2, SIDE, SIDE), 7, np.float32), 6.0).any()


def test_tells_patches_apart_as_another_implementation_does(images):
    """Of noisy copies the nearest is the right one, for ours and for mahotas' SURF at the same places."""
    surf = pytest.importorskip("mahotas.features.surf", reason="mahotas is not installed (x86-64 only)")
    rng = np.random.default_rng(2)
    noisy = images + rng.normal(0, 0.03, images.shape).astype(np.float32)
    place = np.array([[60.0, 60.0, 2.5, 1.0, 1.0]])

    def theirs(image):
        gray = np.clip(128 + 400 * image, 0, 255).astype(np.uint8)
        return surf.descriptors(gray, place, descriptor_only=True)[0]

    def share(a, b):
        return float(((a @ b.T).argmax(axis=1) == np.arange(len(a))).mean())

    others = share(np.array([theirs(i) for i in images]), np.array([theirs(i) for i in noisy]))
    ours = share(*(describe_patches(i[:, 40:80, 40:80], 6.0) for i in (images, noisy)))
    assert ours >= others
