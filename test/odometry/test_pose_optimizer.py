# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Landmarks of any certainty to a pose."""

import numpy as np
import pytest
from synthetic import CAMERA, turn

from hybrid_features_ros.core import se3
from hybrid_features_ros.geometry.tangent import tangent_bases
from hybrid_features_ros.odometry.pose_optimizer import (
    GaussNewton,
    Observations,
    PosePrior,
    evaluate_pose,
    linearise,
    optimize_pose,
    squared_errors,
)

SIGMA = 0.5 / CAMERA.focal
TRUE = se3.exp(np.array([0.2, -0.1, 0.15, 0.1, -0.2, 0.6]))


def observations(seed=0, count=200, relative_sigma=0.0, outliers=0.0, T=TRUE, noise=1.0):
    """Landmarks anchored around the origin, whose inverse distances err by ``relative_sigma``."""
    rng = np.random.default_rng(seed)
    pixels = rng.uniform([0, 0], [CAMERA.width, CAMERA.height], (count, 2))
    points = (CAMERA.bearings(pixels) * rng.uniform(2, 8, (count, 1))) @ T[:3, :3].T + T[:3, 3]
    origins = rng.normal(size=(count, 3)) * 0.05
    away = points - origins
    distance = np.linalg.norm(away, axis=1)
    rays = CAMERA.bearings(pixels) + rng.normal(size=(count, 3)) * SIGMA * noise
    rays /= np.linalg.norm(rays, axis=1, keepdims=True)
    wrong = rng.permutation(count)[: int(outliers * count)]
    rays[wrong] = rays[np.roll(wrong, 1)]
    inverse = 1 / distance * (1 + relative_sigma * rng.normal(size=count))
    return Observations(
        origins,
        away / distance[:, None],
        np.abs(inverse),
        np.maximum(relative_sigma, 1e-6) / distance,
        rays,
        np.full(count, SIGMA),
    )


def fit_pose(given, T, **how):
    return evaluate_pose(given, optimize_pose(given, T, **how))


def error(T):
    return se3.log(se3.inverse(T) @ TRUE)


@pytest.mark.parametrize("relative_sigma", [0.0, 0.1, 0.25])
@pytest.mark.parametrize("outliers", [0.0, 0.3])
def test_finds_the_pose(relative_sigma, outliers):
    fit = fit_pose(observations(relative_sigma=relative_sigma, outliers=outliers), turn(z=20))
    assert np.linalg.norm(error(fit.T)[3:]) < 0.01
    assert np.linalg.norm(error(fit.T)[:3]) < 0.05


@pytest.mark.parametrize("outliers", [0.0, 0.4])
def test_stops_where_more_steps_move_less_than_noise(outliers):
    """What is left is a fiftieth of a pixel at most, after few steps."""
    for seed in range(10):
        given = observations(seed, relative_sigma=0.1, outliers=outliers)
        start = TRUE @ se3.exp(np.full(6, 0.02))
        end = optimize_pose(given, start, solver=GaussNewton(100, 1e-10))
        left = se3.log(se3.inverse(end) @ optimize_pose(given, start, solver=GaussNewton(8)))
        assert np.abs(left[3:]).max() < 0.02 / CAMERA.focal
        assert np.abs(left[:3]).max() * np.median(given.inverse_depth) < 0.02 / CAMERA.focal


def test_longer_steps_come_nearer():
    """Three of them leave less than three steps of fixed weights do."""

    def left(max_step_scale):
        errors = []
        for seed in range(10):
            given = observations(seed, relative_sigma=0.1, outliers=0.2)
            end = optimize_pose(given, TRUE, solver=GaussNewton(100, 1e-10))
            few = GaussNewton(3, 0, max_step_scale=max_step_scale)
            there = optimize_pose(given, end @ se3.exp(np.full(6, 0.002)), solver=few)
            errors.append(np.linalg.norm(se3.log(se3.inverse(end) @ there)))
        return np.median(errors)

    assert left(GaussNewton().max_step_scale) < 0.7 * left(1.0)


