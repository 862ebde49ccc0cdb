# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Metric scale of one camera's map: how many metres a unit is, from what another source measures of lengths.

Wheels measure motions, a depth image now and then measures distances. Both give ratios of a length in
metres to the same length in the map; a Kalman filter of the ratio's logarithm joins them. The map of one
camera drifts in scale, so the filter has process noise and goes on while there are measurements.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hybrid_features_ros.core import se3
from hybrid_features_ros.core.config import PriorConfig
from hybrid_features_ros.core.motion_prior import MotionPrior
from hybrid_features_ros.core.types import Float64
from hybrid_features_ros.odometry.tracking_result import TrackingResult


@dataclass(frozen=True)
class ScaleFilter:
    """Noise of ratios, all relative; chosen on synthetic walks with wheels that slip.

    Attributes:
        unknown: standard deviation before any measurement.
        free: least one of the length of a motion that an image is tracked with while the scale is estimated:
            an estimate that pulled the images would confirm itself.
        drift: standard deviation by which the map's scale changes from one measurement to the next.
        shape: standard deviation of a ratio beyond that of the poses: landmarks of a stretch err in common.
        warp: the same of depths in a single image.
        min_snr: length of a stretch over its standard deviation, by the prior and in the map, from which it
            gives a ratio.
        restart_ratio: standard deviation of a position, over that where the stretch began, at which the
            stretch begins anew.
        gate: innovation over its standard deviation from which a ratio is not used.
        patience: ratios in a row that are not used, after which the filter begins anew.
        memory: ratios over which it is averaged by how much they scatter beyond what they should.
        same_direction: cosine of the angle between both directions of a stretch, below which it is not used.
        max_turn: standard deviation of a stretch's rotation at which it ends unused [rad].
        dead_band: change of the scale below which the map is left as it is.
    """

    unknown: float = 1.0
    free: float = 0.5
    drift: float = 0.005
    shape: float = 0.03
    warp: float = 0.01
    min_snr: float = 15.0
    restart_ratio: float = 0.4
    gate: float = 3.0
    patience: int = 5
    memory: float = 10.0
    same_direction: float = 0.9
    max_turn: float = 0.2
    dead_band: float = 0.005


FILTER = ScaleFilter()


@dataclass(frozen=True, eq=False)
class _Stretch:
    """A part of the path: where it began in the map (4, 4), the covariance there, the motion since then."""

    T: Float64
    covariance: Float64
    motion: MotionPrior


