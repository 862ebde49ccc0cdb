# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Replay a bag or sequence frame by frame and measure the odometry against its truth.

`ros2 launch hybrid_features_ros evaluate_bag.launch.py bag:=PATH out:=FOLDER` prints the errors and leaves
trajectory.tum and summary.png in the folder. The pace is that of the nodes, so that results repeat.
"""

from pathlib import Path

from launch.actions import DeclareLaunchArgument
from launch.launch_description_sources import load_python_launch_file_as_module
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from launch import LaunchDescription

VO = load_python_launch_file_as_module(str(Path(__file__).with_name("vo.launch.py")))


def generate_launch_description():
    """One process replays, starts the nodes and reports."""
    evaluate = Node(
        package="hybrid_features_ros",
        executable="demo",
        arguments=["--data", LaunchConfiguration("bag"), "--out", LaunchConfiguration("out")],
        output="screen",
        on_exit=VO.ended,
    )
    return LaunchDescription(
        [
            DeclareLaunchArgument("bag", description="rosbag2 folder, ROS 1 bag or sequence folder."),
            DeclareLaunchArgument(
                "out", default_value="results/bag", description="Folder for trajectory and picture."
            ),
            evaluate,
        ]
    )
