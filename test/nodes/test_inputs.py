"""Calibrations that are late, wrong, cropped or binned, and pairs of images."""

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed: run `make setup` or source a ROS 2")

from robot import FRAME_NS, Robot, compose, texts_of
from ros_graph import image_msg, info_msg
from sensor_msgs.msg import CameraInfo, Image

from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.core.types import State
from hybrid_features_ros.msg import RelativePose
from hybrid_features_ros.nodes import conversions


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


@pytest.mark.parametrize("sync", ["exact", "approximate"])
def test_a_rectified_pair_is_metric(graph, photograph, sync):
    compose(graph, input__stereo=True, input__sync=sync)
    robot = Robot(graph, photograph, topic="left/image_rect")
    robot.info = graph.tester.create_publisher(CameraInfo, "left/camera_info", 5)
    right = graph.tester.create_publisher(Image, "right/image_rect", 5)
    right_info = graph.tester.create_publisher(CameraInfo, "right/camera_info", 5)
    robot.connect()
    assert graph.spin_until(lambda: right.get_subscription_count() and right_info.get_subscription_count())
    robot.calibrate()
    info = info_msg(0, 320, 240, 300.0)
    info.p[3] = -300.0 * 0.1
    right_info.publish(info)
    graph.spin_until(lambda: False, 0.2)
    shifted = np.roll(photograph, -12, axis=1)  # a wall at 300 px * 0.1 m / 12 px = 2.5 m
    for _ in range(2):
        late = 0 if sync == "exact" else 5_000_000
        right.publish(image_msg(shifted, robot.stamp + FRAME_NS + late))
        answer = robot.show(photograph)
    assert answer.scale == RelativePose.SCALE_METRIC
    assert answer.landmarks > 50


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
    info = info_msg(0, 320, 240, focal)
    info.p[3] = offset
    with pytest.raises(InputError, match="baseline"):
        conversions.baseline_from_msg(info)
