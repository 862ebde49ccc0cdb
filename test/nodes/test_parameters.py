"""Parameters are declared from the configuration, checked, and explained."""

import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed: run `make setup` or source a ROS 2")

from rclpy.node import Node
from ros_graph import parameters

from hybrid_features_ros.config import Config, options
from hybrid_features_ros.errors import InputError
from hybrid_features_ros.nodes.parameters import declare


class Log(list):
    """Stands in for a node's logger."""

    def error(self, text):
        self.append(text)


def node_with(graph, **values):
    return graph.add(Node("configured", parameter_overrides=parameters(**values)))


def test_defaults_are_those_of_the_configuration(graph):
    node = node_with(graph)
    config = declare(node, "features", "odometry", "frames", "input")
    assert config == Config()
    for option in options(Config()):
        described = node.describe_parameter(option.name)
        assert described.description == option.description
        assert node.get_parameter(option.name).value == option.value


def test_overrides_reach_the_configuration(graph):
    config = declare(
        node_with(graph, features__max_keypoints=7, odometry__matching__ratio=1), "features", "odometry"
    )
    assert config.features.max_keypoints == 7
    assert config.odometry.matching.ratio == 1.0


@pytest.mark.parametrize("value", [0, -3, "many", 2.5])
def test_unusable_values_name_the_parameter(graph, value):
    with pytest.raises(InputError, match="max_keypoints"):
        declare(node_with(graph, features__max_keypoints=value), "features")


def test_misspelt_names_are_reported_but_not_those_of_other_nodes(graph, monkeypatch):
    node, log = node_with(graph, features__max_keypoint=7, odometry__seed=3, use_sim_time=False), Log()
    monkeypatch.setattr(node, "get_logger", lambda: log)
    declare(node, "features")
    assert len(log) == 1
    assert "'features.max_keypoint'" in log[0]
