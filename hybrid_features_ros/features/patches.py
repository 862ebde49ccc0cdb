# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Upright patches: the neighbourhood of each keypoint, turned by its orientation and sized by its scale.

And what every histogram of them starts with: gradients, and the shares of samples in a grid of cells.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from hybrid_features_ros.core.types import Float32
from hybrid_features_ros.features.detector import FINEST_SCALE, SCALE, Keypoints
from hybrid_features_ros.features.pyramid import STEP, snapped, to_level
from hybrid_features_ros.features.workspace import Workspace

SIDE, SPACING = 20, 1.7  # of a patch [samples], between two samples [px of the keypoint's level]
CELLS = 4  # of a descriptor, along each side
CELL = 7.0 / SPACING  # width of a cell [samples]: 2.8 times what a keypoint is as large as
_PORTION = 256  # patches that are sampled at a time


def oriented_patches(
    levels: Sequence[Float32],
    keypoints: Keypoints,
    width: int,
    height: int,
    workspace: Workspace | None = None,
    coarser: int = 0,
) -> Float32:
    """Patches (N, SIDE, SIDE) float32 of an image's pyramid, the x axis along each keypoint's orientation.

    Args:
        levels: the pyramid that the keypoints were found in.
        width, height: of the image [px].
        workspace: of the patches, which are then valid until the next image.
        coarser: levels between a keypoint's and the one its patch is taken from, which shows ``STEP`` times
            as much for each; where the pyramid ends before, the samples of its last level lie further apart.
    """
    array = (workspace or Workspace()).array
    ticks = (np.arange(SIDE) - (SIDE - 1) / 2) * SPACING
    grid = np.stack([np.tile(ticks, SIDE), np.repeat(ticks, SIDE), np.ones(SIDE**2)]).astype(np.float32)
    c, s = np.cos(keypoints.angles), np.sin(keypoints.angles)
    patches = array(f"patches {coarser}", len(c), SIDE**2)
    for i in range(len(levels)):
        mine = np.flatnonzero(keypoints.levels == i)
        there = min(i + coarser, len(levels) - 1)
        level = levels[there]
        centre = to_level(keypoints.points[mine].astype(float), level, width, height).astype(np.float32)
        size = (1.0 if i else FINEST_SCALE / SCALE) * STEP ** (i + coarser - there)
        scaled = grid * np.array([[size], [size], [1]], np.float32)
        for k in range(0, len(mine), _PORTION):
            rows, (x, y) = mine[k : k + _PORTION], centre[k : k + _PORTION].T
            map_x, map_y, sampled = (array(f"patches {n}", len(rows), SIDE**2) for n in ("x", "y", "sampled"))
            np.matmul(np.stack([c[rows], -s[rows], x], axis=1), scaled, out=map_x)
            np.matmul(np.stack([s[rows], c[rows], y], axis=1), scaled, out=map_y)
            patches[rows] = cv2.remap(
                level,
                snapped(map_x),
                snapped(map_y),
                cv2.INTER_LINEAR,
                dst=sampled,
                borderMode=cv2.BORDER_REFLECT_101,
            )
    return patches.reshape(-1, SIDE, SIDE)


def gradients(patches: Float32) -> tuple[Float32, Float32]:
    """Central differences along x and y of patches (N, side, side); zero on the rim."""
    gx, gy = np.zeros_like(patches), np.zeros_like(patches)
    np.subtract(patches[:, :, 2:], patches[:, :, :-2], out=gx[:, :, 1:-1])
    np.subtract(patches[:, 2:], patches[:, :-2], out=gy[:, 1:-1])
    return gx, gy


def cell_shares(side: int, cell: float) -> Float32:
    """What each of the side x side samples (N,) gives to each of the CELLS x CELLS cells (M,): (N, M).

    Bilinear, under a Gaussian window of half the grid's width (Lowe, 2004, section 6).

    Args:
        cell: width of a cell [samples].
    """
    at = (np.arange(side) - (side - 1) / 2) / cell  # [cells] from the middle
    centres = np.arange(CELLS) - (CELLS - 1) / 2
    linear = np.maximum(1 - np.abs(at[:, None] - centres[None]), 0)
    window = np.exp(-(at**2) / (2 * (CELLS / 2) ** 2))
    one = linear * window[:, None]
    shares = np.einsum("yi,xj->yxij", one, one).reshape(side * side, CELLS * CELLS)
    return np.asarray(shares, dtype=np.float32)
