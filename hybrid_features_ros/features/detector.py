# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Heatmaps of a pyramid to keypoints: the S-TREK detector's inference, the noise-free limit of its draws."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hybrid_features_ros.core.types import DescriptorFormat, Features, Float32, Float64, UInt8
from hybrid_features_ros.features.pyramid import BLUR, FINEST_BLUR, STEP, to_image, to_level
from hybrid_features_ros.features.selection import maxima, refine, spread
from hybrid_features_ros.features.workspace import Workspace

APART = 3.0  # least distance of two keypoints, of whatever levels [px of the image]
RADIUS = 2  # of the disc around a keypoint in which there is no other [px of its level]
SCALE = (BLUR**2 + 1.5**2) ** 0.5  # of a keypoint: blur and filter together [px of its level]
FINEST_SCALE = (FINEST_BLUR**2 + 1.5**2) ** 0.5  # the same of level 0 [px]
SIGMA = 0.1  # standard deviation of a keypoint's position as a share of its scale
BLEND = (0.0, 0.0, 1.0, 1.0, 0.0)  # weights of the gradients 0, 1, 2, ... levels coarser in the orientation


@dataclass(frozen=True)
class Heat:
    """What the network says of one level: logits (H, W) and gradient (2, H, W), float32."""

    logits: Float32
    gradient: Float32


@dataclass(frozen=True)
class HeatPyramid:
    """What the network says of an image.

    Attributes:
        heats: of the levels of :func:`.pyramid`, finest first.
        sources: how many of them keypoints come from; those beyond lend their gradients only.
        width, height: of the image [px].
    """

    heats: Sequence[Heat]
    sources: int
    width: int
    height: int


@dataclass(frozen=True)
class Keypoints:
    """Best first; ``levels`` (N,) of the pyramid, the others as in :class:`.Features`."""

    points: Float32
    scores: Float32
    scales: Float32
    angles: Float32
    sigmas: Float32
    levels: NDArray[np.intp]

    def described(
        self, descriptors: Float32 | UInt8, form: DescriptorFormat, width: int, height: int
    ) -> Features:
        """Features of an image ``width`` x ``height`` [px], with a descriptor (N, D) for each keypoint."""
        return Features(
            points=self.points,
            scores=self.scores,
            scales=self.scales,
            angles=self.angles,
            sigmas=self.sigmas,
            descriptors=descriptors,
            format=form,
            width=width,
            height=height,
        )


def select(pyramid: HeatPyramid, budget: int, grid: int = 0, workspace: Workspace | None = None) -> Keypoints:
    """The keypoints of an image from the heatmaps of its pyramid.

    The maxima of all levels compete: a blob is found on two or three levels, a fraction of a pixel apart, and
    only the strongest of them within ``APART`` is kept.

    Args:
        budget: most keypoints.
        grid: cells along each side of the image that share the budget, see :func:`balanced`; 0 = none.
        workspace: for what is computed on the way.
    """
    peaks = [maxima(h.logits, RADIUS, workspace) for h in pyramid.heats[: pyramid.sources]]
    total = sum(len(found) for found in peaks)
    enough = total if grid else 2 * budget
    while True:
        points, scores, level = best_maxima(pyramid, peaks, enough)
        order = spread(points, APART)
        if len(order) >= budget or len(points) == total:
            break
        enough *= 2  # what comes last decides nothing: no more is looked at than the budget needs
    if grid:
        order = order[balanced(points[order], pyramid.width, pyramid.height, budget, grid)]
    order = order[:budget]
    chosen, chosen_levels = points[order], level[order]
    sizes = scales(chosen_levels)
    return Keypoints(
        points=chosen.astype(np.float32),
        scores=scores[order].astype(np.float32),
        scales=sizes,
        angles=orientations(pyramid, chosen, chosen_levels),
        sigmas=np.float32(SIGMA) * sizes,
        levels=chosen_levels,
    )


