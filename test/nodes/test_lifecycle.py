# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The nodes under a lifecycle manager: loaded, subscribed and released when they are told to."""

import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed: run `make setup` or source a ROS 2")

from lifecycle_msgs.msg import State as Lifecycle
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState
from robot import Robot, call, compose, rolled
from ros_graph import parameters

from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.nodes import feature_node
from hybrid_features_ros.nodes.feature_node import FeatureNode

NODES = ("odometry_node", "feature_node")


def manage(graph, transition, *nodes):
    """What a lifecycle manager does; whether all nodes agreed."""
    request = ChangeState.Request(transition=Transition(id=transition))
    answers = [call(graph, ChangeState, f"{n}/change_state", request) for n in nodes or NODES]
    return all(a.success for a in answers)


def state(graph, node):
    return call(graph, GetState, f"{node}/get_state").current_state.id


def test_a_manager_brings_the_nodes_up_and_down(graph, photograph):
    features, odometry = compose(graph, autostart=False)
    robot = Robot(graph, photograph)
    assert [state(graph, n) for n in NODES] == [Lifecycle.PRIMARY_STATE_UNCONFIGURED] * 2
    assert manage(graph, Transition.TRANSITION_CONFIGURE)
    assert features._tracker is not None, "configure loads the model"
    assert not robot.images.get_subscription_count(), "only activate subscribes"
    assert manage(graph, Transition.TRANSITION_ACTIVATE)
    robot.connect()
    robot.calibrate()
    assert robot.roll(3)[-1].inliers > 50

    assert manage(graph, Transition.TRANSITION_DEACTIVATE)
    assert features._tracker is None, "deactivate releases the model"
    assert graph.spin_until(lambda: not robot.images.get_subscription_count())
    asked = len(robot.status)
    assert robot.show(photograph) is None
    assert len(robot.status) == asked

    assert manage(graph, Transition.TRANSITION_ACTIVATE)
    robot.connect()
    robot.calibrate()
    again = robot.show(rolled(photograph, 9))
    assert again.inliers > 50, "the map outlives a pause"
    assert again.reset_counter == 0

    assert manage(graph, Transition.TRANSITION_DEACTIVATE)
    assert manage(graph, Transition.TRANSITION_CLEANUP)
    assert odometry._last is None
    assert manage(graph, Transition.TRANSITION_CONFIGURE)
    assert manage(graph, Transition.TRANSITION_ACTIVATE)
    assert manage(graph, Transition.TRANSITION_ACTIVE_SHUTDOWN)
    assert [state(graph, n) for n in NODES] == [Lifecycle.PRIMARY_STATE_FINALIZED] * 2


def test_nodes_start_by_themselves_unless_told_otherwise(graph):
    compose(graph)
    assert [state(graph, n) for n in NODES] == [Lifecycle.PRIMARY_STATE_ACTIVE] * 2


def test_a_model_that_cannot_be_loaded_is_named_and_may_be_tried_again(graph, monkeypatch):
    def broken(config):
        raise InputError("weights/none.onnx: no such file")

    monkeypatch.setattr(feature_node, "make_extractor", broken)
    with pytest.raises(InputError, match=r"none\.onnx"):
        FeatureNode()
    node = graph.add(FeatureNode(parameter_overrides=parameters(autostart=False), namespace="managed"))
    assert not manage(graph, Transition.TRANSITION_CONFIGURE, "managed/feature_node")
    assert state(graph, "managed/feature_node") == Lifecycle.PRIMARY_STATE_UNCONFIGURED
    monkeypatch.undo()
    assert manage(graph, Transition.TRANSITION_CONFIGURE, "managed/feature_node")
    assert node._tracker is not None
