# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Calibrations that are late, wrong, cropped or binned, and pairs of images."""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed: run `make setup` or source a ROS 2")

from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from robot import FRAME_NS, Robot, compose, texts_of
from ros_graph import image_msg, info_msg, parameters
from sensor_msgs.msg import CameraInfo, Image
from synthetic import World

from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.core.types import State
from hybrid_features_ros.msg import FeatureArray, RelativePose
from hybrid_features_ros.nodes import conversions
from hybrid_features_ros.nodes.feature_node import FeatureNode
from hybrid_features_ros.nodes.odometry_node import OdometryNode


def test_binning_and_region_of_interest_are_those_of_the_image():
    msg = info_msg(0, 640, 480, 500.0)
    msg.binning_x = msg.binning_y = 2
    msg.roi.x_offset, msg.roi.y_offset, msg.roi.width, msg.roi.height = 100, 40, 320, 200
    for rectified in (False, True):
        camera = conversions.camera_from_msg(msg, rectified)
        assert (camera.width, camera.height, camera.fx, camera.fy) == (160, 100, 250.0, 250.0)
        full = conversions.camera_from_msg(info_msg(0, 640, 480, 500.0), rectified)
        # The middle of the pixels (120, 60) ... (121, 61) of the sensor is pixel (10, 10) of the image.
        assert np.allclose(camera.bearings([[10, 10]]), full.bearings([[120.5, 60.5]]))


def test_absent_then_useless_then_good_calibration(graph, photograph):
    compose(graph)
    robot = Robot(graph, photograph)
    robot.connect()
    absent = robot.show(photograph)
    assert absent.state == State.WAITING
    assert "no calibration on /camera_info" in absent.reason
    assert "nothing has come from /tester (sensor_msgs/msg/CameraInfo, reliable, volatile)" in absent.reason
    robot.info.publish(CameraInfo(width=320, height=240))
    graph.spin_until(lambda: False, 0.2)
    assert robot.show(photograph).state == State.WAITING
    robot.calibrate()
    assert robot.show(photograph).state == State.INITIALIZING


def test_an_image_of_another_size_than_its_calibration_is_refused_with_both(graph, photograph, monkeypatch):
    _, odometry = compose(graph)
    failures = []
    monkeypatch.setattr(odometry._worker, "_failed", lambda error: failures.append(str(error)))
    robot = Robot(graph, photograph)
    robot.connect()
    robot.info.publish(info_msg(0, 640, 480))
    graph.spin_until(lambda: False, 0.2)
    assert robot.show(photograph) is None
    assert "320x240" in failures[0]
    assert "640x480" in failures[0]


def stereo_robot(graph, photograph, verged=0):
    """A robot with a calibrated pair of cameras .1 m apart, and the publisher of the right images."""
    robot = Robot(graph, photograph, topic="left/image_rect")
    robot.info = graph.tester.create_publisher(CameraInfo, "left/camera_info", 5)
    right = graph.tester.create_publisher(Image, "right/image_rect", 5)
    right_info = graph.tester.create_publisher(CameraInfo, "right/camera_info", 5)
    robot.connect()
    assert graph.spin_until(lambda: right.get_subscription_count() and right_info.get_subscription_count())
    robot.calibrate()
    info = info_msg(0, 320, 240, 300.0)
    info.p[2] -= verged
    info.p[3] = -300.0 * 0.1
    right_info.publish(info)
    return robot, right


@pytest.mark.parametrize(("sync", "verged"), [("exact", 0), ("approximate", 0), ("exact", 9)])
def test_a_rectified_pair_is_metric(graph, photograph, sync, verged):
    features = graph.listen(FeatureArray, "features")
    compose(graph, input__stereo=True, input__sync=sync)
    robot, right = stereo_robot(graph, photograph, verged)
    graph.spin_until(lambda: False, 0.2)
    shifted = np.roll(photograph, -12 - verged, axis=1)  # a wall at 300 px * 0.1 m / 12 px = 2.5 m
    for _ in range(2):
        late = 0 if sync == "exact" else 5_000_000
        right.publish(image_msg(shifted, robot.stamp + FRAME_NS + late))
        answer = robot.show(photograph)
    assert answer.scale == RelativePose.SCALE_METRIC
    assert answer.landmarks > 50
    assert graph.spin_until(lambda: features)
    assert np.nanmedian(features[-1].depth) == pytest.approx(2.5, rel=0.02)


