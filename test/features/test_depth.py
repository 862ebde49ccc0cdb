"""Depth images become an attribute of features."""

import numpy as np
import pytest
from synthetic import CAMERA, World

from hybrid_features_ros import pose
from hybrid_features_ros.errors import InputError
from hybrid_features_ros.features.depth import with_depth, with_stereo_depth


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


def test_depth_is_doubtful_at_a_rim(world):
    features = world.seen_from(np.eye(4))
    depth = np.full((480, 640), 2.0, np.float32)
    depth[:, 320:] = 4.0
    found = with_depth(features, depth)
    rim = np.abs(features.points[:, 0] - 319.5) < 2
    assert (found.depth_sigmas[rim] > 0.9).all()
    assert (found.depth_sigmas[np.abs(features.points[:, 0] - 319.5) > 5] < 0.1).all()


def stereo(world, baseline, noise_px=0.0):
    right = pose.make(np.eye(3), [baseline, 0, 0])
    left_view, right_view = (
        world.seen_from(T, noise_px=noise_px, seed=i, with_depth=True)
        for i, T in enumerate((np.eye(4), right))
    )
    return left_view, right_view


def test_stereo_depth_is_the_true_one(world):
    left, right = stereo(world, 0.2)
    found = with_stereo_depth(left, right, CAMERA.fx, 0.2)
    known = np.isfinite(found.depths)
    assert known.mean() > 0.7
    assert np.allclose(found.depths[known], left.depths[known], rtol=1e-3)


def test_stereo_noise_is_as_stated(world):
    left, right = stereo(world, 0.2, noise_px=0.4)
    found = with_stereo_depth(left, right, CAMERA.fx, 0.2)
    known = np.isfinite(found.depths)
    score = (1 / found.depths - 1 / left.depths)[known] / (found.depth_sigmas / found.depths**2)[known]
    assert 0.6 < np.median(np.abs(score)) / 0.6745 < 1.5


def test_stereo_of_nothing(world):
    left, _ = stereo(world, 0.2)
    nothing = World(world.points[:0], world.descriptors[:0]).seen_from(np.eye(4))
    assert np.isnan(with_stereo_depth(left, nothing, CAMERA.fx, 0.2).depths).all()
    assert len(with_stereo_depth(nothing, left, CAMERA.fx, 0.2)) == 0
    with pytest.raises(InputError, match="baseline 0"):
        with_stereo_depth(left, left, CAMERA.fx, 0.0)
