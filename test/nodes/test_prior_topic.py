# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Wheels, as messages and on TF: they carry the pose where images tell nothing."""

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed: run `make setup` or source a ROS 2")

from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import TransformStamped
from nav_msgs.msg import Odometry as OdometryMsg
from robot import BEGIN, FRAME_NS, Robot, compose, rolled
from ros_graph import header
from tf2_msgs.msg import TFMessage
from tf2_ros import StaticTransformBroadcaster, TransformBroadcaster

from hybrid_features_ros.core import se3
from hybrid_features_ros.nodes import conversions

CAMERA = "camera_optical_frame"
MOUNT = se3.make(np.eye(3), [0.3, 0.0, 0.5]) @ conversions.OPTICAL_TO_BODY
BLACK = np.zeros((240, 320), np.uint8)
STEP = se3.exp([0.05, 0, 0, 0, 0, np.radians(2.0)])  # of the base, ahead and to the left


def at(ns, parent, child, T):
    msg = TransformStamped(header=header(ns, parent), child_frame_id=child)
    msg.transform = conversions.to_transform(T)
    return msg


def start(graph, photograph, **values):
    compose(graph, frames__base="base_link", **values)
    robot = Robot(graph, photograph)
    robot.odom, robot.tf = graph.listen(OdometryMsg, "odom"), graph.listen(TFMessage, "/tf")
    robot.connect()
    robot.calibrate()
    robot.mount = StaticTransformBroadcaster(graph.tester)
    robot.mount.sendTransform(at(0, "base_link", CAMERA, MOUNT))
    graph.spin_until(lambda: False, 0.2)
    return robot


def base(msg):
    return conversions.pose_from_msg(msg.pose.pose)


def moved(robot, first, last):
    return se3.inverse(base(robot.odom[first])) @ base(robot.odom[last])


def test_messages_between_the_images_stamps_carry_the_base_through_the_dark(graph, photograph):
    robot = start(graph, photograph, input__prior=True)
    wheels = graph.tester.create_publisher(OdometryMsg, "prior", 100)
    assert graph.spin_until(wheels.get_subscription_count)
    T, small = se3.exp([3, 2, 0, 0, 0, 1]), se3.exp(se3.log(STEP) / 3)
    for i in range(1, 40):  # three messages between two images, none at an image's stamp
        msg = OdometryMsg(
            header=header(BEGIN + i * FRAME_NS // 3 + 5_000_000, "wheels"), child_frame_id="base_link"
        )
        msg.pose.pose = conversions.to_pose(T)
        msg.twist.covariance = np.diag([1e-4] * 6).ravel()
        wheels.publish(msg)
        T = T @ (small if i > 3 else np.eye(4))
    graph.spin_until(lambda: False, 0.3)
    for i in range(10):
        robot.show(BLACK if i else photograph)
    assert graph.spin_until(lambda: len(robot.odom) == 10)
    expected = np.linalg.matrix_power(STEP, 7)
    assert np.allclose(moved(robot, 2, 9), expected, atol=1e-3)
    told = np.array([m.pose.covariance for m in robot.odom]).reshape(-1, 6, 6)[:, 5, 5]
    assert np.allclose(np.diff(told[2:]), 3 * 1e-4 * (FRAME_NS * 1e-9 / 3) ** 2, rtol=0.05)


def test_a_guess_on_tf_is_not_cancelled_in_the_dark(graph, photograph):
    robot = start(graph, photograph, frames__guess="wheels")
    wheels, T = TransformBroadcaster(graph.tester), np.eye(4)
    for i in range(8):
        wheels.sendTransform(at(BEGIN + FRAME_NS * (i + 1), "wheels", "base_link", T))
        graph.spin_until(lambda: False, 0.1)
        robot.show(BLACK if i else photograph)
        T = T @ STEP
    assert graph.spin_until(lambda: len(robot.odom) == 8)
    assert np.allclose(moved(robot, 0, 7), np.linalg.matrix_power(STEP, 7), atol=1e-6)
    ours = [
        t
        for m in robot.tf
        for t in m.transforms
        if t.child_frame_id == "wheels" and t.header.frame_id == "odom"
    ]
    places = [conversions.transform_from_msg(t.transform) for t in ours]
    assert len(places) >= 6
    assert np.allclose(places, places[0], atol=1e-6)


def test_useless_messages_are_told_and_images_go_on(graph, photograph):
    robot = start(graph, photograph, input__prior=True)
    told = graph.listen(DiagnosticArray, "/diagnostics")
    wheels = graph.tester.create_publisher(OdometryMsg, "prior", 100)
    assert graph.spin_until(wheels.get_subscription_count)
    for i, (child, x) in enumerate(
        (("", 0.0), ("nowhere", 0.0), ("base_link", np.nan), ("base_link", 1e300))
    ):
        msg = OdometryMsg(header=header(BEGIN + i * FRAME_NS, "wheels"), child_frame_id=child)
        msg.pose.pose.position.x = x
        wheels.publish(msg)
    graph.spin_until(lambda: False, 0.2)
    assert all(robot.show(rolled(photograph, 2.0 * i)) is not None for i in range(4))
    assert graph.spin_until(
        lambda: any(
            v.value == "0 used, 0 rejected, 3 missing" for m in told for s in m.status for v in s.values
        ),
        5.0,
    )
    assert any("most images have no motion prior" in s.message for m in told for s in m.status)
