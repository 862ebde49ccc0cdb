# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Results and truths that are doubted aloud."""

import numpy as np
import pytest
from synthetic import CAMERA, World

from hybrid_features_ros.benchmarks.consistency import journey
from hybrid_features_ros.core import se3
from hybrid_features_ros.core.config import OdometryConfig
from hybrid_features_ros.core.types import Trajectory
from hybrid_features_ros.evaluation.plausibility import doubt_positions, doubt_truth
from hybrid_features_ros.io.source import Notes
from hybrid_features_ros.odometry import Odometry


@pytest.fixture(scope="module")
def path():
    return journey(1, 40)


def doubts(estimate, truth, is_metric=True):
    notes = Notes()
    doubt_truth(estimate, truth, is_metric, notes)
    return notes.assumed


def scaled(path, factor):
    poses = path.poses.copy()
    poses[:, :3, 3] *= factor
    return Trajectory(path.stamps, poses)


@pytest.mark.parametrize(("factor", "is_metric", "doubted"), [
    (1.0, True, False), (1.3, True, False), (1000.0, True, True), (0.001, True, True), (1000.0, False, False),
])  # fmt: skip
def test_a_truth_in_millimetres_is_doubted(path, factor, is_metric, doubted):
    """Not with one camera, whose scale is unknown."""
    assert ("truth" in doubts(path, scaled(path, factor), is_metric)) == doubted


def test_quaternions_in_another_order_are_doubted(path):
    turned = path.poses.copy()
    turned[:, :3, :3] = np.array([se3.exp([0, 0, 0, *se3.log(T)[[5, 3, 4]]])[:3, :3] for T in path.poses])
    turned[:, :3, :3] = [np.linalg.matrix_power(R, 3) for R in turned[:, :3, :3]]
    assert list(doubts(path, Trajectory(path.stamps, turned))) == ["rotations"]
    assert not doubts(path, path)


def test_a_run_without_positions_says_why():
    world, odometry, notes = World.random(3), Odometry(OdometryConfig()), Notes()
    turns = [se3.exp([0, 0, 0, 0, np.radians(2.0 * i), 0]) for i in range(5)]
    results = [odometry.process(i * 50_000_000, world.seen_from(T), CAMERA) for i, T in enumerate(turns)]
    doubt_positions(results, notes)
    assert "no image has a position of its own: " in notes.assumed["position"]
    assert results[-1].reason in notes.assumed["position"]
