# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Levels half an octave apart that agree about where things are."""

import cv2
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.ndimage import map_coordinates

from hybrid_features_ros.features.pyramid import (
    BLUR,
    FINEST_BLUR,
    STEP,
    _resized,
    pyramid,
    snapped,
    to_image,
    to_level,
)
from hybrid_features_ros.features.workspace import Workspace


def blob(x, y, sigma, size=(200, 160)):
    v, u = np.mgrid[: size[1], : size[0]]
    return (220 * np.exp(-((u - x) ** 2 + (v - y) ** 2) / (2 * sigma**2))).astype(np.uint8)


def test_sizes_fall_by_half_octaves_until_too_small():
    levels = pyramid(np.zeros((160, 200), np.uint8), 20)
    assert levels[0].shape == (160, 200)
    assert [len(level) for level in levels] == [round(160 / STEP**i) for i in range(len(levels))]
    assert min(levels[-1].shape) >= 24


@settings(deadline=None)
@given(st.integers(24, 90), st.integers(24, 90), st.integers(16, 60), st.integers(16, 60))
@example(90, 60, 45, 30)
def test_resizing_interpolates_linearly(height, width, rows, columns):
    image = np.random.default_rng(0).random((height, width)).astype(np.float32)
    expected = image.astype(float)
    for n in (rows, columns):
        at = (np.arange(n) + 0.5) * (len(expected) / n) - 0.5
        between = [np.interp(at, np.arange(len(expected)), column) for column in expected.T]
        expected = np.array(between)  # turned over, so that the columns are next
    found = _resized(image, columns, rows, Workspace())
    assert np.allclose(found, expected, atol=1e-6)


def test_any_opencv_interpolates_snapped_positions_exactly():
    random = np.random.default_rng(1)
    image = random.random((60, 80)).astype(np.float32)
    x, y = (snapped(random.uniform(0, side - 1, (200, 1)).astype(np.float32)) for side in (80, 60))
    found = cv2.remap(image, x, y, cv2.INTER_LINEAR)
    expected = map_coordinates(image.astype(float), [y.ravel(), x.ravel()], order=1)
    assert np.allclose(found.ravel(), expected, atol=1e-6)


def test_snapped_positions_are_the_nearest_32nds():
    positions = np.random.default_rng(0).uniform(0, 600, 1000).astype(np.float32)
    found = snapped(positions.copy())
    assert np.array_equal(found * 32, np.rint(found * 32))
    assert np.abs(found - positions).max() <= 1 / 64 + 1e-4


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
