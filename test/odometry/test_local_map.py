# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Landmarks around the camera: which are compared, who saw them."""

from dataclasses import replace

import numpy as np
import pytest
from synthetic import CAMERA, World

from hybrid_features_ros.odometry.frame import Frame
from hybrid_features_ros.odometry.local_map import MapMatches, empty_map, select_reference_keyframe

NOTHING = np.zeros(0, np.intp)
HALF = np.radians(30)


@pytest.fixture(scope="module")
def frame():
    return Frame.make(1, World.random(count=6000).seen_from(np.eye(4)), CAMERA, 0.01)


def with_keyframe(frame, local_map=None, landmark_idx=NOTHING, feature_idx=NOTHING):
    local_map = empty_map(frame.descriptors.shape[1]) if local_map is None else local_map
    matches = MapMatches(local_map, frame, landmark_idx, feature_idx)
    return local_map.with_keyframe(matches, np.eye(4), np.zeros((6, 6)), 0.25)


def marked(local_map, **changes):
    return replace(local_map, landmarks=replace(local_map.landmarks, **changes))


def test_of_equal_landmarks_those_that_scored_highest_are_compared(frame):
    """Features come best first, and so do the landmarks that they become."""
    local_map = with_keyframe(frame)
    seen = local_map.landmarks_in_view(np.eye(4), HALF, len(frame))
    assert np.array_equal(local_map.landmarks_in_view(np.eye(4), HALF, 50), seen[:50])


def test_known_landmarks_come_before_newer_ones_and_the_often_seen_first(frame):
    local_map = with_keyframe(frame, with_keyframe(frame))  # all features twice, as two sets of landmarks
    n = len(frame)
    spread = local_map.landmarks.inverse_depth_sigmas.copy()
    views = local_map.landmarks.n_observations.copy()
    spread[:40], views[20:40] = 1e-3, 5
    local_map = marked(local_map, inverse_depth_sigmas=spread, n_observations=views)
    seen = local_map.landmarks_in_view(np.eye(4), HALF, 2 * n)
    known, often = seen[seen < 40], seen[(seen >= 20) & (seen < 40)]
    assert len(often) and np.array_equal(local_map.landmarks_in_view(np.eye(4), HALF, len(often)), often)
    assert np.array_equal(local_map.landmarks_in_view(np.eye(4), HALF, len(known)), known)
    more = local_map.landmarks_in_view(np.eye(4), HALF, len(known) + 10)
    assert (more[len(known) :] >= n).all()  # of the unknown ones those of the newer keyframe


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
