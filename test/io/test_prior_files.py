# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Recorded motion priors: of files, of bags, and the motions between images by them."""

from itertools import pairwise

import bagmaker
import numpy as np
import pytest
import sequences
from bagmaker import header, info, new, static

from hybrid_features_ros.core import se3
from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.io.priors import MotionsBetween, read_prior
from hybrid_features_ros.io.rectified import RectifiedSource
from hybrid_features_ros.io.source import Choice, Notes
from hybrid_features_ros.io.sources import open_source
from hybrid_features_ros.io.trajectory import write_tum

STAMPS = sequences.stamps().tolist()
POSES = sequences.truth().poses
T_BODY_CAMERA = se3.make([[0, 0, 1], [-1, 0, 0], [0, -1, 0]], [0.1, 0.02, -0.3])
ODOMETRY = "nav_msgs/msg/Odometry"


def motions(source):
    between = MotionsBetween(source.prior)
    return [between.motion(a, b) for a, b in pairwise(STAMPS)]


def wheels(topic="/wheels", child="base", covariance=0.04, broken=None):
    """The camera's path as wheels on the body would tell it."""
    for i, (stamp, T) in enumerate(zip(STAMPS, POSES, strict=True)):
        body = T @ se3.inverse(T_BODY_CAMERA)
        x, y, z, w = np.where(i == broken, 0.0, se3.to_quaternion(body)).tolist()
        placed = new(
            "geometry_msgs/msg/Pose",
            position=new("geometry_msgs/msg/Point", **dict(zip("xyz", body[:3, 3].tolist(), strict=True))),
            orientation=new("geometry_msgs/msg/Quaternion", x=x, y=y, z=z, w=w),
        )
        still = new("geometry_msgs/msg/Vector3", x=0.0, y=0.0, z=0.0)
        twist = new(
            "geometry_msgs/msg/TwistWithCovariance",
            twist=new("geometry_msgs/msg/Twist", linear=still, angular=still),
            covariance=np.diag([covariance] * 6).ravel(),
        )
        pose = new("geometry_msgs/msg/PoseWithCovariance", pose=placed, covariance=np.zeros(36))
        message = new(ODOMETRY, header=header(stamp, "odom"), child_frame_id=child, pose=pose, twist=twist)
        yield topic, ODOMETRY, stamp, message


def bag(tmp_path, *entries):
    images = [
        entry
        for i, stamp in enumerate(STAMPS)
        for entry in (info("/camera_info", stamp), bagmaker.image("/image", stamp, sequences.image(i)))
    ]
    return bagmaker.write(tmp_path / "bag", [*images, *entries])


def test_wheels_in_a_bag_tell_the_camera_s_motion(tmp_path):
    path = bag(tmp_path, static("base", "cam", T_BODY_CAMERA), *wheels())
    found = motions(open_source(path, choice=Choice(prior="/wheels")))
    for motion, a, b in zip(found, POSES[:-1], POSES[1:], strict=True):
        assert np.allclose(motion.T_previous_current, se3.inverse(a) @ b, atol=1e-6)
        assert np.allclose(motion.covariance[3:, 3:], np.eye(3) * (0.2 * 0.05) ** 2, atol=1e-9)


def test_a_covariance_of_zeros_is_none(tmp_path):
    path = bag(tmp_path, static("base", "cam", T_BODY_CAMERA), *wheels(covariance=0.0))
    assert all(m.covariance is None for m in motions(open_source(path, choice=Choice(prior="/wheels"))))


def test_a_prior_is_read_only_where_it_is_asked_for(tmp_path):
    assert open_source(bag(tmp_path, *wheels())).prior is None


@pytest.mark.parametrize(
    ("topic", "child", "message"),
    [
        ("/other", "base", "--prior /other: topics of nav_msgs/msg/Odometry are /wheels"),
        ("/wheels", "", "child_frame_id is ''; it must be the one frame"),
        ("/wheels", "base", "no transform from 'base' to 'cam' on /tf_static; T_BS"),
    ],
)
def test_a_topic_that_cannot_be_a_prior_is_refused(tmp_path, topic, child, message):
    with pytest.raises(InputError, match=message):
        open_source(bag(tmp_path, *wheels(child=child)), choice=Choice(prior=topic))


