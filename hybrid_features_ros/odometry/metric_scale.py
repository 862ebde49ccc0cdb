# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Metric scale of one camera's map: how many metres a unit is, from what another source measures of lengths.

Wheels measure motions: the path that they give through the stamps of the map's keyframes is the path of the
keyframes, in metres, and the similarity between both has the scale. It is asked for with every keyframe anew,
as bundle adjustment has the keyframes by then. A depth image now and then measures distances; their ratios to
those in the map go through a Kalman filter of the scale's logarithm. The map of one camera drifts in scale,
so the estimate has process noise and goes on while there are measurements.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hybrid_features_ros.core.config import PriorConfig
from hybrid_features_ros.core.motion_prior import MotionPrior
from hybrid_features_ros.core.types import Float64
from hybrid_features_ros.geometry.rotation import kabsch
from hybrid_features_ros.odometry.local_map import Keyframe
from hybrid_features_ros.odometry.tracking_result import TrackingResult


@dataclass(frozen=True)
class ScaleFilter:
    """Noise of measurements, all relative.

    Attributes:
        unknown: standard deviation before any measurement.
        free: least one of the length of a motion that an image is tracked with while the scale is estimated:
            an estimate that pulled the images would confirm itself.
        drift: standard deviation by which the map's scale changes from one measurement to the next.
        shape: standard deviation of a path's scale beyond what its residuals tell.
        min_positions: that a path has.
        max_keyframes: that it goes through; the newest, as scale drifts within the map, too. 10, 20 and 40
            are alike on rendered points; 40 was seen to be worse on a recording.
        independent: residuals of a path that count as independent: neighbours err alike.
        warp: standard deviation of depths in a single image beyond what they tell.
        gate: innovation over its standard deviation from which a ratio is not used.
        patience: ratios in a row that are not used, after which the filter begins anew.
        memory: ratios over which it is averaged by how much they scatter beyond what they should.
        dead_band: change of the scale below which the map is left as it is.
    """

    unknown: float = 1.0
    free: float = 0.5
    drift: float = 0.005
    shape: float = 0.01
    min_positions: int = 6
    max_keyframes: int = 20
    independent: float = 8.0
    warp: float = 0.01
    gate: float = 3.0
    patience: int = 5
    memory: float = 10.0
    dead_band: float = 0.005


FILTER = ScaleFilter()
_RECENT = 300  # images among which a keyframe may still be found
_SMALLEST = 1e-12  # sum of squares of a path that has a scale [m^2]


class MeasuredPath:
    """Positions in metres that motions add up to, at the stamps of keyframes.

    Args:
        stamp: of the image where it begins [ns].
    """

    def __init__(self, stamp: int) -> None:
        self._pose = np.eye(4)
        self._recent = deque([(stamp, np.zeros(3))], maxlen=_RECENT)
        self._keyframes: dict[int, Float64] = {}

    def add(self, stamp: int, motion: MotionPrior) -> None:
        """Go on by a motion until the image at a stamp [ns]."""
        self._pose = self._pose @ motion.T_previous_current
        self._recent.append((stamp, self._pose[:3, 3]))

    def beside(self, keyframes: Sequence[Keyframe], T: Float64) -> tuple[Float64, Float64]:
        """Positions (N, 3), in the map and in metres, of keyframes that the path has passed and of the newest
        image, which is at T (4, 4) in the map.
        """
        known = {**self._keyframes, **dict(self._recent)}
        passed = [k for k in keyframes if k.frame is not None and k.frame.stamp in known]
        self._keyframes = {k.frame.stamp: known[k.frame.stamp] for k in passed if k.frame is not None}
        units = np.array([*(k.T[:3, 3] for k in passed), T[:3, 3]])
        return units, np.array([*self._keyframes.values(), self._pose[:3, 3]])


class MetricScale:
    """Estimate of the metres per unit of the map.

    Attributes:
        log: its logarithm.
        variance: of that; 0 where depths are measured.
        common: relative error that all measurements have in common.
    """

    def __init__(self, config: PriorConfig) -> None:
        self._config = config
        self._path: MeasuredPath | None = None
        self.forget()

    def forget(self) -> None:
        """The map has another unit, which nothing has told yet; the measured path goes on."""
        self.log, self.variance, self.common = 0.0, FILTER.unknown**2, self._config.scale_error
        self._newest = -1  # keyframe that the path was compared with
        self._is_of_path = False  # whether the newest measurement is the path's
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
        self._path = None

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

    def add_step(self, stamp: int, motion: MotionPrior | None, tracked: TrackingResult | None) -> None:
        """Use one image.

        Args:
            stamp: of it [ns].
            motion: since the image before [m].
            tracked: its place in the map.
        """
        if self._path is None or motion is None:
            self._path = MeasuredPath(stamp)
        else:
            self._path.add(stamp, motion)
        if tracked is None or tracked.position_held:
            return
        keyframes = tracked.matches.local_map.keyframes
        if keyframes[-1].number == self._newest:
            return
        self._newest = keyframes[-1].number
        self.variance += FILTER.drift**2
        found = path_ratio(*self._path.beside(keyframes[-FILTER.max_keyframes :], tracked.fit.T))
        if found is not None and (self._is_of_path or found[1] < self.variance):
            self.log, self.variance, self._scatter = float(np.log(found[0])), found[1], 1.0
            self._is_of_path = True

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
        self._refused, self._is_of_path = 0, False
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
        factor, self.log = float(np.exp(self.log)), 0.0
        return factor


def path_ratio(units: Float64, metres: Float64) -> tuple[float, float] | None:
    """Metres per unit of the map, and its relative variance, from positions (N, 3) in both, the newest
    last: the scale of the similarity of least squares; None if they are too few or too close together
    to tell.

    By how much the newest half has another scale is doubt, too: the map's drifts.
    """
    if len(units) < FILTER.min_positions:
        return None
    a, b = units - units.mean(axis=0), metres - metres.mean(axis=0)
    R = kabsch(b.T @ a)
    overlap, spread = float(np.sum(b * (a @ R.T))), float(np.sum(b * b))
    if overlap <= 0 or spread < _SMALLEST:
        return None
    ratio = overlap / float(np.sum(a * a))
    share = float(np.sum((b - ratio * a @ R.T) ** 2)) / spread  # of the residuals
    share *= 3 * len(units) / (3 * len(units) - 7)
    newest = path_ratio(units[len(units) // 2 :], metres[len(units) // 2 :])
    drift = 0.0 if newest is None else float(np.log(newest[0] / ratio))
    return ratio, share / FILTER.independent + drift**2 + FILTER.shape**2


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
