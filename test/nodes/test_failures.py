# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Whatever a callback raises: the node lives, its log has one traceback, its diagnostics say so."""

import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed: run `make setup` or source a ROS 2")

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rcl_interfaces.srv import SetParametersAtomically
from robot import FRAME_NS, Robot, call, compose, rolled, texts_of
from ros_graph import image_msg, parameters
from std_msgs.msg import String
from std_srvs.srv import Trigger

from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.nodes.feature_node import FeatureNode
from hybrid_features_ros.srv import ResetToPose, SaveTrajectory


def broken(*_, **__):
    raise ZeroDivisionError("by design")


@pytest.fixture
def robot(graph, photograph):
    robot = Robot(graph, photograph)
    robot.features, robot.odometry = compose(graph)
    robot.connect()
    robot.calibrate()
    return robot


def newest_status(graph, name):
    told = graph.listen(DiagnosticArray, "/diagnostics")
    assert graph.spin_until(lambda: name in {s.name for m in told for s in m.status}, 3.0)
    return next(s for m in reversed(told) for s in m.status if s.name == name)


@pytest.mark.parametrize(
    ("kind", "name", "breaks"),
    [
        (SaveTrajectory, "save_trajectory", "log"),
        (Trigger, "reset", "reset"),
        (ResetToPose, "reset_to_pose", "reset"),
    ],
)
def test_a_service_that_fails_answers_why(graph, robot, photograph, monkeypatch, kind, name, breaks):
    robot.roll(2)
    texts = texts_of(robot.odometry, monkeypatch)
    monkeypatch.setattr(robot.odometry, breaks, None if breaks == "log" else broken)
    for _ in range(3):
        answer = call(graph, kind, f"odometry_node/{name}")
        assert not answer.success
        assert answer.message.startswith(("ZeroDivisionError: by design", "AttributeError: "))
    assert sum("Traceback" in t for t in texts) == 1
    assert newest_status(graph, "odometry_node").level == DiagnosticStatus.ERROR
    monkeypatch.undo()
    assert robot.show(rolled(photograph, 6)).inliers > 50


@pytest.mark.parametrize("transition", [99, Transition.TRANSITION_CONFIGURE])
def test_a_transition_that_is_not_possible_is_refused(graph, robot, photograph, transition):
    request = ChangeState.Request(transition=Transition(id=transition))
    assert not call(graph, ChangeState, "odometry_node/change_state", request).success
    assert robot.show(photograph) is not None


def test_a_parameter_whose_change_fails_is_refused(graph, robot, photograph, monkeypatch):
    monkeypatch.setattr(robot.features, "change", broken)
    wanted = [p.to_parameter_msg() for p in parameters(features__max_keypoints=50)]
    request = SetParametersAtomically.Request(parameters=wanted)
    result = call(graph, SetParametersAtomically, "feature_node/set_parameters_atomically", request).result
    assert not result.successful
    assert result.reason == "ZeroDivisionError: by design"
    assert robot.features.config.features.max_keypoints != 50
    assert robot.show(photograph) is not None


def test_timers_and_subscriptions_may_fail(graph, robot, photograph, monkeypatch):
    texts = texts_of(robot.odometry, monkeypatch)
    timer = robot.odometry.create_timer(0.01, broken)
    robot.odometry.create_subscription(String, "strings", lambda msg: broken(), 5)
    strings = graph.tester.create_publisher(String, "strings", 5)
    assert graph.spin_until(strings.get_subscription_count)
    for _ in range(3):
        strings.publish(String())
        graph.spin_until(lambda: False, 0.1)
    timer.cancel()
    assert sum("Traceback" in t for t in texts) == 1, "both fail at the same place"
    assert any("times by now: ZeroDivisionError: by design" in t for t in texts)
    assert robot.show(photograph) is not None


def test_a_node_whose_every_image_fails_says_so_within_a_second(graph, robot, photograph, monkeypatch):
    texts = texts_of(robot.features, monkeypatch)
    told = graph.listen(DiagnosticArray, "/diagnostics")
    assert robot.show(photograph) is not None
    monkeypatch.setattr(robot.features._tracker.extractor, "extract", broken, raising=False)
    told.clear()
    robot.images.publish(next_image(robot, photograph))

    def mourned():
        robot.images.publish(next_image(robot, photograph))
        return [s for m in told for s in m.status if s.level == DiagnosticStatus.ERROR]

    assert graph.spin_until(mourned, 1.5)
    assert "every input fails" in mourned()[-1].message
    assert "ZeroDivisionError: by design" in mourned()[-1].message
    assert sum("Traceback" in t for t in texts) == 1
    monkeypatch.undo()
    assert robot.show(photograph) is not None, "and it goes on with the first one that can be used"


def next_image(robot, photograph):
    robot.stamp += FRAME_NS
    return image_msg(photograph, robot.stamp, robot.frame)


def test_images_that_cannot_be_used_are_an_error_alone_and_a_warning_among_others(graph, photograph):
    node = graph.add(FeatureNode())
    node.meter.went(node.meter.came())
    for _ in range(3):
        node.failures.tell(InputError("image encoding '12bit' cannot be used"))
    assert node.failures.report().level == DiagnosticStatus.ERROR
    assert "(3 in a row)" in node.failures.report().message
    node.meter.went(node.meter.came())
    assert node.failures.report().level == DiagnosticStatus.WARN
    node.failures.tell(InputError("image encoding '12bit' cannot be used"))
    assert "(1 in a row)" in node.failures.report().message


def test_bad_input_is_one_line_and_no_traceback(graph, monkeypatch):
    node = graph.add(FeatureNode())
    texts = texts_of(node, monkeypatch)
    node.failures.guard(lambda: (_ for _ in ()).throw(InputError("nothing\nhere")))()
    assert texts == ["nothing\nhere"]
