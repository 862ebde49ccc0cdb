"""Landmarks around the camera: which are compared, who saw them."""

from dataclasses import replace

import numpy as np
import pytest
from synthetic import CAMERA, World

from hybrid_features_ros.odometry.frame import View
from hybrid_features_ros.odometry.local_map import empty_map
from hybrid_features_ros.odometry.tracking_result import shared_most

NOTHING = np.zeros(0, np.intp)
HALF = np.radians(30)


@pytest.fixture(scope="module")
def view():
    return View.make(1, World.random(count=6000).seen_from(np.eye(4)), CAMERA, 0.01)


def grown(view, local_map=None, rows=NOTHING, columns=NOTHING):
    local_map = empty_map(view.values.shape[1]) if local_map is None else local_map
    return local_map.grown(view, np.eye(4), np.zeros((6, 6)), rows, columns, 0.25)


def marked(local_map, **changes):
    return replace(local_map, landmarks=replace(local_map.landmarks, **changes))


def test_of_equal_landmarks_those_that_scored_highest_are_compared(view):
    """Features come best first, and so do the landmarks that they become."""
    local_map = grown(view)
    seen = local_map.in_view(np.eye(4), HALF, len(view))
    assert np.array_equal(local_map.in_view(np.eye(4), HALF, 50), seen[:50])


def test_known_landmarks_come_before_newer_ones_and_the_often_seen_first(view):
    local_map = grown(view, grown(view))  # all features twice, as two sets of landmarks
    n = len(view)
    spread = local_map.landmarks.inverse_sigmas.copy()
    views = local_map.landmarks.views.copy()
    spread[:40], views[20:40] = 1e-3, 5
    local_map = marked(local_map, inverse_sigmas=spread, views=views)
    seen = local_map.in_view(np.eye(4), HALF, 2 * n)
    known, often = seen[seen < 40], seen[(seen >= 20) & (seen < 40)]
    assert len(often) and np.array_equal(local_map.in_view(np.eye(4), HALF, len(often)), often)
    assert np.array_equal(local_map.in_view(np.eye(4), HALF, len(known)), known)
    more = local_map.in_view(np.eye(4), HALF, len(known) + 10)
    assert (more[len(known) :] >= n).all()  # of the unknown ones those of the newer keyframe


def test_the_partner_shares_most_and_of_equals_is_the_newest(view):
    some, all_of_them = np.arange(100), np.arange(len(view))
    local_map = grown(view, grown(view), some, some)
    best, shared, theirs = shared_most(local_map, some, np.ones(100, np.bool_))
    assert best is local_map.keyframes[1]
    assert np.array_equal(shared, some)
    assert np.array_equal(theirs, some)
    best, _, _ = shared_most(local_map, all_of_them, np.ones(len(view), np.bool_))
    assert best is local_map.keyframes[0]
    best, shared, _ = shared_most(local_map, all_of_them, np.isin(all_of_them, some))
    assert best is local_map.keyframes[1] and np.array_equal(shared, some)
