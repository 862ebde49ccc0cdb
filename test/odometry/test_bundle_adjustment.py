# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Bundle adjustment on a small world with exact truth."""

import numpy as np
import pytest
from synthetic import CAMERA, turn

from hybrid_features_ros.core import se3
from hybrid_features_ros.odometry.bundle_adjustment import Problem, adjust

SIGMA = 0.5 / CAMERA.focal


def walk(frames=5):
    return np.array([se3.make(turn(z=4.0 * i)[:3, :3], [0.1 * i, 0.02 * i, 0.0]) for i in range(frames)])


def problem(seed=0, landmarks=150, disturb=0.0, measured=False, noise=1.0):
    """All landmarks anchored in the first keyframe and seen by all others."""
    rng = np.random.default_rng(seed)
    truth = walk()
    rays = CAMERA.bearings(rng.uniform([100, 100], [540, 380], (landmarks, 2)))
    distance = rng.uniform(2, 6, landmarks)
    frame, landmark = (a.ravel() for a in np.mgrid[1 : len(truth), :landmarks])
    local = np.einsum(
        "oij,oj->oi",
        truth[frame, :3, :3].transpose(0, 2, 1),
        (rays * distance[:, None])[landmark] - truth[frame, :3, 3],
    )
    seen = local / np.linalg.norm(local, axis=1, keepdims=True) + rng.normal(size=local.shape) * SIGMA * noise
    poses = np.array([truth[0], *(T @ se3.exp(rng.normal(size=6) * disturb) for T in truth[1:])])
    prior = 1 / distance if measured else np.full(landmarks, 1 / 4)
    return truth, distance, Problem(
        poses=poses,
        free=np.arange(len(truth)) > 0,
        anchors=np.zeros(landmarks, np.int32),
        anchor_rays=rays,
        inverse_depth=prior,
        prior=prior,
        prior_sigmas=np.full(landmarks, 0.003 if measured else 1.0),
        keyframe=frame.astype(np.int32),
        landmark=landmark.astype(np.int32),
        rays=seen / np.linalg.norm(seen, axis=1, keepdims=True),
        sigmas=np.full(len(frame), SIGMA),
    )  # fmt: skip


def test_measured_depths_give_metric_poses():
    truth, distance, given = problem(disturb=0.01, measured=True)
    solution = adjust(given, 10)
    for T, estimate in zip(truth, solution.poses, strict=True):
        assert np.linalg.norm(se3.log(se3.inverse(estimate) @ T)) < 0.01
    assert np.median(np.abs(solution.inverse_depth * distance - 1)) < 0.01


def test_without_depths_the_shape_is_found_up_to_scale():
    truth, distance, given = problem(disturb=0.005)
    solution = adjust(given, 30)
    ratio = solution.inverse_depth * distance
    assert np.std(ratio / np.median(ratio)) < 0.1
    angle = [se3.rotation_angle(a[:3, :3].T @ b[:3, :3]) for a, b in zip(truth, solution.poses, strict=True)]
    assert np.degrees(max(angle)) < 0.3


def test_fixed_poses_stay():
    _, _, given = problem(disturb=0.01, measured=True)
    assert np.array_equal(adjust(given, 5).poses[0], given.poses[0])


def test_the_covariance_is_consistent():
    nees = []
    for seed in range(30):
        truth, _, given = problem(seed, measured=True)
        solution = adjust(given, 10)
        error = se3.log(se3.inverse(solution.poses[-1]) @ truth[-1])
        nees.append(error @ np.linalg.solve(solution.covariance[-1], error))
    assert 6 * 0.5 < np.mean(nees) < 6 * 1.7


def test_outliers_are_named():
    _, _, given = problem(measured=True)
    seen = given.rays.copy()
    seen[:20] = np.roll(seen[:20], 7, axis=0)
    solution = adjust(Problem(**{**vars(given), "rays": seen}), 10)
    assert solution.outliers[:20].mean() > 0.8
    assert solution.outliers[20:].mean() < 0.02


@pytest.mark.parametrize("disturb", [0.0, 0.02])
def test_it_repeats_itself(disturb):
    a, b = (adjust(problem(disturb=disturb)[2], 6) for _ in range(2))
    assert np.array_equal(a.poses, b.poses) and np.array_equal(a.inverse_depth, b.inverse_depth)
