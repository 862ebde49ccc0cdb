# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Covariances of poses, and what an image says about the scene's depth."""

from dataclasses import replace

import numpy as np
import pytest
from synthetic import CAMERA, World

from hybrid_features_ros.core import se3
from hybrid_features_ros.core.config import TrackingConfig
from hybrid_features_ros.core.types import MotionModel, Scale
from hybrid_features_ros.odometry.covariance import CovarianceModel, ErrorModel
from hybrid_features_ros.odometry.frame import Frame
from hybrid_features_ros.odometry.local_map import MapMatches, map_of
from hybrid_features_ros.odometry.pose_optimizer import evaluate_pose
from hybrid_features_ros.odometry.tracking_result import TrackingResult


def tracked_at_the_start():
    """An image tracked in the map that it began, all depths measured."""
    frame = Frame.make(1, World.random().seen_from(np.eye(4), with_depth=True), CAMERA, 0.003)
    local_map = map_of(frame, np.eye(4), np.zeros((6, 6)), 0.25, 0)
    matches = MapMatches(local_map, frame, np.arange(len(frame)), np.arange(len(frame)))
    fit = evaluate_pose(matches.observations, np.eye(4))
    return TrackingResult.make(MotionModel.PNP, matches, fit, np.ones(len(frame), np.bool_))


def test_the_scenes_depth_is_the_median_of_the_known_inliers():
    tracked, model = tracked_at_the_start(), CovarianceModel(TrackingConfig(), np.eye(4), np.zeros((6, 6)))
    model.update_scene_depth(tracked)
    distances = 1 / tracked.matches.frame.inverse_depth
    assert model.median_inverse_depth == np.float64(1 / np.median(distances[np.isfinite(distances)]))


def test_a_pose_with_which_nothing_agrees_closely_spoils_nothing():
    """The scene's depth stays what it was when no landmark of known depth is a strict inlier."""
    tracked, model = tracked_at_the_start(), CovarianceModel(TrackingConfig(), np.eye(4), np.zeros((6, 6)))
    before = model.median_inverse_depth
    model.update_scene_depth(replace(tracked, known_inliers=np.zeros(len(tracked.inliers), np.bool_)))
    assert model.median_inverse_depth == before > 0


def test_keyframes_that_see_the_same_landmarks_add_no_error():
    """With one camera errors grow from one generation of landmarks to the next, not with every keyframe; with
    measured depths, which make few keyframes, from one of those to the next.
    """
    tracked, C = tracked_at_the_start(), np.eye(6) * 1e-8
    local_map = tracked.matches.local_map.with_keyframe(tracked.matches, np.eye(4), np.eye(6) * 0.01, 0.25)
    matches = replace(tracked.matches, local_map=local_map)
    again = TrackingResult.make(MotionModel.PNP, matches, tracked.fit, tracked.inliers)
    assert again.reference_keyframe.number == 1
    for scale, added in ((Scale.ASSUMED, 0.0), (Scale.METRIC, 0.06)):
        model = CovarianceModel(TrackingConfig(), np.eye(4), np.zeros((6, 6)))
        model.scale = scale
        model.update(again, C)
        assert np.trace(model.estimate) == pytest.approx(added, abs=0.001)


def test_the_origin_is_where_the_landmarks_in_view_come_from():
    tracked = tracked_at_the_start()
    n = len(tracked.inliers)
    known = np.arange(n) < 0.4 * n
    local_map = tracked.matches.local_map.with_keyframe(
        tracked.matches[known], np.eye(4), np.zeros((6, 6)), 0.25
    )
    rows = np.concatenate([np.flatnonzero(known), np.arange(n, len(local_map.landmarks))])
    matches = MapMatches(local_map, tracked.matches.frame, rows, np.arange(n))
    again = TrackingResult.make(MotionModel.PNP, matches, tracked.fit, np.ones(n, np.bool_))
    assert [again.origin_keyframe(share).number for share in (0.0, 0.3, 0.65, 1.0)] == [0, 0, 1, 1]
    nothing = replace(again, inliers=np.zeros(n, np.bool_))
    assert nothing.origin_keyframe(0.65) is nothing.reference_keyframe


def test_residuals_beyond_the_noise_of_keypoints_are_an_error_that_all_landmarks_share():
    tracked, C = tracked_at_the_start(), np.eye(6) * 1e-12
    quiet, loud = (
        replace(tracked, fit=replace(tracked.fit, errors=np.full(len(tracked.fit.errors), errors)))
        for errors in (0.3, 3.0)  # squared, of two degrees of freedom; their median is 1.39
    )
    sigmas = []
    for image in (tracked, quiet, loud):
        model = CovarianceModel(TrackingConfig(), np.eye(4), np.zeros((6, 6)))
        model.update(image, C)
        sigmas.append(np.sqrt(np.diag(model.covariance_since_start(np.eye(4), np.zeros(6)))))
    assert np.allclose(sigmas[0], sigmas[1])
    angle = np.median(tracked.matches.observations.sigmas) * np.sqrt(3.0 / 1.3863 - 0.49)
    errors = ErrorModel()
    expected = np.hypot(errors.shared_error, errors.shared_drift) * angle
    assert np.allclose(sigmas[2][5], np.hypot(sigmas[1][5], expected), rtol=0.02)
    assert sigmas[2][0] > expected / model.median_inverse_depth


def test_motion_within_the_error_of_stamps_and_net_rotation_err_in_common():
    config = TrackingConfig(stamp_error_s=0.01, calibration_error=0.01)
    model, still = CovarianceModel(config, np.eye(4), np.zeros((6, 6))), np.zeros(6)
    moving, turned = np.array([0, 0, 10.0, 0, 2.0, 0]), se3.exp([0, 0, 0, 0, 0, 1.0])
    base, fast, far = (
        model.covariance_since_start(T, v).diagonal()
        for T, v in ((np.eye(4), still), (np.eye(4), moving), (turned, still))
    )
    assert fast - base == pytest.approx([0.1**2] * 3 + [0.02**2] * 3)
    assert far - base == pytest.approx([0.0] * 3 + [0.01**2] * 3, abs=1e-12)


def test_a_doubted_focal_length_errs_with_the_turn_and_the_step_aside_since_the_start():
    model, still = CovarianceModel(TrackingConfig(), np.eye(4), np.zeros((6, 6))), np.zeros(6)
    model.median_inverse_depth = 0.5
    turned, aside = se3.exp([0, 0, 0, 0, 1.0, 0]), se3.make(np.eye(3), [0.8, 0, 0])
    for T, angle in ((np.eye(4), 0.0), (turned, 1.0), (aside, 0.4)):
        model.calibration_doubt = 0.0
        sound = model.covariance_since_start(T, still).diagonal()
        model.calibration_doubt = 0.1
        added = model.covariance_since_start(T, still).diagonal() - sound
        assert added == pytest.approx([(0.1 * angle / 0.5) ** 2] * 3 + [(0.1 * angle) ** 2] * 3, abs=1e-12)
