# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Visual odometry of a ZED camera: run zed_wrapper (5 or newer) with `publish_tf:=false` beside it."""

from pathlib import Path

from launch.launch_description_sources import load_python_launch_file_as_module

VO = load_python_launch_file_as_module(str(Path(__file__).with_name("vo.launch.py")))


def generate_launch_description():
    """vo.launch.py with the defaults of this camera; `--show-args` lists its arguments."""
    return VO.generate_launch_description("zed")
