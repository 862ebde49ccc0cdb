"""Levels half an octave apart that agree about where things are."""

import cv2
import numpy as np
import pytest

from hybrid_features_ros.features.pyramid import STEP, pyramid, spacing, to_image, to_level


def blob(x, y, sigma, size=(200, 160)):
    v, u = np.mgrid[: size[1], : size[0]]
    return (220 * np.exp(-((u - x) ** 2 + (v - y) ** 2) / (2 * sigma**2))).astype(np.uint8)


def test_sizes_fall_by_half_octaves_until_too_small():
    levels = pyramid(np.zeros((160, 200), np.uint8), 20)
    assert levels[0].shape == (160, 200)
    assert [len(level) for level in levels] == [160, *(round(160 / STEP**i) for i in range(len(levels) - 1))]
    assert min(levels[-1].shape) >= 24


def test_the_finest_level_is_the_sharper_one_of_two_as_large_as_the_image():
    image = np.random.default_rng(0).integers(0, 256, (96, 128), dtype=np.uint8)
    finest, next_ = pyramid(image, 2)
    assert finest.shape == next_.shape == image.shape and finest.std() > 1.3 * next_.std()
    assert len(pyramid(image, 1)) == 1
    assert (spacing(0) * STEP, spacing(1), spacing(5)) == pytest.approx((1, 1, 1))


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
