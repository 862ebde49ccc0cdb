# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Camera paths with exact poses at any time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.spatial.transform import Rotation

from hybrid_features_ros.core import se3
from hybrid_features_ros.core.types import Float64


@dataclass(frozen=True)
class Eased:
    """Every coordinate is a sum of smooth steps, so that it stands exactly still between them.

    Attributes:
        steps: (begin [s], end [s], change) of x, y, z [m] and of yaw, pitch, roll about the camera's y, x and
            z axes [deg].
    """

    steps: Mapping[str, Sequence[tuple[float, float, float]]]

    def pose(self, seconds: float) -> Float64:
        """``T_world_camera`` (4, 4) at a time [s]."""
        x, y, z, *angles = (
            sum(
                change * _ease((seconds - begin) / (end - begin))
                for begin, end, change in self.steps.get(name, ())
            )
            for name in ("x", "y", "z", "yaw", "pitch", "roll")
        )
        turn = Rotation.from_euler("YXZ", angles, degrees=True)
        return se3.make(turn.as_matrix(), [x, y, z])


_ROOM = {
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
        return Eased(_ROOM).pose(seconds)


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
        return Eased(_TURNS).pose(seconds)


@dataclass(frozen=True)
class Shake:
    """A hand that holds a camera: every coordinate a sum of three waves.

    Attributes:
        seed: of the waves.
        metres: sizes along x, y, z.
        degrees: sizes of yaw, pitch, roll.
        hertz: range of the waves' frequencies.
    """

    seed: int
    metres: tuple[float, float, float]
    degrees: tuple[float, float, float]
    hertz: tuple[float, float] = (0.08, 0.3)

    @cached_property
    def _waves(self) -> tuple[Float64, Float64, Float64]:
        """Sizes, frequencies and phases (6, 3)."""
        rng = np.random.default_rng(self.seed)
        shares = rng.normal(size=(6, 3))
        shares /= np.linalg.norm(shares, axis=1, keepdims=True)
        sizes = shares * np.array([*self.metres, *self.degrees])[:, None]
        return sizes, rng.uniform(*self.hertz, (6, 3)), rng.uniform(size=(6, 3))

    def pose(self, seconds: float) -> Float64:
        """``T_world_camera`` (4, 4) at a time [s]."""
        sizes, hertz, phases = self._waves
        c = (sizes * np.sin(2 * np.pi * (hertz * seconds + phases))).sum(axis=1)
        return se3.make(Rotation.from_euler("YXZ", c[3:], degrees=True).as_matrix(), c[:3])


@dataclass(frozen=True)
class Walk:
    """Along a smooth line through way points at constant speed, looking ahead.

    Attributes:
        waypoints: positions [m].
        speed: [m/s].
        seed: of the phases.
        bob_m, sway_deg: up and down, and left and right, with every pair of steps.
        glance_deg: how far the view wanders to the sides.
        pan_deg_s, roll_deg_s: steady rates that come on top.
    """

    waypoints: tuple[tuple[float, float, float], ...]
    speed: float
    seed: int
    bob_m: float = 0.03
    sway_deg: float = 3.0
    glance_deg: float = 0.0
    pan_deg_s: float = 0.0
    roll_deg_s: float = 0.0

    @cached_property
    def _line(self) -> CubicSpline:
        points = np.array(self.waypoints, dtype=np.float64)
        coarse = CubicSpline(np.r_[0, np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))], points)
        fine = coarse(np.linspace(0, coarse.x[-1], 400))
        return CubicSpline(np.r_[0, np.cumsum(np.linalg.norm(np.diff(fine, axis=0), axis=1))], fine)

    def pose(self, seconds: float) -> Float64:
        """``T_world_camera`` (4, 4) at a time [s]."""
        phases = np.random.default_rng(self.seed).uniform(0, 2 * np.pi, 3)
        step, glance = 2 * np.pi * 0.9 * seconds + phases[0], 2 * np.pi * 0.12 * seconds + phases[1]
        length = self.speed * max(seconds, 0.0)
        position, ahead = self._line(length), self._line(length + 0.5) - self._line(length - 0.5)
        yaw = np.degrees(np.arctan2(ahead[0], ahead[2])) + self.sway_deg * np.sin(step)
        yaw += self.glance_deg * np.sin(glance) + self.pan_deg_s * seconds
        pitch = 0.5 * self.sway_deg * np.sin(2 * step + phases[2])
        roll = 0.5 * self.sway_deg * np.cos(step) + self.roll_deg_s * seconds
        turn = Rotation.from_euler("YXZ", [yaw, pitch, roll], degrees=True).as_matrix()
        bob = np.array([0, self.bob_m * np.sin(2 * step), 0])
        return se3.make(turn, position + bob)


def _ease(s: float) -> float:
    """0 before, 1 after, in between a polynomial whose first two derivatives vanish at both ends."""
    s = float(np.clip(s, 0.0, 1.0))
    return s**3 * (s * (6 * s - 15) + 10)
