# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Stand-in for the part of ROS 2's message_filters that this package calls."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Sequence
from typing import Any

from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.time import Time


class SimpleFilter:
    """Something that hands messages on to callbacks."""

    def __init__(self) -> None:
        self._callbacks: list[tuple[Callable[..., Any], tuple[Any, ...]]] = []

    def registerCallback(self, cb: Callable[..., Any], *args: Any) -> int:
        """Call ``cb(*messages, *args)`` on every output; the result numbers the registration."""
        self._callbacks.append((cb, args))
        return len(self._callbacks) - 1

    def signalMessage(self, *messages: Any) -> None:
        for callback, arguments in self._callbacks:
            callback(*messages, *arguments)


class Subscriber(SimpleFilter):
    """A subscription as a filter; takes what ``Node.create_subscription`` takes, without the callback."""

    def __init__(self, node: Node, msg_type: Any, topic: str, **kwargs: Any) -> None:
        super().__init__()
        self.node, self.topic = node, topic
        kwargs.setdefault("qos_profile", 10)
        self.sub = node.create_subscription(msg_type, topic, self.signalMessage, **kwargs)

    def getTopic(self) -> str:
        return self.topic


class TimeSynchronizer(SimpleFilter):
    """Hands on one message of every filter once all of them carry the same stamp.

    Args:
        fs: the filters.
        queue_size: messages of each filter that wait for their partners; the oldest go first.
    """

    def __init__(self, fs: Sequence[SimpleFilter], queue_size: int) -> None:
        super().__init__()
        self.queue_size = queue_size
        self.queues: list[dict[int, Any]] = [{} for _ in fs]
        self._lock = threading.Lock()
        for index, source in enumerate(fs):
            source.registerCallback(self._add, index)

    def _add(self, message: Any, index: int) -> None:
        stamp = Time.from_msg(message.header.stamp).nanoseconds
        with self._lock:
            queue = self.queues[index]
            queue[stamp] = message
            while len(queue) > self.queue_size:
                del queue[min(queue)]
            stamps = self._partners(stamp, index)
            if stamps is not None:
                self.signalMessage(*(q.pop(s) for q, s in zip(self.queues, stamps, strict=True)))

    def _partners(self, stamp: int, index: int) -> tuple[int, ...] | None:
        """The stamp to take from each queue now that ``stamp`` has come in; None: still incomplete."""
        complete = all(stamp in queue for queue in self.queues)
        return (stamp,) * len(self.queues) if complete else None


class ApproximateTimeSynchronizer(TimeSynchronizer):
    """Hands on one message of every filter once their stamps differ by less than ``slop`` seconds.

    The set is the one whose members are nearest to the message that came last.
    """

    def __init__(self, fs: Sequence[SimpleFilter], queue_size: int, slop: float) -> None:
        super().__init__(fs, queue_size)
        self.slop = Duration(seconds=slop)

    def _partners(self, stamp: int, index: int) -> tuple[int, ...] | None:
        slop = self.slop.nanoseconds

        def distance(other: int) -> int:
            return abs(other - stamp)

        choices = [
            [stamp] if i == index else sorted((s for s in queue if distance(s) <= slop), key=distance)
            for i, queue in enumerate(self.queues)
        ]
        return next((c for c in itertools.product(*choices) if max(c) - min(c) < slop), None)
