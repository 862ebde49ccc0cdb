# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Publishers of either reliability, and overrides of ours."""

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed: run `make setup` or source a ROS 2")

from nav_msgs.msg import Odometry as OdometryMsg
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile, ReliabilityPolicy
from robot import FRAME_NS, Robot, compose, rolled, texts_of
from ros_graph import header, parameters
from sensor_msgs.msg import Image

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


def asked(graph, topic="/image"):
    """What the one subscription to a topic asks for; None: there is none, or the new one beside the old."""
    found = [s.qos_profile.reliability for s in graph.tester.get_subscriptions_info_by_topic(topic)]
    return found[0] if len(found) == 1 else None


@pytest.mark.parametrize("offered", [RELIABLE, BEST_EFFORT])
@pytest.mark.parametrize("order", ["camera first", "node first"])
def test_images_are_asked_for_as_their_publisher_offers_them(graph, photograph, monkeypatch, offered, order):
    if order == "camera first":
        robot = Robot(graph, photograph, reliability=offered)
        assert graph.spin_until(lambda: graph.tester.get_publishers_info_by_topic("/image"))
        features, _ = compose(graph)
    else:
        features, _ = compose(graph)
        assert asked(graph) is BEST_EFFORT, "every publisher matches"
        robot = Robot(graph, photograph, reliability=offered)
    texts = texts_of(features, monkeypatch)
    robot.connect()
    assert asked(graph) is offered
    assert features.images.reliability == {"image": offered.name.lower()}
    robot.calibrate()
    assert robot.show(photograph) is not None
    told = [t for t in texts if "subscribed with reliable now: all of its publishers offer it" in t]
    assert len(told) == (order == "node first" and offered is RELIABLE)


def test_a_best_effort_camera_that_comes_late_is_heard_and_told(graph, photograph, monkeypatch):
    """A reliable subscription does not match it."""
    features, _ = compose(graph)
    robot = Robot(graph, photograph)
    robot.connect()
    assert asked(graph) is RELIABLE
    texts = texts_of(features, monkeypatch)
    late = Robot(graph, photograph, reliability=BEST_EFFORT)
    assert graph.spin_until(lambda: late.images.get_subscription_count())
    assert asked(graph) is BEST_EFFORT
    assert any("/tester (sensor_msgs/msg/Image, best_effort, volatile) offers no more" in t for t in texts)
    late.connect()
    late.calibrate()
    assert late.show(photograph) is not None
    graph.tester.destroy_publisher(late.images)
    assert graph.spin_until(lambda: asked(graph) is RELIABLE)


def test_a_camera_that_starts_again_is_asked_as_before(graph, photograph):
    compose(graph)
    robot = Robot(graph, photograph)
    robot.connect()
    graph.tester.destroy_publisher(robot.images)
    graph.spin_until(lambda: False, 0.7)
    assert asked(graph) is RELIABLE


def test_each_topic_of_a_pair_is_asked_for_by_itself(graph, photograph):
    features, _ = compose(graph, input__depth=True)
    robot = Robot(graph, photograph)
    depths = graph.tester.create_publisher(Image, "depth/image", QoSProfile(depth=5, reliability=BEST_EFFORT))
    robot.connect()
    assert graph.spin_until(depths.get_subscription_count)
    assert features.images.reliability == {"image": "reliable", "depth/image": "best_effort"}
    robot.calibrate()
    stamp = robot.stamp + FRAME_NS
    depths.publish(
        Image(
            header=header(stamp), width=320, height=240, step=640, encoding="16UC1",
            data=np.full((240, 320), 2500, np.uint16).tobytes(),
        )
    )  # fmt: skip
    answer = robot.show(photograph)
    assert answer.landmarks == answer.keypoints


def test_the_parameter_decides_and_acts_at_once(graph, photograph):
    features, _ = compose(graph, input__reliability="best_effort")
    robot = Robot(graph, photograph)
    robot.connect()
    assert asked(graph) is BEST_EFFORT
    changed = features.set_parameters([Parameter("input.reliability", value="reliable")])
    assert changed[0].successful
    assert graph.spin_until(lambda: asked(graph) is RELIABLE)
    robot.connect()
    robot.calibrate()
    assert robot.show(photograph) is not None


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
