# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A rectified pair becomes depth, however well it was rectified."""

from dataclasses import replace

import numpy as np
import pytest
from synthetic import CAMERA, World

from hybrid_features_ros.core import se3
from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.features.stereo import PAIRS_CHECKED, PairOrder, StereoDepth

BASELINE = 0.2


def pair(world, noise_px=0.0, turned=0.0):
    """Left and right features where the camera looks once it has turned [deg]."""
    left = se3.exp([0, 0, 0, 0, np.radians(turned), 0])
    right = left @ se3.make(np.eye(3), [BASELINE, 0, 0])
    seeds = 2 * round(turned) + np.arange(2)
    return [
        world.seen_from(T, noise_px=noise_px, seed=seed, with_depth=True)
        for T, seed in zip((left, right), seeds, strict=True)
    ]


def badly_rectified(right, pitch, yaw, roll):
    """As a right camera sees that is turned otherwise than its calibration says [rad], whose principal
    point was moved to make up for the yaw."""
    p = np.column_stack([(right.points - [CAMERA.cx, CAMERA.cy]) / CAMERA.fx, np.ones(len(right))])
    p = p @ se3.exp([0, 0, 0, -pitch, -yaw, -roll])[:3, :3].T
    p = p[:, :2] / p[:, 2:] * CAMERA.fx + [CAMERA.cx + CAMERA.fx * np.tan(yaw), CAMERA.cy]
    return replace(right, points=p.astype(np.float32))


def disparity_errors(found, left):
    known = np.isfinite(found.depths)
    return CAMERA.fx * BASELINE * (1 / found.depths - 1 / left.depths)[known], left.points[known, 0]


def test_the_depth_is_the_true_one(world):
    left, right = pair(world)
    found = StereoDepth(CAMERA.fx, BASELINE).add(left, right)
    known = np.isfinite(found.depths)
    assert known.mean() > 0.7
    assert np.allclose(found.depths[known], left.depths[known], rtol=1e-3)


@pytest.mark.parametrize("exchanged", [False, True])
@pytest.mark.parametrize("offset", [(0.0, 0.0), (30.0, -12.0)])
def test_a_pair_that_has_changed_places_is_known(world, exchanged, offset):
    left, right = pair(world)
    right = replace(right, points=right.points - np.float32(offset))
    if exchanged:
        left, right, offset = right, left, (-offset[0], -offset[1])
    given = CAMERA.fx, BASELINE, offset
    stereo, order = StereoDepth(*given), PairOrder(*given)
    for n in range(PAIRS_CHECKED):
        assert order.is_seen is False
        order.see(stereo.add(left, right), right)
        assert bool(order.doubt) is exchanged, n
    assert order.is_seen


@pytest.mark.parametrize("offset", [(10.0, 0.0), (-14.5, 0.0), (30.0, -12.0)])
def test_principal_points_that_differ_are_no_disparity(world, offset):
    left, right = pair(world)
    moved = replace(right, points=right.points - np.float32(offset))
    found = StereoDepth(CAMERA.fx, BASELINE, offset).add(left, moved)
    known = np.isfinite(found.depths)
    assert known.mean() > 0.7
    assert np.allclose(found.depths[known], left.depths[known], rtol=1e-3)


def test_the_noise_is_as_stated(world):
    left, right = pair(world, noise_px=0.4)
    found = StereoDepth(CAMERA.fx, BASELINE).add(left, right)
    known = np.isfinite(found.depths)
    score = (1 / found.depths - 1 / left.depths)[known] / (found.depth_sigmas / found.depths**2)[known]
    assert 0.6 < np.median(np.abs(score)) / 0.6745 < 1.5


@pytest.mark.parametrize("turn", [(0.001, 0.0, 0.001), (-0.0015, 0.0, 0.002)])
def test_a_poor_rectification_is_made_up_for(world, turn):
    """What is left of the disparity's error, and of its change over the image, after a few pairs."""
    stereo = StereoDepth(CAMERA.fx, BASELINE)
    for i in range(20):
        left, right = pair(world, noise_px=0.3, turned=9.0 * i)
        found = stereo.add(left, badly_rectified(right, *turn))
    exact = StereoDepth(CAMERA.fx, BASELINE, rectification_sigma=1e-6)
    blind, _ = disparity_errors(exact.add(left, right), left)
    errors, x = disparity_errors(found, left)
    assert len(errors) > 0.8 * len(blind)
    for inside in (x < 160, (x > 160) & (x < 480), x > 480):
        assert abs(np.median(errors[inside])) < 0.15


def test_the_first_pair_is_put_right_by_its_own_rows(world):
    """As few partners are lost, and depths err as little, as when the pair comes once more."""
    left, right = pair(world, noise_px=0.3)
    right, stereo = badly_rectified(right, 0.002, 0.0, 0.001), StereoDepth(CAMERA.fx, BASELINE)
    first, again = (stereo.add(left, right) for _ in range(2))
    assert np.isfinite(first.depths).sum() >= 0.95 * np.isfinite(again.depths).sum()
    errors = [np.median(np.abs(disparity_errors(found, left)[0])) for found in (first, again)]
    assert errors[0] < 1.2 * errors[1] + 0.02


def test_a_rectification_that_is_said_to_be_exact_is_left_as_it_is(world):
    exact, usual = (
        StereoDepth(CAMERA.fx, BASELINE, rectification_sigma=1e-6),
        StereoDepth(CAMERA.fx, BASELINE),
    )
    for i in range(20):
        left, right = pair(world, noise_px=0.3, turned=9.0 * i)
        right = badly_rectified(right, 0.002, 0.0, 0.003)
        errors = [disparity_errors(stereo.add(left, right), left)[0] for stereo in (exact, usual)]
    assert np.median(np.abs(errors[0])) > 1.5 * np.median(np.abs(errors[1]))


def test_a_yaw_is_followed_along_the_rows_but_not_believed_in_disparities(world):
    """Rows show it only as other errors of a lens; partners are found nevertheless."""
    stereo = StereoDepth(CAMERA.fx, BASELINE)
    for i in range(20):
        left, right = pair(world, noise_px=0.3, turned=9.0 * i)
        right = badly_rectified(right, 0.0, 0.009, 0.0)
        found = stereo.add(left, right)
    exact = StereoDepth(CAMERA.fx, BASELINE, rectification_sigma=1e-6)
    blind, _ = disparity_errors(exact.add(left, right), left)
    errors, _ = disparity_errors(found, left)
    assert len(errors) > len(blind)
    assert abs(np.median(errors) - np.median(blind)) < 0.15


def test_a_good_rectification_stays(world):
    stereo = StereoDepth(CAMERA.fx, BASELINE)
    for i in range(20):
        left, right = pair(world, noise_px=0.3, turned=9.0 * i)
        errors, x = disparity_errors(stereo.add(left, right), left)
        for side in (x < 160, x > 480):
            assert abs(np.median(errors[side])) < 0.25


def test_stereo_of_nothing(world):
    left, _ = pair(world)
    nothing = World(world.points[:0], world.descriptors[:0]).seen_from(np.eye(4))
    assert np.isnan(StereoDepth(CAMERA.fx, BASELINE).add(left, nothing).depths).all()
    assert len(StereoDepth(CAMERA.fx, BASELINE).add(nothing, left)) == 0
    with pytest.raises(InputError, match="baseline 0"):
        StereoDepth(CAMERA.fx, 0.0)
