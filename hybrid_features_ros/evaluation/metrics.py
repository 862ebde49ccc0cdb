# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Errors of a trajectory, each with the protocol it was measured by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from hybrid_features_ros.core import se3
from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.core.types import Float64, OdometryResult, Trajectory
from hybrid_features_ros.io.trajectory import align, associate
from hybrid_features_ros.odometry.covariance import transport_covariance


@dataclass(frozen=True)
class TrajectoryMetrics:
    """Absolute and relative errors (Sturm et al., "A benchmark for the evaluation of RGB-D SLAM", 2012).

    Attributes:
        ate_rmse_m, ate_median_m: distance of aligned positions [m].
        rpe_trans_30f_median_m: error of the translation over ``delta`` frames, after scaling [m].
        rot_rpe_30f_median_deg, rot_rpe_30f_p95_deg: angle between the estimated and the true rotation
            over ``delta`` frames; needs no alignment [deg].
        scale: factor that the alignment found; 1 for SE(3).
        protocol: how all this was measured.
    """

    ate_rmse_m: float
    ate_median_m: float
    rpe_trans_30f_median_m: float
    rot_rpe_30f_median_deg: float
    rot_rpe_30f_p95_deg: float
    scale: float
    protocol: Mapping[str, str | int]


_GREATEST_M, _GREATEST_DEG = 1e3, 180.0  # errors of a truth


@dataclass(frozen=True)
class TruthNoise:
    """What the poses of a truth err themselves, each by its own: standard deviations along any axis.

    Attributes:
        position_m: [m].
        rotation_deg: [deg].
    """

    position_m: float = 0.0
    rotation_deg: float = 0.0

    @staticmethod
    def parse(text: str) -> TruthNoise:
        """From ``METRES,DEGREES``.

        Raises:
            InputError: it is not that, or beyond a kilometre or half a turn.
        """
        try:
            position, rotation = (float(part) for part in text.split(","))
        except ValueError:
            position = rotation = np.nan
        if not (0 <= position <= _GREATEST_M and 0 <= rotation <= _GREATEST_DEG):
            raise InputError(f"truth's sigma {text!r}: give METRES,DEGREES, such as 0.02,0.1")
        return TruthNoise(position, rotation)

    def covariances(self, truths: Float64, scale: float) -> Float64:
        """(N, 6, 6) of poses (N, 4, 4) since the first, whose own error turns all that follows about it.

        Args:
            scale: metres per unit of the poses.
        """
        position, rotation = self.position_m / scale, np.radians(self.rotation_deg)
        C = np.diag([position**2] * 3 + [rotation**2] * 3)
        return np.array([C + transport_covariance(C, T) for T in truths])


EXACT = TruthNoise()


def evaluate_trajectory(
    estimate: Trajectory,
    truth: Trajectory,
    *,
    alignment: Literal["se3", "sim3"],
    delta_frames: int = 30,
) -> TrajectoryMetrics:
    """Compare camera poses with the truth, interpolated at their stamps.

    Raises:
        InputError: fewer than three poses lie within the truth's time.
    """
    found, true = associate(estimate, truth)
    if len(found) < 3:
        raise InputError(
            f"{len(found)} of {len(estimate)} poses lie within the ground truth's time; "
            "at least 3 are needed: are both from the same recording?"
        )
    similarity = align(found.poses[:, :3, 3], true.poses[:, :3, 3], alignment == "sim3")
    aligned = similarity.apply(found)
    errors = np.linalg.norm(aligned.poses[:, :3, 3] - true.poses[:, :3, 3], axis=1)
    delta = min(delta_frames, len(found) - 1)
    moved = _relative(aligned.poses, delta)
    moved_true = _relative(true.poses, delta)
    translation = np.linalg.norm(moved[:, :3, 3] - moved_true[:, :3, 3], axis=1)
    rotation = rotation_errors_deg(moved, moved_true)
    return TrajectoryMetrics(
        ate_rmse_m=float(np.sqrt((errors**2).mean())),
        ate_median_m=float(np.median(errors)),
        rpe_trans_30f_median_m=float(np.median(translation)),
        rot_rpe_30f_median_deg=float(np.median(rotation)),
        rot_rpe_30f_p95_deg=float(np.percentile(rotation, 95)),
        scale=similarity.scale,
        protocol={
            "alignment": f"{alignment} (Umeyama, all poses)",
            "association": "truth interpolated at the estimate's stamps, gaps over 0.1 s left out",
            "relative errors": f"over {delta} frames, all pairs",
            "poses": len(estimate),
            "poses with truth": len(found),
        },
    )