def test_a_sure_prior_is_reached_at_once():
    """Steps are lengthened in what the landmarks say, not in what the prior says."""
    given = observations(outliers=0.3)
    mean = TRUE @ se3.exp(np.full(6, 0.01))
    once = optimize_pose(
        given, TRUE, prior=PosePrior(mean, mean[:3, 3], np.eye(6) * 1e12), solver=GaussNewton(1)
    )
    assert np.abs(se3.log(se3.inverse(mean) @ once)).max() < 1e-4
    behind = TRUE @ turn(y=180)  # there the prior alone decides
    mean = behind @ se3.exp(np.full(6, 0.01))
    back = optimize_pose(given, behind, prior=PosePrior(mean, mean[:3, 3], np.eye(6)))
    assert np.allclose(se3.log(se3.inverse(behind) @ back), 0.01, atol=1e-6)


@pytest.mark.parametrize("relative_sigma", [0.0, 0.1, 3.0])
def test_residuals_alone_are_those_of_the_judgement(relative_sigma):
    given = observations(relative_sigma=relative_sigma, outliers=0.3)
    for T in (TRUE, TRUE @ turn(y=30), TRUE @ turn(y=180)):
        assert np.allclose(squared_errors(given, T), evaluate_pose(given, T).errors)


def test_parts_tell_together_what_all_tell():
    fit = fit_pose(observations(relative_sigma=0.1, outliers=0.2), TRUE)
    some = np.arange(len(fit.errors)) % 3 == 0
    assert np.allclose(fit.information_of(some) + fit.information_of(~some), fit.information)


def test_a_part_of_the_landmarks_is_seen_alike():
    given = observations(relative_sigma=0.1)
    some = np.arange(len(given)) % 2 == 0
    assert np.allclose(squared_errors(given[some], TRUE), squared_errors(given, TRUE)[some])
    assert np.allclose(given[some].basis, tangent_bases(given.rays[some]))


def test_jacobians_are_derivatives():
    given = observations(relative_sigma=0.1)
    basis = tangent_bases(given.rays)
    r, J, A = linearise(given, TRUE, basis)
    for i in range(6):
        step = 1e-6 * np.eye(6)[i]
        moved = linearise(given, TRUE @ se3.exp(step), basis)[0]
        assert np.allclose((moved - r) / 1e-6, J[:, i], atol=1e-4)
    nearer = Observations(given.origins, given.directions, given.inverse_depth + 1e-6, *vars_after(given))
    assert np.allclose((linearise(nearer, TRUE, basis)[0] - r) / 1e-6, A, atol=1e-4)


def vars_after(given):
    return given.inverse_depth_sigmas, given.rays, given.sigmas


@pytest.mark.parametrize("relative_sigma", [0.0, 0.1])
def test_information_is_consistent(relative_sigma):
    """Normalised squared errors over repeated draws average to six, the degrees of freedom."""
    nees = []
    for seed in range(60):
        fit = fit_pose(observations(seed, relative_sigma=relative_sigma), TRUE)
        nees.append(error(fit.T) @ fit.information @ error(fit.T))
    assert 6 * 0.6 < np.mean(nees) < 6 * 1.6


def test_unknown_distances_tell_the_rotation_and_no_translation():
    """With every distance wrong by a factor the pose is as good across the epipolar lines."""
    given = observations(noise=0.2)
    doubled = Observations(
        given.origins * 0,
        given.directions,
        given.inverse_depth * 2,
        given.inverse_depth * 30,
        given.rays,
        given.sigmas,
    )
    T = se3.make(TRUE[:3, :3], np.zeros(3))
    here = evaluate_pose(doubled, T)
    held = fit_pose(doubled, T, fix_position=True)
    assert np.array_equal(held.T[:3, 3], np.zeros(3))
    assert np.linalg.eigvalsh(here.information[3:, 3:])[0] > 1e4


def test_prior_decides_where_landmarks_do_not():
    few = observations(count=2, noise=0.0)
    mean = TRUE @ se3.exp(np.array([0.05, 0, 0, 0, 0, 0]))
    fit = fit_pose(few, mean, prior=PosePrior(mean, mean[:3, 3], np.eye(6) * 1e2))
    assert np.linalg.norm(error(fit.T)) < 0.1


def test_landmarks_behind_are_no_support():
    given = observations()
    assert np.isinf(evaluate_pose(given, TRUE @ turn(y=180)).errors).all()
