# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""How far images contradict the focal length that they are said to have."""

from dataclasses import replace

import numpy as np
import pytest
from synthetic import CAMERA, World

from hybrid_features_ros.core import se3
from hybrid_features_ros.core.camera import Distortion
from hybrid_features_ros.core.config import OdometryConfig
from hybrid_features_ros.core.types import MotionModel
from hybrid_features_ros.odometry import Odometry
from hybrid_features_ros.odometry.frame import Frame
from hybrid_features_ros.odometry.local_map import MapMatches, map_of
from hybrid_features_ros.odometry.pose_optimizer import evaluate_pose, optimize_pose
from hybrid_features_ros.odometry.self_calibration import SelfCalibration
from hybrid_features_ros.odometry.tracking_result import TrackingResult

TURNS = [(x, y, z) for x in (-0.2, 0.2) for y in (-0.25, 0.25) for z in (0.0, 0.3)]


def tracked(first, second, T):
    """The second image in a map that begins with the first, near a pose (4, 4)."""
    local_map = map_of(first, np.eye(4), np.zeros((6, 6)), 0.2, 0)
    squared = 2 - 2 * first.descriptors @ second.descriptors.T
    rows = np.flatnonzero(squared.min(axis=1) < 0.5)
    matches = MapMatches(local_map, second, rows, squared.argmin(axis=1)[rows])
    fit = evaluate_pose(matches.observations, optimize_pose(matches.observations, T))
    return TrackingResult.make(MotionModel.PNP, matches, fit, np.ones(len(rows), np.bool_))


def learnt(camera, aside):
    """From images that are said to be those of ``camera``, before and after turns and steps aside [m]."""
    calibration = SelfCalibration()
    for number, turn in enumerate(TURNS):
        T = se3.exp([aside * np.cos(number), aside * np.sin(number), 0.0, *turn])
        first, second = (
            Frame.make(i + 1, World.random(number).seen_from(P, with_depth=True), camera, 0.004, i)
            for i, P in enumerate((np.eye(4), T))
        )
        calibration.add_keyframe(tracked(first, second, T))
    return calibration


@pytest.mark.parametrize("aside", [0.0, 0.3])
@pytest.mark.parametrize("error", [-0.1, -0.03, 0.0, 0.03, 0.1])
def test_the_error_of_the_focal_length_is_found_whatever_the_depths(error, aside):
    told = replace(CAMERA, fx=CAMERA.fx / (1 + error), fy=CAMERA.fy / (1 + error))
    found, sigma = learnt(told, aside).focal_error
    assert found == pytest.approx(error, abs=max(3 * sigma, 0.2 * abs(error)))
    assert sigma < 0.02


def test_a_sound_calibration_is_not_doubted():
    for aside in (0.0, 0.3):
        assert learnt(CAMERA, aside).doubt < 0.004


def test_a_wrong_focal_length_is_doubted_by_its_error():
    told = replace(CAMERA, fx=CAMERA.fx * 1.1, fy=CAMERA.fy * 1.1)
    assert learnt(told, 0.2).doubt == pytest.approx(0.09, abs=0.03)


def test_a_distortion_that_is_not_told_is_not_taken_for_a_focal_length():
    barrel = replace(CAMERA, distortion=Distortion.RADTAN, coefficients=(0.1, 0.0, 0.0, 0.0))
    assert abs(learnt(barrel, 0.0).focal_error[0]) < 0.03


def test_keyframes_that_contradict_each_other_raise_no_doubt():
    """A run of keyframes that err in common, as those do that share landmarks, is one sample, not ten."""
    calibration = SelfCalibration()
    information = np.diag([1e4, 1.0])
    for error in np.repeat([0.05, 0.0, -0.01, 0.05, -0.03, 0.0, 0.06, -0.02], 10):
        calibration._told.append((information, information @ [error, 0.0]))
    calibration.focal_error = calibration._estimated()
    error, sigma = calibration.focal_error
    assert error == pytest.approx(0.0125, abs=1e-3)
    assert sigma == pytest.approx(np.std([5, 0, -1, 5, -3, 0, 6, -2], ddof=1) / 100 / np.sqrt(8), rel=0.05)
    assert calibration.doubt == 0


def test_nothing_is_doubted_before_there_is_evidence():
    calibration = SelfCalibration()
    assert calibration.doubt == 0
    assert calibration.focal_error[1] == pytest.approx(0.3)


def test_poses_are_less_certain_where_images_contradict_the_focal_length():
    def moved(told):
        odometry, world = Odometry(OdometryConfig()), World.random(5)
        for i in range(80):
            T = se3.exp([0.6 * np.sin(0.1 * i), 0.0, 0.0, 0.2 * np.sin(0.2 * i), 0.6 * np.sin(0.13 * i), 0.0])
            features = world.seen_from(T, noise_px=0.3, seed=i, with_depth=True)
            result = odometry.process((i + 1) * 50_000_000, features, told)
        return np.sqrt(result.covariance[4, 4]), odometry.focal_error[0]

    longer = replace(CAMERA, fx=CAMERA.fx * 1.1, fy=CAMERA.fy * 1.1)
    (sigma, error), (sound_sigma, sound_error) = moved(longer), moved(CAMERA)
    assert sigma > 2 * sound_sigma
    assert error == pytest.approx(1 / 1.1 - 1, abs=0.03)
    assert abs(sound_error) < 0.01
