# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Pairs of views of rendered scenes with exact truth, occlusion and parallax."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import cv2
import numpy as np

from hybrid_features_ros.core import se3
from hybrid_features_ros.core.camera import Camera
from hybrid_features_ros.core.types import Float32, Float64, UInt8
from hybrid_features_ros.io.pairs import ANGLES_DEG, PosedPair
from hybrid_features_ros.simulation.scene import Renderer, Surface, papered

CAMERA = Camera(640, 480, 525.0, 525.0, 319.5, 239.5)
PAIRS_PER_SCENE = 6
SEEDS = {"val": 0, "test": 1000}  # of the first scene: what is chosen on the one is reported on the other
GAIN, NOISE = (0.8, 1.2), 2.0  # of a view's exposure, and of its pixels [grey levels]
ELECTRONS = 4.0  # of a pixel, per grey level: their square root is the shot noise
_OBJECTS, _REACH = 14, 1.4  # boxes, and the radius in which they stand [m]
_FLOOR, _WALLS, _HEIGHT = 1.4, 3.6, 4.0  # below the origin, distance and height of the walls [m]


def wide_pairs(photographs: Sequence[UInt8], scenes: int, seed: int) -> Iterator[PosedPair]:
    """Views whose directions differ by ``ANGLES_DEG``, in ``PAIRS_PER_SCENE`` equal steps.

    Args:
        photographs: (H, W, 3) BGR, of the textures.
        scenes: each with its own boxes.
        seed: of the first scene; the next one's is greater by one.
    """
    low, high = np.radians(ANGLES_DEG)
    for scene, rng, surfaces in _scenes(photographs, scenes, seed):
        renderer = Renderer(surfaces, CAMERA)
        for k, apart in enumerate(np.linspace(low, high, PAIRS_PER_SCENE)):
            azimuth, side = rng.uniform(-0.9, 0.9), rng.choice([-1, 1])
            poses = [looking(rng, azimuth + side * apart * s) for s in (-0.5, 0.5)]
            (a, depth), (b, _) = (renderer.render(T) for T in poses)
            yield _pair(f"scene {scene} pair {k}", _exposed(a, rng), _exposed(b, rng), poses, depth)


def blurred_pairs(
    photographs: Sequence[UInt8], scenes: int, seed: int, blur_px: float = 0.0, light: float = 1.0
) -> Iterator[PosedPair]:
    """Neighbouring views, the second one smeared along a random direction and taken in less light.

    Args:
        photographs, scenes, seed: see :func:`wide_pairs`.
        blur_px: length of the smear.
        light: share of the light, with the shot noise of so few electrons.
    """
    for scene, rng, surfaces in _scenes(photographs, scenes, seed):
        poses = _neighbours(rng)
        (a, depth), (b, _) = (Renderer(surfaces, CAMERA).render(T) for T in poses)
        smeared = motion_blurred(b, blur_px, rng.uniform(0, np.pi))
        yield _pair(f"scene {scene}", _exposed(a, rng), _dark(smeared, light, rng), poses, depth)


def zoomed_pairs(photographs: Sequence[UInt8], scenes: int, seed: int, zoom: float) -> Iterator[PosedPair]:
    """Neighbouring views, the first one with a longer lens: what both see is ``zoom`` times larger there.

    See :func:`wide_pairs` for the arguments.
    """
    near, far = (
        replace(CAMERA, fx=CAMERA.fx * factor, fy=CAMERA.fy * factor) for factor in (zoom**0.5, zoom**-0.5)
    )
    for scene, rng, surfaces in _scenes(photographs, scenes, seed):
        poses = _neighbours(rng)
        (a, depth), (b, _) = (
            Renderer(surfaces, c).render(T) for c, T in zip((near, far), poses, strict=True)
        )
        yield _pair(f"scene {scene}", _exposed(a, rng), _exposed(b, rng), poses, depth, (near, far))


