# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What a recorded sequence offers, wherever it comes from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from hybrid_features_ros.core.camera import Camera
from hybrid_features_ros.core.types import Float32, Float64, Trajectory

BAG_FILES = (".bag", ".mcap", ".db3")


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


@dataclass(frozen=True, eq=False)
class RecordedPrior:
    """Poses of a body by another odometry, such as wheels.

    Attributes:
        stamps: (N,) int64, strictly increasing [ns].
        poses: (N, 4, 4) [m].
        covariances: (N, 6, 6) of the velocity until each pose, in the body's axes [m/s, rad/s]; all zero
            where it is not told.
        T_body_camera: (4, 4), where the camera sits on the body.
        name: of the file or topic.
    """

    stamps: NDArray[np.int64]
    poses: Float64
    covariances: Float64
    T_body_camera: Float64
    name: str = ""


@dataclass(frozen=True)
class Choice:
    """What of a recording is to be read, where it is said by hand; empty: chosen by what it is.

    Attributes:
        image, depth, right, imu: topics of a bag; in a folder, names of a list or of a camera's folder.
        truth: topic of a bag with poses, ``/tf`` among them; of a folder, a file.
        prior: topic of a bag with another odometry; of a folder, a file.
        camera_info: topic of a bag.
        calib: file that calibrates the image, instead of what the recording has.
        depth_scale: units per metre of depth images; None: what the recording says, or the layout's usual.
        rectified: the images are (P of the calibration, no distortion); None: where a topic's name says so.
        stereo: left and right are chosen together.
        max_interval_ns: longest time between images that belong together [ns].
    """

    image: str = ""
    depth: str = ""
    right: str = ""
    imu: str = ""
    truth: str = ""
    prior: str = ""
    camera_info: str = ""
    calib: Path | None = None
    depth_scale: float | None = None
    rectified: bool | None = None
    stereo: bool = False
    max_interval_ns: int = 20_000_000


@dataclass(frozen=True)
class Notes:
    """What had to be assumed about a recording, and what of it could not be used; filled while it is read.

    Attributes:
        assumed: one line for what it is about: image, camera, depth, right, imu, truth, stamps.
        missing: why there is no depth, right, imu or truth, and what to do.
        skipped: reason for each frame, or part of one, that was left out.
    """

    assumed: dict[str, str] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)


class Source(Protocol):
    """A sequence of images of one camera; iterating decodes one frame at a time.

    A frame that cannot be decoded is left out and noted.

    Attributes:
        name: for reports and files.
        camera: the calibration of every image.
        stamps: (N,) int64, strictly increasing [ns]; of all frames, also of those that will be left out.
        ground_truth: poses of the camera, ``T_world_camera`` in optical axes; None if not known.
        imu: None without one.
        prior: motion by another odometry; None unless it was chosen.
        right: the right camera of a rectified pair; its frames have the stamps of the left ones; None without
            one.
        baseline: distance to the right camera [m]; 0 without one.
        notes: what was assumed about it and left out of it.
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
    def prior(self) -> RecordedPrior | None: ...
    @property
    def right(self) -> Source | None: ...
    @property
    def baseline(self) -> float: ...
    @property
    def notes(self) -> Notes: ...

    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[Frame]: ...


def is_bag(path: Path) -> bool:
    """Whether a path looks like a ROS 1 file, a rosbag2 folder or a single storage file."""
    if path.is_file():
        return path.suffix in BAG_FILES
    return (path / "metadata.yaml").exists() or any(path.glob("*.mcap")) or any(path.glob("*.db3"))
