# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""SURF of oriented patches: the second handcrafted descriptor that a residue can be learnt for."""

from __future__ import annotations

import numpy as np

from hybrid_features_ros.core.types import Float32
from hybrid_features_ros.features.patches import CELL, CELLS, cell_shares, gradients


def describe_patches(patches: Float32, cell: float = CELL) -> Float32:
    """SURF-64 (N, 64) float32 of patches (N, side, side), unit length; zero where there is no gradient.

    Bay et al. (2008), section 4.2: in each of 4x4 cells the sums of dx, dy, |dx| and |dy|. The Haar
    wavelets are central differences here, of a patch as blurred as they are large.

    Args:
        cell: width of a cell [samples].
    """
    n, side, _ = patches.shape
    gx, gy = (g.reshape(n, side * side) for g in gradients(patches))
    shares = cell_shares(side, cell)
    sums = np.stack([part @ shares for part in (gx, gy, np.abs(gx), np.abs(gy))], axis=2)
    flat = sums.reshape(n, CELLS * CELLS * 4)
    return np.asarray(flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-12), dtype=np.float32)
