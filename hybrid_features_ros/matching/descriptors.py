# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Distances between descriptors."""

from __future__ import annotations

import numpy as np

from hybrid_features_ros.core.types import Features, Float32, Metric


def descriptor_vectors(features: Features) -> Float32:
    """Descriptors (N, D) float32 as numbers: bytes of an L2 metric unquantised, of a Hamming one as bits.

    The squared Euclidean distance of two rows of bits is their Hamming distance.
    """
    f = features.format
    if f.metric is Metric.HAMMING:
        return np.unpackbits(features.descriptors.view(np.uint8), axis=1).astype(np.float32)
    if features.descriptors.dtype == np.uint8:
        return features.descriptors * np.float32(f.quantisation_scale) + np.float32(f.quantisation_offset)
    return np.asarray(features.descriptors, dtype=np.float32)


def squared_distances(a: Float32, b: Float32) -> Float32:
    """Squared Euclidean distances (M, N) float32 between descriptors (M, D) and (N, D); rounding errors may
    make those of equal ones slightly negative.
    """
    ones = np.ones((max(len(a), len(b)), 1), np.float32)
    u = np.hstack([-2 * a, np.einsum("md,md->m", a, a)[:, None], ones[: len(a)]])
    v = np.hstack([b, ones[: len(b)], np.einsum("nd,nd->n", b, b)[:, None]])
    return np.asarray(u @ v.T)