def test_a_pose_that_is_none_is_left_out_and_said(tmp_path):
    source = open_source(
        bag(tmp_path, static("base", "cam", T_BODY_CAMERA), *wheels(broken=2)),
        choice=Choice(prior="/wheels"),
    )
    assert len(source.prior.stamps) == len(STAMPS) - 1
    assert "1 of 5 poses of the prior" in next(iter(source.notes.skipped))
    whole = motions(source)
    joined = whole[1].T_previous_current @ whole[2].T_previous_current
    assert np.allclose(joined, se3.inverse(POSES[1]) @ POSES[3], atol=1e-6)


def test_a_file_tells_poses_of_the_camera(tmp_path):
    folder = sequences.plain(tmp_path / "walk")
    write_tum(folder / "wheels.txt", sequences.truth())
    found = motions(open_source(folder, choice=Choice(prior="wheels.txt")))
    for motion, a, b in zip(found, POSES[:-1], POSES[1:], strict=True):
        assert np.allclose(motion.T_previous_current, se3.inverse(a) @ b, atol=1e-6)
        assert motion.covariance is None


def test_six_more_numbers_are_deviations_of_the_velocity(tmp_path):
    file = tmp_path / "wheels.txt"
    write_tum(file, sequences.truth())
    lines = file.read_text().splitlines()[1:]
    file.write_text("\n".join(f"{line} .1 .1 .2 .01 .01 .02" for line in lines))
    prior = read_prior(file, Notes())
    assert np.allclose(np.sqrt(np.diag(prior.covariances[0])), [0.1, 0.1, 0.2, 0.01, 0.01, 0.02])
    motion = MotionsBetween(prior).motion(STAMPS[0], STAMPS[1])
    assert np.allclose(
        np.sqrt(np.diag(motion.covariance)), 0.05 * np.array([0.1, 0.1, 0.2, 0.01, 0.01, 0.02])
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0 0 0 0 0 0 0 1 1\n", r"\[9\] numbers on a line; expected 8 or 14"),
        ("0 0 0 0 0 0 0 1\n1 0 0 0 0 0 0 1 1 1 1 1 1 1\n", r"\[8, 14\] numbers on a line"),
        ("0 0 0 0 0 0 0 1 1 1 1 1 1 -1\n", "a standard deviation is negative: -1"),
        ("0 0 0 0 0 0 0 0\n", "no poses of a prior"),
        ("0 0 0 0 0 0 0 1 1e200 1 1 1 1 1\n", "none with a covariance that can be"),
        ("0 1e9 0 0 0 0 0 1\n", "no poses of a prior"),
        ("", "no poses|expected 8"),
    ],
)
def test_a_file_that_is_no_prior_is_refused(tmp_path, text, message):
    file = tmp_path / "wheels.txt"
    file.write_text(text)
    with pytest.raises(InputError, match=message):
        read_prior(file, Notes())


def test_a_rectified_camera_moves_in_its_own_axes(tmp_path):
    folder = sequences.plain(tmp_path / "walk")
    write_tum(folder / "wheels.txt", sequences.truth())
    source = open_source(folder, choice=Choice(prior="wheels.txt"))
    R = se3.exp([0, 0, 0, 0.1, -0.2, 0.05])[:3, :3]
    turned = RectifiedSource(source, source.camera, R)
    turn = se3.make(R.T, np.zeros(3))
    expected = se3.inverse(turn) @ motions(source)[1].T_previous_current @ turn
    assert np.allclose(motions(turned)[1].T_previous_current, expected, atol=1e-9)


def test_poses_at_other_times_are_interpolated_and_add_up(tmp_path):
    file = tmp_path / "wheels.txt"
    truth = sequences.truth(60)
    write_tum(file, truth)
    between = MotionsBetween(read_prior(file, Notes()))
    asked = np.arange(truth.stamps[0] + 7_000_000, truth.stamps[-1], 63_000_000).tolist()
    T = np.eye(4)
    for a, b in pairwise(asked):
        T = T @ between.motion(a, b).T_previous_current
    whole = MotionsBetween(read_prior(file, Notes())).motion(asked[0], asked[-1])
    assert np.allclose(T, whole.T_previous_current, atol=1e-6)
