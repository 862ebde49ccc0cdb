# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Motions that another source measured: through the dark, against images, and as the unit of length."""

import numpy as np
import pytest
from synthetic import CAMERA, World, turn

from hybrid_features_ros.core import se3
from hybrid_features_ros.core.config import OdometryConfig, with_options
from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.core.motion_prior import MotionPrior
from hybrid_features_ros.core.types import Scale, State, Trajectory
from hybrid_features_ros.odometry import Odometry
from hybrid_features_ros.odometry.mapper import Mapper
from hybrid_features_ros.simulation.wheels import Wheels

FRAME_NS = 50_000_000
WORLD = World.random()
DARK = World(WORLD.points[:5], WORLD.descriptors[:5])
EXACT = Wheels(slip=0.0, noise_m=0.0, noise_rad=0.0)


def sideways(count, step=0.03, degrees=1.75):
    return np.array([se3.make(turn(z=degrees * i)[:3, :3], [step * i, 0, 0]) for i in range(count)])


def walk(count):
    """A lap around the middle, looking ahead, at .6 m/s."""
    a = 0.03 * np.arange(count)
    return np.array(
        [se3.make(turn(y=np.degrees(t))[:3, :3], [np.cos(t) - 1, 0.1 * np.sin(3 * t), np.sin(t)]) for t in a]
    )


def replay(poses, priors, *, dark=(), depth=(), config=None, seed=0, world=WORLD):
    odometry = Odometry(config or OdometryConfig())
    return [
        odometry.process(
            (i + 1) * FRAME_NS,
            (DARK if i in dark else world).seen_from(
                T, noise_px=0.4, seed=1000 * seed + i, with_depth=i in depth
            ),
            CAMERA,
            prior,
        )
        for i, (T, prior) in enumerate(zip(poses, priors, strict=True))
    ]


def path(poses):
    return Trajectory((np.arange(len(poses)) + 1) * FRAME_NS, poses)


def error(result, T, first):
    away = se3.inverse(result.T_world_camera) @ se3.inverse(first) @ T
    return float(np.linalg.norm(away[:3, 3])), float(np.degrees(se3.rotation_angle(away[:3, :3])))


@pytest.mark.parametrize("depth", [range(45), ()])
def test_an_exact_prior_carries_the_pose_through_the_dark(depth):
    poses = sideways(45)
    results = replay(poses, EXACT.priors(path(poses)), dark=range(30, 42), depth=depth)
    assert results[34].state is State.DEGRADED and results[41].state is State.LOST
    dark_m = np.linalg.norm(results[41].T_world_camera[:3, 3] - results[29].T_world_camera[:3, 3])
    turned = results[29].T_world_camera[:3, :3].T @ results[41].T_world_camera[:3, :3]
    degrees = np.degrees(se3.rotation_angle(turned.T @ poses[29][:3, :3].T @ poses[41][:3, :3]))
    assert dark_m == pytest.approx(0.36, abs=0.02 * 1.23)
    assert degrees < 0.5
    assert results[42].state is State.RECOVERING and results[-1].resets == 0
    assert np.linalg.norm(results[42].T_world_camera[:3, 3] - results[41].T_world_camera[:3, 3]) < 0.06


def test_the_covariance_grows_as_the_prior_says():
    poses = sideways(45)
    priors = Wheels(slip=0.0, noise_m=0.05, noise_rad=0.05).priors(path(poses))
    results = replay(poses, priors, dark=range(30, 42), depth=range(45))
    told = sum(p.covariance[3:, 3:].trace() for p in priors[30:42])
    assert np.trace(results[41].covariance[3:, 3:] - results[29].covariance[3:, 3:]) == pytest.approx(
        told, rel=0.01
    )
    held = replay(poses, [None] * 45, dark=range(30, 42), depth=range(45))
    assert np.trace(results[41].covariance) < 0.2 * np.trace(held[41].covariance)


