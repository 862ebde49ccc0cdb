# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Nodes whose extractor is a process of its own, and what a change of parameters makes anew."""

import signal

import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed: run `make setup` or source a ROS 2")

from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from robot import Robot, call, compose
from ros_graph import parameters

from hybrid_features_ros.nodes import feature_node


@pytest.fixture
def nodes(graph):
    return compose(graph, features__own_process=True, features__max_keypoints=300)


@pytest.fixture
def robot(graph, nodes, photograph):
    robot = Robot(graph, photograph)
    robot.connect()
    robot.calibrate()
    return robot


def change(node, **values):
    return node.set_parameters_atomically(parameters(**values))


def test_odometry_is_that_of_one_process(graph, nodes, robot):
    features, _ = nodes
    assert robot.roll(4)[-1].inliers > 50
    assert features._tracker.extractor._process.poll() is None
    assert "OpenCV" in features.report().values["execution provider"]


def test_the_process_is_kept_where_nothing_of_it_changes(nodes, robot, photograph):
    features, _ = nodes
    process = features._tracker.extractor._process
    for values in (
        {"features__tracking": "between_keyframes"},
        {"features__min_keypoints": 100},
        {"features__inverse_depth_sigma": 0.01},
        {"input__silence_s": 5.0},
    ):
        assert change(features, **values).successful
    assert features._tracker.extractor._process is process
    assert process.poll() is None
    assert robot.show(photograph).keypoints == 300
    assert change(features, features__max_keypoints=200).successful
    assert features._tracker.extractor._process is not process
    assert process.wait(10) is not None, "the old one has ended"
    assert robot.show(photograph).keypoints == 200


def test_a_stopped_process_does_not_hold_up_a_change(nodes, robot, photograph):
    features, _ = nodes
    process = features._tracker.extractor._process
    process.send_signal(signal.SIGSTOP)
    assert change(features, features__own_process=False).successful
    assert process.wait(10) == -signal.SIGKILL
    assert robot.show(photograph).keypoints == 300


def test_a_process_that_dies_costs_one_image(nodes, robot, photograph):
    features, _ = nodes
    features._tracker.extractor._process.kill()
    features._tracker.extractor._process.wait()
    assert robot.show(photograph) is None
    answer = next(filter(None, (robot.show(photograph) for _ in range(10))))  # once it has started again
    assert answer.keypoints == 300


def test_the_process_ends_when_the_node_is_deactivated(graph, nodes, robot):
    features, _ = nodes
    process = features._tracker.extractor._process
    request = ChangeState.Request(transition=Transition(id=Transition.TRANSITION_DEACTIVATE))
    assert call(graph, ChangeState, "feature_node/change_state", request).success
    assert process.wait(10) is not None


@pytest.mark.parametrize("own_process", [False, True])
def test_features_that_cannot_be_made_are_refused_while_nothing_runs(graph, monkeypatch, own_process):
    features, _ = compose(graph, autostart=False, features__own_process=own_process)
    refused = change(features, features__extractor="no_module:Own")
    assert not refused.successful
    assert "no_module:Own" in refused.reason
    assert features.config.features.extractor == "hybrid"
    made = []
    monkeypatch.setattr(feature_node, "make_extractor", made.append)
    assert change(features, features__tracking="between_keyframes").successful
    assert not made, "nothing to try"
    assert change(features, features__max_keypoints=600).successful
    assert len(made) == 1
