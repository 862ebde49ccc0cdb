# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The chain of keyframes, on scenes with exact truth."""

import itertools

import numpy as np
import pytest
from synthetic import CAMERA, World, turn

from hybrid_features_ros.core import se3
from hybrid_features_ros.core.config import OdometryConfig
from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.core.types import MotionModel, Scale, State
from hybrid_features_ros.odometry import Odometry

FRAME_NS = 50_000_000
WORLD = World.random()


def along(poses, *, odometry=None, noise_px=0.3, with_depth=False, start=1):
    """Results for the views at the given poses, 20 per second."""
    odometry = odometry or Odometry(OdometryConfig())
    return [
        odometry.process(
            (start + i) * FRAME_NS,
            WORLD.seen_from(T, noise_px=noise_px, seed=i, with_depth=with_depth),
            CAMERA,
        )
        for i, T in enumerate(poses)
    ]


def sideways(count, step=0.03):
    return [se3.make(turn(z=3.0 * i)[:3, :3], [step * i, 0, 0]) for i in range(count)]


def rotation_errors(results, poses):
    first = se3.inverse(results[0].T_world_camera) @ poses[0]
    return [
        np.degrees(se3.rotation_angle((se3.inverse(r.T_world_camera) @ T @ se3.inverse(first))[:3, :3]))
        for r, T in zip(results, poses, strict=True)
    ]


@pytest.mark.parametrize("axis", "xyz")
def test_turning_on_the_spot_moves_nothing(axis):
    """A whole turn and more at 100 deg/s: orientation follows, the position stays, and it says so."""
    poses = [turn(**{axis: 5.0 * i}) for i in range(80)]
    results = along(poses)
    assert max(rotation_errors(results, poses)) < 2.0
    assert all(r.motion.model is MotionModel.ROTATION_ONLY for r in results[1:])
    assert all(r.state is State.ROTATION_ONLY and "position is held" in r.reason for r in results[1:])
    assert not np.array([r.T_world_camera[:3, 3] for r in results]).any()


def test_translation_then_rotation_then_translation():
    there = sideways(25)
    spin = [there[-1] @ turn(z=6.0 * i) for i in range(1, 20)]
    back = [se3.make(spin[-1][:3, :3], [0.72 - 0.03 * i, 0, 0]) for i in range(1, 20)]
    poses = there + spin + back
    results = along(poses)
    states = [r.state for r in results]
    assert states[0] is State.INITIALIZING
    assert State.TRACKING in states[5:25]
    assert states[-1] is State.TRACKING
    assert max(rotation_errors(results, poses)) < 2.0
    assert results[-1].scale is Scale.ASSUMED and results[-1].resets == 0
    travelled = [np.linalg.norm(results[i].T_world_camera[:3, 3]) for i in (24, 43, 62)]
    assert travelled[1] == pytest.approx(travelled[0], rel=0.1)
    assert travelled[2] < 0.35 * travelled[0]


@pytest.mark.parametrize("direction", [[1, 0, 0], [0, 0, 1]])
def test_the_second_image_moves_and_the_unit_of_length_stays(direction):
    """A clear motion needs no confirmation, and no adjustment changes how long a step is."""
    steps = 0.25 if direction[2] else 0.12
    poses = [se3.make(turn(y=1.5 * i)[:3, :3], steps * i * np.array(direction)) for i in range(16)]
    results = along(poses)
    assert results[1].motion.model in (MotionModel.ESSENTIAL, MotionModel.PNP)
    places = np.array([r.T_world_camera[:3, 3] for r in results])
    lengths = np.linalg.norm(np.diff(places, axis=0), axis=1)
    assert lengths == pytest.approx(np.full(15, np.median(lengths)), rel=0.1)


@pytest.mark.parametrize("seed", range(4))
def test_to_and_fro_over_the_start_keeps_the_unit_of_length(seed):
    """Where the newest keyframe is near the start again, its distance says nothing about the scale."""
    world, odometry = World.random(seed), Odometry(OdometryConfig())
    x = 0.2 * np.sin(2 * np.pi * np.arange(64) / 16)
    places = []
    for i in range(64):
        T = se3.make(turn(y=1.5 * i)[:3, :3], [x[i], 0, 0])
        result = odometry.process((i + 1) * FRAME_NS, world.seen_from(T, noise_px=0.3, seed=i), CAMERA)
        places.append(result.T_world_camera[0, 3])
    swings = [np.polyfit(x[i : i + 16], places[i : i + 16], 1)[0] for i in range(0, 64, 16)]
    assert swings == pytest.approx(np.full(4, swings[0]), rel=0.05)


