# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Depth images become an attribute of features."""

import numpy as np
import pytest

from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.features.depth import with_depth


def test_every_feature_has_the_depth_of_its_pixel(world):
    features = world.seen_from(np.eye(4))
    y, x = np.mgrid[:480, :640]
    depth = (1 + x + 1000.0 * y).astype(np.float32)
    expected = 1 + np.rint(features.points[:, 0]) + 1000 * np.rint(features.points[:, 1])
    assert np.array_equal(with_depth(features, depth).depths, expected)


@pytest.mark.parametrize("unknown", [0.0, -1.0, np.nan, np.inf])
def test_unknown_depth_is_nan(world, unknown):
    features = with_depth(world.seen_from(np.eye(4)), np.full((480, 640), unknown, np.float32))
    assert np.isnan(features.depths).all()


def test_depth_of_another_size_is_refused(world):
    with pytest.raises(InputError, match=r"\(320, 240\) but the image is \(640, 480\)"):
        with_depth(world.seen_from(np.eye(4)), np.ones((240, 320), np.float32))


def test_the_noise_of_the_sensor_is_that_of_its_inverse_depth(world):
    features = world.seen_from(np.eye(4))
    found = with_depth(features, np.full((480, 640), 4.0, np.float32), 0.01)
    assert np.allclose(found.depth_sigmas, 0.01 * 4.0**2)


def test_depth_is_doubtful_at_a_rim(world):
    features = world.seen_from(np.eye(4))
    depth = np.full((480, 640), 2.0, np.float32)
    depth[:, 320:] = 4.0
    found = with_depth(features, depth)
    rim = np.abs(features.points[:, 0] - 319.5) < 2
    assert (found.depth_sigmas[rim] > 0.9).all()
    assert (found.depth_sigmas[np.abs(features.points[:, 0] - 319.5) > 5] < 0.1).all()
