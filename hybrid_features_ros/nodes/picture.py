# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What the odometry sees, drawn into the image and as markers; nothing is done while nobody looks."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import numpy as np
from geometry_msgs.msg import Point
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import ColorRGBA, Header
from visualization_msgs.msg import Marker

from hybrid_features_ros.core.camera import Camera
from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.core.types import Features, Float64, OdometryResult
from hybrid_features_ros.nodes import conversions
from hybrid_features_ros.nodes.managed import OVERRIDABLE, ManagedNode
from hybrid_features_ros.visualization.draw import draw_horizon, draw_status, draw_tracks
from hybrid_features_ros.visualization.tracks import PointHistory

KEPT_IMAGES = 20  # images that wait for their odometry
KEPT_POINTS = 300  # images whose keypoints are remembered, since one of them may be the keyframe
LOOK_S = 0.5  # how often it is asked whether somebody looks


class Picture:
    """Publishes ``image_features`` (sensor_msgs/Image) and ``match_markers`` (visualization_msgs/Marker).

    The image topic is subscribed to only while somebody listens to ``image_features``.
    """

    def __init__(self, node: ManagedNode) -> None:
        self._node: Node = node
        given = node.config.input
        name = "left/image_rect" if given.stereo else "image"
        compressed = given.transport == "compressed"
        self._kind = CompressedImage if compressed else Image
        self._topic = f"{name}/compressed" if compressed else name
        self._images: OrderedDict[int, Any] = OrderedDict()
        self._history = PointHistory(KEPT_POINTS)
        self._subscription: Any = None
        self._picture = node.create_lifecycle_publisher(
            Image, "image_features", 1, qos_overriding_options=OVERRIDABLE
        )
        self._markers = node.create_lifecycle_publisher(
            Marker, "match_markers", 1, qos_overriding_options=OVERRIDABLE
        )
        node.create_timer(LOOK_S, self._look, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def show(
        self,
        result: OdometryResult,
        features: Features,
        camera: Camera,
        header: Header,
        R_odom_camera: Float64,
    ) -> None:
        """Publish what somebody listens to.

        Args:
            result: of the image with these features.
            camera: its calibration.
            header: of the image.
            R_odom_camera: (3, 3) orientation of the camera in the odometry's frame, whose z is up.
        """
        starts, ends = self._history.add(result, features)
        watched = self._subscription is not None
        marked = self._markers.get_subscription_count() > 0
        if not watched and not marked:
            return
        if marked:
            self._markers.publish(_lines(header, camera.normalise(starts), camera.normalise(ends)))
        msg = self._images.pop(result.stamp, None)
        if watched and msg is not None:
            try:
                canvas = draw_tracks(conversions.image_from_msg(msg), features, starts, ends)
            except InputError:
                return
            draw_horizon(canvas, camera, R_odom_camera)
            draw_status(canvas, f"{result.state.name} {result.reason}".rstrip())
            self._picture.publish(conversions.image_to_msg(canvas, header))

    def _look(self) -> None:
        wanted = self._picture.get_subscription_count() > 0
        if wanted and self._subscription is None:
            self._subscription = self._node.create_subscription(
                self._kind, self._topic, self._on_image, qos_profile_sensor_data
            )
        elif not wanted and self._subscription is not None:
            self._node.destroy_subscription(self._subscription)
            self._subscription = None
            self._images.clear()

    def _on_image(self, msg: Image | CompressedImage) -> None:
        self._images[conversions.to_ns(msg.header.stamp)] = msg
        while len(self._images) > KEPT_IMAGES:
            self._images.popitem(last=False)


def _lines(header: Header, starts: Float64, ends: Float64) -> Marker:
    """Each inlier as a line from where the keyframe saw it to where it is now, on the plane z = 1 m."""
    marker = Marker(header=header, ns="matches", type=Marker.LINE_LIST, action=Marker.ADD)
    marker.scale.x = 0.002
    marker.color = ColorRGBA(r=0.1, g=0.9, b=0.3, a=1.0)
    marker.pose.orientation.w = 1.0
    pairs = np.stack([starts, ends], axis=1).reshape(-1, 2)
    marker.points = [Point(x=float(x), y=float(y), z=1.0) for x, y in pairs]
    return marker
