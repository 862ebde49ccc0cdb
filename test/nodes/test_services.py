# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Reset, pause and saving the trajectory while the nodes run."""

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed: run `make setup` or source a ROS 2")

from nav_msgs.msg import Odometry as OdometryMsg
from robot import Robot, call, compose, rolled
from std_srvs.srv import Trigger

from hybrid_features_ros.core import se3
from hybrid_features_ros.io.trajectory import read_kitti_poses, read_tum
from hybrid_features_ros.nodes import conversions
from hybrid_features_ros.nodes.trajectory_log import TrajectoryLog
from hybrid_features_ros.srv import ResetToPose, SaveTrajectory


@pytest.fixture
def robot(graph, photograph):
    compose(graph)
    robot = Robot(graph, photograph)
    robot.odom = graph.listen(OdometryMsg, "odom")
    robot.connect()
    robot.calibrate()
    return robot


def poses(robot):
    return [conversions.pose_from_msg(m.pose.pose) for m in robot.odom]


def test_reset_continues_from_the_last_pose(robot, graph, photograph):
    robot.roll(4)
    assert call(graph, Trigger, "odometry_node/reset").success
    assert robot.show(rolled(photograph, 60)).reset_counter == 1
    assert graph.spin_until(lambda: len(robot.odom) == 5)
    assert np.allclose(*poses(robot)[-2:], atol=1e-9)


@pytest.mark.parametrize("frames_before", [0, 3])
def test_reset_to_a_pose(robot, graph, photograph, frames_before):
    robot.roll(frames_before)
    wanted = se3.exp([1.0, -2.0, 0.5, 0.3, -0.2, 1.1])
    answer = call(
        graph,
        ResetToPose,
        "odometry_node/reset_to_pose",
        ResetToPose.Request(pose=conversions.to_pose(wanted)),
    )
    assert answer.success
    robot.show(photograph)
    assert graph.spin_until(lambda: len(robot.odom) == frames_before + 1)
    assert np.allclose(poses(robot)[-1], wanted, atol=1e-9)


def test_a_pose_that_is_none_is_refused(robot, graph):
    bad = conversions.to_pose(np.eye(4))
    bad.position.x = float("nan")
    answer = call(graph, ResetToPose, "odometry_node/reset_to_pose", ResetToPose.Request(pose=bad))
    assert not answer.success
    assert answer.message


def test_pause_and_resume(robot, graph, photograph):
    robot.roll(2)
    assert call(graph, Trigger, "odometry_node/pause").success
    assert robot.show(photograph) is None
    assert call(graph, Trigger, "odometry_node/resume").success
    assert robot.show(rolled(photograph, 6)).inliers > 50


def test_the_trajectory_is_saved_with_full_stamps(robot, graph, tmp_path):
    save = SaveTrajectory.Request(path=str(tmp_path / "a.tum"))
    refused = call(graph, SaveTrajectory, "odometry_node/save_trajectory", save)
    assert not refused.success
    assert "no poses" in refused.message
    answers = robot.roll(5)
    assert graph.spin_until(lambda: len(robot.odom) == 5)
    assert call(graph, SaveTrajectory, "odometry_node/save_trajectory", save).poses == 5
    saved = read_tum(tmp_path / "a.tum")
    assert saved.stamps.tolist() == [conversions.to_ns(a.header.stamp) for a in answers]
    assert np.allclose(saved.poses, poses(robot), atol=1e-6)
    save = SaveTrajectory.Request(path=str(tmp_path / "a.txt"), format="kitti")
    assert call(graph, SaveTrajectory, "odometry_node/save_trajectory", save).success
    assert np.allclose(read_kitti_poses(tmp_path / "a.txt"), saved.poses, atol=1e-6)
    for bad in ({"path": str(tmp_path / "none" / "a.tum")}, {"path": "a", "format": "csv"}):
        answer = call(graph, SaveTrajectory, "odometry_node/save_trajectory", SaveTrajectory.Request(**bad))
        assert not answer.success
        assert answer.message


@pytest.mark.parametrize("capacity", [1, 2, 9, 3000])
def test_the_log_keeps_the_newest_poses_in_order(capacity, tmp_path):
    log = TrajectoryLog(capacity)
    for i in range(1, 2001):
        log.add(i, se3.make(np.eye(3), [i, 0, 0]))
    kept = log.save(tmp_path / "t", "tum")
    assert min(capacity * 7 // 8 - 1, 2000) <= kept <= capacity
    saved = read_tum(tmp_path / "t")
    assert saved.stamps.tolist() == list(range(2001 - kept, 2001))
    assert saved.poses[:, 0, 3].tolist() == saved.stamps.tolist()
    log.add(1999, np.eye(4))
    log.save(tmp_path / "t", "tum")
    assert read_tum(tmp_path / "t").stamps[-1] == 1999
