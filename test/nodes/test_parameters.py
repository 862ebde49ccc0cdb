# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Parameters are declared from the configuration, checked, and explained."""

from pathlib import Path

import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed: run `make setup` or source a ROS 2")

from rcl_interfaces.srv import SetParametersAtomically
from rclpy.node import Node
from robot import Robot, call, compose, rolled, texts_of
from ros_graph import parameters

from hybrid_features_ros.core.config import Config, options
from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.nodes.parameters import declare, report_unused_sections, table


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
        node_with(graph, features__max_keypoints=7, odometry__matching__lowe_ratio=1), "features", "odometry"
    )
    assert config.features.max_keypoints == 7
    assert config.odometry.matching.lowe_ratio == 1.0


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


def set_together(graph, node, **values):
    """What `ros2 param` asks for, all values in one request."""
    request = SetParametersAtomically.Request(parameters=[p.to_parameter_msg() for p in parameters(**values)])
    return call(graph, SetParametersAtomically, f"{node}/set_parameters_atomically", request).result


def test_run_time_changes_take_effect(graph, photograph):
    features, odometry = compose(graph)
    robot = Robot(graph, photograph)
    robot.connect()
    robot.calibrate()
    before = robot.roll(3)[-1]
    assert before.keypoints > 50
    assert set_together(graph, "feature_node", features__max_keypoints=50).successful
    assert robot.show(rolled(photograph, 9)).keypoints == 50
    changed = {"odometry__two_view__inlier_threshold_px": 2.5, "frames__publish_tf": False}
    assert set_together(graph, "odometry_node", **changed).successful
    assert odometry.config.odometry.two_view.inlier_threshold_px == 2.5
    assert not odometry.config.frames.publish_tf
    after = robot.show(rolled(photograph, 12))
    assert after.reset_counter == 1, "another configuration begins a new map from the last pose"
    assert features.config.features.max_keypoints == 50


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        ({"features__contrast_threshold": 7.0}, "contrast_threshold"),
        ({"features__extractor": "nothing"}, "choose one of"),
        ({"input__depth": True}, "read-only"),
    ],
)
def test_all_or_nothing(graph, bad, why):
    features, _ = compose(graph)
    result = set_together(graph, "feature_node", features__max_keypoints=50, **bad)
    assert not result.successful
    assert why in result.reason
    assert features.config == Config()
    assert features.get_parameter("features.max_keypoints").value == Config().features.max_keypoints


FILE = """
{section}:
  ros__parameters:
    features: {{max_keypoints: 50}}
    unrelated: 1
ekf_filter_node:
  ros__parameters: {{frequency: 30.0}}
"""


@pytest.mark.parametrize(
    ("section", "lost"),
    [
        ("vo_node", True),
        ("/vo_node", True),
        ("feature_nodes", True),
        ("/robot/hybrid", True),
        ("feature_node", False),
        ("/**", False),
        ("/**/feature_node", False),
        ("/*", False),
        ("/robot/odometry_node", False),
    ],
)
def test_parameters_of_no_node_are_told(graph, tmp_path, monkeypatch, section, lost):
    nodes = compose(graph)
    texts = texts_of(nodes[0], monkeypatch)
    path = tmp_path / "some.yaml"
    path.write_text(FILE.format(section=section))
    report_unused_sections(nodes, ["vo_node", "--ros-args", "--params-file", str(path), "-p", "a:=1"])
    assert len(texts) == lost
    if lost:
        assert "features.max_keypoints under" in texts[0]
        assert "write /** or feature_node and odometry_node" in texts[0]


def test_parameter_files_that_are_none_are_left_to_ros(graph, tmp_path):
    nodes = compose(graph)
    for text in ("", "- a", "a: [", "ros__parameters: 1"):
        (tmp_path / "bad.yaml").write_text(text)
        report_unused_sections(nodes, ["--params-file", str(tmp_path / "bad.yaml")])
    report_unused_sections(nodes, ["--params-file", str(tmp_path / "none.yaml")])


def test_the_documentation_lists_what_the_configuration_has():
    page = Path(__file__).parents[2] / "docs" / "parameters.md"
    assert page.read_text() == table(), "run `make docs`"
