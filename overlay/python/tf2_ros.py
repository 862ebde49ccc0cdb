# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Stand-in for the part of tf2_ros that this package calls."""

from __future__ import annotations

import threading
import time as wall_time
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from geometry_msgs.msg import TransformStamped
from numpy.typing import NDArray
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.clock import JumpThreshold
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from rclpy.time import Time
from scipy.spatial.transform import Rotation, Slerp
from tf2_msgs.msg import TFMessage

Matrix = NDArray[np.float64]


class TransformException(Exception):
    """A transform cannot be had."""


class LookupException(TransformException):
    """A frame is unknown."""


class ConnectivityException(TransformException):
    """Two frames do not belong to the same tree."""


class ExtrapolationException(TransformException):
    """The time lies outside of what is stored."""


class InvalidArgumentException(TransformException):
    """A frame's name is empty or begins with a slash."""


@dataclass
class _Frame:
    """Where one frame was in its parents, oldest sample first; one static sample holds for all times."""

    static: bool = False
    stamps: list[int] = field(default_factory=list)
    parents: list[str] = field(default_factory=list)
    T_parent_frame: list[Matrix] = field(default_factory=list)

    def add(self, stamp: int, parent: str, T: Matrix, cache_ns: int) -> None:
        if self.static:
            self.stamps, self.parents, self.T_parent_frame = [0], [parent], [T]
            return
        if self.stamps and stamp < self.stamps[-1] - cache_ns:
            return
        i = bisect_right(self.stamps, stamp)
        self.stamps.insert(i, stamp)
        self.parents.insert(i, parent)
        self.T_parent_frame.insert(i, T)
        expired = bisect_right(self.stamps, self.stamps[-1] - cache_ns - 1)
        del self.stamps[:expired], self.parents[:expired], self.T_parent_frame[:expired]

    def at(self, stamp: int) -> tuple[str, Matrix]:
        """Parent and transform at a time, interpolated between the samples around it."""
        if self.static:
            return self.parents[0], self.T_parent_frame[0]
        if not self.stamps or not self.stamps[0] <= stamp <= self.stamps[-1]:
            known = f"[{self.stamps[0]}, {self.stamps[-1]}] ns" if self.stamps else "nothing"
            raise ExtrapolationException(f"Lookup would require extrapolation to {stamp} ns; stored: {known}")
        j = bisect_right(self.stamps, stamp) - 1
        before = self.T_parent_frame[j]
        if self.stamps[j] == stamp or self.parents[j] != self.parents[j + 1]:
            return self.parents[j], before
        span = self.stamps[j + 1] - self.stamps[j]
        return self.parents[j], _interpolate(
            before, self.T_parent_frame[j + 1], (stamp - self.stamps[j]) / span
        )


