# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Synthetic scenes with exact truth."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from hybrid_features_ros.core import se3
from hybrid_features_ros.core.camera import Camera
from hybrid_features_ros.core.types import DescriptorFormat, Features, Float64, Rows
from hybrid_features_ros.odometry.frame import Frame
from hybrid_features_ros.odometry.local_map import LocalMap, MapMatches, empty_map

CAMERA = Camera(640, 480, 525.0, 525.0, 319.5, 239.5)
LENS = [-0.3, 0.1, 0.001, -0.002, 0.0]  # of a wide angle: straight lines bend visibly
NOTHING = np.zeros(0, np.intp)
FORMAT = DescriptorFormat(detector="synthetic", descriptor="synthetic")


@dataclass(frozen=True)
class World:
    """Points (N, 3) around the origin, each with a descriptor (N, 32) of its own."""

    points: Float64
    descriptors: NDArray[np.float32]

    @staticmethod
    def random(seed: int = 0, count: int = 4000, near: float = 2.0, far: float = 8.0) -> World:
        rng = np.random.default_rng(seed)
        direction = rng.normal(size=(count, 3))
        direction /= np.linalg.norm(direction, axis=1, keepdims=True)
        descriptors = rng.normal(size=(count, 32)).astype(np.float32)
        descriptors /= np.linalg.norm(descriptors, axis=1, keepdims=True)
        return World(direction * rng.uniform(near, far, (count, 1)), descriptors)

    def seen_from(
        self, T_world_camera: Float64, *, noise_px: float = 0.0, seed: int = 0, with_depth: bool = False
    ) -> Features:
        """Features of the points inside the image of ``CAMERA``, with Gaussian noise on positions."""
        local = self.points @ T_world_camera[:3, :3] - T_world_camera[:3, 3] @ T_world_camera[:3, :3]
        pixels = CAMERA.project(local)
        with np.errstate(invalid="ignore"):
            inside = ((pixels >= 0) & (pixels <= [CAMERA.width - 1, CAMERA.height - 1])).all(axis=1)
        pixels = pixels[inside] + np.random.default_rng(seed).normal(size=(inside.sum(), 2)) * noise_px
        n = len(pixels)
        ones = np.ones(n, np.float32)
        return Features(
            points=pixels.astype(np.float32),
            scores=ones,
            scales=ones,
            angles=np.zeros(n, np.float32),
            sigmas=ones * np.float32(max(noise_px, 0.05)),
            descriptors=self.descriptors[inside],
            format=FORMAT,
            width=CAMERA.width,
            height=CAMERA.height,
            depths=local[inside, 2].astype(np.float32) if with_depth else None,
        )


def turn(x: float = 0.0, y: float = 0.0, z: float = 0.0) -> Float64:
    """A pure rotation about the camera's axes [deg]."""
    return se3.exp(np.concatenate([np.zeros(3), np.radians([x, y, z])]))


def panned(photograph, camera, degrees):
    """What a camera with distortion sees of the photograph on a wall after it has turned to the right."""
    y, x = np.mgrid[: camera.height, : camera.width]
    rays = camera.bearings(np.stack([x.ravel(), y.ravel()], axis=1))
    rays = rays @ se3.exp([0, 0, 0, 0, np.radians(degrees), 0])[:3, :3].T
    wall = (rays[:, :2] / rays[:, 2:] * 120 + (160, 120)).astype(np.float32)
    source = [wall[:, i].reshape(camera.height, camera.width) for i in (0, 1)]
    return cv2.remap(photograph, *source, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)


def with_keyframe(
    frame: Frame, local_map: LocalMap | None = None, landmark_idx: Rows = NOTHING, feature_idx: Rows = NOTHING
) -> LocalMap:
    """A map, empty by default, with one more keyframe at the origin that observes landmarks."""
    local_map = empty_map(frame.descriptors.shape[1]) if local_map is None else local_map
    matches = MapMatches(local_map, frame, landmark_idx, feature_idx)
    return local_map.with_keyframe(matches, np.eye(4), np.zeros((6, 6)), 0.25)