class MetricScale:
    """Estimate of the metres per unit of the map.

    Attributes:
        log: its logarithm.
        variance: of that; 0 where depths are measured.
        common: relative error that all measurements have in common.
    """

    def __init__(self, config: PriorConfig) -> None:
        self._config = config
        self.log, self.variance, self.common = 0.0, FILTER.unknown**2, config.scale_error
        self._stretch: _Stretch | None = None
        self._refused = 0
        self._scatter = 1.0  # squared innovations over their variances, running mean

    @property
    def sigma(self) -> float:
        """Relative standard deviation of lengths, what measurements err in common included; where ratios
        scatter by more than they should, by as much more.
        """
        return float(np.hypot(np.sqrt(self.variance * max(self._scatter, 1.0)), self.common))

    @property
    def is_metric(self) -> bool:
        """Whether it is estimated, and known well enough to make the map metric."""
        return 0 < self.variance < self._config.max_scale_sigma**2

    def set_exact(self) -> None:
        """Every depth is measured: a unit is a metre."""
        self.log = self.variance = 0.0

    def to_map(self, motion: MotionPrior, *, is_tracked: bool = False) -> MotionPrior:
        """A motion in metres as one in units of the map; the scale's doubt is in its covariance.

        Args:
            is_tracked: an image will tell the length, too.
        """
        sigma = max(self.sigma, FILTER.free) if is_tracked and self.variance else self.sigma
        T, C = motion.T_previous_current.copy(), motion.covariance
        assert C is not None
        units = np.diag([np.exp(-self.log)] * 3 + [1.0] * 3)
        T[:3, 3] *= units[0, 0]
        C, t = units @ C @ units, T[:3, :3].T @ T[:3, 3]
        C[:3, :3] += sigma**2 * np.outer(t, t)
        return MotionPrior(T, C)

    def add_step(self, motion: MotionPrior | None, tracked: TrackingResult | None) -> None:
        """Use one image: the motion [m] since the one before, with a covariance, and its place in the map."""
        if tracked is None or tracked.position_held:
            self._stretch = None
            return
        T, C = tracked.fit.T, tracked.covariance
        if (
            motion is not None
            and self._stretch is not None
            and not _is_restart_due(C, self._stretch.covariance)
        ):
            motion = self._stretch.motion.then(motion)
            if self._judge(self._stretch, motion, T, C):
                self._stretch = _Stretch(self._stretch.T, self._stretch.covariance, motion)
                return
        self._stretch = _Stretch(T, C, MotionPrior(np.eye(4), np.zeros((6, 6))))

    def add_ratio(self, ratio: float, variance: float) -> bool:
        """Use a measurement of the metres per unit, with its relative variance; whether it was used."""
        self.variance += FILTER.drift**2
        innovation = float(np.log(ratio)) - self.log
        total = self.variance + variance
        surprise = min(innovation**2 / total, FILTER.memory * FILTER.gate**2)
        self._scatter += (surprise - self._scatter) / FILTER.memory
        if innovation**2 > FILTER.gate**2 * total:
            self._refused += 1
            if self._refused < FILTER.patience:
                return False
            self.variance, self._scatter = FILTER.unknown**2, 1.0
            total = self.variance + variance
        self._refused = 0
        self.log += self.variance / total * innovation
        self.variance *= variance / total
        return True

    def take_factor(self, is_first: bool) -> float | None:
        """By what the map is to be stretched now, counted as done; None: it may stay.

        Args:
            is_first: small factors count, too.
        """
        if abs(self.log) < FILTER.dead_band and not is_first:
            return None
        factor, self.log, self._stretch = float(np.exp(self.log)), 0.0, None
        return factor

    def apply_correction(self, correction: Float64) -> None:
        """The map was moved by ``correction`` (4, 4) in the world, on the left."""
        s = self._stretch
        if s is not None:
            self._stretch = _Stretch(correction @ s.T, s.covariance, s.motion)

    def _judge(self, stretch: _Stretch, motion: MotionPrior, T: Float64, C: Float64) -> bool:
        """Take a ratio from a stretch that is long enough; whether it should go on."""
        assert motion.covariance is not None
        A = se3.inverse(stretch.T) @ T
        metres, units = motion.T_previous_current[:3, 3], A[:3, 3]
        R = motion.T_previous_current[:3, :3]
        noise_m = _along(metres, R @ motion.covariance[:3, :3] @ R.T)
        noise_u = _along(units, stretch.covariance[:3, :3] + A[:3, :3] @ C[:3, :3] @ A[:3, :3].T)
        if max(noise_m, noise_u) > 1 / FILTER.min_snr:
            return bool(motion.covariance[3:, 3:].trace() < 3 * FILTER.max_turn**2)
        m, u = np.linalg.norm(metres), np.linalg.norm(units)
        if metres @ units > FILTER.same_direction * m * u:
            self.add_ratio(float(m / u), noise_m**2 + noise_u**2 + FILTER.shape**2)
        return False


def _is_restart_due(C: Float64, before: Float64) -> bool:
    """Whether positions are so much more certain by now, as after a map's first images, that a stretch is to
    begin anew.
    """
    return bool(C[:3, :3].trace() < FILTER.restart_ratio**2 * before[:3, :3].trace())


def _along(v: Float64, C: Float64) -> float:
    """Standard deviation along a vector (3,) by a covariance (3, 3), over its length."""
    squared = float(v @ v)
    return float(np.sqrt(max(float(v @ C @ v), 0.0)) / squared) if squared > 1e-12 else np.inf


def depth_ratio(tracked: TrackingResult, min_landmarks: int) -> tuple[float, float] | None:
    """Metres per unit of the map, and its relative variance, where an image measures depths of landmarks that
    were triangulated; None if they are too few.
    """
    matches = tracked.matches
    marks, rows = matches.local_map.landmarks, matches.landmark_idx
    measured = matches.frame.inverse_depth[matches.feature_idx]
    told = tracked.known_inliers & np.isfinite(measured) & ~marks.measured[rows]
    if told.sum() < min_landmarks:
        return None
    distance = np.linalg.norm(matches.local_map.points(rows[told]) - tracked.fit.T[:3, 3], axis=1)
    logs = -np.log(measured[told] * distance)
    middle = float(np.median(logs))
    spread = 1.5 * float(np.median(np.abs(logs - middle)))
    return float(np.exp(middle)), spread**2 / told.sum() + FILTER.warp**2
