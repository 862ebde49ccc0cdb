# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Pairs of views with parallax, occlusion and a change of light: rendered yards papered with photographs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from hybrid_features_ros.core import se3
from hybrid_features_ros.core.camera import Camera
from hybrid_features_ros.core.types import Float32, Float64, UInt8
from hybrid_features_ros.training.pairs import disturbed, noisy

ROLLED, LIT = 0.7, 0.6  # shares of views whose camera is rolled, and that are taken in a light of their own
_HIDDEN = 0.05  # a place is hidden where the second view's depth is less than its own by this share


@dataclass(frozen=True, eq=False)
class ScenePair:
    """Grey images (H, W) uint8, their depths (H, W) [m], cameras, and the motion between them."""

    a: UInt8
    b: UInt8
    depth_a: NDArray[Any]
    depth_b: NDArray[Any]
    camera_a: Camera
    camera_b: Camera
    T_b_a: Float64

    def transfer(self, pixels: Float64) -> Float64:
        """Where pixels (N, 2) of a are in b; NaN where the depth is unknown or another surface hides them."""
        z = _depth_at(self.depth_a, pixels)
        points = np.column_stack([self.camera_a.normalise(pixels), np.ones(len(pixels))]) * z[:, None]
        points = points @ self.T_b_a[:3, :3].T + self.T_b_a[:3, 3]
        there = self.camera_b.project(points)
        size = np.array([self.camera_b.width, self.camera_b.height])
        with np.errstate(invalid="ignore"):
            inside = (points[:, 2] > 0) & ((there >= 0) & (there <= size - 1)).all(axis=1)
        seen = np.full(len(pixels), np.nan)
        seen[inside] = _depth_at(self.depth_b, there[inside])
        with np.errstate(invalid="ignore"):
            visible = inside & (points[:, 2] <= (1 + _HIDDEN) * seen)
        return np.where(visible[:, None], there, np.nan)

    def swapped(self) -> ScenePair:
        """The same views in the other order."""
        back = se3.inverse(self.T_b_a)
        return ScenePair(self.b, self.a, self.depth_b, self.depth_a, self.camera_b, self.camera_a, back)


def photographed(image: UInt8, lit: bool, rng: np.random.Generator) -> UInt8:
    """What a camera makes of an image (H, W, 3) BGR, in grey: with noise only, or in a light of its own.

    That light has colours, a slowly varying strength and half of the time a shadow; exposure, sharpness and
    compression differ, too.
    """
    if not lit:
        gray = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
        return noisy(gray * np.float32(rng.uniform(0.8, 1.2)), rng.uniform(0.5, 4), rng)
    mixing = rng.dirichlet([1.5, 4.0, 2.5]).astype(np.float32)
    gray = cv2.transform(image.astype(np.float32), mixing[None])
    small = rng.normal(0, 0.25, (4, 5)).astype(np.float32)
    strength = np.exp(cv2.resize(small, gray.shape[::-1], interpolation=cv2.INTER_CUBIC))
    if rng.random() < 0.5:
        strength *= _shadow(gray.shape, rng)
    return disturbed(np.asarray(gray * strength, dtype=np.float32), rng)


def _shadow(shape: tuple[int, ...], rng: np.random.Generator) -> Float32:
    """(H, W) of 1, and less within a triangle with soft edges."""
    corners = rng.uniform(-0.3, 1.3, (3, 2)) * shape[::-1]
    mask = np.ones(shape, np.float32)
    cv2.fillPoly(mask, [corners.astype(np.int32)], float(rng.uniform(0.3, 0.7)))
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), rng.uniform(1.0, 6.0)), dtype=np.float32)


def _depth_at(depth: NDArray[Any], pixels: Float64) -> Float64:
    """Depth (N,) at pixels (N, 2) [m]: exact on planes, whose inverse depth is linear; that of the nearest
    pixel where surfaces meet.
    """
    size = np.array(depth.shape[::-1])
    inside = pixels.clip(0, size - 1)
    x, y = np.minimum(inside.astype(int), size - 2).T
    corners = np.array([depth[y, x], depth[y, x + 1], depth[y + 1, x], depth[y + 1, x + 1]], np.float64)
    u, v = (inside - np.stack([x, y], axis=1)).T
    shares = np.array([(1 - u) * (1 - v), u * (1 - v), (1 - u) * v, u * v])
    smooth = 1 / (shares / corners).sum(axis=0)
    column, row = np.rint(inside).astype(int).T
    apart = corners.max(axis=0) > (1 + _HIDDEN) * corners.min(axis=0)
    nearest = depth[row, column].astype(np.float64)
    return np.asarray(np.where(apart | ~np.isfinite(smooth), nearest, smooth))
