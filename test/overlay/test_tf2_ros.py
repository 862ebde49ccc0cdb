# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What this package relies on in tf2_ros: holds for the real one and for the stand-in."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from time import monotonic, sleep
from typing import Any

import numpy as np
import pytest

rclpy = pytest.importorskip("rclpy", reason="no ROS 2: run `make setup` or source one")

from geometry_msgs.msg import TransformStamped
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.time import Time
from tf2_ros import (
    Buffer,
    ConnectivityException,
    ExtrapolationException,
    InvalidArgumentException,
    LookupException,
    StaticTransformBroadcaster,
    TransformBroadcaster,
    TransformException,
    TransformListener,
)

LATEST = Time()


def transform(
    parent: str, child: str, seconds: float, xyz: Any = (0, 0, 0), yaw: float = 0.0
) -> TransformStamped:
    message = TransformStamped(child_frame_id=child)
    message.header.frame_id = parent
    message.header.stamp = time(seconds).to_msg()
    t, q = message.transform.translation, message.transform.rotation
    t.x, t.y, t.z = map(float, xyz)
    q.z, q.w = float(np.sin(yaw / 2)), float(np.cos(yaw / 2))
    return message


def time(seconds: float) -> Time:
    return Time(nanoseconds=round(seconds * 1e9))


def buffer_of(*moving: TransformStamped, static: tuple[TransformStamped, ...] = ()) -> Buffer:
    buffer = Buffer()
    for message in moving:
        buffer.set_transform(message, "test")
    for message in static:
        buffer.set_transform_static(message, "test")
    return buffer


def xyz(message: TransformStamped) -> list[float]:
    t = message.transform.translation
    return [t.x, t.y, t.z]


def yaw(message: TransformStamped) -> float:
    q = message.transform.rotation
    return float(2 * np.arctan2(q.z, q.w))


def test_the_result_maps_source_to_target() -> None:
    buffer = buffer_of(static=(transform("base", "camera", 0, (1, 2, 3), np.pi / 2),))
    found = buffer.lookup_transform("base", "camera", LATEST)
    assert (found.header.frame_id, found.child_frame_id) == ("base", "camera")
    assert xyz(found) == pytest.approx([1, 2, 3])
    assert yaw(found) == pytest.approx(np.pi / 2)


def test_the_other_way_round_is_the_inverse() -> None:
    buffer = buffer_of(static=(transform("base", "camera", 0, (1, 0, 0), np.pi / 2),))
    found = buffer.lookup_transform("camera", "base", LATEST)
    assert xyz(found) == pytest.approx([0, 1, 0])
    assert yaw(found) == pytest.approx(-np.pi / 2)


def test_static_transforms_hold_at_all_times() -> None:
    buffer = buffer_of(static=(transform("base", "camera", 5, (1, 2, 3)),))
    assert xyz(buffer.lookup_transform("base", "camera", time(1e6))) == pytest.approx([1, 2, 3])


def test_transforms_are_chained_through_a_common_ancestor() -> None:
    buffer = buffer_of(
        transform("odom", "base", 1, (10, 0, 0), np.pi / 2),
        static=(
            transform("base", "mast", 0, (0, 0, 1)),
            transform("mast", "camera", 0, (1, 0, 0)),
            transform("base", "lidar", 0, (-1, 0, 0)),
        ),
    )
    assert xyz(buffer.lookup_transform("odom", "camera", time(1))) == pytest.approx([10, 1, 1])
    assert xyz(buffer.lookup_transform("lidar", "camera", time(99))) == pytest.approx([2, 0, 1])


def test_between_two_samples_is_interpolated() -> None:
    buffer = buffer_of(transform("odom", "base", 1), transform("odom", "base", 2, (4, 0, 2), 1.0))
    found = buffer.lookup_transform("odom", "base", time(1.25))
    assert xyz(found) == pytest.approx([1, 0, 0.5])
    assert yaw(found) == pytest.approx(0.25)
    assert Time.from_msg(found.header.stamp).nanoseconds == time(1.25).nanoseconds


def test_rotation_is_interpolated_the_short_way() -> None:
    buffer = buffer_of(transform("odom", "base", 1, yaw=3.0), transform("odom", "base", 2, yaw=-3.0))
    middle = yaw(buffer.lookup_transform("odom", "base", time(1.5)))
    assert np.cos(middle) == pytest.approx(-1)


def test_samples_may_arrive_out_of_order() -> None:
    buffer = buffer_of(
        transform("odom", "base", 3, (3, 0, 0)),
        transform("odom", "base", 1, (1, 0, 0)),
        transform("odom", "base", 2, (5, 0, 0)),
    )
    assert xyz(buffer.lookup_transform("odom", "base", time(1.5))) == pytest.approx([3, 0, 0])


def test_time_zero_is_the_latest_that_all_have() -> None:
    buffer = buffer_of(
        *(transform("map", "odom", t, (t, 0, 0)) for t in (1, 2, 3)),
        *(transform("odom", "base", t, (0, t, 0)) for t in (1, 2)),
    )
    found = buffer.lookup_transform("map", "base", LATEST)
    assert xyz(found) == pytest.approx([2, 2, 0])
    assert Time.from_msg(found.header.stamp).nanoseconds == time(2).nanoseconds


def test_a_frame_is_where_it_is() -> None:
    buffer = buffer_of(transform("odom", "base", 1, (4, 0, 2)))
    assert xyz(buffer.lookup_transform("base", "base", time(1))) == pytest.approx([0, 0, 0])


