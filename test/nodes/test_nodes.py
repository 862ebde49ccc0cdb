# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The nodes on real middleware: images go in, odometry comes out, and nothing bad stops them."""

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed: run `make setup` or source a ROS 2")

import cv2
from geometry_msgs.msg import TransformStamped
from nav_msgs.msg import Odometry as OdometryMsg
from nav_msgs.msg import Path
from rclpy.qos import ReliabilityPolicy
from robot import BEGIN, FRAME_NS, Robot, compose, rolled, texts_of
from ros_graph import header, image_msg, info_msg, parameters
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from synthetic import LENS, World, panned
from tf2_msgs.msg import TFMessage
from tf2_ros import StaticTransformBroadcaster

from hybrid_features_ros.core import se3
from hybrid_features_ros.core.camera import Camera
from hybrid_features_ros.core.types import State
from hybrid_features_ros.msg import FeatureArray, FeatureMatches, OdometryStatus, RelativePose
from hybrid_features_ros.nodes import conversions
from hybrid_features_ros.nodes.feature_node import FeatureNode
from hybrid_features_ros.nodes.odometry_node import OdometryNode


def test_a_rolling_camera_turns_and_stays_where_it_is(graph, photograph):
    odom = graph.listen(OdometryMsg, "odom")
    compose(graph)
    robot = Robot(graph, photograph)
    robot.connect()
    robot.calibrate()
    answers = robot.roll(10)
    assert [conversions.to_ns(a.header.stamp) for a in answers] == [
        BEGIN + FRAME_NS * (i + 1) for i in range(10)
    ]
    assert answers[0].state == State.INITIALIZING
    assert all(a.state == State.ROTATION_ONLY for a in answers[1:])
    assert graph.spin_until(lambda: len(odom) == 10)
    assert (odom[-1].header.frame_id, odom[-1].child_frame_id) == ("odom", "camera_optical_frame")
    first, last = (conversions.pose_from_msg(m.pose.pose) for m in (odom[0], odom[-1]))
    moved = se3.inverse(first) @ last
    assert np.degrees(se3.rotation_angle(moved[:3, :3])) == pytest.approx(27, abs=0.3)
    assert np.degrees(se3.rotation_vector(moved[:3, :3])[2]) == pytest.approx(27, abs=0.3)
    assert np.allclose(moved[:3, 3], 0)
    for msg in odom[1:]:
        for covariance in (msg.pose.covariance, msg.twist.covariance):
            matrix = np.reshape(covariance, (6, 6))
            assert np.allclose(matrix, matrix.T, rtol=1e-6, atol=1e-12), "filters need it symmetric"
            assert np.linalg.eigvalsh((matrix + matrix.T) / 2).min() > 0, "and positive"


def test_between_keyframes_images_are_followed_and_say_so(graph, photograph):
    """Through the composed nodes at 7 degrees an image: as many images are answered, few are detected."""
    node, _ = compose(graph, features__tracking="between_keyframes")
    robot = Robot(graph, photograph)
    robot.connect()
    robot.calibrate()
    answers = [robot.show(rolled(photograph, 7.0 * i)) for i in range(12)]
    assert all(a.state == State.ROTATION_ONLY for a in answers[1:])
    stages = [a.stage[0] for a in answers]
    assert stages[0] == "extraction"
    assert set(stages) == {"extraction", "following"}
    assert stages.count("following") >= 6
    assert node.report().values["detected images"] == f"{stages.count('extraction')} of 12"
    assert all(a.inliers > 100 for a in answers[1:])


@pytest.mark.parametrize("tracking", ["every_frame", "between_keyframes"])
def test_separate_nodes_say_the_same_as_composed_ones(graph, photograph, tracking):
    graph.add(FeatureNode(parameter_overrides=parameters(features__tracking=tracking)))
    graph.add(OdometryNode())
    odom = graph.listen(OdometryMsg, "odom")
    features = graph.listen(FeatureArray, "features")
    matches, relative = graph.listen(FeatureMatches, "matches"), graph.listen(RelativePose, "relative_pose")
    path = graph.listen(Path, "path")
    tf = graph.listen(TFMessage, "/tf")
    robot = Robot(graph, photograph)
    robot.connect()
    assert graph.spin_until(
        lambda: graph.tester.count_publishers("features") and graph.tester.count_subscribers("features") > 1
    )
    robot.calibrate()
    answers = robot.roll(6)
    assert None not in answers
    assert graph.spin_until(lambda: len(odom) == len(tf) == len(matches) == len(relative) == 6 and path)
    assert answers[-1].keypoints == len(features[-1].x)
    assert features[-1].header.stamp == odom[-1].header.stamp == tf[-1].transforms[0].header.stamp
    t = tf[-1].transforms[0]
    assert (t.header.frame_id, t.child_frame_id) == ("odom", "camera_optical_frame")
    assert t.transform.rotation == odom[-1].pose.pose.orientation
    assert sum(matches[-1].inlier) == answers[-1].inliers > 50
    assert relative[-1].model == RelativePose.MODEL_ROTATION_ONLY


