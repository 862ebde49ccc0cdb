"""Where the camera is expected: at constant velocity, turned as a gyroscope says where there is one."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from itertools import takewhile

import numpy as np
from scipy.spatial.transform import Rotation

from hybrid_features_ros.core import se3
from hybrid_features_ros.core.config import GyroConfig, TrackingConfig
from hybrid_features_ros.core.types import Float64
from hybrid_features_ros.odometry.tracking_result import Guess

_REACH_NS = 100_000_000  # measurements after an interval that help to interpolate its end
_MOST = 100_000  # measurements of the gyroscope that are remembered, should no image come


class Gyro:
    """Angular velocities in the camera's axes, integrated between images."""

    def __init__(self, config: GyroConfig) -> None:
        self._config = config
        self._measured: deque[tuple[int, Float64]] = deque(maxlen=_MOST)

    def add(self, stamp: int, angular_velocity: Float64) -> None:
        """Remember a measurement [ns], (3,) [rad/s]; stale or not finite ones are ignored."""
        stamp += round(self._config.time_offset_s * 1e9)
        rate = np.asarray(angular_velocity, dtype=np.float64)
        if rate.shape != (3,) or not np.isfinite(rate).all():
            return
        if self._measured and stamp <= self._measured[-1][0]:
            return
        self._measured.append((stamp, rate))

    def forget(self, stamp: int) -> None:
        """Drop what lies before a stamp [ns], but for the newest of that."""
        while len(self._measured) > 1 and self._measured[1][0] <= stamp:
            self._measured.popleft()

    def clear(self) -> None:
        """Forget all measurements."""
        self._measured.clear()

    def rotation(self, begin: int, end: int) -> tuple[Float64, float] | None:
        """Rotation (3, 3) of the camera from one stamp to another, and its standard deviation [rad].

        None unless measurements cover nearly all of that time.
        """
        near = list(takewhile(lambda m: m[0] <= end + _REACH_NS, self._measured))
        stamps = np.array([t for t, _ in near], dtype=np.int64)
        if len(stamps) < 2 or end <= begin:
            return None
        step = float(np.median(np.diff(stamps)))
        if stamps[0] > begin + 2 * step or stamps[-1] < end - 2 * step:
            return None
        inside = stamps[(stamps > begin) & (stamps < end)]
        times = np.concatenate([[begin], inside, [end]])
        rates = np.array([w for _, w in near])
        at = np.stack([np.interp(times - begin, stamps - begin, rates[:, i]) for i in range(3)], axis=1)
        turns = (at[1:] + at[:-1]) / 2 * (np.diff(times) * 1e-9)[:, None]
        R = np.eye(3)
        for turn in Rotation.from_rotvec(turns).as_matrix():
            R = R @ turn
        seconds = (end - begin) * 1e-9
        return R, float(np.hypot(self._config.noise * np.sqrt(seconds), self._config.bias_sigma * seconds))


def predict(T: Float64, twist: Float64, seconds: float, usual: float, config: TrackingConfig) -> Guess:
    """The pose after some time at constant velocity, uncertain by half an acceleration.

    Args:
        T: (4, 4) the last pose.
        twist: (6,) the last velocity in the camera's axes [m/s, rad/s].
        usual: one over the scene's usual depth [1/m].
    """
    drift = 0.5 * config.max_acceleration * seconds**2 / usual
    turn = 0.5 * config.max_angular_acceleration * seconds**2
    variances = [drift**2 + 1e-12] * 3 + [turn**2 + 1e-12] * 3
    return Guess(T @ se3.exp(twist * seconds), T[:3, 3], np.diag(1 / np.array(variances)))


def with_gyro(guess: Guess, T: Float64, measured: tuple[Float64, float]) -> Guess:
    """A guess whose rotation since ``T`` (4, 4) is the measured one (3, 3), with its deviation [rad]."""
    R, sigma = measured
    turned = se3.make(T[:3, :3] @ R, guess.T[:3, 3])
    if guess.information is None:
        return replace(guess, T=turned)
    information = guess.information.copy()
    information[3:, 3:] = np.eye(3) / (sigma**2 + 1e-12)
    return replace(guess, T=turned, information=information)
