# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What this package relies on in message_filters: holds for the real one and for the stand-in."""

from __future__ import annotations

import os
from time import monotonic
from typing import Any

import pytest

rclpy = pytest.importorskip("rclpy", reason="no ROS 2: run `make setup` or source one")

from message_filters import ApproximateTimeSynchronizer, SimpleFilter, Subscriber, TimeSynchronizer
from rclpy.qos import qos_profile_sensor_data
from rclpy.time import Time
from std_msgs.msg import Header
from visualization_msgs.msg import Marker as Stamped  # any message with a header


def at(ms: int) -> Any:
    return Stamped(header=Header(stamp=Time(nanoseconds=ms * 1_000_000).to_msg()))


def ms(message: Any) -> int:
    return int(Time.from_msg(message.header.stamp).nanoseconds // 1_000_000)


class Inputs:
    """Two or more filters, and the sets of stamps [ms] that came out of a synchroniser."""

    def __init__(self, count: int = 2) -> None:
        self.filters = [SimpleFilter() for _ in range(count)]
        self.sets: list[tuple[int, ...]] = []

    def collect(self, *messages: Any) -> None:
        self.sets.append(tuple(map(ms, messages)))

    def send(self, index: int, *stamps: int) -> None:
        for stamp in stamps:
            self.filters[index].signalMessage(at(stamp))


def test_extra_arguments_follow_the_message() -> None:
    calls: list[tuple[Any, ...]] = []
    source = SimpleFilter()
    source.registerCallback(lambda *args: calls.append(args), "a", 1)
    source.signalMessage("message")
    assert calls == [("message", "a", 1)]


def test_equal_stamps_are_paired_in_the_order_of_the_filters() -> None:
    inputs = Inputs()
    TimeSynchronizer(inputs.filters, 10).registerCallback(inputs.collect)
    inputs.send(1, 100, 200, 300)
    inputs.send(0, 100, 250, 300)
    assert inputs.sets == [(100, 100), (300, 300)]


def test_the_queue_forgets_the_oldest() -> None:
    inputs = Inputs()
    TimeSynchronizer(inputs.filters, 2).registerCallback(inputs.collect)
    inputs.send(0, 100, 200, 300)
    inputs.send(1, 100, 200)
    assert inputs.sets == [(200, 200)]


def test_near_stamps_are_paired_within_the_slop() -> None:
    inputs = Inputs()
    ApproximateTimeSynchronizer(inputs.filters, 10, 0.02).registerCallback(inputs.collect)
    inputs.send(0, 100, 200, 300)
    inputs.send(1, 110, 235, 300)
    assert inputs.sets == [(100, 110), (300, 300)]


def test_the_nearest_partner_is_taken_and_used_once() -> None:
    inputs = Inputs()
    ApproximateTimeSynchronizer(inputs.filters, 10, 0.05).registerCallback(inputs.collect)
    inputs.send(0, 100, 130)
    inputs.send(1, 125)
    assert inputs.sets == [(130, 125)]
    inputs.send(1, 126)
    assert inputs.sets == [(130, 125), (100, 126)]


def test_the_whole_set_stays_within_the_slop() -> None:
    inputs = Inputs(3)
    ApproximateTimeSynchronizer(inputs.filters, 10, 0.02).registerCallback(inputs.collect)
    inputs.send(0, 100)
    inputs.send(1, 130)
    inputs.send(2, 115)
    assert inputs.sets == []
    inputs.send(0, 120)
    assert inputs.sets == [(120, 130, 115)]


def test_a_subscriber_hands_on_what_is_published() -> None:
    os.environ["ROS_DOMAIN_ID"] = str(1 + os.getpid() % 100)
    context = rclpy.Context()
    rclpy.init(context=context)
    node = rclpy.create_node("filters", context=context)
    executor = rclpy.executors.SingleThreadedExecutor(context=context)
    executor.add_node(node)
    received: list[Any] = []
    subscriber = Subscriber(node, Stamped, "stamped", qos_profile=qos_profile_sensor_data)
    subscriber.registerCallback(received.append)
    publisher = node.create_publisher(Stamped, "stamped", qos_profile_sensor_data)
    deadline = monotonic() + 10
    while not received and monotonic() < deadline:
        publisher.publish(at(42))
        executor.spin_once(timeout_sec=0.05)
    node.destroy_node()
    executor.shutdown()
    rclpy.shutdown(context=context)
    assert ms(received[0]) == 42
