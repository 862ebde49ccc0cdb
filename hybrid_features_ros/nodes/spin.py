# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""How every executable of the package starts, fails and ends."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Sequence

import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.utilities import remove_ros_args

from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.nodes.managed import ManagedNode
from hybrid_features_ros.nodes.parameters import report_unused_sections


def spin(make_nodes: Callable[[], Sequence[ManagedNode]]) -> None:
    """Make nodes and run them in one executor until interrupted; bad input ends with one line and exit 1."""
    initialise()
    unknown = remove_ros_args(sys.argv)[1:]
    if unknown:
        rclpy.try_shutdown()
        sys.exit(f"error: unknown arguments {' '.join(unknown)}; parameters: --ros-args -p NAME:=VALUE")
    nodes: Sequence[ManagedNode] = []
    try:
        nodes = make_nodes()
        report_unused_sections(nodes, sys.argv)
        executor = SingleThreadedExecutor()
        for node in nodes:
            executor.add_node(node)
        while executor.context.ok():
            try:
                executor.spin()
            except ExternalShutdownException:
                break
            except Exception as error:  # noqa: BLE001  rclpy's own code, outside of every callback
                nodes[0].failures.tell(error)
    except InputError as error:
        sys.exit(f"error: {error}")
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    finally:
        # Ctrl-C under `ros2 launch` comes twice, from the terminal and from launch.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        for node in nodes:
            node.destroy_node()
        rclpy.try_shutdown()


def initialise(args: Sequence[str] | None = None) -> None:
    """Start ROS with the arguments of the command line; unusable ones end the process with one line."""
    try:
        rclpy.init(args=sys.argv if args is None else args)
    except RuntimeError as error:  # the base of rclpy's own: a bad remapping, an unreadable parameter file
        sys.exit(f"error: {' '.join(str(error).split())}")
