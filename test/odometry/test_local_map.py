# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Keyframes and landmarks around the camera: who observed what, and the scale of them all."""

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
