# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The Foxglove layout names topics and fields that the nodes really have."""

import importlib
import json
from pathlib import Path

import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed: run `make setup` or source a ROS 2")

from hybrid_features_ros.core.config import Config
from hybrid_features_ros.nodes.vo_node import compose

LAYOUT = json.loads((Path(__file__).parents[2] / "foxglove" / "vo.json").read_text())
PANELS = LAYOUT["configById"]


def strings(value):
    """Every text in the layout, however deep; keys of topics count too."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from strings(inner)
    elif isinstance(value, str):
        yield value


@pytest.fixture
def topics(graph):
    """Those that somebody publishes: the camera's own have other names on every robot."""
    for node in compose():
        graph.add(node)
    graph.spin_until(lambda: dict(graph.tester.get_topic_names_and_types()).get("/camera_info"))
    named = graph.tester.get_topic_names_and_types()
    return {topic: kinds for topic, kinds in named if graph.tester.count_publishers(topic)}


def test_every_topic_and_field_is_there(topics):
    asked = {text for text in strings(PANELS) if text.startswith("/")}
    assert {"/path", "/odom", "/image_features", "/status.state", "/diagnostics"} <= asked
    for text in asked:
        topic, *fields = text.split(".")
        assert topic in topics, text
        package, kind, name = topics[topic][0].split("/")
        message = getattr(importlib.import_module(f"{package}.{kind}"), name)()
        for field in fields:
            message = getattr(message, field)


def test_the_fixed_frame_is_that_of_the_odometry():
    assert PANELS["3D!vo"]["followTf"] == Config().frames.odom


def test_every_panel_is_on_the_screen():
    shown = {text for text in strings(LAYOUT["layout"]) if "!" in text}
    assert shown == set(PANELS)
