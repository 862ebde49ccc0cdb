"""Features in, odometry out."""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np
from nav_msgs.msg import Odometry as OdometryMsg
from nav_msgs.msg import Path
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from rclpy.qos_overriding_options import QoSOverridingOptions
from rclpy.time import Time
from sensor_msgs.msg import CameraInfo
from std_msgs.msg import Header
from tf2_ros import Buffer, TransformBroadcaster, TransformException, TransformListener

from hybrid_features_ros.camera import Camera
from hybrid_features_ros.errors import InputError
from hybrid_features_ros.msg import FeatureArray, FeatureMatches, OdometryStatus, RelativePose
from hybrid_features_ros.nodes import conversions
from hybrid_features_ros.nodes.parameters import declare
from hybrid_features_ros.nodes.spin import log_failure, spin
from hybrid_features_ros.nodes.worker import NewestWins
from hybrid_features_ros.odometry import Odometry
from hybrid_features_ros.types import Features, Float64, OdometryResult, State

PATH_PERIOD_NS = 200_000_000  # the path grows without bound: it is published at 5 Hz, not per image
CLOCK_JUMP_NS = 500_000_000  # older by more than this: the clock was set back (a bag loops)


class OdometryNode(Node):
    """Estimate the camera's motion from features.

    Subscribes: ``features`` (FeatureArray), ``camera_info``. Publishes: ``odom``, TF, ``path``,
    ``status``, ``matches``, ``relative_pose``; the last three and the path only while somebody listens.

    Args:
        composed: the features come through :meth:`submit` instead of the topic.
    """

    def __init__(self, composed: bool = False, **options: Any) -> None:
        super().__init__("odometry_node", **options)
        self._config = declare(self, "odometry", "frames", "input")
        self._odometry = Odometry(self._config.odometry)
        self._camera: Camera | None = None
        self._state = State.WAITING
        self._newest = 0
        self._T_odom_world: Float64 | None = None
        self._worker = NewestWins(self._process, log_failure(self), self._config.input.queue)
        self._make_publishers()
        self._tf_buffer = Buffer()
        self._tf_listener = TransformListener(self._tf_buffer, self)
        overridable = QoSOverridingOptions.with_default_policies()
        self.create_subscription(
            CameraInfo,
            "camera_info",
            self._on_camera_info,
            qos_profile_sensor_data,
            qos_overriding_options=overridable,
        )
        if not composed:
            self.create_subscription(
                FeatureArray,
                "features",
                lambda msg: self.submit(msg.header, msg),
                5,
                qos_overriding_options=overridable,
            )

    def submit(self, header: Header, features: Features | FeatureArray) -> None:
        """Queue the features of one image."""
        self._worker.submit((header, features))

    def destroy_node(self) -> None:
        """Stop the estimation, then the node."""
        self._worker.stop()
        super().destroy_node()

    def _make_publishers(self) -> None:
        overridable = QoSOverridingOptions.with_default_policies()
        self._odom, self._path, self._status, self._matches, self._relative_pose = (
            self.create_publisher(kind, topic, 10, qos_overriding_options=overridable)
            for kind, topic in (
                (OdometryMsg, "odom"),
                (Path, "path"),
                (OdometryStatus, "status"),
                (FeatureMatches, "matches"),
                (RelativePose, "relative_pose"),
            )
        )
        self._broadcaster = TransformBroadcaster(self)
        self._poses: deque[Any] = deque(maxlen=self._config.frames.path_length)
        self._path_stamp = 0

    def _on_camera_info(self, msg: CameraInfo) -> None:
        try:
            self._camera = conversions.camera_from_msg(msg, self._config.input.rectified)
        except InputError as error:
            self._camera = None
            self.get_logger().error(f"camera_info: {error}", throttle_duration_sec=3.0)

    def _process(self, item: tuple[Header, Features | FeatureArray]) -> None:
        header, given = item
        features = given if isinstance(given, Features) else conversions.features_from_msg(given)
        if self._camera is None:
            topic = self.resolve_topic_name("camera_info")
            return self._wait(header, f"no calibration on {topic} yet; publish it or remap `camera_info`")
        T_base_camera = self._extrinsics(header)
        if T_base_camera is None:
            return self._wait(header, f"no transform {self._config.frames.base} <- {header.frame_id} yet")
        stamp = conversions.to_ns(header.stamp)
        if stamp < self._newest - CLOCK_JUMP_NS:
            self.get_logger().warning("time was set back: the odometry starts anew from its last pose")
            self._odometry.reset()
            self._path_stamp = 0
        result = self._odometry.process(stamp, features, self._camera)
        self._newest = stamp
        self._publish(result, header, T_base_camera)

    def _wait(self, header: Header, reason: str) -> None:
        self.get_logger().warning(f"waiting: {reason}", throttle_duration_sec=3.0)
        self._status.publish(
            OdometryStatus(
                header=Header(stamp=header.stamp, frame_id=self._config.frames.odom),
                state=int(State.WAITING),
                reason=reason,
                dropped_frames=self._worker.dropped,
            )
        )

    def _extrinsics(self, header: Header) -> Float64 | None:
        """Where the camera sits on the base at the image's stamp; None while TF does not know."""
        base = self._config.frames.base
        if not base:
            return np.eye(4)
        for stamp in (Time.from_msg(header.stamp), Time()):
            try:
                found = self._tf_buffer.lookup_transform(base, header.frame_id, stamp)
            except TransformException:
                continue
            return conversions.transform_from_msg(found.transform)
        return None

    def _publish(self, result: OdometryResult, header: Header, T_base_camera: Float64) -> None:
        frames = self._config.frames
        if self._T_odom_world is None:
            self._T_odom_world = T_base_camera if frames.base else conversions.OPTICAL_TO_BODY
        odom_header = Header(stamp=header.stamp, frame_id=frames.odom)
        odom = conversions.odometry_to_msg(
            result, T_base_camera, self._T_odom_world, odom_header, frames.base or header.frame_id
        )
        self._odom.publish(odom)
        if frames.publish_tf:
            self._broadcaster.sendTransform(conversions.to_transform_stamped(odom))
        self._extend_path(odom, result.stamp)
        for publisher, make in (
            (self._matches, conversions.matches_to_msg),
            (self._relative_pose, conversions.relative_pose_to_msg),
        ):
            if publisher.get_subscription_count():
                publisher.publish(make(result, header))
        self._status.publish(conversions.status_to_msg(result, odom_header, self._worker.dropped))
        if result.state is not self._state:
            self.get_logger().info(f"{result.state.name} {result.reason}".rstrip())
            self._state = result.state

    def _extend_path(self, odom: OdometryMsg, stamp: int) -> None:
        self._poses.append(conversions.to_pose_stamped(odom))
        if stamp - self._path_stamp >= PATH_PERIOD_NS and self._path.get_subscription_count():
            self._path.publish(Path(header=odom.header, poses=list(self._poses)))
            self._path_stamp = stamp


def main() -> None:
    """Run the node until it is interrupted."""
    spin(lambda: [OdometryNode()])


if __name__ == "__main__":
    main()
