# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Values check themselves and cannot be changed."""

from dataclasses import replace

import numpy as np
import pytest

from hybrid_features_ros.core.types import Trajectory, equal


def test_arrays_are_read_only_but_the_callers_stay_writable(world):
    features = world.seen_from(np.eye(4))
    mine = np.ones(len(features), np.float32)
    changed = replace(features, scores=mine)
    mine[0] = 2
    with pytest.raises(ValueError, match="read-only"):
        changed.scores[0] = 3


def test_equal_is_bit_for_bit(world):
    features = world.seen_from(np.eye(4))
    nan = replace(features, angles=np.full(len(features), np.nan, np.float32))
    assert equal(nan, replace(nan, angles=nan.angles.copy()))
    assert not equal(features, nan)
    assert not equal(features, replace(features, depths=features.scores))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"scores": np.ones(3, np.float32)}, "scores: expected float32"),
        ({"scales": "wide"}, "scales: expected float32"),
        ({"descriptors": np.ones(3, np.float32)}, r"descriptors: expected \(N, D\)"),
        ({"depths": np.ones(3, np.float32)}, "depths: expected float32"),
        ({"track_ids": np.ones(3, np.int64)}, "track_ids: expected int32"),
    ],
)
def test_wrong_shapes_and_types(world, change, message):
    with pytest.raises(ValueError, match=message):
        replace(world.seen_from(np.eye(4)), **change)


def test_positions_are_finite(world):
    features = world.seen_from(np.eye(4))
    with pytest.raises(ValueError, match="finite"):
        replace(features, points=features.points * np.float32(np.nan))


def test_trajectory_needs_growing_stamps():
    with pytest.raises(ValueError, match="increase strictly"):
        Trajectory(np.array([1, 1]), np.stack([np.eye(4)] * 2))
