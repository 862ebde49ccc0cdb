# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The ROS 2 side: the only place that imports rclpy or messages."""

import os

# Before numpy and SciPy are imported, each with an OpenBLAS of its own that starts a thread for every core:
# our matrices are small, and threads that wait for each other on busy cores made images come late.
for _library in ("OPENBLAS", "MKL", "BLIS"):
    os.environ.setdefault(f"{_library}_NUM_THREADS", "1")