class Buffer:
    """Transforms over time between named frames.

    Args:
        cache_time: how long a transform is kept, 10 s if not given.
        node: its clock is watched, and a jump back in time empties the buffer of all but static frames.
    """

    def __init__(self, cache_time: Duration | None = None, node: Node | None = None) -> None:
        self._cache_ns = (cache_time or Duration(seconds=10)).nanoseconds
        self._frames: dict[str, _Frame] = {}
        self._lock = threading.RLock()
        if node is not None:
            threshold = JumpThreshold(
                min_forward=None, min_backward=Duration(seconds=-1), on_clock_change=True
            )
            self._jump = node.get_clock().create_jump_callback(
                threshold, post_callback=lambda _: self.clear()
            )

    def clear(self) -> None:
        """Forget everything that is not static."""
        with self._lock:
            for name, frame in self._frames.items():
                if not frame.static:
                    self._frames[name] = _Frame()

    def set_transform(self, transform: TransformStamped, authority: str) -> None:
        """Store a transform for its stamp, its quaternion normalised.

        One without names, with NaN or with a quaternion of zeros is ignored.
        """
        self._set(transform, static=False)

    def set_transform_static(self, transform: TransformStamped, authority: str) -> None:
        """Store a transform for all times."""
        self._set(transform, static=True)

    def _set(self, message: TransformStamped, static: bool) -> None:
        parent, child = message.header.frame_id.lstrip("/"), message.child_frame_id.lstrip("/")
        t, q = message.transform.translation, message.transform.rotation
        numbers = np.array([t.x, t.y, t.z, q.x, q.y, q.z, q.w])
        if not parent or not child or parent == child:
            return
        if np.isnan(numbers).any() or not numbers[3:].any():
            return
        T = _matrix(Rotation.from_quat(numbers[3:]), numbers[:3])
        with self._lock:
            frame = self._frames.setdefault(child, _Frame())
            if frame.static != static:
                frame = self._frames[child] = _Frame(static)
            self._frames.setdefault(parent, _Frame())
            frame.add(Time.from_msg(message.header.stamp).nanoseconds, parent, T, self._cache_ns)

    def lookup_transform(
        self, target_frame: str, source_frame: str, time: Any, timeout: Duration | None = None
    ) -> TransformStamped:
        """The transform that maps coordinates in ``source_frame`` to ``target_frame``.

        Args:
            time: an rclpy ``Time``; zero asks for the latest time that all frames between the two have.
            timeout: how long to wait for it, on the wall's clock; another thread has to fill the buffer.

        Raises:
            TransformException: one of its subclasses says why there is none.
        """
        deadline = wall_time.monotonic() + (timeout.nanoseconds if timeout else 0) * 1e-9
        while True:
            try:
                return self._lookup(target_frame, source_frame, time.nanoseconds)
            except TransformException:
                if wall_time.monotonic() >= deadline:
                    raise
            wall_time.sleep(0.02)

    def can_transform(
        self, target_frame: str, source_frame: str, time: Any, timeout: Duration | None = None
    ) -> bool:
        """Whether :meth:`lookup_transform` would succeed."""
        try:
            self.lookup_transform(target_frame, source_frame, time, timeout)
        except TransformException:
            return False
        return True

    def _lookup(self, target: str, source: str, stamp: int) -> TransformStamped:
        for role, name in (("target", target), ("source", source)):
            if not name or name.startswith("/"):
                raise InvalidArgumentException(
                    f'Invalid {role}_frame "{name}": empty or with a leading slash'
                )
        with self._lock:
            for role, name in (("target", target), ("source", source)):
                if name not in self._frames:
                    raise LookupException(f'"{name}" passed as {role}_frame does not exist')
            if stamp == 0:
                stamp = self._latest_common_time(target, source)
            T_target_root = self._ancestors(target, stamp)
            T_source_root = self._ancestors(source, stamp)
        common = next((name for name in T_source_root.chain if name in T_target_root.chain), None)
        if common is None:
            problem = T_source_root.problem or T_target_root.problem
            raise problem or ConnectivityException(
                f'Could not find a connection between "{target}" and "{source}": not in the same tree'
            )
        T = np.linalg.inv(T_target_root.chain[common]) @ T_source_root.chain[common]
        return _message(target, source, stamp, T)

    def _ancestors(self, name: str, stamp: int) -> _Ancestors:
        """``T_ancestor_name`` for the frame itself and all that it hangs on at that time."""
        result = _Ancestors({name: np.identity(4)})
        while self._frames[name].parents:
            try:
                parent, T_parent_name = self._frames[name].at(stamp)
            except ExtrapolationException as error:
                result.problem = error
                break
            if parent in result.chain:
                break  # a loop
            result.chain[parent] = T_parent_name @ result.chain[name]
            name = parent
        return result

    def _latest_common_time(self, target: str, source: str) -> int:
        """Newest stamp at which every moving frame between the two is known; 0 if none moves."""
        lines = [self._newest_line(target), self._newest_line(source)]
        common = next((name for name in lines[1] if name in lines[0]), None)
        between = [
            name for line in lines for name in (line[: line.index(common)] if common in line else line)
        ]
        frames = [self._frames[name] for name in between]
        return min((f.stamps[-1] for f in frames if f.stamps and not f.static), default=0)

    def _newest_line(self, name: str) -> list[str]:
        """The frame and its ancestors by the newest parents, without the root unless it is the frame."""
        line = [name]
        while self._frames[name].parents and (name := self._frames[name].parents[-1]) not in line:
            line.append(name)
        return line


