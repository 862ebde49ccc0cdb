"""Features to motion: ``Odometry(config).process(stamp, features, camera)``."""

from hybrid_features_ros.odometry.odometry import Odometry

__all__ = ["Odometry"]
