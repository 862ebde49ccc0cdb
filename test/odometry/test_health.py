# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Poses that rest on little are told from sound ones."""

from dataclasses import replace

import numpy as np
import pytest
from synthetic import CAMERA, World

from hybrid_features_ros.core import se3
from hybrid_features_ros.core.types import MotionModel
from hybrid_features_ros.odometry.frame import Frame
from hybrid_features_ros.odometry.health import HEALTH, weakness
from hybrid_features_ros.odometry.local_map import MapMatches, map_of
from hybrid_features_ros.odometry.pose_optimizer import PosePrior, evaluate_pose
from hybrid_features_ros.odometry.tracking_result import TrackingResult


@pytest.fixture(scope="module")
def sound():
    frame = Frame.make(1, World.random(count=20000).seen_from(np.eye(4), with_depth=True), CAMERA, 0.003)
    local_map = map_of(frame, np.eye(4), np.zeros((6, 6)), 0.2, 0)
    everything = np.arange(len(frame))
    matches = MapMatches(local_map, frame, everything, everything)
    inliers = np.ones(len(frame), np.bool_)
    tracked = TrackingResult.make(
        MotionModel.PNP, matches, evaluate_pose(matches.observations, np.eye(4)), inliers
    )
    return replace(tracked, expected=everything)


def only(tracked, inliers):
    return replace(tracked, inliers=inliers, known_inliers=inliers)


def test_a_sound_pose_is_not_doubted(sound):
    assert weakness(sound, CAMERA) == ""


def test_few_inliers(sound):
    few = np.arange(len(sound.inliers)) < HEALTH.min_inliers - 1
    assert weakness(only(sound, few), CAMERA) == f"only {few.sum()} landmarks of known depth agree"
    assert weakness(replace(only(sound, few), model=MotionModel.ROTATION_ONLY), CAMERA) == ""


def test_few_of_those_that_should_be_in_the_image(sound):
    some = np.arange(len(sound.inliers)) < HEALTH.min_inliers + 5
    crowd = replace(only(sound, some), expected=np.arange(2000))
    assert weakness(crowd, CAMERA).startswith(f"only {some.sum()} of 2000 landmarks")


def test_all_in_one_place(sound):
    rays = sound.matches.frame.rays
    corner = np.argsort(np.linalg.norm(rays - rays[0], axis=1))[: HEALTH.min_inliers + 5]
    inliers = np.isin(np.arange(len(rays)), corner)
    assert weakness(replace(only(sound, inliers), expected=corner), CAMERA).endswith("one place of the image")


def test_a_map_that_contradicts_itself(sound):
    torn = replace(sound, fit=replace(sound.fit, errors=sound.fit.errors + 4 * HEALTH.max_scatter**2))
    assert weakness(torn, CAMERA).startswith("the map contradicts itself")


def test_a_jump_against_the_prediction(sound):
    information = np.diag([100.0] * 6)  # a tenth of a metre or radian
    near, far = (PosePrior(se3.exp([x, 0, 0, 0, 0, 0]), np.zeros(3), information) for x in (0.5, 2.0))
    assert weakness(sound, CAMERA, near) == ""
    assert weakness(sound, CAMERA, far) == "the pose jumps by 12 sigma against the prediction"
    assert weakness(sound, CAMERA, replace(far, information=None)) == "", "nothing was predicted"
    assert weakness(sound, CAMERA, replace(far, is_measured=True)) == "", "wheels may spin"
