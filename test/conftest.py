# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Fixtures that several tests need."""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as in the nodes; read when numpy is imported

import numpy as np
import pytest
from numpy.typing import NDArray
from synthetic import CAMERA, World

from hybrid_features_ros.core.camera import Camera


@pytest.fixture
def world() -> World:
    return World.random()


@pytest.fixture
def camera() -> Camera:
    return CAMERA


@pytest.fixture
def photograph() -> NDArray[np.uint8]:
    """(240, 320) uint8: blobs and edges of many sizes, so that every detector finds something."""
    rng = np.random.default_rng(7)
    image = np.zeros((240, 320))
    for size in (4, 8, 16, 32):
        coarse = rng.uniform(0, 1, (240 // size + 2, 320 // size + 2))
        image += np.kron(coarse, np.ones((size, size)))[:240, :320] * size
    image = 255 * (image - image.min()) / (image.max() - image.min())
    return image.astype(np.uint8)
