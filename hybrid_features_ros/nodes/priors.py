# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The camera's motion as other odometries measure it: messages on ``prior``, and frames on TF."""

from __future__ import annotations

from collections import Counter, deque

import numpy as np
from nav_msgs.msg import Odometry as OdometryMsg
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy

from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.core.motion_prior import MotionPrior, MotionTrack
from hybrid_features_ros.core.types import OdometryResult
from hybrid_features_ros.nodes import conversions
from hybrid_features_ros.nodes.frames import FrameTree
from hybrid_features_ros.odometry.prior_doubt import PriorDoubt

PRIOR_QOS = QoSProfile(depth=100, reliability=ReliabilityPolicy.BEST_EFFORT)
QUEUE = 2000  # messages that wait for their image: ten seconds at 200 Hz
REMEMBERED = 100  # images that the diagnostics tell of
USED, REJECTED, MISSING = "used", "rejected", "missing"


class MotionPriors:
    """Motions between images; :meth:`receive` may be called from another thread than the rest."""

    def __init__(self, node: Node, frames: FrameTree) -> None:
        self._node, self._frames = node, frames
        self._queue: deque[OdometryMsg] = deque(maxlen=QUEUE)
        self._track, self._body = MotionTrack(), ("", "")
        self._outcomes: deque[str] = deque(maxlen=REMEMBERED)
        self._doubt = PriorDoubt(REMEMBERED)

    def receive(self, msg: OdometryMsg) -> None:
        """Take a message from ``prior``."""
        self._queue.append(msg)

    def forget(self) -> None:
        """Drop everything: time was set back."""
        self._queue.clear()
        self._track.clear()

    def motion(self, camera: str, guess: str, begin: int, end: int) -> MotionPrior | None:
        """The motion of the frame ``camera`` between two images' stamps [ns], from ``prior``, else by the
        frame ``guess`` on TF; None if neither knows.
        """
        while self._queue:
            self._add(self._queue.popleft())
        try:
            motion = self._measured(camera, begin, end)
            T = self._frames.guessed_motion(guess, camera, begin, end) if guess and motion is None else None
            return motion if T is None else MotionPrior(T)
        except InputError as error:
            self._node.get_logger().warning(f"prior: not used: {error}", throttle_duration_sec=3.0)
            return None

    def _measured(self, camera: str, begin: int, end: int) -> MotionPrior | None:
        """The motion by the messages on ``prior``, from the body to the camera."""
        motion = self._track.motion(begin, end) if end > begin else None
        if motion is None:
            return None
        return motion.of_part(*(self._frames.extrinsics(self._body[1], camera, t) for t in (begin, end)))

    def remember(self, prior: MotionPrior | None, before: OdometryResult, result: OdometryResult) -> None:
        """Note for the diagnostics what became of an image's prior."""
        rejected = REJECTED if result.prior_rejected else USED
        self._outcomes.append(MISSING if prior is None else rejected)
        if prior is not None:
            self._doubt.add(prior, before, result)

    def summary(self) -> tuple[str, str]:
        """What became of the priors of the newest images, and a sentence if that is no good; empty: it is."""
        counts = Counter(self._outcomes)
        text = ", ".join(f"{counts[name]} {name}" for name in (USED, REJECTED, MISSING))
        if self._doubt.sentence:
            return text, self._doubt.sentence
        if 2 * counts[REJECTED] > len(self._outcomes):
            return text, "the motion prior contradicts the images: spinning wheels, or a wrong mounting?"
        if 2 * counts[MISSING] > len(self._outcomes):
            return text, "most images have no motion prior: is it published, with stamps of the same clock?"
        return text, ""

    def _add(self, msg: OdometryMsg) -> None:
        body = (msg.header.frame_id.lstrip("/"), msg.child_frame_id.lstrip("/"))
        try:
            if not body[1]:
                raise InputError("prior: child_frame_id is empty: set the frame whose motion it is")
            if body != self._body:
                self._track.clear()
                self._body = body
            covariance = np.array(msg.twist.covariance, dtype=np.float64).reshape(6, 6)
            self._track.add(
                conversions.to_ns(msg.header.stamp), conversions.pose_from_msg(msg.pose.pose), covariance
            )
        except InputError as error:
            self._node.get_logger().warning(str(error), throttle_duration_sec=3.0)
