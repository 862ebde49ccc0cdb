# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Keyframes and landmarks around the camera: who observed what, and the scale of them all."""

from dataclasses import replace

import numpy as np
import pytest
from synthetic import CAMERA, World, with_keyframe

from hybrid_features_ros.odometry.frame import Frame
from hybrid_features_ros.odometry.local_map import select_reference_keyframe


@pytest.fixture(scope="module")
def frame():
    return Frame.make(1, World.random(count=6000).seen_from(np.eye(4)), CAMERA, 0.01)


def test_the_reference_keyframe_shares_most_and_of_equals_is_the_newest(frame):
    some, all_of_them = np.arange(100), np.arange(len(frame))
    local_map = with_keyframe(frame, with_keyframe(frame), some, some)
    best, common, features = select_reference_keyframe(local_map, some, np.ones(100, np.bool_))
    assert best is local_map.keyframes[1]
    assert np.array_equal(common, some)
    assert np.array_equal(features, some)
    best, _, _ = select_reference_keyframe(local_map, all_of_them, np.ones(len(frame), np.bool_))
    assert best is local_map.keyframes[0]
    best, common, _ = select_reference_keyframe(local_map, all_of_them, np.isin(all_of_them, some))
    assert best is local_map.keyframes[1] and np.array_equal(common, some)


@pytest.mark.parametrize("factor", [0.3, 1.0, 4.0])
def test_a_stretched_map_looks_the_same_from_its_centre(frame, factor):
    centre, doubt = np.array([0.5, -0.2, 1.0]), np.diag([0.1, 0.2, 0.3])
    before = with_keyframe(frame)
    after = before.stretched(factor, centre, doubt)
    T = np.eye(4)
    T[:3, 3] = centre
    assert np.allclose(after.predict_rays(T)[0], before.predict_rays(T)[0])
    rows = np.arange(10)
    assert np.allclose(after.points(rows) - centre, factor * (before.points(rows) - centre))
    assert np.allclose(after.last_keyframe.covariance[:3, :3], doubt)
    assert np.array_equal(after.landmarks.depth_known, before.landmarks.depth_known)


def test_an_estimate_follows_its_prior_by_the_share_that_it_has_in_it(frame):
    """What was triangulated since keeps its weight: as if the prior had been right from the start."""
    observed, sigma = 0.4, 0.02
    start = with_keyframe(frame)
    prior, spread = (np.full(len(start.landmarks), v) for v in (0.5, 0.05))

    def triangulated(prior):
        weights = 1 / spread**2 + 1 / sigma**2
        marks = replace(
            start.landmarks,
            prior_inverse_depth=prior,
            prior_inverse_depth_sigmas=spread,
            inverse_depth=(prior / spread**2 + observed / sigma**2) / weights,
            inverse_depth_sigmas=1 / np.sqrt(weights),
        )
        return replace(start, landmarks=marks)

    changed = triangulated(prior).with_changed_priors(np.full(len(prior), 0.07)).landmarks
    expected = triangulated(prior + 0.07).landmarks
    assert changed.prior_inverse_depth == pytest.approx(expected.prior_inverse_depth)
    assert changed.inverse_depth == pytest.approx(expected.inverse_depth)


def test_what_no_sensor_measured_does_not_follow_a_change_of_the_measured_depths(frame):
    start = with_keyframe(frame)
    guessed = replace(start.landmarks, prior_inverse_depth_sigmas=start.landmarks.prior_inverse_depth.copy())
    changed = replace(start, landmarks=guessed).with_changed_priors(np.full(len(guessed), 0.1)).landmarks
    assert np.array_equal(changed.inverse_depth, guessed.inverse_depth)


def test_a_change_never_puts_a_point_beyond_infinity(frame):
    start = with_keyframe(frame)
    spread = 0.1 * start.landmarks.inverse_depth
    marks = replace(start.landmarks, prior_inverse_depth_sigmas=spread, inverse_depth_sigmas=spread)
    changed = replace(start, landmarks=marks).with_changed_priors(-2 * marks.inverse_depth).landmarks
    assert (changed.inverse_depth > 0).all() and (changed.prior_inverse_depth > 0).all()
