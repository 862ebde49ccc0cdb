# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Poses in doubt are searched for again, near where they are expected: scenes that repeat or move."""

import numpy as np
import pytest
from synthetic import CAMERA, World, turn

from hybrid_features_ros.core import se3
from hybrid_features_ros.core.config import OdometryConfig
from hybrid_features_ros.odometry.frame import Frame
from hybrid_features_ros.odometry.local_map import map_of
from hybrid_features_ros.odometry.motion_model import predict
from hybrid_features_ros.odometry.tracker import Tracker

DEPTH = 0.25  # one over that of the scene [1/m]
SOMEWHERE = World.random(count=20000)
IN_SIGHT = (SOMEWHERE.points[:, 2] > 2) & (np.abs(SOMEWHERE.points[:, :2]).max(axis=1) < 1.0)
SCENE = World(SOMEWHERE.points[IN_SIGHT], SOMEWHERE.descriptors[IN_SIGHT])
MOVED = se3.make(np.eye(3), [0.02, 0.0, 0.05])
TRACKER = Tracker(OdometryConfig(), CAMERA, DEPTH)


def alike(descriptors, spread):
    """Descriptors that differ from given ones by a share of their length."""
    noise = np.random.default_rng(1).normal(size=descriptors.shape)
    other = descriptors + spread * noise / np.linalg.norm(noise, axis=1, keepdims=True)
    return (other / np.linalg.norm(other, axis=1, keepdims=True)).astype(np.float32)


def map_seen_at_the_origin(world):
    frame = Frame.make(0, world.seen_from(np.eye(4), with_depth=True), CAMERA, 0.003)
    return map_of(frame, np.eye(4), np.zeros((6, 6)), DEPTH, 0)


def tracked(local_map, features, expected):
    prior = predict(expected, np.zeros(6), 1 / 15, DEPTH, TRACKER.config.tracking)
    return TRACKER.track_local_map(local_map, Frame.make(1, features, CAMERA, 0.003), prior)


def is_at(result, T):
    """Whether a pose is right to a centimetre and a fifth of a degree."""
    away = se3.log(se3.inverse(T) @ result.fit.T)
    return np.linalg.norm(away[:3]) < 0.01 and np.degrees(np.linalg.norm(away[3:])) < 0.2


@pytest.mark.parametrize("roll", [0.0, 180.0])
def test_texture_that_repeats_is_told_apart_by_its_place(roll):
    """The image resembles another place more than the one where it was taken."""
    twin = MOVED @ se3.make(turn(z=roll)[:3, :3], [0.9, 0.0, 0.0])
    there = twin @ se3.inverse(MOVED)
    ghosts = SCENE.points @ there[:3, :3].T + there[:3, 3]
    descriptors = np.concatenate([alike(SCENE.descriptors, 0.4), SCENE.descriptors])
    local_map = map_seen_at_the_origin(World(np.concatenate([SCENE.points, ghosts]), descriptors))
    found = tracked(local_map, SCENE.seen_from(MOVED, noise_px=0.3), np.eye(4))
    assert found is not None and found.weakness == ""
    assert is_at(found, MOVED)


@pytest.mark.parametrize("metres", [0.05, 0.08, 0.12])
def test_something_that_moves_does_not_draw_the_pose_halfway(metres):
    """Two fifths of what is in sight, on the right, went on to the right, no farther than a robust fit
    reaches.
    """
    moves = SCENE.points[:, 0] > 0.06 * SCENE.points[:, 2]
    assert 0.38 < moves.mean() < 0.42
    later = World(SCENE.points + moves[:, None] * [metres, 0.0, 0.0], SCENE.descriptors)
    found = tracked(map_seen_at_the_origin(SCENE), later.seen_from(MOVED, noise_px=0.3), np.eye(4))
    assert found is not None and found.weakness == ""
    assert is_at(found, MOVED)


def test_a_camera_that_jumps_is_found_where_it_went():
    """No other place explains the image: the prediction is wrong, not the landmarks."""
    jumped = se3.make(turn(z=100.0)[:3, :3], [0.5, 0.0, 0.1])
    found = tracked(map_seen_at_the_origin(SCENE), SCENE.seen_from(jumped, noise_px=0.3), np.eye(4))
    assert found is not None and "jumps" in found.weakness
    assert is_at(found, jumped)
