# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Where inliers come from."""

from dataclasses import replace

import numpy as np
from runs import evaluation
from synthetic import World

from hybrid_features_ros.visualization.tracks import PointHistory

FEATURES = World.random().seen_from(np.eye(4))


def test_tracks_lead_from_the_reference_keyframe_to_the_image():
    first, second = evaluation(frames=2).results
    moved = replace(FEATURES, points=FEATURES.points + np.float32(1))
    history = PointHistory(10)
    history.add(first, FEATURES)
    starts, ends = history.add(second, moved)
    assert len(starts) == second.motion.inliers.sum() and np.array_equal(starts + 1, ends)


def test_the_keyframe_in_use_is_remembered():
    first, *others = evaluation(frames=9).results
    history = PointHistory(2)
    history.add(first, FEATURES)
    assert all(len(history.add(r, FEATURES)[0]) for r in others)


def test_an_unknown_keyframe_has_no_tracks():
    starts, ends = PointHistory(2).add(evaluation(frames=9).results[5], FEATURES)
    assert starts.shape == ends.shape == (0, 2)
