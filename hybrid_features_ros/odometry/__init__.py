# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Features to motion: ``Odometry(config).process(stamp, features, camera)``."""

from hybrid_features_ros.odometry.odometry import Odometry

__all__ = ["Odometry"]
