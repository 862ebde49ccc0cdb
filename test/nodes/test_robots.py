# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Several robots in one graph, and stacks that listen to one."""

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed: run `make setup` or source a ROS 2")

from diagnostic_msgs.msg import DiagnosticArray
from nav_msgs.msg import Odometry as OdometryMsg
from robot import Robot, call, rolled
from ros_graph import parameters
from std_srvs.srv import Trigger
from tf2_msgs.msg import TFMessage

from hybrid_features_ros.core import se3
from hybrid_features_ros.nodes import conversions
from hybrid_features_ros.nodes.feature_node import FeatureNode
from hybrid_features_ros.nodes.odometry_node import OdometryNode

ROBOTS = ("a", "b")
TOPICS = (
    "odom",
    "status",
    "features",
    "image",
    "camera_info",
    "matches",
    "relative_pose",
    "path",
    "keyframes",
)
SHARED = {"/tf", "/tf_static", "/diagnostics", "/rosout", "/parameter_events", "/clock"}


@pytest.fixture
def robots(graph, photograph):
    """Two robots whose cameras are on, each in a namespace and with frames of its own."""
    made = {}
    for name in ROBOTS:
        given = parameters(frames__odom=f"{name}/odom")
        odometry = graph.add(OdometryNode(composed=True, namespace=name, parameter_overrides=given))
        graph.add(FeatureNode(sink=odometry.submit, namespace=name, parameter_overrides=given))
        robot = made[name] = Robot(graph, photograph, space=name)
        robot.odom = graph.listen(OdometryMsg, f"{name}/odom")
        robot.connect()
        robot.calibrate()
    return made


def test_all_names_are_in_the_namespace_but_for_those_that_ros_shares(graph, robots):
    seen = (
        graph.tester.get_publisher_names_and_types_by_node,
        graph.tester.get_subscriber_names_and_types_by_node,
    )
    topics = {
        name
        for space in ROBOTS
        for node in ("feature_node", "odometry_node")
        for ask in seen
        for name, _ in ask(node, f"/{space}")
    }
    assert {f"/{space}/{topic}" for space in ROBOTS for topic in TOPICS} <= topics
    assert {t for t in topics if not t.startswith(("/a/", "/b/"))} <= SHARED


def test_two_robots_that_roll_to_either_side_do_not_notice_each_other(graph, robots, photograph):
    tf, told = graph.listen(TFMessage, "/tf"), graph.listen(DiagnosticArray, "/diagnostics")
    for i in range(8):
        for name, side in (("a", 3.0), ("b", -3.0)):
            assert robots[name].show(rolled(photograph, side * i)) is not None
    assert call(graph, Trigger, "a/odometry_node/reset").success
    for name, side in (("a", 24.0), ("b", -24.0)):
        robots[name].show(rolled(photograph, side))
    assert [len(r.status) for r in robots.values()] == [9, 9]
    assert [r.status[-1].reset_counter for r in robots.values()] == [1, 0], "only one of them was reset"
    assert graph.spin_until(lambda: all(len(r.odom) == 9 for r in robots.values()))
    for name, side in (("a", 1), ("b", -1)):
        odom = robots[name].odom
        assert {(m.header.frame_id, m.child_frame_id) for m in odom} == {(f"{name}/odom", f"{name}/camera")}
        first, last = (conversions.pose_from_msg(odom[i].pose.pose)[:3, :3] for i in (0, 7))
        assert np.degrees(se3.rotation_vector(first.T @ last)[2]) == pytest.approx(side * 21, abs=0.3)
    joined = [(t.header.frame_id, t.child_frame_id) for m in tf for t in m.transforms]
    assert set(joined) == {("a/odom", "a/camera"), ("b/odom", "b/camera")}
    assert graph.spin_until(lambda: {s.name for m in told for s in m.status} == {
        f"{name}/{node}" for name in ROBOTS for node in ("feature_node", "odometry_node")
    })  # fmt: skip