def rotation_errors_deg(a: Float64, b: Float64) -> Float64:
    """Angles (N,) [deg] between the rotations of poses (N, 4, 4) and (N, 4, 4)."""
    difference = a[:, :3, :3].transpose(0, 2, 1) @ b[:, :3, :3]
    return np.asarray(np.degrees(se3.rotations(difference).magnitude()))


def mean_nees(estimates: Float64, covariances: Float64, truths: Float64) -> float:
    """Average normalised estimation error squared of poses; about 6 for a consistent covariance.

    Args:
        estimates, truths: (N, 4, 4).
        covariances: (N, 6, 6) of a right perturbation, ``truth = estimate @ exp(xi)``.

    Source: Bar-Shalom, Li, Kirubarajan, "Estimation with applications to tracking and navigation" (2001).
    """
    errors = np.array([se3.log(se3.inverse(E) @ T) for E, T in zip(estimates, truths, strict=True)])
    solved = np.linalg.solve(covariances, errors[..., None])[..., 0]
    return float((errors * solved).sum(axis=1).mean())


def trajectory_nees(results: Sequence[OdometryResult], truth: Trajectory, scale: float) -> float | None:
    """Time average of :func:`mean_nees` of the pose since the start, as it is published.

    The first poses are made one (that is where the estimate begins, exactly by definition); nothing else is
    aligned, so that the error grows with drift, as the covariance should. A consistent covariance has 6.
    One camera alone has no metre: the truth is then brought to the estimate's unit of length, by the scale
    of the best similarity; that takes away the error that the covariance admits for the scale, and about 5
    remains. Errors of one run have most causes in common: a single figure between 1 and 15 is no surprise,
    the average over many runs is the test (:mod:`~hybrid_features_ros.benchmarks.consistency`).

    Args:
        scale: metres per unit of the estimate. Images whose pose is exact by definition (the first) or
            whose covariance has no full rank are left out.

    Returns:
        None if no pose has a truth.
    """
    estimates, covariances, truths = _since_the_first(results, truth, scale)
    return mean_nees(estimates, covariances, truths) if len(estimates) else None


def coverage(
    results: Sequence[OdometryResult],
    truth: Trajectory,
    scale: float,
    noise: TruthNoise = EXACT,
    *,
    sigmas: float = 3.0,
) -> list[float] | None:
    """Share of poses whose error lies within some of its standard deviations, for each of six numbers.

    They are x, y, z, rx, ry, rz of the perturbation in the camera's axes, ``truth = estimate @ exp(xi)``;
    poses are compared as for :func:`trajectory_nees`. A Gaussian error stays within three in 0.997 of all.

    Args:
        scale: metres per unit of the estimate.
        noise: of the truth; its variance adds to the estimate's.
        sigmas: how many standard deviations.

    Returns:
        None if no pose has a truth.
    """
    estimates, covariances, truths = _since_the_first(results, truth, scale)
    if not len(estimates):
        return None
    errors = np.array([se3.log(se3.inverse(E) @ T) for E, T in zip(estimates, truths, strict=True)])
    covariances = covariances + noise.covariances(truths, scale)
    limits = sigmas * np.sqrt(np.diagonal(covariances, axis1=1, axis2=2))
    shares: list[float] = (np.abs(errors) <= limits).mean(axis=0).tolist()
    return shares


def _since_the_first(
    results: Sequence[OdometryResult], truth: Trajectory, scale: float
) -> tuple[Float64, Float64, Float64]:
    """Poses (N, 4, 4) with their covariances (N, 6, 6) and true poses (N, 4, 4), the first made one."""
    stamps = np.array([r.stamp for r in results], dtype=np.int64)
    found, true = associate(Trajectory(stamps, np.array([r.T_world_camera for r in results])), truth)
    rows = np.flatnonzero(np.isin(stamps, found.stamps))
    if not len(rows):
        return np.empty((0, 4, 4)), np.empty((0, 6, 6)), np.empty((0, 4, 4))
    covariances = np.array([results[int(i)].covariance for i in rows])
    sound = np.linalg.eigvalsh(covariances)[:, 0] > 1e-15
    estimates, truths = (np.linalg.inv(t.poses[0]) @ t.poses for t in (found, true))
    truths[:, :3, 3] /= scale
    return estimates[sound], covariances[sound], truths[sound]


def _relative(poses: Float64, delta: int) -> Float64:
    return np.linalg.inv(poses[:-delta]) @ poses[delta:]
