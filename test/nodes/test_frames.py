# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""TF: where the camera sits, moving or not; who is whose parent; another odometry's guess."""

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed: run `make setup` or source a ROS 2")

from geometry_msgs.msg import TransformStamped
from nav_msgs.msg import Odometry as OdometryMsg
from nav_msgs.msg import Path
from robot import BEGIN, FRAME_NS, Robot, compose, rolled
from ros_graph import header
from sensor_msgs.msg import Imu
from tf2_msgs.msg import TFMessage
from tf2_ros import StaticTransformBroadcaster, TransformBroadcaster

from hybrid_features_ros.core import se3
from hybrid_features_ros.core.types import State
from hybrid_features_ros.nodes import conversions

CAMERA = "camera_optical_frame"


def at(ns, parent, child, T):
    msg = TransformStamped(header=header(ns, parent), child_frame_id=child)
    msg.transform = conversions.to_transform(T)
    return msg


def start(graph, photograph, **values):
    compose(graph, **values)
    robot = Robot(graph, photograph)
    robot.tf = graph.listen(TFMessage, "/tf")
    robot.odom = graph.listen(OdometryMsg, "odom")
    robot.connect()
    robot.calibrate()
    return robot


def test_a_camera_on_a_moving_mast_is_where_it_was_at_the_images_time(graph, photograph):
    """The mast turns about the optical axis just as the picture does: the robot stands still."""
    robot = start(graph, photograph, frames__base="base_link")
    mast = TransformBroadcaster(graph.tester)
    waiting = robot.show(photograph)
    assert waiting.state == State.WAITING
    assert "base_link" in waiting.reason
    assert CAMERA in waiting.reason
    for i in range(8):
        turned = conversions.OPTICAL_TO_BODY @ se3.exp([0, 0, 0, 0, 0, np.radians(3.0 * i)])
        mast.sendTransform(at(robot.stamp + FRAME_NS, "base_link", CAMERA, turned))
        graph.spin_until(lambda: False, 0.1)
        robot.show(rolled(photograph, 3.0 * i))
    assert graph.spin_until(lambda: len(robot.odom) == 8)
    turns = [se3.rotation_angle(conversions.pose_from_msg(m.pose.pose)[:3, :3]) for m in robot.odom]
    assert np.degrees(max(turns)) < 0.5


def ours(robot):
    return [t for m in robot.tf for t in m.transforms if "odom" in (t.header.frame_id, t.child_frame_id)]


def test_tf_may_be_switched_off_and_the_frames_named(graph, photograph):
    robot = start(graph, photograph, frames__publish_tf=False, frames__odom="vo", frames__camera="eye")
    robot.roll(2)
    assert graph.spin_until(lambda: len(robot.odom) == 2)
    assert (robot.odom[-1].header.frame_id, robot.odom[-1].child_frame_id) == ("vo", "eye")
    assert not robot.tf


def test_as_many_poses_are_kept_as_are_asked_for(graph, photograph):
    _, odometry = compose(graph, frames__path_length=2, frames__trajectory_length=3)
    robot, paths = Robot(graph, photograph), graph.listen(Path, "path")
    robot.connect()
    robot.calibrate()
    robot.roll(6)
    assert graph.spin_until(lambda: len(paths) > 1)
    assert len(paths[-1].poses) == 2 and len(odometry.log) <= 3


def test_inverted_tf_makes_odom_the_child(graph, photograph):
    robot = start(graph, photograph, frames__invert_tf=True)
    robot.roll(3)
    assert graph.spin_until(lambda: len(ours(robot)) == len(robot.odom) == 3)
    t = ours(robot)[-1]
    assert (t.header.frame_id, t.child_frame_id) == (CAMERA, "odom")
    T_odom_camera = conversions.pose_from_msg(robot.odom[-1].pose.pose)
    assert np.allclose(conversions.transform_from_msg(t.transform) @ T_odom_camera, np.eye(4), atol=1e-9)


def test_the_guess_of_another_odometry_reaches_ours_and_keeps_its_place_in_tf(graph, photograph, monkeypatch):
    robot = start(graph, photograph, frames__guess="wheels")
    odometry = next(n for n in graph.nodes if n.get_name() == "odometry_node")
    priors, process = [], odometry._odometry.process
    monkeypatch.setattr(
        odometry._odometry, "process", lambda s, f, c, prior=None: priors.append(prior) or process(s, f, c)
    )
    wheels = TransformBroadcaster(graph.tester)
    step = se3.exp([0, 0, 0, 0, 0, np.radians(-3.0)])
    T = se3.exp([1, 2, 3, 0, 0, 0])
    for i in range(3):
        wheels.sendTransform(at(BEGIN + FRAME_NS * (i + 1), "wheels", CAMERA, T))
        graph.spin_until(lambda: False, 0.1)
        robot.show(rolled(photograph, 3.0 * i))
        T = T @ step
    assert priors[0] is None
    assert np.allclose(priors[1].T_previous_current, step)
    assert np.allclose(priors[2].T_previous_current, step)
    assert graph.spin_until(lambda: len(ours(robot)) == 3)
    assert ours(robot)[-1].child_frame_id == "wheels"


def test_the_gyro_is_turned_into_the_cameras_axes(graph, photograph, monkeypatch):
    robot = start(graph, photograph, input__imu=True)
    odometry = next(n for n in graph.nodes if n.get_name() == "odometry_node")
    given = []
    monkeypatch.setattr(odometry._odometry, "add_gyro", lambda stamp, w: given.append((stamp, *w)))
    gyro = graph.tester.create_publisher(Imu, "imu", 50)
    assert graph.spin_until(gyro.get_subscription_count)
    mount = StaticTransformBroadcaster(graph.tester)
    mount.sendTransform(at(0, "imu_link", CAMERA, conversions.OPTICAL_TO_BODY))
    rates = [(0.1, 0.2, 0.3), (float("nan"), 0.0, 0.0), (0.4, 0.5, 0.6)]
    for i, (x, y, z) in enumerate(rates):
        msg = Imu(header=header(BEGIN + i, "imu_link"))
        msg.angular_velocity.x, msg.angular_velocity.y, msg.angular_velocity.z = x, y, z
        gyro.publish(msg)
    graph.spin_until(lambda: False, 0.3)
    robot.show(photograph)
    # The body's x is ahead, y left, z up; the camera's x is right, y down, z ahead.
    assert np.allclose(given, [(BEGIN, -0.2, -0.3, 0.1), (BEGIN + 2, -0.5, -0.6, 0.4)])
