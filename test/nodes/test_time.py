# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Stamps that repeat, come late, are empty, or begin again; images that come faster than they can be used."""

import threading

import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed: run `make setup` or source a ROS 2")

from diagnostic_msgs.msg import DiagnosticArray
from hypothesis import given
from hypothesis import strategies as st
from nav_msgs.msg import Odometry as OdometryMsg
from robot import BEGIN, FRAME_NS, Robot, compose, rolled, texts_of
from ros_graph import image_msg
from rosgraph_msgs.msg import Clock
from tf2_msgs.msg import TFMessage

from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.core.types import State
from hybrid_features_ros.nodes import conversions
from hybrid_features_ros.nodes.stamps import CLOSEST_NS, JUMP_NS, PATIENCE, Order, StampGate


def pass_through(gate, stamp, came=0.0):
    """An :class:`Order`, or None for a stamp that is refused."""
    try:
        order = gate.classify(stamp, came)
    except InputError:
        return None
    if order is not Order.AHEAD:
        gate.accept(stamp, came)
    return order


@given(st.lists(st.integers(-(10**9), 10**11), max_size=60))
def test_what_is_taken_grows_until_time_begins_anew(stamps):
    gate, newest = StampGate(), None
    for stamp in stamps:
        order = pass_through(gate, stamp)
        if order is Order.NEXT:
            assert stamp > 0
            assert newest is None or stamp >= newest + CLOSEST_NS
        if order is Order.BACK:
            assert stamp < newest
        if order is Order.AHEAD:
            assert stamp > newest + JUMP_NS
        if order is None:
            assert stamp <= 0 or newest - JUMP_NS <= stamp < newest + CLOSEST_NS
        newest = stamp if order in (Order.NEXT, Order.BACK) else newest


@given(
    st.integers(2, 20),
    st.integers(CLOSEST_NS, 2 * 10**9),
    st.integers(11, 10**6),
    st.floats(0, 5),
    st.integers(1, 5),
)
def test_a_lone_stamp_far_ahead_changes_nothing_whatever_the_rate(before, step, steps_ahead, pace, after):
    """At any pace of a replay: what comes ``pace`` times as fast as it says."""
    gate = StampGate()
    times = [BEGIN + step * i for i in range(before + 1 + after)]
    ahead = max(step * steps_ahead, 11 * JUMP_NS)
    for i, stamp in enumerate(times):
        wrong = ahead if i == before else 0
        order = pass_through(gate, stamp + wrong, i * min(pace, 1.0) * step * 1e-9)
        assert order is (Order.AHEAD if wrong else Order.NEXT)


@given(st.integers(CLOSEST_NS, 10**9), st.integers(10**10 + 1, 10**13))
def test_a_gap_is_believed_with_the_second_image_or_when_it_took_as_long(step, gap):
    gate = StampGate()
    pass_through(gate, BEGIN)
    pass_through(gate, BEGIN + step)
    resumed = BEGIN + step + gap
    assert pass_through(gate, resumed) is Order.AHEAD
    assert pass_through(gate, resumed + step) is Order.NEXT
    waited = resumed + step + gap
    assert pass_through(gate, waited, gap * 1e-9) is Order.NEXT


@pytest.mark.parametrize("apart", [1, 1000, 400_000])
def test_images_at_the_same_time_are_no_motion(apart):
    gate = StampGate()
    assert pass_through(gate, BEGIN) is Order.NEXT
    with pytest.raises(InputError, match="us after the previous one"):
        gate.classify(BEGIN + apart, 0.0)
    assert pass_through(gate, BEGIN + FRAME_NS) is Order.NEXT


@given(st.integers(PATIENCE, 40), st.integers(CLOSEST_NS, 10**8))
def test_short_loops_of_a_bag_are_noticed(length, step):
    gate = StampGate()
    answers = [pass_through(gate, BEGIN + step * i) for i in [*range(length), *range(length)]]
    assert answers[:length] == [Order.NEXT] * length
    assert answers[length:].count(None) < PATIENCE
    assert answers[length:].count(Order.BACK) == 1


def test_a_driver_that_repeats_one_stamp_never_begins_anew():
    gate = StampGate()
    assert [pass_through(gate, BEGIN) for _ in range(50)] == [Order.NEXT] + [None] * 49


@pytest.fixture
def robot(graph, photograph):
    compose(graph)
    robot = Robot(graph, photograph)
    robot.connect()
    robot.calibrate()
    return robot


