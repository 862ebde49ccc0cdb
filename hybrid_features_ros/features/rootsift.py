"""RootSIFT of oriented patches, for keypoints that another detector found.

The histogram is Lowe's (2004, section 6): 4x4 cells of 8 directions, a Gaussian window of half the
descriptor's width, linear shares of every gradient in the neighbouring cells and directions, clipped at 0.2;
then RootSIFT (Arandjelovic and Zisserman, 2012). All patches at once: the shares of the cells are one matrix
product.
"""

from __future__ import annotations

import cv2
import numpy as np

from hybrid_features_ros.core.types import Float32
from hybrid_features_ros.features.patches import CELL, CELLS, cell_shares, gradients
from hybrid_features_ros.features.sift import root_sift

DIRECTIONS, CLIP = 8, 0.2


def describe_patches(patches: Float32, cell: float = CELL) -> Float32:
    """RootSIFT (N, 128) float32 of patches (N, side, side); all zero where a patch has no gradient.

    Args:
        cell: width of a cell [samples]; the patch should be ``(CELLS + 1) * cell`` samples wide or more.
    """
    n, side, _ = patches.shape
    if n == 0:
        return np.zeros((0, CELLS * CELLS * DIRECTIONS), np.float32)
    gx, gy = gradients(patches)
    flat = (n, side * side)
    magnitude, angle = cv2.cartToPolar(gx.reshape(flat), -gy.reshape(flat))  # OpenCV counts against the clock
    turn = angle * np.float32(DIRECTIONS / (2 * np.pi))
    shares = cell_shares(side, cell)
    histogram = np.empty((n, CELLS * CELLS, DIRECTIONS), np.float32)
    for k in range(DIRECTIONS):
        apart = np.abs(turn - np.float32(k))
        np.minimum(apart, DIRECTIONS - apart, out=apart)
        histogram[:, :, k] = (magnitude * np.maximum(1 - apart, 0)) @ shares
    return root_sift(_clipped(histogram.reshape(n, -1)))


def _clipped(histogram: Float32) -> Float32:
    length = np.maximum(np.linalg.norm(histogram, axis=1, keepdims=True), np.float32(1e-12))
    return np.asarray(np.minimum(histogram, CLIP * length))