def motion_blurred(image: UInt8, length: float, direction: float) -> UInt8:
    """The image (H, W, 3) averaged along a line [px] of a direction [rad]."""
    if length <= 0:
        return image
    side = 2 * int(np.ceil(length / 2)) + 3
    kernel = np.zeros((side, side), np.float32)
    steps = np.linspace(-length / 2, length / 2, 16 * side)
    x, y = (side // 2 + steps * f(direction) for f in (np.cos, np.sin))
    for dx in (0, 1):  # bilinear shares
        for dy in (0, 1):
            column, row = np.floor(x).astype(int) + dx, np.floor(y).astype(int) + dy
            share = (1 - np.abs(x - column)) * (1 - np.abs(y - row))
            np.add.at(kernel, (row, column), share.astype(np.float32))
    blurred = cv2.filter2D(image, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REFLECT_101)
    return np.asarray(blurred, dtype=np.uint8)


def _scenes(
    photographs: Sequence[UInt8], scenes: int, seed: int
) -> Iterator[tuple[int, np.random.Generator, list[Surface]]]:
    for scene in range(seed, seed + scenes):
        rng = np.random.default_rng(scene)
        surfaces = yard(photographs, rng)
        yield scene, rng, surfaces


def _pair(
    name: str, a: UInt8, b: UInt8, poses: Sequence[Float64], depth: Float32, cameras: Sequence[Camera] = (),
) -> PosedPair:  # fmt: skip
    camera_a, camera_b = cameras or (CAMERA, CAMERA)
    return PosedPair(name, a, b, camera_a, camera_b, se3.inverse(poses[1]) @ poses[0], depth)


def _neighbours(rng: np.random.Generator) -> list[Float64]:
    """Two poses as of a camera in the hand: some degrees of roll and some centimetres apart."""
    T = looking(rng, rng.uniform(-0.9, 0.9))
    return [T, T @ se3.exp([*rng.normal(0, 0.04, 3), *np.radians(rng.normal(0, [1.5, 1.5, 10.0]))])]


def looking(rng: np.random.Generator, azimuth: float) -> Float64:
    """A pose (4, 4) at eye level, on an arc of about 3 m at an azimuth [rad], aimed near the middle."""
    distance, height = rng.uniform(2.4, 3.2), rng.uniform(-0.5, 0.5)
    position = np.array([distance * np.sin(azimuth), height, -distance * np.cos(azimuth)])
    forward = np.array([0, 0.2, 0]) + rng.uniform(-0.25, 0.25, 3) - position
    forward /= np.linalg.norm(forward)
    right = np.cross([0.0, 1.0, 0.0], forward)
    right /= np.linalg.norm(right)
    return se3.make(np.column_stack([right, np.cross(forward, right), forward]), position)


def _exposed(image: UInt8, rng: np.random.Generator) -> UInt8:
    """What a sensor makes of it: its own exposure, and noise in each pixel."""
    noise = rng.standard_normal(image.shape[:2], dtype=np.float32)[..., None] * np.float32(NOISE)
    return _digital(image * np.float32(rng.uniform(*GAIN)) + noise)


def _dark(image: UInt8, light: float, rng: np.random.Generator) -> UInt8:
    """What a sensor makes of a share of the light: shot noise, and the usual one of each pixel."""
    if light == 1:
        return _exposed(image, rng)
    electrons = rng.poisson(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY) * (light * ELECTRONS))
    noise = rng.normal(0, NOISE / 2, electrons.shape)
    return _digital(np.repeat((electrons / ELECTRONS + noise)[..., None], 3, axis=2))


def _digital(image: Float32 | Float64) -> UInt8:
    return np.asarray(np.clip(np.rint(image), 0, 255), dtype=np.uint8)


def yard(photographs: Sequence[UInt8], rng: np.random.Generator) -> list[Surface]:
    """Boxes in front of each other on a square between five walls, papered with photographs (H, W, 3) BGR."""
    side = 2 * _WALLS
    ground = papered(side, side, photographs, rng)
    surfaces = [Surface.make([-_WALLS, _FLOOR, _WALLS], [side, 0, 0], [0, 0, -side], ground)]
    for turn in np.radians([-90, -45, 0, 45, 90]):
        facing, along = np.array([[np.sin(turn), 0, np.cos(turn)], [np.cos(turn), 0, -np.sin(turn)]])
        surfaces.append(_panel(_WALLS * facing, along, 3.2, _HEIGHT, photographs, rng))
    for _ in range(_OBJECTS):
        surfaces += _crate(photographs, rng)
    return surfaces


def _crate(photographs: Sequence[UInt8], rng: np.random.Generator) -> list[Surface]:
    """The four upright sides of a box somewhere in the yard, and its lid."""
    radius, angle, yaw = _REACH * np.sqrt(rng.uniform()), rng.uniform(0, 2 * np.pi), rng.uniform(0, np.pi)
    middle = np.array([radius * np.sin(angle), 0, radius * np.cos(angle)])
    width, length, height = rng.uniform([0.25, 0.25, 0.3], [0.8, 0.8, 1.7])
    x, z = np.array([np.cos(yaw), 0, -np.sin(yaw)]), np.array([np.sin(yaw), 0, np.cos(yaw)])
    sides = [
        _panel(middle + offset, along, wide, height, photographs, rng)
        for offset, along, wide in (
            (-z * length / 2, x, width), (z * length / 2, -x, width),
            (-x * width / 2, -z, length), (x * width / 2, z, length),
        )
    ]  # fmt: skip
    corner = middle - x * width / 2 + z * length / 2 + [0, _FLOOR - height, 0]
    lid = papered(width, length, photographs, rng)
    return [*sides, Surface.make(corner.tolist(), (x * width).tolist(), (-z * length).tolist(), lid)]


def _panel(
    middle: Float64, along: Float64, width: float, height: float, photographs: Sequence[UInt8],
    rng: np.random.Generator,
) -> Surface:  # fmt: skip
    """An upright rectangle on the floor, seen from the side from which ``along`` points to the right."""
    corner = middle - along * width / 2 + [0, _FLOOR - height, 0]
    paper = papered(width, height, photographs, rng)
    return Surface.make(corner.tolist(), (along * width).tolist(), [0, height, 0], paper)
