"""The robot's two core calls over a recorded sequence, without ROS."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from hybrid_features_ros.config import Config
from hybrid_features_ros.evaluation.sources import Source
from hybrid_features_ros.features import make_extractor
from hybrid_features_ros.features.depth import with_depth
from hybrid_features_ros.odometry import Odometry
from hybrid_features_ros.types import OdometryResult, Trajectory


def run(source: Source, config: Config, every: int = 1) -> Iterator[OdometryResult]:
    """Extract and track every ``every``-th frame of a source, one result per frame.

    Depth is used where ``config.input.depth`` asks for it and the frame has it.
    """
    extractor = make_extractor(config.features)
    odometry = Odometry(config.odometry)
    for number, frame in enumerate(source):
        if number % every:
            continue
        features = extractor.extract(frame.image)
        if config.input.depth and frame.depth is not None:
            features = with_depth(features, frame.depth)
        yield odometry.process(frame.stamp, features, source.camera)


def trajectory(results: list[OdometryResult]) -> Trajectory:
    """The camera's path in the first camera's frame."""
    stamps = np.array([r.stamp for r in results], dtype=np.int64)
    return Trajectory(stamps, np.array([r.T_world_camera for r in results]).reshape(-1, 4, 4))
