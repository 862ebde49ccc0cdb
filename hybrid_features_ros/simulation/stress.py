# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Hard cases, rendered with exact truth: they show what fails.

Nothing is chosen on them, but for the search near the expected place (:data:`.tracker.SEARCH`), whose
limits were set on ``corridor_tiled``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from hybrid_features_ros.core.camera import Camera, Distortion
from hybrid_features_ros.core.types import Float64
from hybrid_features_ros.simulation.paths import Eased, Shake, Walk
from hybrid_features_ros.simulation.places import (
    CAR,
    CameraPath,
    DepthCamera,
    Moving,
    Place,
    desk,
    floor_plan,
    street,
)
from hybrid_features_ros.simulation.scene import Surface, box, furnished_room, wall_paper

FISHEYE = Camera(640, 360, 244.5, 244.5, 319.5, 179.5, Distortion.EQUIDISTANT, (0.0, 0.0, 0.0, 0.0))
QVGA = Camera(320, 240, 262.5, 262.5, 159.5, 119.5)
SXGA = Camera(1280, 960, 1050.0, 1050.0, 639.5, 479.5)


@dataclass(frozen=True)
class Carried:
    """A camera that moves on something that moves: a tremor on a way."""

    carrier: CameraPath
    on_it: CameraPath

    def pose(self, seconds: float) -> Float64:
        """``T_world_camera`` (4, 4) at a time [s]."""
        return self.carrier.pose(seconds) @ self.on_it.pose(seconds)


def tiled_corridor(seed: int) -> list[Surface]:
    """A corridor of 34 m, 2.4 m wide, whose every surface repeats itself after less than three metres."""
    paper = wall_paper(np.random.default_rng(seed), share=0.0)
    return list(box(np.array([-1.2, -1.4, -2.0]), np.array([1.2, 1.2, 32.0]), paper, inside=True).values())


def yard(seed: int) -> list[Surface]:
    """Gravel, 60 m wide, with a few crates, as a drone sees it."""
    rng = np.random.default_rng(seed)
    floor, paper = wall_paper(rng, share=0.0, texels=60), wall_paper(rng, share=0.8, texels=150, height=1.0)
    ground = Surface.make([-30, 1.5, 40], [60, 0, 0], [0, 0, -60], floor(60, 60))
    surfaces = [ground]
    for x, z in rng.uniform([-9, 1], [9, 18], (12, 2)):
        wide, tall = rng.uniform(0.5, 2.0), rng.uniform(0.3, 1.2)
        sides = box(np.array([x, 1.5 - tall, z]), np.array([x + wide, 1.5, z + wide]), paper, inside=False)
        surfaces += [side for name, side in sides.items() if name != "bottom"]
    return surfaces


def bare_room(seed: int) -> list[Surface]:
    """Four papered walls and nothing else, 7 x 3 x 6 m."""
    paper = wall_paper(np.random.default_rng(seed), share=1.0)
    return list(box(np.array([-3.5, -1.6, -3.0]), np.array([3.5, 1.4, 3.0]), paper, inside=True).values())


def truck(seed: int) -> Moving:
    """A truck's side, 8 x 3 m, that crosses the view of a car waiting at z = 25 m, from 4 to 9 s."""
    paper = wall_paper(np.random.default_rng(seed + 100), share=0.8, texels=70, height=1.0)
    side = Surface.make([0.0, -1.4, 34.0], [8, 0, 0], [0, 3, 0], paper(8, 3))

    def at(seconds: float) -> Sequence[Surface]:
        corner = side.corner + np.array([20.0 - 5.0 * (seconds - 3.0), 0, 0])
        return [replace(side, corner=corner)]

    return at


def people(seed: int) -> Moving:
    """Two people, 1.5 and 2 m away, who walk to and fro through a view along z, in up to half of it."""
    paper = wall_paper(np.random.default_rng(seed + 100), share=0.9, height=0.4)
    sides = [Surface.make([-0.45, -0.7, z], [0.9, 0, 0], [0, 2.1, 0], paper(0.9, 2.1)) for z in (2.0, 1.5)]

    def at(seconds: float) -> Sequence[Surface]:
        x = 1.2 * np.sin(0.9 * seconds), 1.0 * np.sin(1.3 * seconds + 2.0)
        return [replace(s, corner=s.corner + np.array([dx, 0, 0])) for s, dx in zip(sides, x, strict=True)]

    return at


def bonnet(path: CameraPath, seed: int) -> Moving:
    """What of the robot itself is in sight: a patterned board that fills the lowest fifth of a VGA image."""
    board = Surface.make([-0.4, 0.14, 0.5], [0.8, 0, 0], [0, 0.2, 0], wall_paper(
        np.random.default_rng(seed + 100), share=0.9, texels=1000, height=0.1
    )(0.8, 0.2))  # fmt: skip

    def at(seconds: float) -> Sequence[Surface]:
        T = path.pose(seconds)
        R = T[:3, :3]
        return [
            replace(board, corner=R @ board.corner + T[:3, 3], across=R @ board.across, down=R @ board.down)
        ]

    return at


def auto_exposure(seconds: float) -> float:
    """A gain that jumps every second and a half to another level."""
    levels = (1.0, 0.35, 1.6, 0.6, 2.2, 0.25, 1.0)
    return levels[int(seconds / 1.5) % len(levels)]