def scales(levels: NDArray[np.integer[Any]]) -> Float32:
    """Scales (N,) [px] of keypoints of these levels."""
    found = np.where(levels, SCALE * STEP ** levels.astype(float), FINEST_SCALE)
    return np.asarray(found, dtype=np.float32)


def best_maxima(
    pyramid: HeatPyramid, peaks: Sequence[NDArray[np.intp]], most: int
) -> tuple[Float64, Float32, NDArray[np.intp]]:
    """The best of the maxima of all levels, best first: points (N, 2) [px], scores (N,) and levels (N,).

    Args:
        peaks: maxima of each level, see :func:`.maxima`.
        most: of the maxima; a few more where the last ones are equal.
    """
    maps = [heat.logits for heat in pyramid.heats[: pyramid.sources]]
    heights = [logits[tuple(found.T)] for logits, found in zip(maps, peaks, strict=True)]
    scores = np.concatenate([np.zeros(0, np.float32), *heights])
    least = np.partition(scores, -most)[-most] if most < len(scores) else -np.inf
    points, level = [np.zeros((0, 2))], [np.zeros(0, np.intp)]
    for i, (logits, found, score) in enumerate(zip(maps, peaks, heights, strict=True)):
        good = found[score >= least]
        points.append(to_image(refine(logits, good), logits, pyramid.width, pyramid.height))
        level.append(np.full(len(good), i))
    scores = scores[scores >= least]
    order = np.argsort(-scores, kind="stable")
    return np.concatenate(points)[order], scores[order], np.concatenate(level)[order]


def balanced(points: Float64, width: int, height: int, budget: int, grid: int) -> NDArray[np.intp]:
    """Order (N,) in which ``grid`` x ``grid`` cells of an image fill a budget evenly.

    First comes what is within its cell's equal share of the budget, then the rest: keypoints of a poor
    cell are kept before those of a rich one, and no budget is lost where cells are empty.

    Args:
        points: (N, 2) [px], best first.
    """
    column, row = (points / [width, height] * grid).clip(0, grid - 1).astype(int).T
    cell = row * grid + column
    by_cell = np.argsort(cell, kind="stable")
    starts = np.searchsorted(cell[by_cell], np.arange(grid * grid))
    rank = np.empty(len(points), np.intp)  # within the cell
    rank[by_cell] = np.arange(len(points)) - starts[cell[by_cell]]
    return np.argsort(rank >= budget // (grid * grid), kind="stable")


def orientations(pyramid: HeatPyramid, points: Float64, levels: np.ndarray) -> Float32:
    """Directions (N,) [rad] of the blended gradients around keypoints."""
    total = np.zeros((len(points), 2))
    for i, heat in enumerate(pyramid.heats):
        step = i - levels
        weights = np.array([*BLEND, 0.0])[np.where((step >= 0) & (step < len(BLEND)), step, len(BLEND))]
        rows = np.flatnonzero(weights)
        if len(rows):
            where = to_level(points[rows], heat.logits, pyramid.width, pyramid.height)
            total[rows] += weights[rows, None] * _between_pixels(heat.gradient, where)
    return np.arctan2(total[:, 1], total[:, 0]).astype(np.float32)


def _between_pixels(maps: Float32, points: Float64) -> Float64:
    """Linearly interpolated values (N, C) of maps (C, H, W) at points (N, 2) [px]; beyond a border, its own.

    OpenCV's versions differ in theirs.
    """
    c, height, width = maps.shape
    x, y = points.T.clip(0, [[width - 1], [height - 1]])
    left, top = np.minimum(x.astype(int), width - 2), np.minimum(y.astype(int), height - 2)
    at, u, v = top * width + left, x - left, y - top
    flat = maps.reshape(c, -1)
    upper = flat.take(at, axis=1) * (1 - u) + flat.take(at + 1, axis=1) * u
    lower = flat.take(at + width, axis=1) * (1 - u) + flat.take(at + width + 1, axis=1) * u
    return np.asarray((upper * (1 - v) + lower * v).T)
