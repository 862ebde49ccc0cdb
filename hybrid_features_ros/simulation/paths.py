# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Camera paths with exact poses at any time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from hybrid_features_ros.core import se3
from hybrid_features_ros.core.types import Float64

# (begin [s], end [s], change): every coordinate is a sum of smooth steps, so that it stands exactly still
# between them. Positions in metres; yaw, pitch, roll in degrees about the camera's y, x and z axes.
_STEPS = {
    "x": ((0.0, 3.0, 0.9), (3.0, 7.0, -1.5), (13.0, 16.5, 1.3), (16.5, 20.0, -0.7)),
    "y": ((0.5, 3.5, -0.35), (3.5, 7.0, 0.5), (13.0, 17.0, -0.4), (17.0, 20.0, 0.25)),
    "z": ((1.0, 4.5, 0.5), (4.5, 8.5, -0.6), (13.5, 17.5, 0.7), (17.5, 20.0, -0.6)),
    "yaw": (
        (1.0, 4.0, -20.0), (4.0, 7.0, 35.0), (9.5, 11.2, 70.0), (11.2, 12.8, -85.0), (15.0, 18.0, 25.0),
        (18.0, 20.0, -25.0),
    ),
    "pitch": ((2.0, 5.0, 10.0), (5.0, 8.0, -16.0), (10.0, 11.5, 12.0), (11.5, 13.0, -6.0)),
    "roll": (
        (2.5, 4.5, -45.0), (4.5, 7.5, 270.0), (9.5, 12.8, 135.0), (14.0, 17.4, -360.0),
    ),
}  # fmt: skip
STILL = (9.0, 13.0)  # the camera only turns [s]
DURATION = 20.0


@dataclass(frozen=True)
class RoomPath:
    """Twenty seconds in a room: fast rolls up to 200 deg/s, and four seconds of pure rotation."""

    def pose(self, seconds: float) -> Float64:
        """``T_world_camera`` (4, 4) at a time from 0 to ``DURATION`` [s]."""
        c = {
            name: sum(change * _ease((seconds - begin) / (end - begin)) for begin, end, change in steps)
            for name, steps in _STEPS.items()
        }
        turn = Rotation.from_euler("YXZ", [c["yaw"], c["pitch"], c["roll"]], degrees=True)
        return se3.make(turn.as_matrix(), [c["x"], c["y"], c["z"]])


TURN_DURATION = 10.0
_TURNS = {
    "yaw": ((0.0, 5.0, 360.0), (5.0, 8.0, -100.0)),
    "pitch": ((1.0, 2.5, 25.0), (5.0, 6.0, -45.0), (6.0, 7.0, 20.0)),
    "roll": ((5.0, 6.7, -170.0), (6.8, 10.0, 340.0)),
}


@dataclass(frozen=True)
class TurnPath:
    """Ten seconds of pan, tilt and roll on one spot, up to 200 deg/s."""

    def pose(self, seconds: float) -> Float64:
        """``T_world_camera`` (4, 4) at a time from 0 to ``TURN_DURATION`` [s]."""
        yaw, pitch, roll = (
            sum(change * _ease((seconds - begin) / (end - begin)) for begin, end, change in steps)
            for steps in _TURNS.values()
        )
        turn = Rotation.from_euler("YXZ", [yaw, pitch, roll], degrees=True)
        return se3.make(turn.as_matrix(), np.zeros(3))


def _ease(s: float) -> float:
    """0 before, 1 after, in between a polynomial whose first two derivatives vanish at both ends."""
    s = float(np.clip(s, 0.0, 1.0))
    return s**3 * (s * (6 * s - 15) + 10)
