# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The poses published so far, in bounded memory, ready to be written to a file."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.core.types import Float64, Trajectory
from hybrid_features_ros.io.trajectory import write_kitti, write_tum

_WRITERS = {"tum": write_tum, "kitti": write_kitti}


class TrajectoryLog:
    """Keeps the newest ``capacity`` poses; a stamp that is not new forgets what it would come before."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._size = 0
        self._stamps = np.empty(min(capacity, 1024), np.int64)
        self._poses = np.empty((len(self._stamps), 3, 4))

    def __len__(self) -> int:
        return self._size

    def add(self, stamp: int, T_odom_base: Float64) -> None:
        """Append a pose (4, 4) at a stamp [ns]."""
        if self._size and stamp <= self._stamps[self._size - 1]:
            self._size = int(np.searchsorted(self._stamps[: self._size], stamp))
        if self._size == self._capacity:
            keep = self._capacity - max(self._capacity // 8, 1)
            self._stamps[:keep] = self._stamps[self._size - keep : self._size].copy()
            self._poses[:keep] = self._poses[self._size - keep : self._size].copy()
            self._size = keep
        elif self._size == len(self._stamps):
            grown = min(2 * self._size, self._capacity)
            self._stamps = np.resize(self._stamps, grown)
            self._poses = np.resize(self._poses, (grown, 3, 4))
        self._stamps[self._size], self._poses[self._size] = stamp, T_odom_base[:3]
        self._size += 1

    def save(self, path: Path, kind: str) -> int:
        """Write a file and return how many poses it holds.

        Raises:
            InputError: the format is unknown, there are no poses yet, or the file cannot be written.
        """
        writer = _WRITERS.get(kind or "tum")
        if writer is None:
            raise InputError(f"format {kind!r} is unknown: choose one of {', '.join(_WRITERS)}")
        if not self._size:
            raise InputError("no poses yet: nothing to write")
        poses = np.tile(np.eye(4), (self._size, 1, 1))
        poses[:, :3] = self._poses[: self._size]
        try:
            writer(path, Trajectory(self._stamps[: self._size].copy(), poses))
        except OSError as error:
            raise InputError(f"{path} cannot be written: {error.strerror}") from None
        return self._size
