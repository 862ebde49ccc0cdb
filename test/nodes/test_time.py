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

from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.nodes import conversions
from hybrid_features_ros.nodes.stamps import JUMP_NS, PATIENCE, StampGate


def pass_through(gate, stamp):
    """ "taken", "anew" or "refused"."""
    try:
        back = gate.went_back(stamp)
    except InputError:
        return "refused"
    gate.accept(stamp)
    return "anew" if back else "taken"


@given(st.lists(st.integers(-(10**9), 10**10), max_size=60))
def test_what_is_taken_grows_until_time_begins_anew(stamps):
    gate, newest = StampGate(), None
    for stamp in stamps:
        answer = pass_through(gate, stamp)
        if answer == "taken":
            assert stamp > 0
            assert newest is None or stamp > newest
        if answer == "anew":
            assert stamp < newest
        if answer == "refused":
            assert stamp <= 0 or newest - JUMP_NS <= stamp <= newest
        newest = newest if answer == "refused" else stamp


@given(st.integers(PATIENCE, 40), st.integers(1, 10**8))
def test_short_loops_of_a_bag_are_noticed(length, step):
    gate = StampGate()
    answers = [pass_through(gate, BEGIN + step * i) for i in [*range(length), *range(length)]]
    assert "refused" not in answers[:length]
    assert answers[length:].count("refused") < PATIENCE
    assert answers[length:].count("anew") == 1


def test_a_driver_that_repeats_one_stamp_never_begins_anew():
    gate = StampGate()
    assert [pass_through(gate, BEGIN) for _ in range(50)] == ["taken"] + ["refused"] * 49


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
    assert robot.show(rolled(photograph, 9)) is not None
    assert robot.show(rolled(photograph, 12)).inliers > 50


def test_a_slow_node_drops_old_images_counts_them_and_says_so(graph, photograph, monkeypatch):
    features, _ = compose(graph)
    texts = texts_of(features, monkeypatch)
    robot = Robot(graph, photograph)
    robot.connect()
    robot.calibrate()
    at_work, gate, extract = threading.Event(), threading.Event(), features._extractor.extract

    def slowly(image):
        at_work.set()
        assert gate.wait(20)
        return extract(image)

    monkeypatch.setattr(features._extractor, "extract", slowly, raising=False)
    for i in range(12):  # more than any queue holds, while the first is in work
        robot.images.publish(image_msg(photograph, BEGIN + (i + 1) * FRAME_NS))
        assert graph.spin_until(lambda n=i: features.meter.received > n and at_work.is_set())
    assert features.dropped == 10
    gate.set()
    assert graph.spin_until(lambda: len(robot.status) == 2)
    newest = robot.status[-1].header.stamp
    assert newest == image_msg(photograph, BEGIN + 12 * FRAME_NS).header.stamp, "the newest image wins"
    assert graph.spin_until(lambda: any("10 images dropped" in t for t in texts), 8.0)
