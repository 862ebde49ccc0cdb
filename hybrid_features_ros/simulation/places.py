# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Places and ways to move through them, for choosing the odometry's parameters on scenes with exact truth.

What the furnished room lacks: walls that hide each other, corridors with little texture, loops, streets,
a desk at arm's length; people who walk, cars, shaky hands, spinning robots; rolling shutters, exposures
that blur, and lenses that differ from their calibration, whose errors neighbouring images share.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Protocol

import cv2
import numpy as np

from hybrid_features_ros.core.camera import Camera, Distortion
from hybrid_features_ros.core.types import Float32, Float64, UInt8
from hybrid_features_ros.simulation.paths import RoomPath, Shake, Walk
from hybrid_features_ros.simulation.scene import (
    Paper,
    Renderer,
    Surface,
    box,
    furnished_room,
    wall_paper,
)

VGA = Camera(640, 480, 525.0, 525.0, 319.5, 239.5)
CAR = Camera(816, 246, 470.0, 470.0, 404.0, 122.0)
_BANDS = 24  # in which the rows of a rolling shutter are rendered
_EXPOSURES = 4  # images averaged for one that is blurred


Moving = Callable[[float], Sequence[Surface]]


class CameraPath(Protocol):
    """Where the camera is at any time."""

    def pose(self, seconds: float) -> Float64:
        """``T_world_camera`` (4, 4)."""
        ...


@dataclass(frozen=True)
class DepthCamera:
    """A depth camera that does not see everything.

    Attributes:
        farthest_m: farther points have no depth.
        holes: share of the image without depth, in patches of some twentieth of its width.
    """

    farthest_m: float = np.inf
    holes: float = 0.0

    def measure(self, depth: Float32, rng: np.random.Generator) -> Float32:
        """The depth image (H, W) [m] with NaN where nothing is measured."""
        seen = np.less_equal(depth, self.farthest_m)
        if self.holes:
            noise = rng.normal(size=(15, 20)).astype(np.float32)
            blobs = cv2.resize(noise, depth.shape[::-1], interpolation=cv2.INTER_CUBIC)
            seen &= blobs > np.quantile(blobs, self.holes)
        return np.where(seen, depth, np.float32(np.nan))


@dataclass(frozen=True)
class Place:
    """A scene, a way through it, and the camera that films it.

    Attributes:
        surfaces, path: made for a seed.
        camera: the calibration that is told.
        lens: what the camera really is.
        readout_s: from the first to the last row [s]; an image's stamp is that of its middle row.
        exposure_s: of every row [s].
        baseline_m: distance to a right camera [m]; 0 = none.
        moving: made for a seed; surfaces that move, at a time [s].
        gain: of the sensor at a time [s]; 1 shows the scene as it is.
        depth_camera: what becomes of the exact depth.
    """

    surfaces: Callable[[int], list[Surface]]
    path: Callable[[int], CameraPath]
    duration_s: float
    camera: Camera = VGA
    lens: Camera = VGA
    rate_hz: float = 20.0
    readout_s: float = 0.0
    exposure_s: float = 0.0
    baseline_m: float = 0.0
    moving: Callable[[int], Moving] = lambda seed: lambda seconds: ()
    gain: Callable[[float], float] = lambda seconds: 1.0
    depth_camera: DepthCamera = DepthCamera()


