# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What cannot be refused but should be doubted: units and axes that do not fit what the images show."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from scipy.spatial.transform import Rotation

from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.core.types import OdometryResult, State, Trajectory
from hybrid_features_ros.evaluation.metrics import evaluate_trajectory
from hybrid_features_ros.evaluation.run import Step
from hybrid_features_ros.io.source import Imu, Notes
from hybrid_features_ros.odometry.prior_doubt import PriorDoubt

LOOKED_AT = 10  # frames whose depth is looked at
USUAL_M = (0.1, 50.0)  # median depth of what depth cameras measure
FARTHEST_STEREO_M = 500.0  # median depth that a pair may have outdoors
DISAGREEMENT = 0.5  # of the turn that images show, by which a gyroscope's may differ
LEAST_TURN = np.radians(2.0)  # rate below which the two are not compared [rad/s]
FEWEST = 20  # pairs of images, or poses, that tell
_NEWEST = 500  # motions of a prior that are compared
FARTHEST_SCALE = 10.0  # factor between lengths in metres and those of the truth
OTHER_ROTATION_DEG = 20.0  # median error of rotations where positions agree ...
AGREEMENT = 0.1  # ... to this share of their spread


class DepthRange:
    """Notes where depths are so near or far that their unit must be another.

    Args:
        notes: of the recording.
        remedy: ends the line.
        farthest_m: usual median depth.
    """

    def __init__(self, notes: Notes, remedy: str, farthest_m: float = USUAL_M[1]) -> None:
        self._notes, self._remedy, self._farthest = notes, remedy, farthest_m
        self._medians: list[float] = []

    def see(self, step: Step) -> None:
        """Look at the depths of one of the first frames."""
        depths = step.features.depths
        if depths is None or len(self._medians) >= LOOKED_AT:
            return
        known = depths[np.isfinite(depths)]
        if known.size:
            self._medians.append(float(np.median(known)))
        median = float(np.median(self._medians)) if self._medians else USUAL_M[0]
        if len(self._medians) == LOOKED_AT and not USUAL_M[0] <= median <= self._farthest:
            self._notes.assumed["depth range"] = (
                f"the median depth is {median:.3g} m: is the unit right? {self._remedy}"
            )


class PriorUse:
    """Says of how many frames a motion prior told the motion, of how many the images contradicted it, and
    whether its unit and axes are to be doubted.
    """

    def __init__(self, notes: Notes) -> None:
        self._notes, self._frames, self._told, self._rejected = notes, 0, 0, 0
        self._doubt = PriorDoubt(_NEWEST)
        self._last: OdometryResult | None = None

    def see(self, step: Step) -> None:
        """Count one frame."""
        self._frames += 1
        self._told += step.prior is not None
        self._rejected += step.result.prior_rejected
        if step.prior is not None and self._last is not None:
            self._doubt.add(step.prior, self._last, step.result)
        self._last = step.result
        told = (
            f"the motion prior told the motion to {self._told} of {self._frames - 1} frames since the first; "
            f"{self._rejected} images contradict it"
        )
        doubt = self._doubt.sentence
        self._notes.assumed["motion prior"] = f"{told}; {doubt}" if doubt else told


def doubt_gyro(imu: Imu, results: Sequence[OdometryResult], notes: Notes) -> None:
    """Note it where the gyroscope's turns are not those that the images show: other units, or other axes."""
    rates, measured = [], []
    for a, b in pairwise(results):
        inside = (imu.stamps > a.stamp) & (imu.stamps <= b.stamp)
        if inside.any() and a.state is b.state and a.state in (State.TRACKING, State.ROTATION_ONLY):
            turn = Rotation.from_matrix(a.T_world_camera[:3, :3].T @ b.T_world_camera[:3, :3])
            rates.append(turn.as_rotvec() / (1e-9 * (b.stamp - a.stamp)))
            measured.append(imu.gyro[inside].mean(axis=0))
    if len(rates) < FEWEST:
        return
    seen, gap = np.median(np.linalg.norm([rates, np.subtract(rates, measured)], axis=2), axis=1)
    if gap > max(DISAGREEMENT * seen, LEAST_TURN):
        told = float(np.median(np.linalg.norm(measured, axis=1)))
        notes.assumed["gyroscope"] = (
            f"the gyroscope's turns ({np.degrees(told):.3g} deg/s) differ from those that the images show "
            f"({np.degrees(seen):.3g} deg/s) by {np.degrees(gap):.3g}: is it in rad/s, and are its axes the "
            "camera's? T_camera_imu in the calibration turns them"
        )


def doubt_positions(results: Sequence[OdometryResult], notes: Notes) -> None:
    """Note it, with the most frequent reason, where no image of a run has a position of its own."""
    if any(r.state in (State.TRACKING, State.RECOVERING) for r in results):
        return
    for reason, count in Counter(r.reason for r in results if r.reason).most_common(1):
        notes.assumed["position"] = (
            f"no image has a position of its own: {reason} ({count} of {len(results)})"
        )


def doubt_truth(estimate: Trajectory, truth: Trajectory, is_metric: bool, notes: Notes) -> None:
    """Note it where the truth looks like one in another unit, or with quaternions in another order."""
    try:
        found = evaluate_trajectory(estimate, truth, alignment="sim3")
    except InputError:  # the figures say that too few poses have a truth
        return
    if len(estimate) < FEWEST:
        return
    if is_metric and not 1 / FARTHEST_SCALE < found.scale < FARTHEST_SCALE:
        notes.assumed["truth"] = (
            f"the truth's lengths are {found.scale:.3g} times the estimate's: is it in metres?"
        )
    spread = float(np.sqrt(truth.poses[:, :3, 3].var(axis=0).sum()))
    if found.ate_rmse_m < AGREEMENT * spread and found.rot_rpe_30f_median_deg > OTHER_ROTATION_DEG:
        notes.assumed["rotations"] = (
            f"the truth's positions agree, its rotations differ by {found.rot_rpe_30f_median_deg:.0f} deg: "
            "are its quaternions in the order x y z w, from camera to world?"
        )
