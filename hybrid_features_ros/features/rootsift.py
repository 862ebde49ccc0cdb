# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""RootSIFT of oriented patches, for keypoints that another detector found.

The histogram is Lowe's (2004, section 6): 4x4 cells of 8 directions, a Gaussian window of half the
descriptor's width, linear shares of every gradient in the neighbouring cells and directions, clipped at 0.2;
then RootSIFT (Arandjelovic and Zisserman, 2012).

The shares in the directions come from ramps. A gradient of magnitude m whose direction is t eighths of a
turn gives ``m * max(0, 1 - |t - k|)`` to direction k, which is ``r_(k-1) - r_k`` with
``r_k = m * clip(t - k, 0, 1)``. Cells are sums, so that differences may be taken of the cells instead of the
samples: two passes over the samples for each direction, and one matrix product.
"""

from __future__ import annotations

import cv2
import numpy as np

from hybrid_features_ros.core.types import Float32
from hybrid_features_ros.features.patches import CELL, CELLS, cell_shares
from hybrid_features_ros.features.workspace import Workspace

DIRECTIONS, CLIP = 8, 0.2
_PORTION = 128  # patches at a time: what is computed of them stays in the processor's cache


def describe_patches(patches: Float32, cell: float = CELL, workspace: Workspace | None = None) -> Float32:
    """RootSIFT (N, 128) float32 of patches (N, side, side); all zero where a patch has no gradient.

    Args:
        cell: width of a cell [samples]; the patch should be ``(CELLS + 1) * cell`` samples wide or more.
        workspace: for what is computed on the way.
    """
    workspace = workspace or Workspace()
    n, side, _ = patches.shape
    shares = cell_shares(side, cell).reshape(side, side, -1)[1:-1, 1:-1].reshape(-1, CELLS * CELLS)
    histogram = np.empty((n, CELLS * CELLS, DIRECTIONS), np.float32)
    for i in range(0, n, _PORTION):
        part = slice(i, i + _PORTION)
        histogram[part] = _histograms(patches[part], shares, workspace)
    flat = histogram.reshape(n, CELLS * CELLS * DIRECTIONS)
    length = np.sqrt(np.einsum("nd,nd->n", flat, flat))[:, None]
    np.clip(flat, 0, CLIP * np.maximum(length, np.float32(1e-12)), out=flat)  # differences may be -1e-9
    flat /= np.maximum(flat.sum(axis=1, keepdims=True), np.float32(1e-7))
    return np.sqrt(flat, out=flat)


def _histograms(patches: Float32, shares: Float32, workspace: Workspace) -> Float32:
    """(N, CELLS^2, DIRECTIONS) sums of gradients, from the samples that have neighbours on all sides."""
    n, inner = len(patches), len(patches[0]) - 2
    array, samples = workspace.array, (n, inner * inner)
    gx, gy, magnitude, turn = (array(f"gradient {k}", n, inner, inner) for k in ("x", "y", "m", "t"))
    np.subtract(patches[:, 1:-1, 2:], patches[:, 1:-1, :-2], out=gx)
    np.subtract(patches[:, :-2, 1:-1], patches[:, 2:, 1:-1], out=gy)  # OpenCV counts against the clock
    flat = [g.reshape(samples) for g in (gx, gy, magnitude, turn)]
    m, t = cv2.cartToPolar(flat[0], flat[1], flat[2], flat[3])
    t *= np.float32(DIRECTIONS / (2 * np.pi))
    t *= m
    ramps = array("ramps", DIRECTIONS, *samples)
    for ramp in ramps:  # m * clip(turn - k, 0, 1)
        cv2.min(t, m, dst=ramp)
        t -= m
    cv2.threshold(ramps.reshape(-1), 0, 0, cv2.THRESH_TOZERO, dst=ramps.reshape(-1))
    sums = (ramps.reshape(-1, samples[1]) @ shares).reshape(DIRECTIONS, n, -1)
    found = np.empty((n, CELLS * CELLS, DIRECTIONS), np.float32)
    found[..., 1:] = (sums[:-1] - sums[1:]).transpose(1, 2, 0)
    found[..., 0] = m @ shares - sums[0] + sums[-1]
    return found