def test_pairs_too_far_apart_are_not_used_and_the_interval_is_told(graph, photograph, monkeypatch):
    features, _ = compose(graph, input__depth=True, input__silence_s=0.5, input__max_interval_s=0.01)
    texts = texts_of(features, monkeypatch)
    robot = Robot(graph, photograph)
    depths = graph.tester.create_publisher(Image, "depth/image", 5)
    robot.connect()
    robot.calibrate()
    depths.publish(image_msg(photograph, robot.stamp + 3 * FRAME_NS))
    assert robot.show(photograph) is None
    assert graph.spin_until(lambda: any("apart" in t and "max_interval_s" in t for t in texts), 5.0)


@pytest.mark.parametrize(("focal", "offset"), [(0.0, -10.0), (300.0, 0.0), (300.0, 30.0)])
def test_a_right_camera_without_baseline_is_explained(focal, offset):
    left, right = info_msg(0, 320, 240, 300.0), info_msg(0, 320, 240, focal)
    right.p[3] = offset
    with pytest.raises(InputError, match="baseline"):
        conversions.stereo_from_msgs(left, right)


def test_a_pair_is_what_both_calibrations_say():
    left, right = info_msg(0, 320, 240, 300.0), info_msg(0, 320, 240, 300.0)
    right.p[2], right.p[3] = right.p[2] - 7.0, -300.0 * 0.12
    focal, baseline, offset = conversions.stereo_from_msgs(left, right)
    assert (focal, baseline, *offset) == pytest.approx((300.0, 0.12, 7.0, 0.0))
    right.roi.x_offset, right.roi.y_offset, right.roi.width, right.roi.height = 4, 6, 300, 200
    assert conversions.stereo_from_msgs(left, right)[2] == pytest.approx((11.0, 6.0)), (
        "the right one is cropped"
    )
    for info in (left, right):
        info.binning_x = info.binning_y = 2
    focal, baseline, offset = conversions.stereo_from_msgs(left, right)
    assert (focal, baseline, *offset) == pytest.approx((150.0, 0.12, 5.5, 3.0))
    right.p[0] = right.p[5] = 310.0
    with pytest.raises(InputError, match="rectify both alike"):
        conversions.stereo_from_msgs(left, right)


@pytest.mark.parametrize("stereo", [False, True])
def test_a_calibration_sent_once_and_latched_reaches_who_comes_later(graph, photograph, stereo):
    qos = QoSProfile(
        depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL, reliability=ReliabilityPolicy.RELIABLE
    )
    names = ("left/camera_info", "right/camera_info") if stereo else ("camera_info",)
    latched = [graph.tester.create_publisher(CameraInfo, name, qos) for name in names]
    for publisher in latched:
        info = info_msg(0, 320, 240, 300.0)
        info.p[3] = -30.0 if publisher.topic_name.startswith("/right") else 0.0
        publisher.publish(info)
    features, odometry = compose(graph, input__stereo=stereo)
    assert graph.spin_until(lambda: odometry._calibration.msg is not None)
    assert graph.spin_until(lambda: [c.msg is not None for c in features._calibrations] == [stereo] * 2)


