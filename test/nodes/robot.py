# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A robot with a camera, one image at a time, and the nodes that listen to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from rclpy.qos import QoSProfile, ReliabilityPolicy
from ros_graph import image_msg, info_msg, parameters
from sensor_msgs.msg import CameraInfo, Image

from hybrid_features_ros.msg import OdometryStatus
from hybrid_features_ros.nodes.feature_node import FeatureNode
from hybrid_features_ros.nodes.odometry_node import OdometryNode

FRAME_NS = 50_000_000
BEGIN = 1_700_000_000_123_456_789


def rolled(photograph, degrees):
    """The photograph turned about its centre, 3 degrees a frame being a fast roll."""
    height, width = photograph.shape
    turn = cv2.getRotationMatrix2D((width / 2 - 0.5, height / 2 - 0.5), degrees, 1.0)
    return cv2.warpAffine(
        photograph, turn, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT
    )


class Robot:
    """Publishes a camera into a graph, one image at a time."""

    def __init__(
        self, graph, photograph, kind=Image, topic="image", reliability=ReliabilityPolicy.RELIABLE, space=""
    ):
        self.graph, self.photograph = graph, photograph
        self.frame = f"{space}/camera".lstrip("/") if space else "camera_optical_frame"
        qos = QoSProfile(depth=5, reliability=reliability)
        self.images = graph.tester.create_publisher(kind, f"{space}/{topic}".lstrip("/"), qos)
        self.info = graph.tester.create_publisher(CameraInfo, f"{space}/camera_info".lstrip("/"), 5)
        self.status = graph.listen(OdometryStatus, f"{space}/status".lstrip("/"))
        self.stamp = BEGIN

    def connect(self):
        """Wait until both are read, the images as reliably as they will be: that makes a new subscription."""
        assert self.graph.spin_until(
            lambda: (
                self.images.get_subscription_count()
                and self.info.get_subscription_count()
                and all(node.images.is_settled for node in self.graph.nodes if isinstance(node, FeatureNode))
            )
        )

    def calibrate(self):
        self.info.publish(info_msg(self.stamp, 320, 240, 300.0))
        for _ in range(5):
            self.graph.executor.spin_once(timeout_sec=0.02)

    def show(self, image):
        """Publish and wait for the answer; returns the status, or None."""
        self.stamp += FRAME_NS
        if isinstance(image, np.ndarray):
            image = image_msg(image, self.stamp, self.frame)
        self.images.publish(image)
        asked = len(self.status)
        self.graph.spin_until(lambda: len(self.status) > asked, 3.0)
        return self.status[-1] if len(self.status) > asked else None

    def roll(self, frames):
        return [self.show(rolled(self.photograph, 3.0 * i)) for i in range(frames)]


def compose(graph, **values):
    odometry = graph.add(OdometryNode(composed=True, parameter_overrides=parameters(**values)))
    features = graph.add(
        FeatureNode(odometry.submit, odometry.expectation, parameter_overrides=parameters(**values))
    )
    return features, odometry


def call(graph, kind, name, request=None):
    """Call a service of a node under test and return its response."""
    client = graph.tester.create_client(kind, name)
    assert graph.spin_until(client.service_is_ready)
    future = client.call_async(request or kind.Request())
    assert graph.spin_until(future.done)
    return future.result()


def texts_of(node, monkeypatch) -> list[str]:
    """What the node says from now on, whatever the level."""
    texts: list[str] = []

    def say(self: Any, text: str, **_: Any) -> None:
        texts.append(text)

    levels: dict[str, Callable[..., None]] = dict.fromkeys(("debug", "info", "warning", "error"), say)
    logger = type("Logger", (), levels)()
    monkeypatch.setattr(node, "get_logger", lambda: logger)
    return texts