@pytest.mark.parametrize("back", [0, FRAME_NS // 2, FRAME_NS, 3 * FRAME_NS])
def test_late_and_duplicate_images_are_skipped(robot, graph, photograph, back):
    robot.roll(4)
    robot.images.publish(image_msg(rolled(photograph, 3), robot.stamp - back))
    graph.spin_until(lambda: len(robot.status) > 4, 0.4)
    assert len(robot.status) == 4
    after = robot.show(rolled(photograph, 12))
    assert after.inliers > 50
    assert after.reset_counter == 0


def test_images_without_stamp_are_refused_with_the_reason(graph, photograph, monkeypatch):
    _, odometry = compose(graph)
    texts = texts_of(odometry, monkeypatch)
    robot = Robot(graph, photograph)
    robot.connect()
    robot.calibrate()
    robot.images.publish(image_msg(photograph, 0))
    assert graph.spin_until(lambda: any("leaves header.stamp empty" in t for t in texts))
    assert robot.show(photograph) is not None


def test_with_simulated_time_stamps_come_from_images_and_diagnostics_from_the_clock(graph, photograph):
    """Also before the clock begins, and while it stands still: nothing waits for it."""
    features, odometry = compose(graph, use_sim_time=True)
    odom, told = graph.listen(OdometryMsg, "odom"), graph.listen(DiagnosticArray, "/diagnostics")
    robot = Robot(graph, photograph)
    robot.connect()
    robot.calibrate()
    robot.roll(3)
    assert graph.spin_until(lambda: len(odom) == 3)
    assert [conversions.to_ns(m.header.stamp) for m in odom] == [BEGIN + FRAME_NS * i for i in (1, 2, 3)]
    assert graph.spin_until(lambda: told, 5.0)
    clock = graph.tester.create_publisher(Clock, "/clock", 5)
    assert graph.spin_until(lambda: clock.get_subscription_count() == 2)
    for back in (0, 60 * 10**9):  # a bag loops
        now = BEGIN - back
        clock.publish(Clock(clock=conversions.to_time(now)))
        assert graph.spin_until(
            lambda n=now: all(node.get_clock().now().nanoseconds == n for node in (features, odometry))
        )
        told.clear()
        assert graph.spin_until(lambda: told, 5.0)
        assert conversions.to_ns(told[-1].header.stamp) == now
    assert robot.show(rolled(photograph, 9)).inliers > 50


def test_a_gap_is_no_reason_to_stop(robot, photograph):
    robot.roll(3)
    robot.stamp += 20 * 10**9
    answer = robot.show(rolled(photograph, 9))
    assert answer.state == State.WAITING
    assert "unless the next image confirms it" in answer.reason
    answer = robot.show(rolled(photograph, 12))
    assert answer.inliers > 50
    assert answer.reset_counter == 0


@pytest.mark.parametrize("ahead_s", [1, 3600, 2**31])
def test_one_wrong_stamp_reaches_neither_tf_nor_map(graph, photograph, ahead_s):
    tf = graph.listen(TFMessage, "/tf")
    compose(graph)
    robot = Robot(graph, photograph)
    robot.connect()
    robot.calibrate()
    robot.roll(4)
    right = robot.stamp
    robot.stamp = min(right + ahead_s * 10**9, (2**31 - 1) * 10**9) - FRAME_NS
    assert robot.show(rolled(photograph, 12)).state == State.WAITING
    robot.stamp = right
    after = robot.show(rolled(photograph, 12))
    assert after.inliers > 50
    assert after.reset_counter == 0
    assert graph.spin_until(lambda: len(tf) == 5)
    assert max(conversions.to_ns(m.transforms[0].header.stamp) for m in tf) == robot.stamp


def test_a_slow_node_drops_old_images_counts_them_and_says_so(graph, photograph, monkeypatch):
    features, _ = compose(graph)
    texts = texts_of(features, monkeypatch)
    robot = Robot(graph, photograph)
    robot.connect()
    robot.calibrate()
    at_work, gate, extract = threading.Event(), threading.Event(), features._tracker.extractor.extract

    def slowly(image):
        at_work.set()
        assert gate.wait(20)
        return extract(image)

    monkeypatch.setattr(features._tracker.extractor, "extract", slowly, raising=False)
    for i in range(12):  # more than any queue holds, while the first is in work
        robot.images.publish(image_msg(photograph, BEGIN + (i + 1) * FRAME_NS))
        assert graph.spin_until(lambda n=i: features.meter.received > n and at_work.is_set())
    assert features.dropped == 10
    gate.set()
    assert graph.spin_until(lambda: len(robot.status) == 2)
    assert robot.status[-1].dropped_frames == 10, "also those that never reached the odometry"
    assert robot.status[-1].stage[0] == "extraction"
    assert robot.status[-1].stage_ms[0] > 0
    newest = robot.status[-1].header.stamp
    assert newest == image_msg(photograph, BEGIN + 12 * FRAME_NS).header.stamp, "the newest image wins"
    assert graph.spin_until(lambda: any("10 images dropped" in t for t in texts), 8.0)
