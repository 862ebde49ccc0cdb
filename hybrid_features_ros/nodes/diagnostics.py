# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""How a node is doing, in numbers: rates, latencies, and the message that explains silence."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticStatus, KeyValue
from rclpy.node import Node

WINDOW_S = 5.0
MOST_SAMPLES = 2000


class Meter:
    """Counts what comes in and goes out over the last seconds; may be used from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._arrivals: deque[float] = deque(maxlen=MOST_SAMPLES)
        self._results: deque[tuple[float, float]] = deque(maxlen=MOST_SAMPLES)
        self.received = 0
        self.answered = -np.inf  # when the newest answer was given, by the monotonic clock [s]

    def came(self) -> float:
        """Note an input; the result is for :meth:`went`."""
        now = monotonic()
        with self._lock:
            self._arrivals.append(now)
            self.received += 1
        return now

    def went(self, came: float) -> None:
        """Note that the input which came at that time has been answered."""
        now = monotonic()
        with self._lock:
            self._results.append((now, 1e3 * (now - came)))
            self.answered = now

    def values(self) -> dict[str, str]:
        """Rates [Hz] and latencies from arrival to answer [ms] of the last five seconds."""
        since = monotonic() - WINDOW_S
        with self._lock:
            arrivals = [t for t in self._arrivals if t > since]
            latencies = [ms for t, ms in self._results if t > since]
        p50, p95 = np.percentile(latencies, [50, 95]) if latencies else (np.nan, np.nan)
        return {
            "rate in [Hz]": f"{len(arrivals) / WINDOW_S:.1f}",
            "rate out [Hz]": f"{len(latencies) / WINDOW_S:.1f}",
            "latency p50 [ms]": f"{p50:.1f}" if latencies else "-",
            "latency p95 [ms]": f"{p95:.1f}" if latencies else "-",
        }


@dataclass(frozen=True)
class Report:
    """One node's status: level as in ``diagnostic_msgs/DiagnosticStatus``, a sentence, and values."""

    level: bytes
    message: str
    values: Mapping[str, str] = field(default_factory=dict)

    def to_msg(self, name: str, more: Mapping[str, str]) -> DiagnosticStatus:
        """The message, with more values before its own."""
        pairs = {**more, **self.values}
        return DiagnosticStatus(
            level=self.level,
            name=name,
            message=self.message,
            hardware_id="",
            values=[KeyValue(key=k, value=v) for k, v in pairs.items()],
        )


@dataclass(frozen=True)
class Upstream:
    """What was done about an image before the odometry got its features.

    Attributes:
        dropped: images skipped so far because a newer one had arrived.
        milliseconds: wall-clock time of each stage.
    """

    dropped: int = 0
    milliseconds: Mapping[str, float] = field(default_factory=dict)


def explain_silence(node: Node, topic: str, seconds: float, stamp: int | None) -> str:
    """One sentence about a topic from which nothing is heard.

    Args:
        topic: as the node subscribes to it.
        seconds: how long nothing has come.
        stamp: of the newest message ever seen on it [ns].
    """
    name = node.resolve_topic_name(topic)
    mine = [s for s in node.get_subscriptions_info_by_topic(name) if s.node_name == node.get_name()]
    found = node.get_publishers_info_by_topic(name)
    if found:
        text = f"publishers: {', '.join(endpoints(found))}" + (
            f"; subscribed with {_qos(mine[0])}" if mine else ""
        )
        foreign = {p.topic_type for p in found} - {s.topic_type for s in mine}
        text += "".join(f"; {_foreign(kind, name)}" for kind in sorted(foreign) if mine)
    else:
        text = f"nobody publishes it: start the camera or remap `{topic}`" + _relatives(node, name)
    seen = f"newest stamp seen {stamp} ns" if stamp is not None else "never seen a message"
    return f"no message on {name} for {seconds:g} s; {text}; {seen}"


def endpoints(found: Iterable[Any]) -> list[str]:
    """Publishers or subscriptions by their nodes, with their type and quality of service."""
    return [f"{p.node_namespace.rstrip('/')}/{p.node_name} ({p.topic_type}, {_qos(p)})" for p in found]


def _relatives(node: Node, name: str) -> str:
    """The same images in another transport, which has a topic below the raw one."""
    below = [
        f"; {_foreign(kinds[0], topic)}"
        for topic, kinds in node.get_topic_names_and_types()
        if topic.startswith(f"{name}/") and node.count_publishers(topic)
    ]
    return "".join(below)


def _foreign(kind: str, topic: str) -> str:
    """What to do about a topic whose type is not read."""
    if kind == "sensor_msgs/msg/CompressedImage":
        return f"{topic} is {kind}: set input.transport to compressed, the topic being <image>/compressed"
    return f"{topic} is {kind}, which is not read: decode it, e.g. ros2 run image_transport republish"


def _qos(endpoint: Any) -> str:
    profile = endpoint.qos_profile
    return f"{profile.reliability.name.lower()}, {profile.durability.name.lower()}"
