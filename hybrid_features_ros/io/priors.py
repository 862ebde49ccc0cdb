# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Recorded motion priors: another odometry's poses, and the camera's motion between images by them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hybrid_features_ros.core import se3
from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.core.motion_prior import FARTHEST_M, MotionPrior, MotionTrack
from hybrid_features_ros.core.types import Float64
from hybrid_features_ros.io.source import Notes, RecordedPrior
from hybrid_features_ros.io.text import read_rows, read_table

_MEANING = "t tx ty tz qx qy qz qw, and perhaps six standard deviations: vx vy vz wx wy wz"


class MotionsBetween:
    """The camera's motion between images by a recorded prior, as the nodes would get it: poses count up to
    the first one after an image.
    """

    def __init__(self, prior: RecordedPrior) -> None:
        self._prior, self._track, self._next = prior, MotionTrack(), 0

    def motion(self, begin: int, end: int) -> MotionPrior | None:
        """The motion between two stamps [ns], later ones with every call; None where too little is known of
        that time.
        """
        prior = self._prior
        while self._next < len(prior.stamps) and (not self._next or prior.stamps[self._next - 1] < end):
            stamp, pose = int(prior.stamps[self._next]), prior.poses[self._next]
            self._track.add(stamp, pose, prior.covariances[self._next])
            self._next += 1
        found = self._track.motion(begin, end)
        return None if found is None else found.of_part(prior.T_body_camera)


def recorded(
    name: str,
    stamps: NDArray[np.int64],
    values: Float64,
    covariances: Float64,
    T_body_camera: Float64,
    notes: Notes,
) -> RecordedPrior:
    """Poses (N, 7) ``x y z qx qy qz qw`` in the order of their stamps; of equal ones the first counts.

    What is no pose, or has no covariance (N, 6, 6), is left out and noted.

    Raises:
        InputError: nothing is left.
    """
    stamps, first = np.unique(stamps, return_index=True)
    values, covariances = values[first], covariances[first]
    with np.errstate(over="ignore", invalid="ignore"):
        length = np.linalg.norm(values[:, 3:], axis=1)
    variances = np.diagonal(covariances, axis1=1, axis2=2)
    broken = ~np.isfinite(values).all(axis=1) | ~(length > 1e-6)
    broken |= ~(np.abs(values[:, :3]) < FARTHEST_M).all(axis=1) | ~(variances >= 0).all(axis=1)
    broken |= ~(np.abs(covariances) < FARTHEST_M**2).all(axis=(1, 2))
    if broken.all():
        raise InputError(f"{name}: no poses of a prior in it, or none with a covariance that can be")
    if broken.any():
        notes.skipped[f"{broken.sum()} of {len(broken)} poses of the prior in {name}"] = (
            "they are no poses, or their covariances are none"
        )
    poses = np.array([se3.from_quaternion(v[3:], v[:3]) for v in values[~broken]])
    return RecordedPrior(stamps[~broken], poses, covariances[~broken], T_body_camera)


def read_prior(path: Path, notes: Notes) -> RecordedPrior:
    """Poses of the camera from lines ``t tx ty tz qx qy qz qw`` [s, m] (TUM's format).

    Six more numbers are standard deviations of the velocity since the line before, in the camera's axes
    [m/s, rad/s].

    Raises:
        InputError: the file is missing or empty, or a line holds something else.
    """
    lengths = {len(row) for row in read_rows(path, 8, _MEANING)}
    if lengths not in ({8}, {14}):
        raise InputError(f"{path}: {sorted(lengths)} numbers on a line; expected 8 or 14: {_MEANING}")
    stamps, values = read_table(path, lengths.pop(), _MEANING, "s")
    sigmas = values[:, 7:] if values.shape[1] == 13 else np.zeros((len(values), 6))
    if (sigmas < 0).any():
        raise InputError(f"{path}: a standard deviation is negative: {sigmas.min():g}")
    with np.errstate(over="ignore", invalid="ignore"):  # what is beyond reason is left out
        covariances = np.nan_to_num(sigmas[:, None] ** 2 * np.eye(6), nan=0.0)
    prior = recorded(str(path), stamps, values[:, :7], covariances, np.eye(4), notes)
    return replace(prior, name=path.name)