@pytest.mark.parametrize("reliability", [ReliabilityPolicy.RELIABLE, ReliabilityPolicy.BEST_EFFORT])
def test_both_kinds_of_camera_drivers_are_heard(graph, photograph, reliability):
    compose(graph)
    robot = Robot(graph, photograph, reliability=reliability)
    robot.connect()
    robot.calibrate()
    assert robot.show(photograph) is not None


@pytest.mark.parametrize("kind", ["jpeg", "png"])
def test_compressed_images(graph, photograph, kind):
    odom = graph.listen(OdometryMsg, "odom")
    compose(graph, input__transport="compressed")
    robot = Robot(graph, photograph, kind=CompressedImage, topic="image/compressed")
    robot.connect()
    robot.calibrate()
    for i in range(4):
        data = cv2.imencode(f".{kind}", rolled(photograph, 3.0 * i))[1].tobytes()
        stamp = robot.stamp + FRAME_NS
        answer = robot.show(CompressedImage(header=header(stamp), format=kind, data=data))
        assert conversions.to_ns(answer.header.stamp) == stamp
    assert answer.inliers > 50
    assert graph.spin_until(lambda: len(odom) == 4)
    first, last = (conversions.pose_from_msg(m.pose.pose) for m in (odom[0], odom[-1]))
    assert np.degrees(se3.rotation_angle(first[:3, :3].T @ last[:3, :3])) == pytest.approx(9, abs=0.3)


def test_bad_messages_do_no_harm(graph, photograph):
    compose(graph)
    robot = Robot(graph, photograph)
    robot.connect()
    robot.calibrate()
    before = robot.roll(4)[-1]
    bad = [
        Image(header=header(BEGIN + 10**9)),
        Image(header=header(BEGIN + 10**9), width=4, height=4, step=4, encoding="what?", data=bytes(16)),
        image_msg(np.zeros((10, 10), np.uint8), BEGIN + 10**9),
        image_msg(photograph, BEGIN),
    ]
    for msg in bad:
        robot.images.publish(msg)
        graph.spin_until(lambda: False, 0.2)
    robot.info.publish(CameraInfo(header=header(BEGIN)))
    graph.spin_until(lambda: False, 0.2)
    uncalibrated = robot.show(rolled(photograph, 12))
    assert uncalibrated.state == State.WAITING
    assert "no usable calibration on /camera_info" in uncalibrated.reason
    robot.calibrate()
    after = robot.show(rolled(photograph, 12))
    assert after.state == before.state
    assert after.inliers > 50
    assert after.reset_counter == 0


def test_a_raw_image_is_understood_with_its_distortion(graph, photograph):
    """A camera with a strong lens pans over a wall; told of no distortion, it measures another angle."""
    angles = {}
    for name, told in (("told", True), ("untold", False)):
        odometry = graph.add(OdometryNode(composed=True, namespace=name))
        graph.add(FeatureNode(sink=odometry.submit, namespace=name))
        robot = Robot(graph, photograph, space=name)
        odom = graph.listen(OdometryMsg, f"{name}/odom")
        robot.connect()
        info = info_msg(BEGIN, 320, 240, 200.0)
        lens = Camera.from_calibration(320, 240, list(info.k), "plumb_bob", LENS)
        info.d = LENS if told else [0.0] * 5
        robot.info.publish(info)
        graph.spin_until(lambda: False, 0.2)
        for i in range(5):
            robot.show(panned(photograph, lens, 3.0 * i))
        assert graph.spin_until(lambda o=odom: len(o) == 5)
        first, last = (conversions.pose_from_msg(m.pose.pose) for m in (odom[0], odom[-1]))
        angles[name] = np.degrees(se3.rotation_angle(first[:3, :3].T @ last[:3, :3]))
    assert angles["told"] == pytest.approx(12, abs=0.1)
    assert abs(angles["untold"] - 12) > 0.3


