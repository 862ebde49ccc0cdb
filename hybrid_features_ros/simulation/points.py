# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Features of a scene without images: points on its surfaces, hidden by what stands before them.

A hundred times as fast as rendering and extracting, and exact where wanted. What makes real features hard
is modelled: they are found in some images and not in others, more often the stronger they are; descriptors
change with the view; some features are seen once and never again; errors of an image go the same way.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hybrid_features_ros.core.camera import Camera
from hybrid_features_ros.core.types import Bool, DescriptorFormat, Features, Float64, Rows
from hybrid_features_ros.simulation.scene import Surface

_FORMAT = DescriptorFormat(detector="points", descriptor="points")
_DIMENSION = 32
_FAR = 0.01  # a surface this much nearer hides a point [m]


class PointScene:
    """Points (N, 3) on surfaces, each with a descriptor and a strength of its own.

    Args:
        surfaces: of the scene.
        per_square_metre: points on every square metre.
        budget: most features of an image.
        noise_px: of a feature's position.
        shared_px: error that all features of an image share smoothly: a random affine map.
        passing: share of features that no other image shows.
    """

    def __init__(
        self,
        surfaces: Sequence[Surface],
        camera: Camera,
        seed: int,
        *,
        per_square_metre: float = 60.0,
        budget: int = 800,
        noise_px: float = 0.5,
        shared_px: float = 0.0,
        passing: float = 0.35,
    ) -> None:
        rng = self._rng = np.random.default_rng(seed)
        self._camera, self._budget, self._noise = camera, budget, noise_px
        self._shared, self._passing = shared_px, passing
        self._corner = np.array([s.corner for s in surfaces])
        self._across, self._down = (np.array([getattr(s, n) for s in surfaces]) for n in ("across", "down"))
        self._normal = np.cross(self._across, self._down)
        counts = rng.poisson(np.linalg.norm(self._normal, axis=1) * per_square_metre)
        self._surface = np.repeat(np.arange(len(surfaces)), counts)
        u, v = rng.uniform(size=(2, len(self._surface), 1))
        own = self._surface
        self._points = self._corner[own] + u * self._across[own] + v * self._down[own]
        self._strength = rng.normal(size=len(own))
        self._descriptors = _unit(rng.normal(size=(len(own), _DIMENSION)))
        self._changes = _unit(rng.normal(size=(len(own), 3, _DIMENSION)))

    def seen_from(self, T_world_camera: Float64) -> Features:
        """What an image at a pose (4, 4) shows, with exact depth."""
        rng, camera = self._rng, self._camera
        local = (self._points - T_world_camera[:3, 3]) @ T_world_camera[:3, :3]
        pixels = camera.project(local)
        size = np.array([camera.width - 1, camera.height - 1])
        with np.errstate(invalid="ignore"):
            rows = np.flatnonzero(((pixels >= 0) & (pixels <= size)).all(axis=1))
        rows = rows[self._unhidden(rows, T_world_camera[:3, 3])]
        strength = self._strength[rows] + 0.7 * rng.normal(size=len(rows))
        passing = int(self._passing * min(self._budget, len(rows) / (1 - self._passing)))
        rows = rows[np.argsort(-strength)[: self._budget - passing]]
        points, n = pixels[rows], len(rows)
        away = local[rows] / np.linalg.norm(local[rows], axis=1, keepdims=True)
        views = away @ T_world_camera[:3, :3].T  # the direction it is seen from changes a descriptor
        values = self._descriptors[rows] + 0.8 * np.einsum("nk,nkd->nd", views, self._changes[rows])
        values += 0.06 * rng.normal(size=values.shape)
        points = points + self._noise * rng.normal(size=points.shape)
        if self._shared:
            centred = points / size - 0.5
            points = points + self._shared * (centred @ rng.normal(size=(2, 2)) + rng.normal(size=2))
        points = np.concatenate([points, rng.uniform(size=(passing, 2)) * size]).clip(0, size)
        values = np.concatenate([_unit(values), _unit(rng.normal(size=(passing, _DIMENSION)))])
        depths = np.concatenate([local[rows, 2], rng.permutation(local[rows, 2])[:passing]])
        ones = np.ones(n + passing, np.float32)
        return Features(
            points=points.astype(np.float32), scores=ones, scales=ones, angles=0 * ones,
            sigmas=ones * np.float32(self._noise), descriptors=values.astype(np.float32), format=_FORMAT,
            width=camera.width, height=camera.height, depths=depths.astype(np.float32),
        )  # fmt: skip

    def _unhidden(self, rows: Rows, eye: Float64) -> Bool:
        """Which points no surface hides from an eye (3,), and whose own surface faces it."""
        away = self._points[rows] - eye
        facing = np.einsum("ni,ni->n", self._normal[self._surface[rows]], away) > 0
        towards = np.einsum("si,si->s", self._normal, self._corner - eye)
        with np.errstate(divide="ignore", invalid="ignore"):
            s = towards / (away @ self._normal.T)  # (N, S) where the ray meets each plane
        u = (eye @ self._across.T - (self._corner * self._across).sum(1) + s * (away @ self._across.T)) / (
            self._across**2
        ).sum(1)
        v = (eye @ self._down.T - (self._corner * self._down).sum(1) + s * (away @ self._down.T)) / (
            self._down**2
        ).sum(1)
        hit = (towards > 0) & (s > 0) & (s < 1 - _FAR) & (u > 0) & (u < 1) & (v > 0) & (v < 1)
        return np.asarray(facing & ~hit.any(axis=1))


def _unit(vectors: Float64) -> Float64:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True))
