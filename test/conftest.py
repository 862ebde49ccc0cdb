# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Fixtures that several tests need."""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as in the nodes; read when numpy is imported

import numpy as np
import pytest
from hypothesis import settings
from numpy.typing import NDArray
from synthetic import CAMERA, World

from hybrid_features_ros.core.camera import Camera

# A busy machine is no failure, and the same commit passes or fails the same way each time it is tried.
settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.register_profile("search", deadline=None, max_examples=500)  # pytest --hypothesis-profile=search
settings.load_profile("repeatable")
ROS = ("test_launch.py", "test_spin.py", "test_without_extras.py")  # start executables
DOCS = ("test_docs.py", "test_docstrings.py", "test_imports.py", "test_moved.py", "test_package.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests by what they do, see the markers in pyproject.toml."""
    for item in items:
        if item.path.name in DOCS:
            item.add_marker(pytest.mark.docs)
        if "graph" in getattr(item, "fixturenames", ()) or item.path.name in ROS:
            item.add_marker(pytest.mark.ros)


def pytest_report_collectionfinish(items: list[pytest.Item]) -> str:
    """How many tests read pages and sources only."""
    docs = sum(item.get_closest_marker("docs") is not None for item in items)
    return f"{docs} of them read pages and sources, {len(items) - docs} run the package"


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
