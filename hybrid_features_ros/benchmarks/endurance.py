# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What a frame costs after an hour: the odometry on endless laps, without images."""

from __future__ import annotations

from dataclasses import dataclass
from time import thread_time

import numpy as np
from tqdm import tqdm

from hybrid_features_ros.core import se3
from hybrid_features_ros.core.camera import Camera
from hybrid_features_ros.core.config import OdometryConfig
from hybrid_features_ros.core.types import DescriptorFormat, Features, Float64, State
from hybrid_features_ros.odometry import Odometry

CAMERA = Camera(640, 480, 525.0, 525.0, 319.5, 239.5)
RATE_HZ = 10.0
NOISE_PX = 0.4
_FORMAT = DescriptorFormat(detector="synthetic", descriptor="synthetic")
_LAP_S, _RADIUS_M = 60.0, 2.0


@dataclass(frozen=True)
class Minute:
    """One minute of a run.

    Attributes:
        milliseconds: median processor time of a frame [ms], adjustments in the other thread left out.
        landmarks: of known depth, in the map at its end.
        lost: frames in the state LOST.
    """

    milliseconds: float
    landmarks: int
    lost: int


class Cave:
    """Points (N, 3) all around a closed path, each with a descriptor of its own."""

    def __init__(self, points: int, seed: int) -> None:
        rng = np.random.default_rng(seed)
        direction = rng.normal(size=(points, 3)) * [1, 0.6, 1]
        direction /= np.linalg.norm(direction, axis=1, keepdims=True)
        self._points = direction * rng.uniform(4, 9, (points, 1))
        self._descriptors = rng.normal(size=(points, 32)).astype(np.float32)
        self._descriptors /= np.linalg.norm(self._descriptors, axis=1, keepdims=True)
        self._rng = rng

    def seen_from(self, T_world_camera: Float64) -> Features:
        """The points in the image, with noise on where they are; depth is not told."""
        local = (self._points - T_world_camera[:3, 3]) @ T_world_camera[:3, :3]
        pixels = CAMERA.project(local)
        with np.errstate(invalid="ignore"):
            inside = ((pixels >= 0) & (pixels <= [CAMERA.width - 1, CAMERA.height - 1])).all(axis=1)
        n = int(inside.sum())
        shaken = pixels[inside] + self._rng.normal(size=(n, 2)) * NOISE_PX
        ones = np.ones(n, np.float32)
        return Features(
            points=shaken.astype(np.float32), scores=ones, scales=ones, angles=0 * ones,
            sigmas=ones * np.float32(NOISE_PX), descriptors=self._descriptors[inside], format=_FORMAT,
            width=CAMERA.width, height=CAMERA.height,
        )  # fmt: skip


def lap(seconds: float) -> Float64:
    """A pose (4, 4) on a circle of two metres once a minute, looking ahead and rolling."""
    a = 2 * np.pi * seconds / _LAP_S
    turn = se3.exp([0, 0, 0, 0, a, 0]) @ se3.exp([0, 0, 0, 0, 0, 0.5 * np.sin(7 * a)])
    return se3.make(turn[:3, :3], [-_RADIUS_M * np.cos(a), 0.3 * np.sin(3 * a), _RADIUS_M * np.sin(a)])


def endure(minutes: int, config: OdometryConfig, points: int = 3000, seed: int = 0) -> list[Minute]:
    """Walk laps for so many minutes of the recording's time, ten frames a second."""
    cave, odometry = Cave(points, seed), Odometry(config)
    result = []
    frames = int(60 * RATE_HZ)
    for minute in tqdm(range(minutes), unit="min", disable=None):
        costs, lost = [], 0
        for i in range(minute * frames, (minute + 1) * frames):
            features = cave.seen_from(lap(i / RATE_HZ))
            begin = thread_time()
            seen = odometry.process(round((i + 1) * 1e9 / RATE_HZ), features, CAMERA)
            costs.append(1e3 * (thread_time() - begin))
            lost += seen.state is State.LOST
        result.append(Minute(float(np.median(costs)), seen.landmarks, lost))
    return result
