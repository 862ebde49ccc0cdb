# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Image to odometry in one process: features are handed over in memory."""

from __future__ import annotations

from collections.abc import Sequence

from rclpy.node import Node

from hybrid_features_ros.nodes.feature_node import FeatureNode
from hybrid_features_ros.nodes.odometry_node import OdometryNode
from hybrid_features_ros.nodes.spin import spin


def compose() -> Sequence[Node]:
    """Both nodes, joined; the ``features`` topic is still there for whoever subscribes."""
    odometry = OdometryNode(composed=True)
    return [FeatureNode(sink=odometry.submit, expect=odometry.expectation), odometry]


def main() -> None:
    """Run both nodes until they are interrupted."""
    spin(compose)


if __name__ == "__main__":
    main()
