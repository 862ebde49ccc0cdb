"""How every executable of the package starts, fails and ends."""

from __future__ import annotations

import signal
import sys
import traceback
from collections.abc import Callable, Sequence

import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node

from hybrid_features_ros.core.errors import InputError


def spin(make_nodes: Callable[[], Sequence[Node]]) -> None:
    """Make nodes and run them in one executor until interrupted; bad input ends with one line and exit 1."""
    initialise()
    nodes: Sequence[Node] = []
    try:
        nodes = make_nodes()
        executor = SingleThreadedExecutor()
        for node in nodes:
            executor.add_node(node)
        executor.spin()
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


def log_failure(node: Node) -> Callable[[Exception], None]:
    """A worker's ``failed``: one line for bad input, the traceback for anything else; the node lives on.

    Once ROS is shut down nothing can be published any more, and what fails for that reason is not told.
    """

    def log(error: Exception) -> None:
        if not node.context.ok():
            return  # the process is ending: what was in work could not be published any more
        if isinstance(error, InputError):
            node.get_logger().error(str(error), throttle_duration_sec=1.0)
        else:
            node.get_logger().error("".join(traceback.format_exception(error)))

    return log
