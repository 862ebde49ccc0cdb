# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""RViz is told of topics, types, reliabilities and frames that the nodes really have."""

from pathlib import Path

import pytest
import yaml

pytest.importorskip("rclpy", reason="rclpy is not installed: run `make setup` or source a ROS 2")

from rclpy.qos import ReliabilityPolicy

from hybrid_features_ros.core.config import Config
from hybrid_features_ros.nodes.vo_node import compose

CONTENT = yaml.safe_load((Path(__file__).parents[2] / "rviz" / "vo.rviz").read_text())
MANAGER = CONTENT["Visualization Manager"]
DISPLAYS = [d for d in MANAGER["Displays"] if "Topic" in d]
TYPES = {
    "rviz_default_plugins/Path": "nav_msgs/msg/Path",
    "rviz_default_plugins/Odometry": "nav_msgs/msg/Odometry",
    "rviz_default_plugins/Image": "sensor_msgs/msg/Image",
    "rviz_default_plugins/Marker": "visualization_msgs/msg/Marker",
}


def test_displays_show_what_the_nodes_publish_or_hear(graph):
    for node in compose():
        graph.add(node)
    for display in DISPLAYS:
        topic, kind = f"/{display['Topic']['Value']}", TYPES[display["Class"]]
        publishers = graph.tester.get_publishers_info_by_topic(topic)
        if not publishers:  # the camera's own
            assert [s.topic_type for s in graph.tester.get_subscriptions_info_by_topic(topic)] == [kind]
            continue
        assert [p.topic_type for p in publishers] == [kind]
        wanted = display["Topic"]["Reliability Policy"]
        reliable = publishers[0].qos_profile.reliability is ReliabilityPolicy.RELIABLE
        assert reliable or wanted == "Best Effort", f"{topic}: RViz would hear nothing"


def test_the_fixed_frame_is_the_one_that_the_odometry_is_in():
    assert MANAGER["Global Options"]["Fixed Frame"] == Config().frames.odom
    assert MANAGER["Views"]["Current"]["Target Frame"] == Config().frames.odom
