# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Images of a turning camera as if all their rows had been exposed at one time."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from hybrid_features_ros.core.camera import Camera
from hybrid_features_ros.core.config import TrackingConfig
from hybrid_features_ros.core.types import Float64
from hybrid_features_ros.odometry.frame import Frame
from hybrid_features_ros.odometry.motion_model import ConstantVelocityModel
from hybrid_features_ros.odometry.readout import ReadoutFilter
from hybrid_features_ros.odometry.tracking_result import TrackingResult

Track = Callable[[Frame], tuple[TrackingResult | None, bool]]
_PASSES, _SETTLED_PX = 3, 1.0  # over an image, until a new angular velocity moves its rows by less


class RollingShutter:
    """Undoes what a rolling shutter does to an image: to each row, a turn by the angular velocity times the
    row's delay.

    Attributes:
        readout: as it is known by now.
    """

    def __init__(self, config: TrackingConfig) -> None:
        self.readout = ReadoutFilter(config.readout_s, config.readout_sigma_s)
        self._first: Frame | None = None  # of the map, until its rows are put right

    @property
    def is_rolling(self) -> bool:
        """Whether rows have delays, or may have."""
        return bool(self.readout.used_s or self.readout.sigma_s)

    def start(self, first: Frame | None) -> None:
        """A map begins, with its first image if there is one already."""
        self._first = first

    def track(
        self,
        frame: Frame,
        camera: Camera,
        motion: ConstantVelocityModel,
        expected: Float64,
        track: Track,
        restart_map: Callable[[Frame], None],
    ) -> tuple[TrackingResult | None, bool]:
        """Put an image right by the angular velocity of the expected pose (4, 4), then, if it shows another
        one, by that. The first image of all is put right with the second.

        Args:
            track: places an image in the map, as :meth:`Odometry._track`.
            restart_map: begins the map anew with the first image put right.

        Returns:
            What ``track`` returned for the image put right.
        """
        readout_s = self.readout.used_s
        longest_s = readout_s + self.readout.sigma_s
        rate = motion.angular_velocity(frame.stamp, expected)
        for _ in range(_PASSES):
            tracked, promoted = track(frame.at_one_time(rate, readout_s))
            if tracked is None:
                break
            before, rate = rate, motion.angular_velocity(frame.stamp, tracked.fit.T)
            if np.linalg.norm(rate - before) * longest_s * camera.focal < _SETTLED_PX:
                break
            if self._first is not None:
                restart_map(self._first.at_one_time(rate, readout_s))
        self._first = None
        if tracked is not None:
            self.readout.add(tracked)
        return tracked, promoted
