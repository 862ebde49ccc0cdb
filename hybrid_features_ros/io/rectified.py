# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Two cameras with lenses of their own become a rectified pair: pinholes side by side, row beside row."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from hybrid_features_ros.core import se3
from hybrid_features_ros.core.camera import Camera
from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.core.types import Float64, Trajectory
from hybrid_features_ros.io.source import Frame, Imu, Notes, RecordedPrior, Source

_MOST_TURN = np.radians(60)  # of a camera's axes: beyond it, the two do not look the same way


@dataclass(frozen=True, eq=False)
class RectifiedSource:
    """A :class:`~hybrid_features_ros.io.source.Source` as a pinhole at its place sees it, turned a little.

    Attributes:
        source: of the images as they are.
        camera: the pinhole.
        R_rectified_camera: (3, 3) from the camera's axes to the pinhole's.
        right, baseline: of the pair.
    """

    source: Source
    camera: Camera
    R_rectified_camera: Float64
    right: Source | None = None
    baseline: float = 0.0

    @property
    def name(self) -> str:
        """Of the images as they are."""
        return self.source.name

    @property
    def stamps(self) -> NDArray[np.int64]:
        """(N,) [ns]."""
        return self.source.stamps

    @property
    def notes(self) -> Notes:
        """Of the images as they are."""
        return self.source.notes

    @property
    def ground_truth(self) -> Trajectory | None:
        """Poses of the turned camera."""
        truth = self.source.ground_truth
        turn = se3.make(self.R_rectified_camera.T, np.zeros(3))
        return None if truth is None else Trajectory(truth.stamps, truth.poses @ turn)

    @property
    def imu(self) -> Imu | None:
        """Measurements in the axes of the turned camera."""
        imu, turn = self.source.imu, self.R_rectified_camera.T
        return None if imu is None else replace(imu, gyro=imu.gyro @ turn, accel=imu.accel @ turn)

    @property
    def prior(self) -> RecordedPrior | None:
        """Motion of the turned camera."""
        prior = self.source.prior
        turn = se3.make(self.R_rectified_camera.T, np.zeros(3))
        return None if prior is None else replace(prior, T_body_camera=prior.T_body_camera @ turn)

    def __len__(self) -> int:
        return len(self.source)

    def __iter__(self) -> Iterator[Frame]:
        own = self.source.camera
        for frame in self.source:
            if frame.image.shape[:2] != (own.height, own.width):
                self.notes.skipped[f"image {frame.stamp} ns"] = "its size is not that of the calibration"
                continue
            yield Frame(frame.stamp, np.asarray(cv2.remap(frame.image, *self._where, cv2.INTER_LINEAR)))

    @cached_property
    def _where(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """Columns and rows (H, W) of the image that the pinhole's pixels show; -1 outside."""
        y, x = np.mgrid[: self.camera.height, : self.camera.width]
        rays = self.camera.bearings(np.stack([x.ravel(), y.ravel()], axis=1))
        pixels = self.source.camera.project(rays @ self.R_rectified_camera)
        u, v = np.nan_to_num(pixels, nan=-1.0).astype(np.float32).T
        return u.reshape(x.shape), v.reshape(x.shape)


def rectify(left: Source, right: Source, T_left_right: Float64) -> RectifiedSource:
    """The left source of a pair, with the right one, as two pinholes of one focal length see them.

    Their x axis lies along the baseline, their z axis as near to both optical axes as that allows (Fusiello,
    Trucco and Verri, "A compact algorithm for rectification of stereo pairs", 2000). The focal length is the
    smaller of the two cameras', so that the middle of no image is magnified.

    Args:
        left, right: images as they are; frames of one moment have one stamp.
        T_left_right: (4, 4), the right camera in the left one's axes.

    Raises:
        InputError: the right camera is not to the right of the left one, or looks elsewhere.
    """
    baseline = float(np.linalg.norm(T_left_right[:3, 3]))
    if not (np.isfinite(baseline) and baseline > 0):
        raise InputError(f"{left.name}: the two cameras of the pair are at one place")
    x = T_left_right[:3, 3] / baseline
    y = np.cross([0, 0, 1] + T_left_right[:3, 2], x)
    y /= max(float(np.linalg.norm(y)), 1e-12)
    R_left = np.stack([x, y, np.cross(x, y)])
    R_right = R_left @ T_left_right[:3, :3]
    turn = max(se3.rotation_angle(R_left), se3.rotation_angle(R_right))
    if turn > _MOST_TURN:
        raise InputError(
            f"{left.name}: rectifying would turn the cameras by {np.degrees(turn):.0f} degrees: the right "
            "one must be to the right of the left one and look the same way; swap --left and --right?"
        )
    a, b = left.camera, right.camera
    focal = min(a.fx, a.fy, b.fx, b.fy)
    pinhole = Camera(a.width, a.height, focal, focal, (a.width - 1) / 2, (a.height - 1) / 2)
    left.notes.assumed["right"] = (
        f"the pair is rectified here: pinholes of {focal:g} px, {baseline:.4g} m apart, turned by "
        f"{np.degrees(turn):.2f} degrees at most"
    )
    return RectifiedSource(left, pinhole, R_left, RectifiedSource(right, pinhole, R_right), baseline)