def test_an_image_beyond_the_keyframe_is_placed_by_the_one_before():
    """A quarter of the view is left after a jump, but nothing of what the keyframe saw."""
    poses = [turn(y=angle) for angle in (0.0, 8.0, 16.0, 60.0, 68.0)]
    results = along(poses)
    assert all(r.motion.model is MotionModel.ROTATION_ONLY for r in results[1:])
    assert max(rotation_errors(results, poses)) < 0.5
    assert results[2].keyframes == 1 and results[3].keyframes == 2 + results[3].is_keyframe
    assert [r.previous_is_keyframe for r in results] == [False, False, False, True, False]


def test_a_motion_that_nobody_expected_is_found():
    """A jerk of 25 degrees between two images comes through."""
    poses = [se3.make(turn(z=25.0 * (i >= 30))[:3, :3], [0.03 * i, 0, 0]) for i in range(33)]
    results = along(poses, with_depth=True)
    assert all(r.state is State.TRACKING for r in results[3:])
    assert max(rotation_errors(results, poses)) < 0.5


def test_measured_depth_gives_metres():
    poses = sideways(40)
    results = along(poses, with_depth=True)
    assert results[-1].scale is Scale.METRIC
    assert np.allclose(results[-1].T_world_camera[:3, 3], poses[-1][:3, 3], atol=0.05)
    assert results[-1].motion.model is MotionModel.PNP


def test_velocity_in_the_cameras_own_axes():
    poses = sideways(30)
    twist = np.median([r.twist for r in along(poses, with_depth=True)[15:]], axis=0)
    steps = [se3.log(se3.inverse(a) @ b) for a, b in itertools.pairwise(poses[14:])]
    expected = np.median(steps, axis=0) / 0.05
    assert np.allclose(twist[3:], expected[3:], atol=0.05)
    assert np.linalg.norm(twist[:3]) == pytest.approx(0.6, rel=0.25)


def all_keyframes_were_told(results):
    """Whether the keyframes that the results count are those that they name."""
    told = np.cumsum([r.is_keyframe + r.previous_is_keyframe for r in results])
    return np.array_equal(told, [r.keyframes for r in results])


def in_the_dark(poses, odometry):
    """Results of 12 images that show five points only."""
    dark = World(WORLD.points[:5], WORLD.descriptors[:5])
    return [odometry.process((31 + i) * FRAME_NS, dark.seen_from(poses[30]), CAMERA) for i in range(12)]


def test_darkness_holds_the_pose_and_says_so():
    poses = sideways(60)
    odometry = Odometry(OdometryConfig())
    before = along(poses[:30], odometry=odometry)
    during = in_the_dark(poses, odometry)
    assert [r.state for r in during[:5]] == [State.DEGRADED] * 5
    assert all(r.state is State.LOST for r in during[6:])
    assert "keypoints" in during[-1].reason
    for r in during:
        assert np.allclose(r.T_world_camera[:3, 3], before[-1].T_world_camera[:3, 3], atol=1e-3)
    assert np.trace(during[-1].covariance) > np.trace(during[0].covariance) > np.trace(before[-1].covariance)


def test_a_turn_goes_on_in_the_dark_until_it_counts_as_lost():
    poses = sideways(60)
    odometry = Odometry(OdometryConfig())
    along(poses[:30], odometry=odometry)
    during = in_the_dark(poses, odometry)
    assert max(rotation_errors(during[:5], poses[30:35])) < 1.0
    assert np.allclose(during[-1].T_world_camera, during[7].T_world_camera, atol=1e-9)


def test_light_where_it_was_before_finds_the_old_keyframe():
    poses = sideways(60)
    odometry = Odometry(OdometryConfig())
    before = along(poses[:30], odometry=odometry)
    in_the_dark(poses, odometry)
    after = along(poses[42:], odometry=odometry, start=43)
    assert after[0].state is State.RECOVERING
    assert after[-1].state is State.TRACKING
    assert after[-1].resets == 0
    results, truth = before + after, poses[:30] + poses[42:]
    settled = [
        e
        for e, r in zip(rotation_errors(results, truth), results, strict=True)
        if r.state is not State.RECOVERING
    ]
    assert max(settled) < 2.0
    for a, b in itertools.pairwise(results):
        step = se3.log(se3.inverse(a.T_world_camera) @ b.T_world_camera)
        assert np.linalg.norm(step[:3]) < 0.2 and np.degrees(np.linalg.norm(step[3:])) < 15


def test_light_somewhere_else_starts_anew_from_the_last_pose():
    poses = sideways(60)
    odometry = Odometry(OdometryConfig())
    before = along(poses[:30], odometry=odometry)
    during = in_the_dark(poses, odometry)
    elsewhere = [T @ turn(y=180) for T in poses[42:]]
    after = along(elsewhere, odometry=odometry, start=43)
    assert after[0].state is State.LOST
    assert State.RECOVERING in [r.state for r in after[:14]]
    assert after[-1].state in (State.TRACKING, State.ROTATION_ONLY)
    assert after[-1].resets == 1
    assert all_keyframes_were_told(before + during + after)
    for a, b in itertools.pairwise([before[-1], *after]):
        assert np.linalg.norm(a.T_world_camera[:3, 3] - b.T_world_camera[:3, 3]) < 0.1