def test_black_image_is_no_reason_to_stop(graph, photograph):
    compose(graph)
    robot = Robot(graph, photograph)
    robot.connect()
    robot.calibrate()
    robot.roll(3)
    dark = robot.show(np.zeros_like(photograph))
    assert dark.state == State.DEGRADED
    assert "dark" in dark.reason
    assert robot.show(rolled(photograph, 9)).inliers > 50


def test_time_set_back_starts_anew_from_the_last_pose(graph, photograph):
    odom = graph.listen(OdometryMsg, "odom")
    compose(graph)
    robot = Robot(graph, photograph)
    robot.connect()
    robot.calibrate()
    robot.roll(6)
    robot.stamp = BEGIN - 10 * 10**9
    answer = robot.roll(1)[0]
    assert answer.reset_counter == 1
    assert graph.spin_until(lambda: len(odom) == 7)
    assert odom[-1].pose.pose == odom[-2].pose.pose


def test_the_base_moves_not_the_camera(graph, photograph):
    """With base_link given, the transform of the camera is waited for and then used."""
    odom = graph.listen(OdometryMsg, "odom")
    compose(graph, frames__base="base_link")
    robot = Robot(graph, photograph)
    robot.connect()
    robot.calibrate()
    waiting = robot.show(photograph)
    assert waiting.state == State.WAITING
    assert "no transform base_link <- camera_optical_frame" in waiting.reason
    broadcaster = StaticTransformBroadcaster(graph.tester)
    mount = TransformStamped(header=header(BEGIN, "base_link"), child_frame_id="camera_optical_frame")
    mount.transform = conversions.to_transform(conversions.OPTICAL_TO_BODY)
    broadcaster.sendTransform(mount)
    assert graph.spin_until(lambda: robot.show(photograph).state != State.WAITING)
    robot.roll(4)
    assert odom[-1].child_frame_id == "base_link"
    moved = conversions.pose_from_msg(odom[-1].pose.pose)
    assert np.degrees(se3.rotation_vector(moved[:3, :3])[0]) == pytest.approx(9, abs=0.3)


def test_depth_images_make_it_metric(graph, photograph):
    compose(graph, input__depth=True)
    robot = Robot(graph, photograph)
    depths = graph.tester.create_publisher(Image, "depth/image", 5)
    robot.connect()
    assert graph.spin_until(depths.get_subscription_count)
    robot.calibrate()
    depth = np.full((240, 320), 2500, np.uint16)
    for _ in range(2):
        msg = Image(
            header=header(robot.stamp + FRAME_NS), width=320, height=240, step=640, encoding="16UC1",
            data=depth.tobytes(),
        )  # fmt: skip
        depths.publish(msg)
        answer = robot.show(photograph)
    assert answer.scale == RelativePose.SCALE_METRIC
    assert answer.landmarks == answer.keypoints


def test_silence_is_explained(graph, monkeypatch):
    node, _ = compose(graph, input__silence_s=0.2)
    warnings = texts_of(node, monkeypatch)
    assert graph.spin_until(lambda: warnings, 3.0)
    assert "no message on /image for 0.2 s; nobody publishes it" in warnings[0]
    graph.tester.create_publisher(Image, "image", 5)
    warnings.clear()
    assert graph.spin_until(
        lambda: any("/tester (sensor_msgs/msg/Image, reliable, volatile)" in w for w in warnings), 3.0
    )


def test_features_of_another_node_may_be_tracked(graph):
    """Whoever publishes FeatureArray can use the odometry."""
    graph.add(OdometryNode())
    publisher = graph.tester.create_publisher(FeatureArray, "features", 5)
    info = graph.tester.create_publisher(CameraInfo, "camera_info", 5)
    status = graph.listen(OdometryStatus, "status")
    assert graph.spin_until(lambda: publisher.get_subscription_count() and info.get_subscription_count())
    info.publish(info_msg(1))
    graph.spin_until(lambda: False, 0.2)
    world = World.random()
    for i in range(5):
        features = world.seen_from(se3.make(np.eye(3), [0.05 * i, 0, 0]), with_depth=True, noise_px=0.2)
        publisher.publish(conversions.features_to_msg(features, header(10**9 + i * FRAME_NS)))
        assert graph.spin_until(lambda n=i: len(status) == n + 1)
    assert status[-1].state == State.TRACKING
    assert status[-1].scale == RelativePose.SCALE_METRIC
