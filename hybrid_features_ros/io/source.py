"""What a recorded sequence offers, wherever it comes from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from hybrid_features_ros.core.camera import Camera
from hybrid_features_ros.core.types import Float32, Float64, Trajectory


@dataclass(frozen=True, eq=False)
class Frame:
    """One image of a sequence.

    Attributes:
        stamp: [ns].
        image: (H, W) or (H, W, 3) uint8, grey or BGR.
        depth: (H, W) float32 along the optical axis [m], NaN = unknown; None without a depth camera.
    """

    stamp: int
    image: NDArray[Any]
    depth: Float32 | None = None


@dataclass(frozen=True, eq=False)
class Imu:
    """Inertial measurements, in the camera's optical axes where the source has the mounting of the unit.

    Attributes:
        stamps: (N,) int64 [ns].
        gyro: (N, 3) angular velocity [rad/s].
        accel: (N, 3) specific force [m/s^2].
    """

    stamps: NDArray[np.int64]
    gyro: Float64
    accel: Float64


class Source(Protocol):
    """A sequence of images of one camera; iterating decodes one frame at a time.

    Attributes:
        name: for reports and files.
        camera: the calibration of every image.
        stamps: (N,) int64, strictly increasing [ns].
        ground_truth: poses of the camera, ``T_world_camera`` in optical axes; None if not known.
        imu: None without one.
        right: the right camera of a rectified pair, with the same stamps; None without one.
        baseline: distance to the right camera [m]; 0 without one.
    """

    @property
    def name(self) -> str: ...
    @property
    def camera(self) -> Camera: ...
    @property
    def stamps(self) -> NDArray[np.int64]: ...
    @property
    def ground_truth(self) -> Trajectory | None: ...
    @property
    def imu(self) -> Imu | None: ...
    @property
    def right(self) -> Source | None: ...
    @property
    def baseline(self) -> float: ...

    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[Frame]: ...


def is_bag(path: Path) -> bool:
    """Whether a path looks like a ROS 1 file, a rosbag2 folder or a single storage file."""
    return path.suffix in (".bag", ".mcap", ".db3") if path.is_file() else (path / "metadata.yaml").exists()
