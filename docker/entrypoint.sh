#!/bin/bash
# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
# The container's command: a launch file of the package with its arguments.
set -e
source "/opt/ros/$ROS_DISTRO/setup.bash"
source /ws/install/setup.bash
exec ros2 launch hybrid_features_ros "$@"
