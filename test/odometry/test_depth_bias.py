# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The common error of measured depths, against the motion of tracked points."""

from dataclasses import replace

import numpy as np
import pytest
from synthetic import CAMERA, World

from hybrid_features_ros.core import se3
from hybrid_features_ros.core.types import MotionModel
from hybrid_features_ros.odometry.depth_bias import BiasPrior, DepthBias
from hybrid_features_ros.odometry.frame import Frame
from hybrid_features_ros.odometry.local_map import MapMatches, map_of
from hybrid_features_ros.odometry.pose_optimizer import evaluate_pose
from hybrid_features_ros.odometry.tracking_result import TrackingResult

NOISE = 0.004  # of inverse depths [1/m]


def image(number, T, bias):
    """An image whose inverse depths err by ``bias[0] + bias[1] x^2`` and by noise."""
    frame = Frame.make(number + 1, World.random(3).seen_from(T, with_depth=True), CAMERA, NOISE, number)
    z, x = frame.rays[:, 2], frame.rays[:, 0] / frame.rays[:, 2]
    noise = np.random.default_rng(number).normal(size=len(frame)) * NOISE
    return replace(frame, inverse_depth=frame.inverse_depth + z * (bias[0] + bias[1] * x**2 + noise))


def followed(first, second, T, T_first):
    """The second image placed in a map that begins with the first."""
    local_map = map_of(first, T_first, np.zeros((6, 6)), 0.2, 0)
    squared = 2 - 2 * first.descriptors @ second.descriptors.T
    rows = np.flatnonzero(squared.min(axis=1) < 0.5)
    matches = MapMatches(local_map, second, rows, squared.argmin(axis=1)[rows])
    fit = evaluate_pose(matches.observations, T)
    return TrackingResult.make(MotionModel.PNP, matches, fit, np.ones(len(rows), np.bool_))


def learnt(bias, motions):
    estimate = DepthBias(BiasPrior(shift=1.0))
    for number, T in enumerate(motions):
        first, second = (
            estimate.corrected(image(2 * number + i, P, bias)) for i, P in ((0, np.eye(4)), (1, T))
        )
        estimate.add_keyframe(first)
        estimate.add_keyframe(second, followed(first, second, T, np.eye(4)))
    return estimate


MOTIONS = [
    se3.exp([x, y, z, 0.02, 0.03 * x, 0.1]) for x in (-0.5, 0.5) for y in (-0.3, 0.3) for z in (-0.4, 0.6)
]


def test_an_error_of_the_depths_is_learnt_while_the_camera_moves():
    bias = np.array([0.004, -0.03])
    assert learnt(bias, MOTIONS).value == pytest.approx(bias, rel=0.35, abs=0.0015)


def test_depths_are_corrected_by_what_was_learnt():
    bias = np.array([0.004, -0.03])
    estimate = learnt(bias, MOTIONS)
    wrong, true = image(50, np.eye(4), bias), image(50, np.eye(4), np.zeros(2))
    measured = np.isfinite(wrong.inverse_depth)
    before, after = (
        np.abs(f.inverse_depth - true.inverse_depth)[measured] for f in (wrong, estimate.corrected(wrong))
    )
    assert np.median(after) < 0.5 * np.median(before)


def test_what_was_mapped_before_the_evidence_follows_once():
    bias = np.array([0.004, -0.03])
    first = image(0, np.eye(4), bias)
    mapped, estimate = map_of(first, np.eye(4), np.zeros((6, 6)), 0.2, 0), learnt(bias, MOTIONS)
    measured = np.isfinite(first.inverse_depth)
    corrected = estimate.corrected_map(mapped)
    expected = estimate.corrected(first).inverse_depth[measured]
    assert corrected.landmarks.inverse_depth[measured] == pytest.approx(expected)
    again = estimate.corrected_map(corrected)
    assert np.array_equal(again.landmarks.inverse_depth, corrected.landmarks.inverse_depth)


def test_an_image_counts_with_the_depths_that_it_had_not_with_those_that_it_would_have_now():
    """The keyframe that brings the evidence was not corrected yet: else its error would be learnt twice."""
    bias, estimate = np.array([0.02, 0.0]), DepthBias()
    poses = [np.eye(4), *MOTIONS[:3]]
    images = [image(number, T, bias) for number, T in enumerate(poses)]
    estimate.add_keyframe(images[0])
    estimate.add_keyframe(images[1], followed(*images[:2], poses[1], poses[0]))
    assert estimate.value.any(), "the second image brings the evidence, and its own depths are wrong"
    for T, new in zip(poses[2:], images[2:], strict=True):
        estimate.add_keyframe(new, followed(images[1], new, T, poses[1]))
    assert estimate.value[0] == pytest.approx(bias[0], rel=0.2)


def test_depths_without_an_error_are_left_as_they_are():
    """The estimate is never exactly zero: below a significant value it is not used."""
    estimate = learnt(np.zeros(2), MOTIONS)
    frame = image(60, np.eye(4), np.zeros(2))
    assert not estimate.value.any() and estimate.corrected(frame) is frame


def test_what_the_shift_still_errs_shrinks_with_evidence():
    bias = np.array([0.004, -0.03])
    prior, little, much = DepthBias(), learnt(bias, MOTIONS[:1]), learnt(bias, MOTIONS)
    assert prior.shift_sigma == 0, "nothing is measured"
    assert NOISE > little.shift_sigma > 2 * much.shift_sigma > 0


def test_the_prior_needs_evidence():
    bias = np.array([0.004, 0.0])
    estimate = DepthBias(BiasPrior(shift=0.01))
    first, second = image(0, np.eye(4), bias), image(1, MOTIONS[0], bias)
    estimate.add_keyframe(first)
    estimate.add_keyframe(second, followed(first, second, MOTIONS[0], np.eye(4)))
    assert abs(estimate.value[0]) < 0.1 * bias[0]


def test_an_estimate_that_later_keyframes_contradict_is_used_no_more():
    estimate, bias = DepthBias(), np.array([0.008, 0.0])
    first, second = image(0, np.eye(4), bias), image(1, MOTIONS[0], bias)
    estimate.add_keyframe(first)
    estimate.add_keyframe(second, followed(first, second, MOTIONS[0], np.eye(4)))
    assert estimate.value.any()
    for number, T in enumerate(MOTIONS, start=1):
        first, second = (
            estimate.corrected(image(2 * number + i, P, np.zeros(2))) for i, P in ((0, np.eye(4)), (1, T))
        )
        estimate.add_keyframe(first)
        estimate.add_keyframe(second, followed(first, second, T, np.eye(4)))
    assert not estimate.value.any()


def test_a_camera_that_stands_still_teaches_nothing():
    value = learnt(np.array([0.004, -0.03]), [np.eye(4)] * 4).value
    assert np.abs(value).max() < 0.002


def test_without_measured_depths_nothing_changes():
    frame = Frame.make(1, World.random(3).seen_from(np.eye(4)), CAMERA, NOISE)
    estimate = DepthBias()
    estimate.add_keyframe(frame)
    assert estimate.corrected(frame) is frame and not estimate.value.any()


def test_a_point_beyond_infinity_has_no_depth():
    estimate, frame = learnt(np.array([0.004, -0.03]), MOTIONS), image(0, np.eye(4), np.zeros(2))
    estimate._vector = estimate._information @ [10.0, 0.0]
    assert np.isnan(estimate.corrected(frame).inverse_depth).all()