@dataclass
class _Ancestors:
    chain: dict[str, Matrix]
    problem: ExtrapolationException | None = None


class TransformListener:
    """Feeds a buffer from ``/tf`` and ``/tf_static``."""

    def __init__(
        self,
        buffer: Buffer,
        node: Node,
        *,
        qos: QoSProfile | int | None = None,
        static_qos: QoSProfile | int | None = None,
    ) -> None:
        self.buffer, self.node = buffer, node
        # A group of its own: a callback of the node may wait for a transform.
        group = ReentrantCallbackGroup()
        self.tf_sub = node.create_subscription(
            TFMessage, "/tf", self._dynamic, qos or QoSProfile(depth=100), callback_group=group
        )
        static = QoSProfile(depth=100, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self.tf_static_sub = node.create_subscription(
            TFMessage, "/tf_static", self._static, static_qos or static, callback_group=group
        )

    def unregister(self) -> None:
        """Stop listening."""
        self.node.destroy_subscription(self.tf_sub)
        self.node.destroy_subscription(self.tf_static_sub)

    def _dynamic(self, message: TFMessage) -> None:
        for transform in message.transforms:
            self.buffer.set_transform(transform, "default_authority")

    def _static(self, message: TFMessage) -> None:
        for transform in message.transforms:
            self.buffer.set_transform_static(transform, "default_authority")


class TransformBroadcaster:
    """Publishes transforms on ``/tf``."""

    def __init__(self, node: Node, qos: QoSProfile | int | None = None) -> None:
        self.pub_tf = node.create_publisher(TFMessage, "/tf", qos or QoSProfile(depth=100))

    def sendTransform(self, transform: TransformStamped | Iterable[TransformStamped]) -> None:
        self.pub_tf.publish(TFMessage(transforms=_as_list(transform)))


class StaticTransformBroadcaster:
    """Publishes transforms that hold for all times on ``/tf_static``, to late subscribers too."""

    def __init__(self, node: Node, qos: QoSProfile | int | None = None) -> None:
        default = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self.pub_tf = node.create_publisher(TFMessage, "/tf_static", qos or default)
        self._sent: dict[str, TransformStamped] = {}

    def sendTransform(self, transform: TransformStamped | Iterable[TransformStamped]) -> None:
        """Publish these with all sent before; a child frame's first transform stays."""
        for message in _as_list(transform):
            self._sent.setdefault(message.child_frame_id, message)
        self.pub_tf.publish(TFMessage(transforms=list(self._sent.values())))


def _as_list(transform: TransformStamped | Iterable[TransformStamped]) -> list[TransformStamped]:
    return list(transform) if isinstance(transform, Iterable) else [transform]


def _interpolate(T0: Matrix, T1: Matrix, share: float) -> Matrix:
    """Straight line for the position, constant turn rate for the orientation."""
    turn = Slerp([0.0, 1.0], Rotation.from_matrix([T0[:3, :3], T1[:3, :3]]))(share)
    return _matrix(turn, (1 - share) * T0[:3, 3] + share * T1[:3, 3])


def _matrix(rotation: Rotation, translation: Matrix) -> Matrix:
    T = np.identity(4)
    T[:3, :3], T[:3, 3] = rotation.as_matrix(), translation
    return T


def _message(target: str, source: str, stamp: int, T: Matrix) -> TransformStamped:
    message = TransformStamped(child_frame_id=source)
    message.header.frame_id = target
    message.header.stamp = Time(nanoseconds=stamp).to_msg()
    t, q = message.transform.translation, message.transform.rotation
    t.x, t.y, t.z = T[:3, 3].tolist()
    q.x, q.y, q.z, q.w = Rotation.from_matrix(T[:3, :3]).as_quat().tolist()
    return message
