"""Rotation-equivariant local features and rotation-proof visual odometry for ROS 2."""

import sys
from pkgutil import extend_path

from hybrid_features_ros._moved import MovedModules

__version__ = "0.2.0"

# The messages that rosidl generates live in another directory under the same package name.
__path__ = extend_path(__path__, __name__)
sys.meta_path.append(MovedModules())
