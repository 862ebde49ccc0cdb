# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""launch_testing: vo.launch.py brings up nodes that are active, in the namespace asked for, and end cleanly.

`colcon test` runs this on a machine with ROS 2.
"""

import unittest
from pathlib import Path

import launch_testing
import launch_testing.actions
import launch_testing.asserts
import rclpy
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
from lifecycle_msgs.msg import State
from lifecycle_msgs.srv import GetState

from launch import LaunchDescription

VO = Path(__file__).parents[2] / "launch" / "vo.launch.py"


def generate_test_description():
    """The launch file as a user starts it."""
    vo = IncludeLaunchDescription(
        PythonLaunchDescriptionSource(str(VO)), launch_arguments=[("namespace", "robot")]
    )
    return LaunchDescription([vo, launch_testing.actions.ReadyToTest()])


class TestNodesAreActive(unittest.TestCase):
    """While the launch file runs."""

    def test_both_nodes(self):
        rclpy.init()
        node = rclpy.create_node("tester")
        for name in ("feature_node", "odometry_node"):
            client = node.create_client(GetState, f"/robot/{name}/get_state")
            assert client.wait_for_service(30.0), name
            label = 0
            for _ in range(30):
                future = client.call_async(GetState.Request())
                rclpy.spin_until_future_complete(node, future, timeout_sec=2.0)
                label = future.result().current_state.id if future.done() else label
                if label == State.PRIMARY_STATE_ACTIVE:
                    break
            assert label == State.PRIMARY_STATE_ACTIVE, name
        node.destroy_node()
        rclpy.shutdown()


@launch_testing.post_shutdown_test()
class TestEnd(unittest.TestCase):
    """After it was interrupted."""

    def test_exit_codes(self, proc_info):
        launch_testing.asserts.assertExitCodes(proc_info)