_WAIT = {"z": ((-1.0, 4.0, 25.0), (9.0, 14.0, 30.0)), "x": ((-1.0, 4.0, 0.3), (9.0, 14.0, -0.4))}
_CLIMB = {"y": ((5.0, 13.0, -12.0),), "z": ((5.0, 13.0, 3.0),), "pitch": ((-2.0, -1.0, -50.0),)}
_TURNS_FIRST = {
    "yaw": ((0.0, 5.0, 100.0), (5.0, 10.0, -130.0), (11.0, 14.0, 30.0)),
    "pitch": ((2.0, 4.0, 15.0), (6.0, 8.0, -15.0)),
    "x": ((10.0, 13.0, 0.9), (13.0, 16.0, -1.2)),
    "z": ((10.5, 14.0, 0.6), (14.0, 16.0, -0.5)),
}
_WALL = {
    "z": ((-2.0, -1.0, 1.7), (7.0, 10.0, -1.2)),
    "x": ((0.0, 3.0, 0.9), (3.0, 6.0, -1.3), (7.0, 10.0, 0.8)),
    "y": ((1.0, 3.0, -0.3), (4.0, 6.0, 0.3)),
    "yaw": ((5.0, 7.5, 110.0), (8.0, 10.0, 30.0)),
}
_AHEAD = ((0, 0, -1.2), (0.2, 0, 8.0), (-0.3, 0, 18.0), (0.2, 0, 28.0), (0, 0, 30.0))
_STREET = ((0, 0, 0), (0.3, 0, 15), (-0.5, 0, 30), (0, 0, 60))
_LOOP = (
    (0, 0, 2.8),
    (2, 0, 2.8),
    (3.6, 0, 2.5),
    (4.1, 0, 1.2),
    (4.1, 0, -1.2),
    (3.6, 0, -2.5),
    (2, 0, -2.8),
    (-2, 0, -2.8),
)
_ROUND = ((0, 0, -1.0), (0.9, 0, 0.2), (0, 0, 1.0), (-0.9, 0, 0.2), (0, 0, -1.0), (0.9, 0, 0.2), (0, 0, 1.0))


def _hand(seed: int) -> CameraPath:
    return Shake(seed, (0.9, 0.3, 0.8), (50, 18, 12))


def _slow_hand(seed: int) -> CameraPath:
    return Shake(seed, (0.4, 0.15, 0.3), (15, 8, 6))


def _stroll(seed: int) -> CameraPath:
    return Walk(_LOOP, 1.0, seed)


def _at_desk(seed: int) -> CameraPath:
    return Shake(seed, (0.3, 0.12, 0.15), (25, 12, 20))


def _hover(seed: int) -> CameraPath:
    return Shake(seed, (0.03, 0.02, 0.03), (2.0, 1.0, 1.0), (0.3, 1.0))


def _tremor(seed: int) -> CameraPath:
    return Shake(seed, (0.003, 0.003, 0.003), (0.4, 0.4, 0.4), (0.2, 2.0))


STRESS: Mapping[str, Place] = {
    "corridor_tiled": Place(tiled_corridor, lambda seed: Walk(_AHEAD, 1.5, seed), 18.0, rate_hz=10.0),
    "drone_climbs": Place(yard, lambda seed: Carried(Eased(_CLIMB), _hover(seed)), 13.0, rate_hz=15.0),
    "car_waits": Place(
        street, lambda seed: Eased(_WAIT), 14.0, CAR, CAR, 10.0, baseline_m=0.54, moving=truck
    ),
    "people": Place(furnished_room, _slow_hand, 12.0, rate_hz=15.0, moving=people),
    "bonnet": Place(
        floor_plan, _stroll, 14.0, rate_hz=10.0, moving=lambda seed: bonnet(_stroll(seed), seed)
    ),
    "exposure_jumps": Place(furnished_room, _hand, 10.0, gain=auto_exposure),
    "turns_first": Place(furnished_room, lambda seed: Eased(_TURNS_FIRST), 16.0, rate_hz=15.0),
    "wall_first": Place(bare_room, lambda seed: Eased(_WALL), 10.0),
    "hand_10hz": Place(furnished_room, _hand, 15.0, rate_hz=10.0, exposure_s=0.008),
    "desk_60hz": Place(
        desk, lambda seed: Carried(Eased({"x": ((3.0, 5.0, 0.3),)}), _tremor(seed)), 5.0, rate_hz=60.0
    ),
    "desk_qvga": Place(desk, _at_desk, 9.0, QVGA, QVGA),
    "desk_sxga": Place(desk, _at_desk, 6.0, SXGA, SXGA, 15.0),
    "room_fisheye": Place(
        furnished_room, lambda seed: Walk(_ROUND, 0.8, seed, glance_deg=40), 9.0, FISHEYE, FISHEYE
    ),
    "street_depth": Place(
        street, lambda seed: Walk(_STREET, 1.4, seed), 15.0, rate_hz=10.0,
        depth_camera=DepthCamera(farthest_m=4.0, holes=0.3),
    ),
    "street_5cm": Place(street, lambda seed: Walk(_STREET, 1.4, seed), 15.0, rate_hz=10.0, baseline_m=0.05),
}  # fmt: skip
