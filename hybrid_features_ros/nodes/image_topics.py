# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The image topics of a node: one, or a pair by its stamps, each as reliable as its publishers offer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from message_filters import ApproximateTimeSynchronizer, Subscriber, TimeSynchronizer
from rclpy.clock import Clock, ClockType
from rclpy.qos import DurabilityPolicy, QoSPolicyKind, QoSProfile, ReliabilityPolicy
from rclpy.qos_overriding_options import QoSOverridingOptions
from sensor_msgs.msg import CompressedImage, Image

from hybrid_features_ros.nodes.conversions import to_ns
from hybrid_features_ros.nodes.diagnostics import endpoints
from hybrid_features_ros.nodes.managed import OVERRIDABLE, ManagedNode
from hybrid_features_ros.nodes.parameters import is_given

LOOK_S = 0.3  # how often the publishers are looked at, which takes .03 ms
DEPTH = 5  # messages that the middleware keeps at least
SYNC_QUEUE = 10  # messages of one topic that wait for their partners
RELIABLE, BEST_EFFORT = ReliabilityPolicy.RELIABLE, ReliabilityPolicy.BEST_EFFORT
# Without the reliability, which input.reliability decides: rclpy would keep the first one for good.
_OVERRIDABLE = QoSOverridingOptions((QoSPolicyKind.HISTORY, QoSPolicyKind.DEPTH))

Receive = Callable[..., None]  # of one image, or of an image and its partner


class ImageTopics:
    """Subscriptions to the images that ``input`` names.

    ``input.reliability: auto`` begins with best effort, which every publisher matches, asks for reliable once
    there are publishers and all of them offer it, and goes back as soon as one comes that does not, of which
    a reliable subscription would hear nothing. ``ReliabilityPolicy.BEST_AVAILABLE`` decides once, when the
    subscription is made, and Humble does not know it. A ``qos_overrides`` parameter is obeyed in any case.

    Args:
        node: subscribes.
        receive: called with every image, and its partner if there are two topics.

    Attributes:
        newest: stamp of the newest message of each topic [ns].
    """

    def __init__(self, node: ManagedNode, receive: Receive) -> None:
        self._node, self._receive = node, receive
        self._made: list[Any] = []
        self._asked: dict[str, ReliabilityPolicy] = {}
        self._timer: Any = None
        self.newest: dict[str, int] = {}

    @property
    def topics(self) -> dict[str, Any]:
        """Message types by topic, that of the features first."""
        given = self._node.config.input
        compressed = given.transport == "compressed"
        kind = CompressedImage if compressed else Image
        names = ["left/image_rect", "right/image_rect"] if given.stereo else ["image"]
        topics = {f"{name}/compressed" if compressed else name: kind for name in names}
        return topics | ({"depth/image": Image} if given.depth else {})

    @property
    def reliability(self) -> dict[str, str]:
        """What was asked of each topic's publishers: ``reliable`` or ``best_effort``."""
        return {topic: policy.name.lower() for topic, policy in self._asked.items()}

    @property
    def is_settled(self) -> bool:
        """Whether no topic is to be subscribed anew, its publishers and the parameter being as they are."""
        return all(self._wanted(topic) is policy for topic, policy in self._asked.items())

    def subscribe(self) -> None:
        """Listen, as reliably as is offered from time to time."""
        self._make({topic: self._wanted(topic) for topic in self.topics})
        clock = Clock(clock_type=ClockType.STEADY_TIME)
        self._timer = self._node.create_timer(LOOK_S, self._look, clock=clock)

    def unsubscribe(self) -> None:
        """Listen no more."""
        if self._timer is not None:
            self._node.destroy_timer(self._timer)
            self._timer = None
        self._destroy()

    def _make(self, wanted: dict[str, ReliabilityPolicy]) -> None:
        given, topics = self._node.config.input, self.topics
        filters = []
        for topic, reliability in wanted.items():
            qos = QoSProfile(
                depth=max(given.queue, DEPTH), reliability=reliability, durability=DurabilityPolicy.VOLATILE
            )
            options = OVERRIDABLE if self._is_fixed(topic) else _OVERRIDABLE
            source = Subscriber(
                self._node, topics[topic], topic, qos_profile=qos, qos_overriding_options=options
            )
            source.registerCallback(self._note, topic)
            filters.append(source)
            self._asked[topic] = source.sub.qos_profile.reliability
        self._made = [source.sub for source in filters]
        if len(filters) == 1:
            filters[0].registerCallback(self._receive)
            return
        if given.sync == "exact":
            self._synchroniser = TimeSynchronizer(filters, SYNC_QUEUE)
        else:
            self._synchroniser = ApproximateTimeSynchronizer(filters, SYNC_QUEUE, given.max_interval_s)
        self._synchroniser.registerCallback(self._receive)

    def _destroy(self) -> None:
        for subscription in self._made:
            self._node.destroy_subscription(subscription)
        self._made = []

    def _note(self, msg: Image | CompressedImage, topic: str) -> None:
        self.newest[topic] = to_ns(msg.header.stamp)

    def _is_fixed(self, topic: str) -> bool:
        """Whether somebody has overridden the reliability in the way of ROS."""
        name = self._node.resolve_topic_name(topic)
        return is_given(self._node, f"qos_overrides.{name}.subscription.reliability")

    def _wanted(self, topic: str) -> ReliabilityPolicy:
        """What to ask of a topic's publishers now; while there is none, what was asked before."""
        before = self._asked.get(topic, BEST_EFFORT)
        if self._is_fixed(topic):
            return before
        asked = self._node.config.input.reliability
        if asked != "auto":
            return ReliabilityPolicy[asked.upper()]
        found = self._publishers(topic)
        return before if not found else BEST_EFFORT if _unreliable(found) else RELIABLE

    def _publishers(self, topic: str) -> list[Any]:
        found: list[Any] = self._node.get_publishers_info_by_topic(self._node.resolve_topic_name(topic))
        return found

    def _look(self) -> None:
        """Subscribe anew where the publishers, or the parameter, ask for another reliability."""
        if self.is_settled:
            return
        before = dict(self._asked)
        self._destroy()
        self._make({topic: self._wanted(topic) for topic in before})
        for topic, policy in self._asked.items():
            if policy is not before[topic]:
                self._tell(topic)

    def _tell(self, topic: str) -> None:
        name, policy = self._node.resolve_topic_name(topic), self._asked[topic].name.lower()
        given = self._node.config.input.reliability
        text = f"{name}: subscribed with {policy} now: "
        if given != "auto":
            self._node.get_logger().info(f"{text}input.reliability is {given}")
        elif self._asked[topic] is RELIABLE:
            self._node.get_logger().info(f"{text}all of its publishers offer it (input.reliability)")
        else:
            who = (
                ", ".join(endpoints(_unreliable(self._publishers(topic))))
                or "a publisher that has gone again"
            )
            self._node.get_logger().warning(
                f"{text}{who} offers no more, and a reliable subscription would hear nothing of it; large "
                "images may be lost on the way"
            )


def _unreliable(publishers: list[Any]) -> list[Any]:
    """Those that offer no reliable transmission."""
    return [p for p in publishers if p.qos_profile.reliability is not RELIABLE]