def test_wheels_that_spin_pull_nothing_and_are_told():
    poses = sideways(45)
    priors = EXACT.priors(path(poses))
    wrong = MotionPrior(se3.exp([0.2, 0, 0.3, 0, 0.1, 0]), np.diag([1e-8] * 6))
    spun = priors[:20] + [wrong] * 15 + priors[35:]
    results, usual = (replay(poses, p, depth=range(45)) for p in (spun, [None] * 45))
    assert [r.prior_rejected for r in results] == [20 <= i < 35 for i in range(45)]
    assert max(error(r, T, poses[0])[0] for r, T in zip(results, poses, strict=True)) < 2 * max(
        error(r, T, poses[0])[0] for r, T in zip(usual, poses, strict=True)
    )
    assert all(r.state is State.TRACKING for r in results[1:])


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_wheels_give_one_camera_its_metric_scale(seed):
    poses = walk(200)
    results = replay(poses, Wheels(seed=seed).priors(path(poses)), seed=seed, world=World.random(seed))
    scales = [r.scale for r in results]
    assert scales[0] is Scale.UNKNOWN and Scale.METRIC in scales[:60]
    assert all(s is Scale.METRIC for s in scales[60:])
    steps = [
        np.linalg.norm(np.diff([p[:3, 3] for p in some[100:]], axis=0), axis=1).sum()
        for some in ([r.T_world_camera for r in results], poses)
    ]
    off = steps[0] / steps[1] - 1
    assert abs(off) < 0.04  # half of it slip, which nothing shows
    assert abs(off) < 3 * results[-1].scale_sigma < 0.12
    jumps = np.linalg.norm(np.diff([r.T_world_camera[:3, 3] for r in results], axis=0), axis=1)
    assert jumps.max() < 0.12


def test_a_scale_that_wheels_begin_to_contradict_is_told_to_be_in_doubt():
    poses = walk(120)
    priors = EXACT.priors(path(poses))
    for i in range(80, 120):  # longer by half
        T = priors[i].T_previous_current.copy()
        T[:3, 3] *= 1.5
        priors[i] = MotionPrior(T, priors[i].covariance)
    results = replay(poses, priors)
    assert all(r.scale is Scale.METRIC for r in results[60:])
    assert max(r.scale_sigma for r in results[60:80]) < 0.04
    assert max(r.scale_sigma for r in results[80:]) > 0.1


def test_a_map_that_begins_anew_has_its_unit_measured_anew(monkeypatch):
    calls = iter(range(10_000))

    def once(mapper, tracked, *_):
        return tracked if next(calls) == 120 else None

    monkeypatch.setattr(Mapper, "revise_start", once)
    poses = walk(200)
    scales = [r.scale for r in replay(poses, Wheels().priors(path(poses)))]
    anew = max(i for i in range(1, 200) if scales[i - 1] is Scale.METRIC and scales[i] is Scale.ASSUMED)
    assert anew > 100 and scales[-1] is Scale.METRIC


def test_without_a_prior_the_scale_stays_assumed():
    results = replay(walk(60), [None] * 60)
    assert results[-1].scale is Scale.ASSUMED and results[-1].scale_sigma == 0.5


def test_one_depth_image_gives_one_camera_its_metric_scale():
    poses = walk(80)
    results = replay(poses, [None] * 80, depth=[50])
    assert results[49].scale is Scale.ASSUMED and results[50].scale is Scale.METRIC
    lengths = [
        np.linalg.norm(np.diff([p[:3, 3] for p in some[55:]], axis=0), axis=1).sum()
        for some in ([r.T_world_camera for r in results], poses)
    ]
    assert lengths[0] == pytest.approx(lengths[1], rel=0.03)
    assert abs(lengths[0] / lengths[1] - 1) < 3 * results[-1].scale_sigma


def test_a_matrix_alone_is_refused():
    odometry = Odometry(OdometryConfig())
    odometry.process(FRAME_NS, WORLD.seen_from(np.eye(4)), CAMERA)
    with pytest.raises(InputError, match=r"MotionPrior\(T\)"):
        odometry.process(2 * FRAME_NS, WORLD.seen_from(np.eye(4)), CAMERA, np.eye(4))


def test_the_scale_may_be_left_alone():
    config = with_options(OdometryConfig(), {"prior.max_scale_sigma": 0.0})
    poses = walk(60)
    assert replay(poses, EXACT.priors(path(poses)), config=config)[-1].scale is Scale.ASSUMED
