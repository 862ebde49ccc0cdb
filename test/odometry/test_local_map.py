# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Landmarks around the camera: which are compared, who saw them."""

from dataclasses import replace

import numpy as np
import pytest
from synthetic import CAMERA, World

from hybrid_features_ros.odometry.frame import Frame
from hybrid_features_ros.odometry.local_map import (
    VISIBILITY,
    MapMatches,
    empty_map,
    select_reference_keyframe,
)

NOTHING = np.zeros(0, np.intp)
WIDE = np.radians([60.0, 60.0])  # half angles that everything lies inside of


@pytest.fixture(scope="module")
def frame():
    return Frame.make(1, World.random(count=6000).seen_from(np.eye(4)), CAMERA, 0.01)


def with_keyframe(frame, local_map=None, landmark_idx=NOTHING, feature_idx=NOTHING):
    local_map = empty_map(frame.descriptors.shape[1]) if local_map is None else local_map
    matches = MapMatches(local_map, frame, landmark_idx, feature_idx)
    return local_map.with_keyframe(matches, np.eye(4), np.zeros((6, 6)), 0.25)


def marked(local_map, **changes):
    return replace(local_map, landmarks=replace(local_map.landmarks, **changes))


def in_view(local_map, limit):
    return local_map.landmarks_in_view(np.eye(4), WIDE, limit)


def test_of_equal_landmarks_those_that_scored_highest_are_compared(frame):
    """Features come best first, and so do the landmarks that they become."""
    assert np.array_equal(in_view(with_keyframe(frame), 50), np.arange(50))


def test_landmarks_that_are_not_found_lose_their_places(frame):
    """Whatever hides them: a wall, another landmark at the same place, an accident that made them."""
    local_map = marked(with_keyframe(frame), inverse_depth_sigmas=np.full(len(frame), 1e-3))
    some, rest = np.arange(0, 60), np.arange(60, len(frame))
    assert np.isin(some, in_view(local_map, 100)).all()
    for _ in range(5):
        local_map = local_map.with_visibility(np.arange(len(frame)), rest)
    assert not np.isin(some, in_view(local_map, len(rest))).any()
    assert (local_map.landmarks.chance[rest] > 0.8).all()
    before = local_map.landmarks.chance[some]
    for _ in range(40):  # images that look elsewhere: what hid the landmarks may have passed
        local_map = local_map.with_visibility(NOTHING, NOTHING)
    assert (local_map.landmarks.chance[some] > 1.5 * before).all()
    assert (local_map.with_visibility(some, some).landmarks.missed[some] == 0).all()


def test_counts_of_the_found_ratio_stay_bounded(frame):
    local_map, some = with_keyframe(frame), np.arange(10)
    for _ in range(100):
        local_map = local_map.with_visibility(some, some[:5])
    marks = local_map.landmarks
    assert (marks.expected <= VISIBILITY.memory).all()
    assert np.allclose(marks.found[:5], marks.expected[:5]) and not marks.found[5:].any()


def test_known_landmarks_leave_a_share_of_the_places_to_the_newest_unknown_ones(frame):
    """Else nothing new is triangulated once as many known ones lie in view as are compared."""
    n = len(frame)
    spread = np.full(2 * n, 10.0)
    spread[: n - 50] = 1e-3
    local_map = marked(with_keyframe(frame, with_keyframe(frame)), inverse_depth_sigmas=spread)
    seen = in_view(local_map, 200)
    assert (seen >= n).sum() == int(VISIBILITY.new_share * 200)
    assert (seen < n - 50).sum() == 200 - int(VISIBILITY.new_share * 200)
    few = marked(local_map, inverse_depth_sigmas=np.where(np.arange(2 * n) < 20, 1e-3, 10.0))
    assert (in_view(few, 200) < 20).sum() == 20, "known ones that are few are all compared"
    assert (in_view(few, 200) >= n).sum() == 180


def test_landmarks_outside_the_image_come_last(frame):
    local_map = marked(with_keyframe(frame), inverse_depth_sigmas=np.full(len(frame), 1e-3))
    narrow = np.radians([10.0, 30.0])
    angle = np.abs(np.arctan2(frame.rays[:, 0], frame.rays[:, 2]))
    inside = np.flatnonzero(angle < narrow[0])
    assert 50 < len(inside) < len(frame) / 2
    seen = local_map.landmarks_in_view(np.eye(4), narrow, len(inside))
    assert np.array_equal(seen, inside)
    expected = local_map.landmarks_expected(np.eye(4), narrow, np.arange(len(frame)))
    assert len(expected) and (angle[expected] < 0.95 * narrow[0]).all()


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