class Shutter:
    """Images of a moving camera, row after row where the shutter rolls.

    Args:
        surfaces: the scene.
        lens: what the camera is.
        readout_s, exposure_s: see :class:`Place`.
        moving: surfaces that move, at a time [s].
    """

    def __init__(
        self,
        surfaces: list[Surface],
        lens: Camera,
        readout_s: float = 0.0,
        exposure_s: float = 0.0,
        moving: Moving = lambda seconds: (),
    ) -> None:
        self._moving = moving
        edges = np.linspace(0, lens.height, (_BANDS if readout_s else 1) + 1).astype(int).tolist()
        bands = pairwise(edges)
        cameras = [replace(lens, height=high - low, cy=lens.cy - low) for low, high in bands]
        self._bands = [Renderer(surfaces, camera) for camera in cameras]
        middles = (np.array(edges[:-1]) + edges[1:]) / (2 * lens.height) - 0.5
        self._delays = (readout_s * middles).tolist()
        shares = (np.arange(_EXPOSURES) + 0.5) / _EXPOSURES - 0.5 if exposure_s else np.zeros(1)
        self._offsets = (exposure_s * shares).tolist()

    def take(self, pose: Callable[[float], Float64], seconds: float) -> tuple[UInt8, Float32]:
        """Image (H, W, 3) BGR and depth (H, W) [m] of a path at a time."""
        shots = [self._sharp(pose, seconds + offset) for offset in self._offsets]
        image = np.mean([shot[0] for shot in shots], axis=0, dtype=np.float32)
        return np.asarray(image + np.float32(0.5), dtype=np.uint8), shots[len(shots) // 2][1]

    def _sharp(self, pose: Callable[[float], Float64], seconds: float) -> tuple[UInt8, Float32]:
        times = [seconds + delay for delay in self._delays]
        views = [band.render(pose(t), self._moving(t)) for band, t in zip(self._bands, times, strict=True)]
        return np.concatenate([v[0] for v in views]), np.concatenate([v[1] for v in views])


def floor_plan(seed: int, poor: bool = False) -> list[Surface]:
    """A ring of rooms, 13 x 10 m, around a block that hides one side from the other, with partitions."""
    rng = np.random.default_rng(seed)
    paper = wall_paper(rng, share=0.18 if poor else 1.0)
    low, high = np.array([-6.5, -1.5, -5.0]), np.array([6.5, 1.2, 5.0])
    surfaces = list(box(low, high, paper, inside=True).values())
    solids = [([-3.2, -1.5, -2.0], [3.2, 1.2, 2.0])]
    solids += [([-0.1, -1.5, 3.6], [0.1, 1.2, 5.0]), ([-0.1, -1.5, -5.0], [0.1, 1.2, -3.6])]
    solids += [([4.9, -1.5, -0.1], [6.5, 1.2, 0.1]), ([-6.5, -1.5, -0.1], [-4.9, 1.2, 0.1])]
    for _ in range(10):
        side, along = rng.integers(4), rng.uniform(-0.8, 0.8)
        size, tall = rng.uniform(0.3, 0.9, 2), rng.uniform(0.4, 1.4)
        x, z = ((along * 6.3, 4.6), (along * 6.3, -4.6), (6.1, along * 4.6), (-6.1, along * 4.6))[side]
        solids.append(
            ([x - size[0] / 2, 1.2 - tall, z - size[1] / 2], [x + size[0] / 2, 1.2, z + size[1] / 2])
        )
    return surfaces + _solids(solids, paper)


def corridor(seed: int) -> list[Surface]:
    """A corridor of 24 m, 2.4 m wide, nearly bare, with door frames."""
    rng = np.random.default_rng(seed)
    paper = wall_paper(rng, share=0.12)
    surfaces = list(
        box(np.array([-1.2, -1.4, -2.0]), np.array([1.2, 1.2, 22.0]), paper, inside=True).values()
    )
    doors = []
    for z in np.arange(1.0, 21.0, 3.1):
        for x in (-1.2, 1.1):
            doors.append(([x, -0.9, z], [x + 0.1, 1.2, z + rng.uniform(0.9, 1.2)]))
    return surfaces + _solids(doors, wall_paper(rng, share=0.5))


def street(seed: int) -> list[Surface]:
    """A street of 110 m between houses, with parked cars and poles, under a sky without texture."""
    rng = np.random.default_rng(seed)
    paper = wall_paper(rng, share=0.8, texels=70, height=3.0)
    floor = wall_paper(rng, share=0.0, texels=70)
    ground = Surface.make([-12, 1.65, 110], [24, 0, 0], [0, 0, -120], floor(24, 120))
    solids = []
    for side in (-1, 1):
        z = -8.0
        while z < 108:
            long, wall, tall = rng.uniform(8, 16), rng.uniform(7, 10), rng.uniform(4, 9)
            x = sorted((side * wall, side * (wall + 4)))
            solids.append(([x[0], 1.65 - tall, z], [x[1], 1.65, z + long]))
            z += long + rng.uniform(0, 5)
        for z in rng.uniform(0, 108, 9):
            x = sorted((side * 4.2, side * 6.0))
            solids.append(([x[0], 0.2, z], [x[1], 1.65, z + 4.0]))
        for z in rng.uniform(0, 108, 8):
            solids.append(([side * 6.5, -3.0, z], [side * 6.5 + 0.3, 1.65, z + 0.3]))
    return [ground, *_solids(solids, paper)]


def desk(seed: int) -> list[Surface]:
    """Boxes on a table before a wall, an arm's length away, in a room."""
    rng = np.random.default_rng(seed)
    paper = wall_paper(rng, share=1.0, texels=800, height=0.35)
    wide = wall_paper(rng, share=0.4)
    surfaces = list(box(np.array([-2.5, -1.4, -2.0]), np.array([2.5, 1.2, 1.6]), wide, inside=True).values())
    solids = [([-1.0, 0.35, 0.5], [1.0, 0.4, 1.4])]
    for _ in range(14):
        x, z, w, d, tall = rng.uniform([-0.95, 0.55, 0.08, 0.08, 0.04], [0.8, 1.2, 0.3, 0.2, 0.4])
        solids.append(([x, 0.35 - tall, z], [x + w, 0.35, z + d]))
    return surfaces + _solids(solids, paper)


def _solids(corners: list[tuple[list[float], list[float]]], paper: Paper) -> list[Surface]:
    boxes = (box(np.array(low), np.array(high), paper, inside=False) for low, high in corners)
    return [side for sides in boxes for name, side in sides.items() if name != "bottom"]


_LOOP = (
    (0, 0, 2.8), (2, 0, 2.8), (3.6, 0, 2.5), (4.1, 0, 1.2), (4.1, 0, -1.2), (3.6, 0, -2.5), (2, 0, -2.8),
    (-2, 0, -2.8), (-3.6, 0, -2.5), (-4.1, 0, -1.2), (-4.1, 0, 1.2), (-3.6, 0, 2.5), (-2, 0, 2.8),
    (0, 0, 2.8), (2, 0, 2.8),
)  # fmt: skip
_AHEAD = ((0, 0, -1.2), (0.2, 0, 5.0), (-0.3, 0, 11.0), (0.2, 0, 17.0), (0, 0, 20.0))
_DRIVE = ((0, 0, 0), (0.3, 0, 30), (-0.5, 0, 60), (0, 0, 100))

PLACES: Mapping[str, Place] = {
    "room_rolls": Place(furnished_room, lambda seed: RoomPath(), 15.0),
    "room_hand": Place(
        furnished_room, lambda seed: Shake(seed, (0.9, 0.3, 0.8), (50, 18, 12)), 10.0,
        readout_s=0.02, exposure_s=0.008,
    ),
    "desk_pans": Place(desk, lambda seed: Shake(seed, (0.35, 0.15, 0.2), (45, 15, 15), (0.1, 0.5)), 9.0),
    "desk_lens": Place(
        desk, lambda seed: Shake(seed, (0.3, 0.12, 0.15), (25, 12, 20)), 9.0,
        lens=replace(VGA, fx=528.0, fy=528.0, cx=321.5, distortion=Distortion.RADTAN,
                     coefficients=(0.015, -0.01, 0.0, 0.0)),
        readout_s=0.03,
    ),
    "floor_walk": Place(
        floor_plan, lambda seed: Walk(_LOOP, 1.5, seed, glance_deg=25), 20.0, rate_hz=10.0
    ),
    "floor_poor": Place(
        lambda seed: floor_plan(seed, poor=True), lambda seed: Walk(_LOOP, 1.2, seed), 18.0, rate_hz=10.0
    ),
    "floor_spin": Place(
        floor_plan, lambda seed: Walk(_LOOP, 0.8, seed, pan_deg_s=60.0, roll_deg_s=25.0), 10.0
    ),
    "corridor": Place(corridor, lambda seed: Walk(_AHEAD, 1.2, seed), 15.0, rate_hz=10.0, baseline_m=0.1),
    "street": Place(
        street, lambda seed: Walk(_DRIVE, 9.0, seed, bob_m=0.01, sway_deg=0.4), 9.0, CAR, CAR, 10.0,
        baseline_m=0.54,
    ),
}  # fmt: skip


def take(
    place: Place, seed: int
) -> tuple[Float64, Callable[[float], tuple[UInt8, Float32]], Callable[[float], UInt8] | None]:
    """Times (N,) of the images [s]; the image (H, W, 3) BGR and depth (H, W) [m] at a time; the right image
    (H, W, 3), None without a right camera.
    """
    path, surfaces = place.path(seed), place.surfaces(seed)
    shutter = Shutter(surfaces, place.lens, place.readout_s, place.exposure_s, place.moving(seed))
    rng = np.random.default_rng(seed)
    beside = np.eye(4)
    beside[0, 3] = place.baseline_m
    times = np.arange(round(place.duration_s * place.rate_hz)) / place.rate_hz

    def left(seconds: float) -> tuple[UInt8, Float32]:
        image, depth = shutter.take(path.pose, seconds)
        return _amplified(image, place.gain(seconds)), place.depth_camera.measure(depth, rng)

    def right(seconds: float) -> UInt8:
        image, _ = shutter.take(lambda t: path.pose(t) @ beside, seconds)
        return _amplified(image, place.gain(seconds))

    return times, left, right if place.baseline_m else None


def _amplified(image: UInt8, gain: float) -> UInt8:
    return np.asarray(np.clip(image * np.float32(gain), 0, 255), dtype=np.uint8)
