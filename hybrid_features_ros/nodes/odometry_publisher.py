# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What is published about one image after another: odometry, TF, path, status, matches and keyframes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from geometry_msgs.msg import TransformStamped
from nav_msgs.msg import Odometry as OdometryMsg
from nav_msgs.msg import Path
from std_msgs.msg import Header
from tf2_ros import TransformBroadcaster

from hybrid_features_ros.core import se3
from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.core.types import Features, Float64, Int32, OdometryResult, State
from hybrid_features_ros.msg import FeatureMatches, Keyframe, OdometryStatus, RelativePose
from hybrid_features_ros.nodes import conversions
from hybrid_features_ros.nodes.frames import FrameTree
from hybrid_features_ros.nodes.managed import OVERRIDABLE, ManagedNode

PATH_PERIOD_NS = 200_000_000  # the path grows without bound: it is published at 5 Hz, not per image


@dataclass(frozen=True, eq=False)
class ImageResult:
    """What the odometry says about an image, and what its messages need besides.

    Attributes:
        header: of the image.
        child: frame whose pose is published.
        T_odom_world: (4, 4) where the odometry's world lies in the frame ``odom``.
        T_base_camera: (4, 4) where the camera sits on the child frame.
    """

    result: OdometryResult
    features: Features
    header: Header
    child: str
    T_odom_world: Float64
    T_base_camera: Float64

    @property
    def T_odom_camera(self) -> Float64:
        """(4, 4) pose of the camera."""
        return self.T_odom_world @ self.result.T_world_camera

    @property
    def T_odom_base(self) -> Float64:
        """(4, 4) pose of the child frame."""
        return self.T_odom_camera @ se3.inverse(self.T_base_camera)


class OdometryPublisher:
    """The publishers of a node and the transform that it broadcasts.

    Args:
        frames: for the transform between the child frame and that of another odometry.
    """

    def __init__(self, node: ManagedNode, frames: FrameTree) -> None:
        self._node, self._frames = node, frames
        self._odom, self._path, self._status, self._matches, self._relative_pose, self._keyframes = (
            node.create_lifecycle_publisher(kind, topic, 10, qos_overriding_options=OVERRIDABLE)
            for kind, topic in (
                (OdometryMsg, "odom"),
                (Path, "path"),
                (OdometryStatus, "status"),
                (FeatureMatches, "matches"),
                (RelativePose, "relative_pose"),
                (Keyframe, "keyframes"),
            )
        )
        self._broadcaster = TransformBroadcaster(node)
        self.forget()

    def forget(self) -> None:
        """Begin the path anew."""
        self._before: ImageResult | None = None
        self._poses: deque[Any] = deque(maxlen=self._node.config.frames.path_length)
        self._path_stamp = 0

    def publish(self, image: ImageResult, landmark_ids: Callable[[int], Int32 | None]) -> None:
        """Publish the pose, and what somebody listens to of the rest.

        Args:
            image: the newest.
            landmark_ids: (N,) those that the features of the keyframe at a stamp [ns] show; None: unknown.

        Raises:
            InputError: the pose is not finite.
        """
        before, self._before = self._before, image
        odom = conversions.odometry_to_msg(
            image.result, image.T_base_camera, image.T_odom_world, self._header(image.header), image.child
        )
        if not conversions.is_finite(odom):
            raise InputError("the estimate is not finite and was not published; call ~/reset")
        self._odom.publish(odom)
        self._broadcast(odom, image.T_odom_base, image.result.stamp)
        self._extend_path(odom, image.result.stamp)
        for publisher, make in (
            (self._matches, conversions.matches_to_msg),
            (self._relative_pose, conversions.relative_pose_to_msg),
        ):
            if publisher.get_subscription_count():
                publisher.publish(make(image.result, image.header))
        if self._keyframes.get_subscription_count():
            for keyframe in _keyframes(before, image):
                header, ids = self._header(keyframe.header), landmark_ids(keyframe.result.stamp)
                features = replace(keyframe.features, track_ids=ids)
                self._keyframes.publish(
                    conversions.keyframe_to_msg(
                        keyframe.result, features, keyframe.T_odom_world, header, keyframe.header
                    )
                )

    def publish_status(self, image: ImageResult, dropped: int, milliseconds: dict[str, float]) -> None:
        """Publish the state after an image, the images skipped so far, and the time of each stage [ms]."""
        status = conversions.status_to_msg(image.result, self._header(image.header), dropped, milliseconds)
        self._status.publish(status)

    def publish_waiting(self, header: Header, reason: str, dropped: int, resets: int) -> None:
        """Publish that an image could not be used, and why."""
        self._status.publish(
            OdometryStatus(
                header=self._header(header),
                state=int(State.WAITING),
                reason=reason,
                dropped_frames=dropped,
                reset_counter=resets,
            )
        )

    def _header(self, header: Header) -> Header:
        return Header(stamp=header.stamp, frame_id=self._node.config.frames.odom)

    def _broadcast(self, odom: OdometryMsg, T_odom_child: Float64, stamp: int) -> None:
        frames, child = self._node.config.frames, odom.child_frame_id
        if not frames.publish_tf:
            return
        if frames.guess:
            T_child_guess = self._frames.between(child, frames.guess, stamp)
            if T_child_guess is None:
                return
            T_odom_child, child = T_odom_child @ T_child_guess, frames.guess
        parent = frames.odom
        if frames.invert_tf:
            T_odom_child, parent, child = se3.inverse(T_odom_child), child, parent
        tf = TransformStamped(header=Header(stamp=odom.header.stamp, frame_id=parent), child_frame_id=child)
        tf.transform = conversions.to_transform(T_odom_child)
        self._broadcaster.sendTransform(tf)

    def _extend_path(self, odom: OdometryMsg, stamp: int) -> None:
        self._poses.append(conversions.to_pose_stamped(odom))
        if abs(stamp - self._path_stamp) >= PATH_PERIOD_NS and self._path.get_subscription_count():
            self._path.publish(Path(header=odom.header, poses=list(self._poses)))
            self._path_stamp = stamp


def _keyframes(before: ImageResult | None, newest: ImageResult) -> Iterator[ImageResult]:
    """The image before, if it became a keyframe only now, and the newest, if it is one."""
    result = newest.result
    if result.previous_is_keyframe and before is not None:
        late = replace(before.result, keyframes=result.keyframes - result.is_keyframe)
        if late.resets != result.resets:  # a new map begins with it
            late = replace(late, resets=result.resets, scale=result.scale)
        yield replace(before, result=late)
    if result.is_keyframe:
        yield newest
