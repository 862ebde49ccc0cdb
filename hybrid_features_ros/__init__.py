# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Rotation-equivariant local features and rotation-proof visual odometry for ROS 2."""

import os
import sys
from pkgutil import extend_path

from hybrid_features_ros._moved import MovedModules

__version__ = "0.2.0"

# Before numpy is imported: its matrices here are small, and the threads of OpenBLAS would spin on every core
# while they wait for the next one. Whoever wants more sets the variable. PyTorch does not read it.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# The messages that rosidl generates live in another directory under the same package name.
__path__ = extend_path(__path__, __name__)
sys.meta_path.append(MovedModules())
