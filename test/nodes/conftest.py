# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Every test of a node runs real rclpy in a domain of its own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from ros_graph import Graph


@pytest.fixture
def graph(request: pytest.FixtureRequest) -> Iterator[Graph]:
    """A fresh context whose domain no other test of this session uses."""
    number = [item.nodeid for item in request.session.items].index(request.node.nodeid)
    os.environ["ROS_DOMAIN_ID"] = str(1 + (os.getpid() + number) % 100)
    os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    if os.environ.get("ROS_DISTRO") == "humble":  # which knows only the older name
        os.environ.setdefault("ROS_LOCALHOST_ONLY", "1")
    rclpy = pytest.importorskip("rclpy", reason="rclpy is not installed: run `make setup` or source a ROS 2")
    from ros_graph import Graph

    rclpy.init()
    graph = Graph()
    yield graph
    graph.close()
    rclpy.try_shutdown()
