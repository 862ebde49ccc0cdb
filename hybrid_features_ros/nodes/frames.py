# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Where the camera sits on the robot and how another odometry says it moved: what TF is asked for."""

from __future__ import annotations

import numpy as np
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.time import Time
from tf2_ros import Buffer, TransformException, TransformListener

from hybrid_features_ros.core import se3
from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.core.types import Float64
from hybrid_features_ros.nodes import conversions

PATIENCE = Duration(seconds=0.1)  # a transform comes a little later than the image it belongs to


class FrameTree:
    """Transforms at the times of images; to be asked from a thread that does not feed the buffer.

    TF is listened to from the first question on: a robot's many transforms cost as much as its images.

    Args:
        listens: from the start.
    """

    def __init__(self, node: Node, listens: bool = True) -> None:
        self._node = node
        self._buffer = Buffer()
        self._listener = TransformListener(self._buffer, node) if listens else None

    def forget(self) -> None:
        """Drop all moving transforms: time was set back."""
        self._buffer.clear()

    def extrinsics(self, base: str, camera: str, stamp: int) -> Float64:
        """``T_base_camera`` (4, 4) at a time [ns]; the newest known one where none is known for it.

        Raises:
            InputError: the two frames are not connected; names them.
        """
        self._listen()
        if not self._buffer.can_transform(base, camera, Time()):
            try:
                return self._look_up(base, camera, Time(), PATIENCE)
            except TransformException as error:
                raise InputError(
                    f"no transform {base} <- {camera} ({error}); publish it, "
                    f"e.g. ros2 run tf2_ros static_transform_publisher --frame-id {base} "
                    f"--child-frame-id {camera}"
                ) from None
        try:
            return self._look_up(base, camera, Time(nanoseconds=stamp), PATIENCE)
        except TransformException as error:
            self._node.get_logger().warning(
                f"{base} <- {camera} at the image's time is not known ({error}); the newest is taken",
                throttle_duration_sec=3.0,
            )
            return self._look_up(base, camera, Time())

    def guessed_motion(self, guess: str, camera: str, begin: int, end: int) -> Float64 | None:
        """``T_begin_end`` (4, 4) of the camera between two stamps [ns], by the odometry frame ``guess``; None
        where TF does not know.
        """
        try:
            T_guess_begin = self._look_up(guess, camera, Time(nanoseconds=begin))
            T_guess_end = self._look_up(guess, camera, Time(nanoseconds=end), PATIENCE)
        except TransformException as error:
            self._node.get_logger().warning(
                f"no guess of the motion: {guess} <- {camera}: {error}", throttle_duration_sec=3.0
            )
            return None
        return se3.inverse(T_guess_begin) @ T_guess_end

    def rotation(self, target: str, source: str) -> Float64 | None:
        """(3, 3) that turns vectors in ``source`` into ``target``, by the newest transform; None: unknown."""
        try:
            return np.asarray(self._look_up(target, source, Time())[:3, :3])
        except TransformException:
            return None

    def between(self, target: str, source: str, stamp: int) -> Float64 | None:
        """``T_target_source`` (4, 4) at a time [ns]; None where TF does not know."""
        try:
            return self._look_up(target, source, Time(nanoseconds=stamp))
        except TransformException:
            return None

    def _look_up(self, target: str, source: str, time: Time, patience: Duration | None = None) -> Float64:
        self._listen()
        found = self._buffer.lookup_transform(target, source, time, patience or Duration())
        return conversions.transform_from_msg(found.transform)

    def _listen(self) -> None:
        if self._listener is None:
            self._listener = TransformListener(self._buffer, self._node)
