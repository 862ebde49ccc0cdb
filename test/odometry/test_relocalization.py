# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Places where a camera was found again: believed by depths, by what is missing, and by how well they fit."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from synthetic import CAMERA, World

from hybrid_features_ros.core import se3
from hybrid_features_ros.core.config import OdometryConfig
from hybrid_features_ros.core.types import MotionModel
from hybrid_features_ros.geometry.robust import CHI2_MEDIAN
from hybrid_features_ros.odometry.frame import Frame
from hybrid_features_ros.odometry.local_map import MapMatches, map_of
from hybrid_features_ros.odometry.pose_optimizer import evaluate_pose
from hybrid_features_ros.odometry.relocalization import BELIEF, depth_agreement, is_believed, relocalize
from hybrid_features_ros.odometry.tracker import Tracker
from hybrid_features_ros.odometry.tracking_result import TrackingResult

WORLD = World.random(count=20000)
TRACKER = Tracker(OdometryConfig(), CAMERA, 0.2)
RADIUS = BELIEF.near_px / CAMERA.focal


def place(share, depth=1.0, scatter=1.0, measured=1.0):
    """An image placed where the map was made, with a share of the landmarks found.

    Args:
        depth: factor on the depths that the image measures.
        measured: share of its features that have one.
    """
    frame = Frame.make(1, WORLD.seen_from(np.eye(4), with_depth=True), CAMERA, 0.003)
    local_map = map_of(frame, np.eye(4), np.zeros((6, 6)), 0.2, 0)
    rng = np.random.default_rng(0)
    known = np.where(rng.uniform(size=len(frame)) < measured, frame.inverse_depth / depth, np.nan)
    frame, everything = replace(frame, inverse_depth=known), np.arange(len(frame))
    found = np.flatnonzero(rng.uniform(size=len(frame)) < share)
    matches = MapMatches(local_map, frame, found, found)
    errors = np.full(len(found), CHI2_MEDIAN[2] * scatter**2)
    fit = replace(evaluate_pose(matches.observations, np.eye(4)), errors=errors)
    tracked = TrackingResult.make(MotionModel.PNP, matches, fit, np.ones(len(found), np.bool_))
    return replace(tracked, expected=everything)


@given(st.floats(0.5, 2.0))
def test_depths_agree_where_they_are_those_of_the_landmarks(depth):
    assume(abs(abs(np.log(depth)) - BELIEF.same_depth) > 1e-3)  # rounding decides there
    agreement = depth_agreement(place(0.2, depth), RADIUS)
    is_same = abs(np.log(depth)) < BELIEF.same_depth
    assert agreement is not None and (agreement > 0.9) == is_same and (agreement < 0.5) != is_same


def test_few_depths_tell_nothing():
    assert depth_agreement(place(0.2, measured=0.02), RADIUS) is None
    assert depth_agreement(place(0.999), RADIUS) is None  # nothing is missing that could be compared


@pytest.mark.parametrize(
    ("told", "believed"),
    [
        ({"share": 0.3}, True),
        ({"share": 0.3, "depth": 1.3}, False),
        ({"share": 0.05}, True),
        ({"share": 0.05, "measured": 0.0}, False),
        ({"share": 0.02}, False),
        ({"share": 0.1, "scatter": 4.5}, False),
        ({"share": 0.3, "scatter": 4.5}, True),
        ({"share": 0.3, "scatter": 5.5}, False),
    ],
    ids=[
        "sound", "other depths", "few found, depths agree", "few found, no depths", "hardly any found",
        "few found, badly fitting", "many found, badly fitting", "contradicting",
    ],
)  # fmt: skip
def test_what_is_believed(told, believed):
    assert is_believed(TRACKER, place(**told)) == believed


def test_an_image_is_found_where_it_is_and_not_where_the_room_has_other_depths():
    T = se3.exp([0.2, 0.1, 0.0, 0.0, 0.1, 1.5])
    frame = Frame.make(1, WORLD.seen_from(np.eye(4), with_depth=True), CAMERA, 0.003)
    local_map = map_of(frame, np.eye(4), np.zeros((6, 6)), 0.2, 0)
    again = Frame.make(2, WORLD.seen_from(T, noise_px=0.3, with_depth=True), CAMERA, 0.003, 1)
    tracked = relocalize(TRACKER, local_map, again, 4)
    assert tracked is not None
    assert np.linalg.norm(se3.log(se3.inverse(T) @ tracked.fit.T)) < 0.01
    near = replace(again, inverse_depth=again.inverse_depth * 1.5)
    some = np.random.default_rng(0).uniform(size=len(near)) < 0.6
    other = np.random.default_rng(1).normal(size=near.descriptors.shape).astype(np.float32)
    near = replace(near, descriptors=np.where(some[:, None], other, near.descriptors))
    assert relocalize(TRACKER, local_map, near, 4) is None
