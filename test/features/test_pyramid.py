# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Levels half an octave apart that agree about where things are."""

import cv2
import numpy as np
import pytest

from hybrid_features_ros.features.pyramid import BLUR, FINEST_BLUR, STEP, pyramid, to_image, to_level


def blob(x, y, sigma, size=(200, 160)):
    v, u = np.mgrid[: size[1], : size[0]]
    return (220 * np.exp(-((u - x) ** 2 + (v - y) ** 2) / (2 * sigma**2))).astype(np.uint8)


def test_sizes_fall_by_half_octaves_until_too_small():
    levels = pyramid(np.zeros((160, 200), np.uint8), 20)
    assert levels[0].shape == (160, 200)
    assert [len(level) for level in levels] == [round(160 / STEP**i) for i in range(len(levels))]
    assert min(levels[-1].shape) >= 24


def test_blurs_are_those_that_are_said():
    """Every level shows a small blob as large as it and the blurs make it."""
    image = blob(100.0, 80.0, sigma=2.0)
    for i, level in enumerate(pyramid(image, 4)):
        m = cv2.moments(level - level.min())
        expected = np.hypot(2.0 / STEP**i, BLUR if i else FINEST_BLUR)
        assert (m["mu20"] / m["m00"]) ** 0.5 == pytest.approx(expected, rel=0.05)


@pytest.mark.parametrize("place", [(100.0, 80.0), (63.5, 91.2)])
def test_a_blob_stays_where_it_is(place):
    for level in pyramid(blob(*place, sigma=9), 6):
        m = cv2.moments(level)
        there = np.array([[m["m10"], m["m01"]]]) / m["m00"]
        assert np.allclose(to_image(there, level, 200, 160), [place], atol=0.12)
        assert np.allclose(to_level(np.array([place]), level, 200, 160), there, atol=0.12)


def test_turning_the_image_turns_every_level():
    image = np.random.default_rng(0).integers(0, 256, (96, 128), dtype=np.uint8)
    for level, turned in zip(pyramid(image, 5), pyramid(np.rot90(image), 5), strict=True):
        assert np.allclose(np.rot90(level), turned, atol=1e-5)
