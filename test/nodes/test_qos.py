# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Publishers of either reliability, and overrides of ours."""

import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed: run `make setup` or source a ROS 2")

from nav_msgs.msg import Odometry as OdometryMsg
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import ReliabilityPolicy
from robot import Robot, rolled, texts_of
from ros_graph import parameters

from hybrid_features_ros.msg import FeatureArray, OdometryStatus
from hybrid_features_ros.nodes.feature_node import FeatureNode
from hybrid_features_ros.nodes.odometry_node import OdometryNode

RELIABLE, BEST_EFFORT = ReliabilityPolicy.RELIABLE, ReliabilityPolicy.BEST_EFFORT


def start(graph, wanted):
    odometry = graph.add(OdometryNode(composed=True))
    override = Parameter("qos_overrides./image.subscription.reliability", value=wanted)
    options = [*parameters(input__silence_s=0.5), override]
    return graph.add(FeatureNode(sink=odometry.submit, parameter_overrides=options))


@pytest.mark.parametrize(
    ("offered", "wanted"),
    [(RELIABLE, "reliable"), (RELIABLE, "best_effort"), (BEST_EFFORT, "best_effort")],
)
def test_images_arrive(graph, photograph, offered, wanted):
    start(graph, wanted)
    robot = Robot(graph, photograph, reliability=offered)
    robot.connect()
    robot.calibrate()
    assert robot.show(photograph) is not None
    ours = graph.tester.get_subscriptions_info_by_topic("/image")[0].qos_profile.reliability
    assert ours == (RELIABLE if wanted == "reliable" else BEST_EFFORT)


def test_a_mismatch_is_told_with_both_sides(graph, photograph, monkeypatch):
    node = start(graph, "reliable")
    texts = texts_of(node, monkeypatch)
    robot = Robot(graph, photograph, reliability=BEST_EFFORT)
    assert robot.show(photograph) is None
    assert graph.spin_until(
        lambda: any("best_effort, volatile); subscribed with reliable, volatile" in t for t in texts), 5.0
    )


def test_a_listener_that_sleeps_holds_nobody_up_and_misses_only_old_messages(graph, photograph):
    """Reliable subscribers that take nothing, while more images pass than any queue holds."""
    odometry = graph.add(OdometryNode(composed=True))
    graph.add(FeatureNode(sink=odometry.submit))
    sleeper, heard = Node("sleeper"), {}
    for kind, topic in ((OdometryMsg, "odom"), (FeatureArray, "features"), (OdometryStatus, "status")):
        taken = heard[topic] = []
        sleeper.create_subscription(kind, topic, taken.append, 3)
    robot = Robot(graph, photograph)
    robot.connect()
    robot.calibrate()
    for i in range(25):
        assert robot.show(rolled(photograph, 3.0 * i)) is not None
    graph.add(sleeper)
    assert graph.spin_until(lambda: all(heard.values()))
    graph.spin_until(lambda: False, 0.3)
    for topic, messages in heard.items():
        assert len(messages) <= 4, topic  # the newest of all may come after it has woken
        assert messages[-1].header.stamp == robot.status[-1].header.stamp, topic


def test_odometry_is_reliable(graph):
    graph.add(OdometryNode())
    graph.listen(OdometryMsg, "odom")
    assert graph.spin_until(lambda: graph.tester.get_publishers_info_by_topic("/odom"))
    assert graph.tester.get_publishers_info_by_topic("/odom")[0].qos_profile.reliability == RELIABLE
