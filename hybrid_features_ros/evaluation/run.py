"""The robot's core calls over a recorded sequence, without ROS."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from time import perf_counter

import numpy as np

from hybrid_features_ros.core.config import Config
from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.core.types import Features, OdometryResult, Trajectory
from hybrid_features_ros.features import Extractor, make_extractor
from hybrid_features_ros.features.depth import with_depth
from hybrid_features_ros.features.stereo import StereoDepth
from hybrid_features_ros.io.sources import Frame, Source
from hybrid_features_ros.odometry import Odometry


@dataclass(frozen=True, eq=False)
class Step:
    """One frame and what became of it.

    Attributes:
        frame: as it came from the source.
        features: of its image, with depths where they were used.
        result: of the odometry.
        extract_ms: wall-clock time that the features took [ms].
    """

    frame: Frame
    features: Features
    result: OdometryResult
    extract_ms: float


def run(
    source: Source,
    config: Config,
    every: int = 1,
    *,
    start: int = 0,
    stereo: bool = False,
    gyro: bool = False,
) -> Iterator[Step]:
    """Extract and track every ``every``-th frame of a source from frame ``start`` on, one step per frame.

    Depth is used where ``config.input.depth`` asks for it and the frame has it.

    Args:
        stereo: take depth from the right camera of a rectified pair.
        gyro: give the odometry the source's angular velocities.

    Raises:
        InputError: the source has no right camera, or no gyroscope, that is asked for.
    """
    if gyro and source.imu is None:
        raise InputError(f"{source.name}: no inertial measurements")
    odometry = Odometry(config.odometry)
    if gyro and source.imu is not None:
        for stamp, rate in zip(source.imu.stamps.tolist(), source.imu.gyro, strict=True):
            odometry.add_gyro(stamp, rate)
    for frame, features, extract_ms in extracted(source, config, every, start=start, stereo=stereo):
        yield Step(frame, features, odometry.process(frame.stamp, features, source.camera), extract_ms)


def extracted(
    source: Source, config: Config, every: int = 1, *, start: int = 0, stereo: bool = False
) -> Iterator[tuple[Frame, Features, float]]:
    """Frames, their features with depths as in :func:`run`, and the wall-clock time of these [ms].

    Raises:
        InputError: the source has no right camera, and one is asked for.
    """
    if stereo and (source.right is None or not source.baseline):
        raise InputError(
            f"{source.name}: no right camera; a stereo pair is two folders NAME_left, NAME_right"
        )
    extractor = make_extractor(config.features)
    pair = StereoDepth(source.camera.fx, source.baseline) if stereo else None
    for frame, right in islice(_frames(source, stereo), start, None, every):
        begin = perf_counter()
        features = _features(extractor, pair, frame, right, config)
        yield frame, features, 1e3 * (perf_counter() - begin)


def _frames(source: Source, stereo: bool) -> Iterator[tuple[Frame, Frame | None]]:
    if not stereo or source.right is None:
        return ((frame, None) for frame in source)
    return zip(source, source.right, strict=True)


def _features(
    extractor: Extractor, pair: StereoDepth | None, frame: Frame, right: Frame | None, config: Config
) -> Features:
    features = extractor.extract(frame.image)
    if pair is not None and right is not None:
        return pair.add(features, extractor.extract(right.image))
    if config.input.depth and frame.depth is not None:
        return with_depth(features, frame.depth, config.features.inverse_depth_sigma)
    return features


def trajectory(results: Sequence[OdometryResult]) -> Trajectory:
    """The camera's path in the first camera's frame."""
    stamps = np.array([r.stamp for r in results], dtype=np.int64)
    return Trajectory(stamps, np.array([r.T_world_camera for r in results]).reshape(-1, 4, 4))
