# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Installation by pip: library and command line without ROS. The metadata is in pyproject.toml.

On a robot, build with colcon instead (package.xml, CMakeLists.txt): only that makes messages and nodes.
"""

from setuptools import setup

setup()
