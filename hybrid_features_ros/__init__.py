"""Rotation-equivariant local features and rotation-proof visual odometry for ROS 2."""

from pkgutil import extend_path

# The messages that rosidl generates live in another directory under the same package name.
__path__ = extend_path(__path__, __name__)
