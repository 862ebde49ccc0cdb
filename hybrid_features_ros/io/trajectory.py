# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Trajectories as files, over common time, and in a common frame."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Slerp

from hybrid_features_ros.core import se3
from hybrid_features_ros.core.errors import InputError, reading
from hybrid_features_ros.core.types import Float64, Trajectory
from hybrid_features_ros.io.source import Notes
from hybrid_features_ros.io.text import read_rows, read_table


def format_stamp(ns: int) -> str:
    """Decimal seconds with all nine digits."""
    return f"{ns // 1_000_000_000}.{ns % 1_000_000_000:09d}"


def read_tum(path: Path, notes: Notes | None = None) -> Trajectory:
    """Read ``t tx ty tz qx qy qz qw`` lines [s, m], in any order; of equal stamps the first counts.

    Lines without a pose (not finite, or a quaternion of zeros, as motion capture writes what it did not see)
    are left out and noted.

    Raises:
        InputError: the file is missing, without poses, or holds something else.
    """
    meaning = "t tx ty tz qx qy qz qw"
    longest = max((len(row) for row in read_rows(path, 8, meaning)), default=8)
    if longest > 8:
        raise InputError(f"{path}: {longest} numbers on a line; expected the 8 of TUM's format: {meaning}")
    stamps, values = read_table(path, 8, meaning, "s")
    return poses_of(path, stamps, values, notes)


def poses_of(
    path: Path, stamps: NDArray[np.int64], values: Float64, notes: Notes | None = None
) -> Trajectory:
    """Trajectory of positions and quaternions (N, 7), ``x y z qx qy qz qw``, as :func:`read_tum` reads them.

    Raises:
        InputError: there is no pose in it.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        length = np.linalg.norm(values[:, 3:], axis=1)
    is_pose = np.isfinite(values).all(axis=1) & np.isfinite(length) & (length > 1e-6)
    if notes is not None and not is_pose.all():
        notes.assumed["truth"] = (
            f"{(~is_pose).sum()} of {len(is_pose)} lines of the truth are no pose: left out"
        )
    stamps, values = stamps[is_pose], values[is_pose]
    if not len(stamps):
        raise InputError(f"{path}: no poses in it")
    stamps, first = np.unique(stamps, return_index=True)
    return Trajectory(stamps, np.array([se3.from_quaternion(v[3:], v[:3]) for v in values[first]]))


def write_tum(path: Path, trajectory: Trajectory) -> None:
    """Write ``t tx ty tz qx qy qz qw`` lines, stamps with full nanoseconds."""
    lines = []
    for stamp, T in zip(trajectory.stamps.tolist(), trajectory.poses, strict=True):
        values = [*T[:3, 3], *se3.to_quaternion(T)]
        lines.append(" ".join([format_stamp(stamp), *(f"{v:.9f}" for v in values)]))
    path.write_text("\n".join(["# timestamp [s] tx ty tz [m] qx qy qz qw", *lines]) + "\n")


def read_kitti_poses(path: Path) -> Float64:
    """Poses (N, 4, 4) from lines of twelve numbers, the row-major upper part of each matrix.

    Raises:
        InputError: the file is missing or holds something else.
    """
    rows = read_rows(path, 12, "12 numbers, the rows of a 3x4 pose")
    with reading(path, "not poses in KITTI format"):
        upper = np.array([[float(v) for v in r[:12]] for r in rows]).reshape(-1, 3, 4)
    poses = np.tile(np.eye(4), (len(upper), 1, 1))
    poses[:, :3] = upper
    return poses


def write_kitti(path: Path, trajectory: Trajectory) -> None:
    """Write the upper three rows of every pose on one line; the format has no stamps."""
    path.write_text("".join(" ".join(f"{v:.9e}" for v in T[:3].ravel()) + "\n" for T in trajectory.poses))


def interpolate(
    trajectory: Trajectory, stamps: NDArray[np.int64], max_gap_ns: int
) -> tuple[Float64, NDArray[np.bool_]]:
    """Poses (N, 4, 4) at other stamps, and which of them (N,) lie between two poses close enough.

    Positions are interpolated linearly, orientations along the shortest arc (Shoemake, 1985).
    """
    known = trajectory.stamps
    after = np.searchsorted(known, stamps).clip(1, max(len(known) - 1, 1))
    inside = (stamps >= known[0]) & (stamps <= known[-1])
    if len(known) < 2:
        return np.tile(trajectory.poses[0], (len(stamps), 1, 1)), stamps == known[0]
    gap = known[after] - known[after - 1]
    exact = np.isin(stamps, known)
    valid = inside & ((gap <= max_gap_ns) | exact)
    seconds = (known - known[0]) * 1e-9
    at = (np.clip(stamps, known[0], known[-1]) - known[0]) * 1e-9
    poses = np.tile(np.eye(4), (len(stamps), 1, 1))
    poses[:, :3, :3] = Slerp(seconds, se3.rotations(trajectory.poses[:, :3, :3]))(at).as_matrix()
    for axis in range(3):
        poses[:, axis, 3] = np.interp(at, seconds, trajectory.poses[:, axis, 3])
    return poses, valid


def associate(
    estimate: Trajectory, truth: Trajectory, max_gap_ns: int = 100_000_000
) -> tuple[Trajectory, Trajectory]:
    """Both trajectories at the estimate's stamps; those outside the truth or in a gap of it are left out."""
    poses, valid = interpolate(truth, estimate.stamps, max_gap_ns)
    stamps = estimate.stamps[valid]
    return Trajectory(stamps, estimate.poses[valid]), Trajectory(stamps, poses[valid])


@dataclass(frozen=True, eq=False)
class Similarity:
    """``x -> scale * rotation @ x + translation``; rotation (3, 3), translation (3,) [m]."""

    scale: float
    rotation: Float64
    translation: Float64

    def apply(self, trajectory: Trajectory) -> Trajectory:
        """The trajectory in the other frame; orientations turn along, they are not scaled."""
        poses = trajectory.poses.copy()
        poses[:, :3, :3] = self.rotation @ poses[:, :3, :3]
        poses[:, :3, 3] = self.scale * poses[:, :3, 3] @ self.rotation.T + self.translation
        return Trajectory(trajectory.stamps, poses)


def align(source: Float64, target: Float64, with_scale: bool) -> Similarity:
    """The similarity that brings points (N, 3) closest to others (N, 3), in the least-squares sense.

    Umeyama, "Least-squares estimation of transformation parameters between two point patterns" (1991),
    equations 34 to 43. Source points that coincide leave the scale at 1.
    """
    mean_source, mean_target = source.mean(axis=0), target.mean(axis=0)
    centred = source - mean_source
    U, D, Vt = np.linalg.svd((target - mean_target).T @ centred / len(source))
    S = np.diag([1.0, 1.0, np.sign(np.linalg.det(U) * np.linalg.det(Vt)) or 1.0])
    rotation = U @ S @ Vt
    variance = (centred**2).sum() / len(source)
    scale = float((D * np.diag(S)).sum() / variance) if with_scale and variance > 1e-18 else 1.0
    return Similarity(scale, rotation, mean_target - scale * rotation @ mean_source)