@pytest.mark.parametrize("seconds", [0.5, 2.5])
def test_outside_of_the_samples_is_refused(seconds: float) -> None:
    buffer = buffer_of(transform("odom", "base", 1), transform("odom", "base", 2))
    with pytest.raises(ExtrapolationException):
        buffer.lookup_transform("odom", "base", time(seconds))
    assert not buffer.can_transform("odom", "base", time(seconds))
    assert buffer.can_transform("odom", "base", time(1.5))


def test_one_sample_is_good_for_its_own_time_only() -> None:
    buffer = buffer_of(transform("odom", "base", 1))
    assert buffer.can_transform("odom", "base", time(1))
    with pytest.raises(ExtrapolationException):
        buffer.lookup_transform("odom", "base", time(1.001))


def test_old_samples_expire() -> None:
    buffer = Buffer(cache_time=Duration(seconds=2))
    for second in range(1, 8):
        buffer.set_transform(transform("odom", "base", second), "test")
    assert buffer.can_transform("odom", "base", time(5.5))
    with pytest.raises(ExtrapolationException):
        buffer.lookup_transform("odom", "base", time(2.5))


@pytest.mark.parametrize("frames", [("nowhere", "base"), ("base", "nowhere")])
def test_unknown_frames_are_named(frames: tuple[str, str]) -> None:
    with pytest.raises(LookupException, match="nowhere"):
        buffer_of(transform("odom", "base", 1)).lookup_transform(*frames, LATEST)


def test_separate_trees_are_not_connected() -> None:
    buffer = buffer_of(transform("odom", "base", 1), transform("world", "robot", 1))
    with pytest.raises(ConnectivityException):
        buffer.lookup_transform("base", "robot", LATEST)


@pytest.mark.parametrize("name", ["", "/base"])
def test_bad_names_are_refused(name: str) -> None:
    with pytest.raises(InvalidArgumentException):
        buffer_of(transform("odom", "base", 1)).lookup_transform("odom", name, LATEST)


def test_all_refusals_have_one_base() -> None:
    for kind in (LookupException, ConnectivityException, ExtrapolationException, InvalidArgumentException):
        assert issubclass(kind, TransformException)


def test_what_is_no_transform_is_ignored() -> None:
    no_rotation = transform("odom", "bad", 1)
    no_rotation.transform.rotation.w = 0.0
    not_a_number = transform("odom", "worse", 1, (np.nan, 0, 0))
    buffer = buffer_of(transform("odom", "base", 1), no_rotation, not_a_number, transform("self", "self", 1))
    for frame in ("bad", "worse", "self"):
        assert not buffer.can_transform("odom", frame, time(1))


def test_quaternions_are_normalised() -> None:
    message = transform("odom", "base", 1, yaw=0.5)
    message.transform.rotation.z *= 3
    message.transform.rotation.w *= 3
    q = buffer_of(message).lookup_transform("odom", "base", time(1)).transform.rotation
    assert [q.x, q.y, q.z, q.w] == pytest.approx([0, 0, np.sin(0.25), np.cos(0.25)])


def test_a_leading_slash_is_dropped_from_what_is_stored() -> None:
    assert buffer_of(transform("/odom", "/base", 1)).can_transform("odom", "base", time(1))


def test_clear_forgets_what_moves() -> None:
    buffer = buffer_of(transform("odom", "base", 1), static=(transform("base", "camera", 0),))
    buffer.clear()
    assert not buffer.can_transform("odom", "base", LATEST)
    assert buffer.can_transform("base", "camera", LATEST)


def test_a_lookup_waits_for_its_transform() -> None:
    buffer = Buffer()

    def later() -> None:
        sleep(0.1)
        buffer.set_transform(transform("odom", "base", 1, (7, 0, 0)), "test")

    thread = threading.Thread(target=later)
    thread.start()
    found = buffer.lookup_transform("odom", "base", time(1), Duration(seconds=5))
    thread.join()
    assert xyz(found) == pytest.approx([7, 0, 0])


def test_waiting_ends() -> None:
    began = monotonic()
    with pytest.raises(TransformException):
        Buffer().lookup_transform("odom", "base", time(1), Duration(seconds=0.1))
    assert 0.05 < monotonic() - began < 3


@pytest.fixture
def node() -> Iterator[Node]:
    os.environ["ROS_DOMAIN_ID"] = str(1 + (os.getpid() + 50) % 100)
    rclpy.init()
    node = rclpy.create_node("tf")
    yield node
    node.destroy_node()
    rclpy.shutdown()


def spin_until(node: Node, ready: Callable[[], bool]) -> bool:
    deadline = monotonic() + 10
    while not ready() and monotonic() < deadline:
        rclpy.spin_once(node, timeout_sec=0.05)
    return ready()


def test_what_is_broadcast_is_heard(node: Node) -> None:
    buffer = Buffer(node=node)
    listener = TransformListener(buffer, node)
    broadcaster = TransformBroadcaster(node)

    def heard() -> bool:
        broadcaster.sendTransform(transform("odom", "base", 1, (1, 2, 3)))
        broadcaster.sendTransform([transform("base", "camera", 1, (1, 0, 0))])
        return bool(buffer.can_transform("odom", "camera", time(1)))

    assert spin_until(node, heard)
    assert xyz(buffer.lookup_transform("odom", "camera", time(1))) == pytest.approx([2, 2, 3])
    listener.unregister()


def test_static_transforms_reach_a_late_listener(node: Node) -> None:
    broadcaster = StaticTransformBroadcaster(node)
    broadcaster.sendTransform(transform("base", "left", 0, (1, 0, 0)))
    broadcaster.sendTransform([transform("base", "right", 0, (-1, 0, 0))])
    buffer = Buffer()
    listener = TransformListener(buffer, node)
    assert spin_until(node, lambda: bool(buffer.can_transform("left", "right", LATEST)))
    listener.unregister()
