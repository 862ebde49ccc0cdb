# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The newest ``camera_info`` of a topic, whether it is sent with every image or once, latched."""

from __future__ import annotations

from typing import Any

from rclpy.clock import Clock, ClockType
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy, qos_profile_sensor_data
from sensor_msgs.msg import CameraInfo

from hybrid_features_ros.core.camera import Camera
from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.nodes import conversions
from hybrid_features_ros.nodes.diagnostics import endpoints
from hybrid_features_ros.nodes.managed import OVERRIDABLE, ManagedNode

LOOK_S, LOOK_AGAIN_S = 0.3, 3.0  # how often a publisher that latches is looked for: at first, and later
LATCHED = QoSProfile(
    depth=1, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL
)


class Calibration:
    """One subscription for publishers that repeat it, a second one as soon as there is one that latches.

    One subscription cannot be both: asking for latched messages excludes publishers that do not latch.

    Args:
        node: subscribes.
        topic: of the calibration.
    """

    def __init__(self, node: ManagedNode, topic: str) -> None:
        self._node, self._topic = node, topic
        self._subscriptions: list[Any] = []
        self._timer: Any = None
        self._doubt = ""
        self.msg: CameraInfo | None = None

    def subscribe(self) -> None:
        """Listen."""
        self._listen(qos_profile_sensor_data, qos_overriding_options=OVERRIDABLE)
        clock = Clock(clock_type=ClockType.STEADY_TIME)
        self._timer = self._node.create_timer(LOOK_S, self._look_for_latched, clock=clock)

    def unsubscribe(self) -> None:
        """Listen no more; what came last stays."""
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)
        self._subscriptions.clear()
        if self._timer is not None:
            self._node.destroy_timer(self._timer)
            self._timer = None

    def get(self) -> CameraInfo:
        """The newest one.

        Raises:
            InputError: none has come; names who should have sent it.
        """
        if self.msg is not None:
            return self.msg
        name = self._node.resolve_topic_name(self._topic)
        publishers = ", ".join(endpoints(self._node.get_publishers_info_by_topic(name)))
        raise InputError(
            f"no calibration on {name} yet: "
            + (f"nothing has come from {publishers}" if publishers else "publish camera_info or remap it")
        )

    def camera(self, rectified: bool) -> Camera:
        """The newest one as the camera of the raw or the rectified image.

        Raises:
            InputError: none has come, or it is none.
        """
        msg = self.get()
        name = self._node.resolve_topic_name(self._topic)
        try:
            camera = conversions.camera_from_msg(msg, rectified)
        except InputError as error:
            raise InputError(f"no usable calibration on {name}: {error}") from None
        if camera.doubt != self._doubt:
            self._doubt = camera.doubt
            if self._doubt:
                self._node.get_logger().warning(f"{name}: {self._doubt}")
        return camera

    def _listen(self, qos: QoSProfile, **options: Any) -> None:
        made = self._node.create_subscription(CameraInfo, self._topic, self._on_info, qos, **options)
        self._subscriptions.append(made)

    def _look_for_latched(self) -> None:
        found = self._node.get_publishers_info_by_topic(self._node.resolve_topic_name(self._topic))
        if any(p.qos_profile.durability is DurabilityPolicy.TRANSIENT_LOCAL for p in found):
            self._listen(LATCHED)
            self._timer.cancel()

    def _on_info(self, msg: CameraInfo) -> None:
        if self.msg is None and self._timer is not None:
            self._timer.timer_period_ns = int(LOOK_AGAIN_S * 1e9)  # asking the graph takes milliseconds
        self.msg = msg
