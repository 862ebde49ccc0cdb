# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Read-out time of a rolling shutter, estimated while the camera turns in place.

Two images of a camera that only turns differ by a rotation, and each row of them by a turn of its angular
velocity times the row's delay. Where that explains matches up to the noise of keypoints, it measures the
read-out; a scalar Kalman filter joins the measurements.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hybrid_features_ros.core import se3
from hybrid_features_ros.geometry.robust import cauchy_weights, robust_scale
from hybrid_features_ros.odometry.tracking_result import TrackingResult


@dataclass(frozen=True)
class ReadoutFit:
    """Fit of a rotation and a read-out to the matches of two images; chosen on synthetic turns.

    Attributes:
        min_matches: fewer are not used.
        longest_s: time since the keyframe over which the rate counts as one [s].
        iterations: of reweighted least squares (Cauchy's weights).
        max_scatter: scatter of residuals over the keypoints' noise from which matches show more than a turn.
        max_turn: angle since the keyframe, beyond which the rate is in doubt [rad].
        gate: innovation over its standard deviation from which a measurement is not used.
        good_s: standard deviation below which the estimate is used [s].
        common: factor on the deviation of a measurement for what the matches of two images err in common.
        floor_s: deviation that the estimate never falls below [s].
    """

    min_matches: int = 30
    longest_s: float = 0.25
    iterations: int = 10
    max_scatter: float = 2.0
    max_turn: float = 1.5
    gate: float = 3.0
    good_s: float = 3e-3
    common: float = 5.0
    floor_s: float = 2e-4


FIT = ReadoutFit()


class ReadoutFilter:
    """Estimate of the read-out.

    Args:
        given_s: what is known of it before [s].
        sigma_s: standard deviation of that [s]; 0 = it is known, and stays.

    Attributes:
        seconds: from the first row to the last [s].
        sigma_s: its standard deviation [s].
    """

    def __init__(self, given_s: float, sigma_s: float) -> None:
        self._given_s = self.seconds = given_s
        self.sigma_s = sigma_s

    @property
    def used_s(self) -> float:
        """What rays are put right by [s]: what was given, until the estimate is good."""
        return self.seconds if self.sigma_s < FIT.good_s else self._given_s

    def add(self, tracked: TrackingResult) -> None:
        """Use an image that was placed in the map, if it and its reference keyframe only turned."""
        measured = measure_readout(tracked) if self.sigma_s else None
        if measured is None:
            return
        value, sigma = measured
        if (value - self.seconds) ** 2 > FIT.gate**2 * (self.sigma_s**2 + sigma**2):
            return
        gain = self.sigma_s**2 / (self.sigma_s**2 + sigma**2)
        self.seconds = max(self.seconds + gain * (value - self.seconds), 0.0)
        self.sigma_s = max(self.sigma_s * float(np.sqrt(1 - gain)), FIT.floor_s)


def measure_readout(tracked: TrackingResult) -> tuple[float, float] | None:
    """Read-out [s] and its standard deviation by the matches of an image with its reference keyframe; None
    where these are few or long ago, or show more than a turn, or one too far.

    The camera is taken to have turned at one rate since then.
    """
    first, second = tracked.reference_keyframe.frame, tracked.matches.frame
    rows_a, rows_b = tracked.reference_features, tracked.matches.feature_idx[tracked.common]
    if first is None or len(rows_b) < FIT.min_matches:
        return None
    since_s = (second.stamp - first.stamp) * 1e-9
    if not 0 < since_s < FIT.longest_s:
        return None
    sigmas = np.hypot(first.sigmas[rows_a], second.sigmas[rows_b])[:, None]
    as_seen, now_seen = first.as_exposed(), second.as_exposed()
    R, seconds = tracked.fit.T[:3, :3].T @ tracked.reference_keyframe.T[:3, :3], second.readout_s
    weights = np.ones(len(rows_b))
    for _ in range(FIT.iterations):
        rate = -se3.rotation_vector(R) / since_s
        a = as_seen.at_one_time(rate, seconds).rays[rows_a]
        b = now_seen.at_one_time(rate, seconds).rays[rows_b]
        moved = second.rows[rows_b, None] * np.cross(rate, b)
        moved -= first.rows[rows_a, None] * np.cross(rate, a) @ R.T
        a = a @ R.T
        turns = np.stack([np.cross(b, axis) for axis in np.eye(3)], axis=2)
        J = np.concatenate([moved[:, :, None], turns], axis=2) / sigmas[:, :, None]
        H = np.einsum("nki,n,nkj->ij", J, weights, J)
        if np.linalg.matrix_rank(H) < 4:
            return None
        step = np.linalg.solve(H, np.einsum("nki,n,nk->i", J, weights, (a - b) / sigmas))
        left = (((a - b) / sigmas - J @ step) ** 2).sum(axis=1)
        scatter = robust_scale(left)
        weights = cauchy_weights(left, scatter)
        seconds += float(step[0])
        R = se3.exp([0, 0, 0, *step[1:]])[:3, :3] @ R
    if scatter > FIT.max_scatter or se3.rotation_angle(R) > FIT.max_turn:
        return None
    sigma = FIT.common * scatter * float(np.sqrt(np.linalg.inv(H)[0, 0]))
    return seconds, float(np.hypot(sigma, FIT.floor_s))
