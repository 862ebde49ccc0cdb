"""Depths by triangulation."""

import numpy as np
import pytest
from synthetic import CAMERA

from hybrid_features_ros import pose
from hybrid_features_ros.odometry.mapping import carry_depths, points_at, triangulate
from hybrid_features_ros.odometry.two_view import Pairs

T_A_B = pose.exp(np.array([0.5, 0.1, 0.2, 0.05, -0.1, 0.7]))


@pytest.fixture
def points():
    rng = np.random.default_rng(2)
    pixels = rng.uniform([0, 0], [CAMERA.width, CAMERA.height], (100, 2))
    return points_at(CAMERA.bearings(pixels), rng.uniform(2, 8, 100))


def rays(points, T):
    local = points @ T[:3, :3].T + T[:3, 3]
    return local / np.linalg.norm(local, axis=1, keepdims=True)


def test_exact_rays_give_exact_depths(points):
    pairs = Pairs(rays(points, np.eye(4)), rays(points, pose.inverse(T_A_B)), np.ones(100))
    assert np.allclose(triangulate(pairs, T_A_B, 0.0), points[:, 2])


def test_no_depth_without_parallax(points):
    pairs = Pairs(rays(points, np.eye(4)), rays(points, pose.inverse(T_A_B)), np.ones(100))
    least = np.radians(6)
    local = points - T_A_B[:3, 3]
    angle = np.arccos(
        (local * points).sum(1) / np.linalg.norm(local, axis=1) / np.linalg.norm(points, axis=1)
    )
    assert np.array_equal(np.isfinite(triangulate(pairs, T_A_B, least)), angle > least)


def test_rays_that_meet_behind_have_no_depth(points):
    pairs = Pairs(rays(points, np.eye(4)), rays(points, pose.inverse(T_A_B)), np.ones(100))
    opposite = pose.make(T_A_B[:3, :3], -T_A_B[:3, 3])
    assert np.isnan(triangulate(pairs, opposite, 0.0)).all()


def test_depths_move_with_the_camera(points):
    assert np.allclose(points_at(rays(points, np.eye(4)), points[:, 2]), points)
    ahead = pose.make(np.eye(3), [0, 0, -3.0])
    assert np.allclose(
        carry_depths(points, ahead), np.where(points[:, 2] > 3, points[:, 2] - 3, np.nan), equal_nan=True
    )