def test_another_configuration_continues_from_the_last_pose():
    poses = sideways(40)
    odometry = Odometry(OdometryConfig())
    before = along(poses[:25], odometry=odometry)
    odometry.configure(OdometryConfig(seed=1))
    after = along(poses[25:], odometry=odometry, start=26)
    assert np.allclose(after[0].T_world_camera, before[-1].T_world_camera)
    assert np.allclose(after[0].covariance, before[-1].covariance)
    assert [r.resets for r in after] == [1] * 15
    assert all_keyframes_were_told(before + after)


def test_another_configuration_keeps_the_pose_that_was_asked_for():
    odometry, T = Odometry(OdometryConfig()), turn(z=30)
    odometry.reset(T)
    odometry.configure(OdometryConfig(seed=1))
    assert np.allclose(along([np.eye(4)], odometry=odometry)[0].T_world_camera, T)


def test_reset_continues_from_the_last_pose():
    odometry = Odometry(OdometryConfig())
    before = along(sideways(20), odometry=odometry)[-1]
    odometry.reset()
    after = odometry.process(FRAME_NS, WORLD.seen_from(np.eye(4)), CAMERA)
    assert np.array_equal(after.T_world_camera, before.T_world_camera)
    assert after.resets == before.resets + 1
    assert after.scale is Scale.UNKNOWN


def test_covariance_is_always_a_covariance():
    for r in along(sideways(40)):
        for C in (r.covariance, r.twist_covariance, r.motion.covariance):
            assert np.isfinite(C).all()
            assert np.allclose(C, C.T)
            assert np.linalg.eigvalsh(C).min() > -1e-12


def test_a_replay_repeats_itself():
    a, b = along(sideways(15)), along(sideways(15))
    assert all(np.array_equal(x.T_world_camera, y.T_world_camera) for x, y in zip(a, b, strict=True))


def test_every_stage_is_timed():
    result = along(sideways(3))[-1]
    assert set(result.milliseconds) == {"bundle", "track", "keyframe"}
    assert all(t >= 0 for t in result.milliseconds.values())


def test_stale_stamp_is_refused_and_changes_nothing():
    odometry = Odometry(OdometryConfig())
    along(sideways(3), odometry=odometry)
    with pytest.raises(InputError, match="is not after the previous"):
        odometry.process(FRAME_NS, WORLD.seen_from(np.eye(4)), CAMERA)
    assert along(sideways(4)[3:], odometry=odometry, start=4)[0].state is not State.LOST


def test_image_of_another_size_is_refused():
    with pytest.raises(InputError, match="image is 640x480 but the calibration is for 320x240"):
        Odometry(OdometryConfig()).process(1, WORLD.seen_from(np.eye(4)), CAMERA.scaled(0.5))


def test_a_place_that_only_looks_alike_is_not_taken_for_the_old_one():
    """A few things of the room are elsewhere, too: they agree on a pose, but nothing else is there."""
    poses = sideways(60)
    odometry = Odometry(OdometryConfig())
    along(poses[:30], odometry=odometry, with_depth=True)
    in_the_dark(poses, odometry)
    seen = poses[41]
    local = (WORLD.points - seen[:3, 3]) @ seen[:3, :3]
    near = np.flatnonzero((np.abs(local[:, :2] / local[:, 2:]) < 0.4).all(axis=1) & (local[:, 2] > 0))[:21]
    other = World.random(seed=9)
    elsewhere = World(
        np.concatenate([other.points, WORLD.points[near]]),
        np.concatenate([other.descriptors, WORLD.descriptors[near]]),
    )
    results = [
        odometry.process((43 + i) * FRAME_NS, elsewhere.seen_from(seen, seed=i, with_depth=True), CAMERA)
        for i in range(12)
    ]
    assert all(r.state is State.LOST for r in results[:5])
    assert results[-1].resets == 1


@pytest.mark.parametrize("stamp", [float("nan"), 1.5, None])
def test_a_stamp_that_is_no_count_of_nanoseconds_is_named(stamp):
    with pytest.raises(InputError, match=f"image stamp {stamp}: give whole nanoseconds"):
        Odometry(OdometryConfig()).process(stamp, WORLD.seen_from(np.eye(4)), CAMERA)


@pytest.mark.parametrize("rate", [[0.0, np.nan, 0.0], [0.0, 0.0], 1.0])
def test_an_angular_velocity_that_is_none_is_named(rate):
    with pytest.raises(InputError, match="give three finite numbers"):
        Odometry(OdometryConfig()).add_gyro(1, rate)
