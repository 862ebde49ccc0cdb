# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Which landmarks of the map are compared with an image."""

from dataclasses import replace

import numpy as np
import pytest
from synthetic import CAMERA, NOTHING, World, with_keyframe

from hybrid_features_ros.odometry.frame import Frame
from hybrid_features_ros.odometry.visibility import (
    VISIBILITY,
    detection_probability,
    landmarks_expected,
    landmarks_in_view,
    with_visibility,
)

WIDE = np.radians([60.0, 60.0])  # half angles that everything lies inside of


@pytest.fixture(scope="module")
def frame():
    return Frame.make(1, World.random(count=6000).seen_from(np.eye(4)), CAMERA, 0.01)


def marked(local_map, **changes):
    return replace(local_map, landmarks=replace(local_map.landmarks, **changes))


def in_view(local_map, limit):
    return landmarks_in_view(local_map, np.eye(4), WIDE, limit)


def test_of_equal_landmarks_those_that_scored_highest_are_compared(frame):
    """Features come best first, and so do the landmarks that they become."""
    assert np.array_equal(in_view(with_keyframe(frame), 50), np.arange(50))


def test_landmarks_that_are_not_found_lose_their_places(frame):
    """Whatever hides them: a wall, another landmark at the same place, an accident that made them."""
    local_map = marked(with_keyframe(frame), inverse_depth_sigmas=np.full(len(frame), 1e-3))
    some, rest = np.arange(0, 60), np.arange(60, len(frame))
    assert np.isin(some, in_view(local_map, 100)).all()
    for _ in range(5):
        local_map = with_visibility(local_map, np.arange(len(frame)), rest)
    assert not np.isin(some, in_view(local_map, len(rest))).any()
    assert (detection_probability(local_map.landmarks)[rest] > 0.8).all()
    before = detection_probability(local_map.landmarks)[some]
    for _ in range(40):  # images that look elsewhere: what hid the landmarks may have passed
        local_map = with_visibility(local_map, NOTHING, NOTHING)
    assert (detection_probability(local_map.landmarks)[some] > 1.5 * before).all()
    assert (with_visibility(local_map, some, some).landmarks.missed[some] == 0).all()


def test_counts_of_the_found_ratio_stay_bounded(frame):
    local_map, some = with_keyframe(frame), np.arange(10)
    for _ in range(100):
        local_map = with_visibility(local_map, some, some[:5])
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
    seen = landmarks_in_view(local_map, np.eye(4), narrow, len(inside))
    assert np.array_equal(seen, inside)
    expected = landmarks_expected(local_map, np.eye(4), narrow, np.arange(len(frame)))
    assert len(expected) and (angle[expected] < 0.95 * narrow[0]).all()
