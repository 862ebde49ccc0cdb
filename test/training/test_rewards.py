# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What keypoints earn: exactness, one partner each, and descriptors that find each other."""

import numpy as np
import pytest

torch = pytest.importorskip(
    "torch", reason="torch is not installed: pip install 'hybrid_features_ros[train]'"
)

from hypothesis import given
from hypothesis import strategies as st

from hybrid_features_ros.core.camera import Camera
from hybrid_features_ros.training.pairs import Pair
from hybrid_features_ros.training.rewards import Seen, rewards
from hybrid_features_ros.training.scenes import ScenePair

pytestmark = pytest.mark.slow

NOTHING = np.zeros((60, 80), np.uint8)
SAME = Pair(NOTHING, NOTHING, np.eye(3))


def seen(points, descriptors=None):
    """Keypoints whose descriptors are all their own, in the order given."""
    points = np.array(points, float).reshape(-1, 2)
    return Seen(points, np.eye(8, dtype=np.float32)[: len(points)] if descriptors is None else descriptors)


@given(st.floats(0, 2.9), st.floats(0, 2.9))
def test_what_is_more_exact_earns_more(near, far):
    near, far = sorted((near, far))
    earned = [rewards(seen([[30, 30]]), seen([[30 + off, 30]]), SAME)[0][0] for off in (near, far)]
    assert 1 >= earned[0] >= earned[1] > 0
    assert earned[0] == pytest.approx(1 / (1 + near**2))


def test_two_keypoints_do_not_earn_by_one_partner():
    a, b = rewards(seen([[10, 10], [10.5, 10], [40, 40]]), seen([[10, 10], [43.5, 40]]), SAME)
    assert a.tolist() == [1.0, 0.0, 0.0] and b.tolist() == [1.0, 0.0]
    assert rewards(seen([[10, 10]]), seen([[12.9, 10]]), SAME, plain=True)[0].tolist() == [1.0]


def test_who_looks_like_another_earns_half():
    swapped = np.eye(8, dtype=np.float32)[[1, 0]]
    a, b = rewards(seen([[10, 10], [40, 40]]), seen([[10, 10], [40, 40]], swapped), SAME)
    assert a.tolist() == b.tolist() == [0.5, 0.5]


def test_what_the_other_view_cannot_show_counts_for_nothing():
    away = Pair(NOTHING, NOTHING, np.array([[1.0, 0, 50], [0, 1, 0], [0, 0, 1]]))
    a, b = rewards(seen([[10, 10], [60, 30]]), seen([[60, 10], [5, 5]]), away)
    assert a[0] == 1.0 and np.isnan(a[1]) and b[0] == 1.0 and np.isnan(b[1])


def test_depth_is_exact_on_planes_and_hides_what_is_behind():
    """A wall that recedes to the right, and before it a near board in the second view only."""
    camera = Camera(80, 60, 80.0, 80.0, 39.5, 29.5)
    column = np.broadcast_to(np.arange(80.0), (60, 80))
    wall = 1 / (0.5 - 0.004 * (column - 39.5))
    board = np.where(column < 20, 0.8, wall)
    T = np.eye(4)
    T[0, 3] = 0.1  # the second camera stands 10 cm to the left
    pair = ScenePair(NOTHING, NOTHING, wall, board, camera, camera, T)
    points = np.array([[50.25, 20.0], [39.5, 29.5], [5.0, 30.0], [79.0, 10.0]])
    there = pair.transfer(points)
    inverse = 0.5 - 0.004 * (points[:, 0] - 39.5)
    assert np.allclose(there[:2, 0], points[:2, 0] + 80 * 0.1 * inverse[:2], atol=1e-9)
    assert np.isnan(there[2]).all() and np.isnan(there[3]).all()
    assert np.allclose(pair.swapped().transfer(there[:1])[0, 1], 20.0)
