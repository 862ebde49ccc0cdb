# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What `/diagnostics` and the picture tell, and that the picture costs nothing while nobody looks."""

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed: run `make setup` or source a ROS 2")

import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from nav_msgs.msg import Odometry as OdometryMsg
from rclpy.node import Node
from robot import Robot, compose, rolled, texts_of
from sensor_msgs.msg import CompressedImage, Image, Imu
from visualization_msgs.msg import Marker

from hybrid_features_ros.msg import OdometryStatus
from hybrid_features_ros.nodes import conversions
from hybrid_features_ros.nodes.diagnostics import explain_silence
from hybrid_features_ros.nodes.feature_node import FeatureNode
from hybrid_features_ros.nodes.odometry_node import OdometryNode


def newest(messages):
    return {s.name: (s, {v.key: v.value for v in s.values}) for m in messages for s in m.status}


def test_rates_latency_state_and_model_are_told(graph, photograph):
    compose(graph)
    told = graph.listen(DiagnosticArray, "/diagnostics")
    robot = Robot(graph, photograph)
    robot.connect()
    assert graph.spin_until(lambda: {"feature_node", "odometry_node"} <= set(newest(told)), 5.0)
    status, _ = newest(told)["odometry_node"]
    assert status.level == DiagnosticStatus.WARN
    assert "WAITING" in status.message
    robot.calibrate()
    robot.roll(5)
    told.clear()
    assert graph.spin_until(lambda: {"feature_node", "odometry_node"} <= set(newest(told)), 5.0)
    _, odometry = newest(told)["odometry_node"]
    status, features = newest(told)["feature_node"]
    assert status.level == DiagnosticStatus.OK
    assert odometry["state"] == robot.status[-1].reason or odometry["reason"] == robot.status[-1].reason
    for values in (features, odometry):
        assert values["lifecycle"] == "active"
        assert values["dropped"] == "0"
        assert float(values["rate in [Hz]"]) > 0
        assert float(values["rate out [Hz]"]) > 0
        assert 0 < float(values["latency p50 [ms]"]) <= float(values["latency p95 [ms]"])
    assert odometry["focal length error"].endswith("%")
    assert features["model"]
    assert features["execution provider"]


def test_a_lost_camera_is_an_error_with_its_reason(graph, photograph):
    compose(graph)
    robot = Robot(graph, photograph)
    robot.connect()
    robot.calibrate()
    robot.roll(3)
    for _ in range(12):  # longer than odometry.tracking.max_lost_s
        last = robot.show(np.zeros_like(photograph))
    assert last.state == OdometryStatus.STATE_LOST
    assert last.reason
    told = graph.listen(DiagnosticArray, "/diagnostics")
    assert graph.spin_until(lambda: "odometry_node" in newest(told), 5.0)
    status, values = newest(told)["odometry_node"]
    assert status.level == DiagnosticStatus.ERROR
    assert status.message == f"LOST {last.reason}"
    assert (values["state"], values["reason"]) == ("LOST", last.reason)


def test_the_picture_is_drawn_only_for_those_who_look(graph, photograph):
    _, odometry = compose(graph)
    robot = Robot(graph, photograph)
    robot.connect()
    robot.calibrate()
    robot.roll(3)
    assert robot.images.get_subscription_count() == 1, "the picture's own subscription is not there"
    pictures, markers = graph.listen(Image, "image_features", 5), graph.listen(Marker, "match_markers", 5)
    assert graph.spin_until(lambda: robot.images.get_subscription_count() == 2)
    for i in range(3, 8):
        robot.show(rolled(photograph, 3.0 * i))
    assert graph.spin_until(lambda: pictures and markers)
    image = conversions.image_from_msg(pictures[-1])
    assert image.shape == (*photograph.shape, 3)
    assert np.ptp(image.astype(int), axis=2).max() > 100, "there is colour on the grey image"
    assert graph.spin_until(lambda: markers and len(markers[-1].points) > 100)
    assert np.isfinite([[p.x, p.y, p.z] for p in markers[-1].points]).all()
    for topic in ("image_features", "match_markers"):
        graph.tester.destroy_subscription(
            next(s for s in graph.tester.subscriptions if s.topic_name == f"/{topic}")
        )
    assert graph.spin_until(lambda: robot.images.get_subscription_count() == 1)
    assert odometry._picture._subscription is None


def test_another_odometry_in_the_graph_is_named(graph, monkeypatch):
    node = graph.add(OdometryNode())
    texts = texts_of(node, monkeypatch)
    assert node._find_rivals() == ""
    wheels = Node("wheels", namespace="base")
    graph.add(wheels)
    wheels.create_publisher(OdometryMsg, "/odom", 1)
    assert graph.spin_until(node._find_rivals)
    report = node.report()
    assert report.level == DiagnosticStatus.WARN
    assert "/base/wheels (nav_msgs/msg/Odometry, reliable, volatile)" in report.message
    assert sum("give each a namespace or remap odom" in t for t in texts) == 1, "said once, not every second"


def test_two_of_us_under_one_name_are_noticed_too(graph):
    first, second = (graph.add(OdometryNode()) for _ in range(2))
    assert graph.spin_until(lambda: first._find_rivals() and second._find_rivals())


@pytest.mark.parametrize(
    ("topic", "kind", "advice"),
    [
        ("image", Imu, "/image is sensor_msgs/msg/Imu, which is not read: decode it"),
        ("image", CompressedImage, "set input.transport to compressed"),
        ("image/compressed", CompressedImage, "set input.transport to compressed"),
        (
            "image/ffmpeg",
            Marker,
            "/image/ffmpeg is visualization_msgs/msg/Marker, which is not read: decode it",
        ),
    ],
)
def test_images_of_another_type_are_named_with_what_to_do(graph, topic, kind, advice):
    node, elsewhere = graph.add(FeatureNode()), rclpy.Context()
    rclpy.init(context=elsewhere)  # as in another process: one may not have two types under one name
    stranger = Node("stranger", context=elsewhere)
    stranger.create_publisher(kind, topic, 5)
    assert graph.spin_until(lambda: node.count_publishers(topic))
    assert advice in explain_silence(node, "image", 3.0, None)
    stranger.destroy_node()
    rclpy.shutdown(context=elsewhere)