@pytest.mark.parametrize(
    ("topic", "given", "rectified", "said"),
    [
        ("/camera/image_rect", {}, True, "P of camera_info is used"),
        ("/zed/rgb/color/rect/image", {}, True, "P of camera_info is used"),
        ("/camera/image_rect_color", {"input__rectified": False}, False, "undistorted by K and D"),
        ("/camera/image_raw", {"input__rectified": True}, True, ""),
        ("/direct/correct_image", {}, False, ""),
    ],
)
def test_the_name_of_a_topic_says_whether_it_is_rectified_unless_a_parameter_does(
    graph, photograph, monkeypatch, topic, given, rectified, said
):
    lines = []
    monkeypatch.setattr(
        FeatureNode,
        "get_logger",
        lambda self: type("Log", (), dict.fromkeys(("info", "warning"), lines.append)),
    )
    features = FeatureNode(
        parameter_overrides=parameters(**given), cli_args=["--ros-args", "-r", f"image:={topic}"]
    )
    graph.add(features)
    found = graph.listen(FeatureArray, "features")
    images = graph.tester.create_publisher(Image, topic, 5)
    assert graph.spin_until(lambda: images.get_subscription_count() and features.images.is_settled)
    assert graph.spin_until(lambda: features._publisher.get_subscription_count())
    images.publish(image_msg(photograph, FRAME_NS))
    assert graph.spin_until(lambda: found)
    assert found[0].rectified is rectified
    assert any(said in line for line in lines) if said else not any("rectified" in line for line in lines)


def test_features_of_a_rectified_image_go_with_the_projection_matrix(graph):
    odometry = graph.add(OdometryNode())
    info = info_msg(0, 640, 480, 500.0)
    info.d = [-0.3, 0.1, 0.0, 0.0, 0.0]
    info.p[0] = info.p[5] = 450.0
    odometry._calibration.msg = info
    features = World.random().seen_from(np.eye(4))
    assert odometry._camera(features).distortion.value == "plumb_bob"
    assert odometry._camera(replace(features, rectified=True)).fx == 450.0


def test_a_pair_that_has_changed_places_is_told_once(graph, photograph, monkeypatch):
    features, _ = compose(graph, input__stereo=True)
    texts = texts_of(features, monkeypatch)
    robot, right = stereo_robot(graph, photograph)
    assert graph.spin_until(lambda: all(c.msg is not None for c in features._calibrations))
    for _ in range(5):
        right.publish(image_msg(photograph, robot.stamp + FRAME_NS))
        assert robot.show(np.roll(photograph, -12, axis=1)) is not None
    told = [t for t in texts if t.endswith("swap left and right")]
    assert len(told) == 1
    assert told[0].startswith("/left/image_rect, /right/image_rect: ")


def test_colours_that_are_called_grey_are_doubted(graph, photograph, monkeypatch):
    features, _ = compose(graph)
    texts = texts_of(features, monkeypatch)
    robot = Robot(graph, photograph)
    robot.connect()
    robot.calibrate()
    msg = image_msg(np.dstack([photograph] * 3), robot.stamp + FRAME_NS)
    msg.encoding = "mono8"
    robot.show(msg)
    assert any("does the image have 3 channels and another encoding?" in t for t in texts)


@pytest.mark.parametrize(
    ("encoding", "numbers", "said"),
    [("32FC1", 1800.0, "the median depth is"), ("16UC1", 2, "REP-118"), ("16UC1", 0, "no valid depth")],
)
def test_depths_that_cannot_be_are_doubted(graph, photograph, monkeypatch, encoding, numbers, said):
    features, _ = compose(graph, input__depth=True)
    texts = texts_of(features, monkeypatch)
    robot = Robot(graph, photograph)
    depths = graph.tester.create_publisher(Image, "depth/image", 5)
    robot.connect()
    assert graph.spin_until(depths.get_subscription_count)
    robot.calibrate()
    raw = np.full(photograph.shape, numbers, np.float32 if encoding == "32FC1" else np.uint16)
    msg = image_msg(raw.view(np.uint8), robot.stamp + FRAME_NS)
    msg.width, msg.encoding = 320, encoding
    depths.publish(msg)
    robot.show(photograph)
    assert any(said in t for t in texts)
