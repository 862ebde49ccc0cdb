# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Upright patches of keypoints on images whose values are known everywhere."""

import numpy as np
import pytest

from hybrid_features_ros.features.detector import FINEST_SCALE, SCALE, Keypoints
from hybrid_features_ros.features.patches import SIDE, SPACING, oriented_patches
from hybrid_features_ros.features.pyramid import STEP, level_sizes
from hybrid_features_ros.features.workspace import Workspace

WIDTH, HEIGHT = 640, 480


@pytest.fixture(scope="module")
def ramps():
    """For both axes a pyramid whose values are the image's coordinates: no blur changes a plane."""
    found = []
    for axis in range(2):
        levels = []
        for width, height in level_sizes(WIDTH, HEIGHT, 9):
            x = (np.arange(width) + 0.5) * WIDTH / width - 0.5
            y = (np.arange(height) + 0.5) * HEIGHT / height - 0.5
            levels.append(np.stack(np.meshgrid(x, y))[axis].astype(np.float32))
        found.append(levels)
    return found


def keypoints(level, angle):
    one = np.ones(1, np.float32)
    return Keypoints(
        np.array([[320.25, 240.75]], np.float32), one, one, np.float32(angle) * one, one,
        np.full(1, level, np.intp),
    )  # fmt: skip


@pytest.mark.parametrize("coarser", [0, 3, 6])  # the last one reaches beyond the pyramid from level 3 on
@pytest.mark.parametrize("level", [0, 1, 4])
def test_samples_lie_on_a_grid_that_turns_and_grows_with_the_keypoint(ramps, level, coarser):
    angle = 0.7
    x, y = (oriented_patches(r, keypoints(level, angle), WIDTH, HEIGHT, coarser=coarser)[0] for r in ramps)
    there = min(level + coarser, 8)
    step = SPACING * STEP ** (level + coarser - there) * (1.0 if level else FINEST_SCALE / SCALE)
    u, v = np.meshgrid(*[(np.arange(SIDE) - (SIDE - 1) / 2) * step] * 2)
    height, width = ramps[0][there].shape  # whole numbers, so that pixels of a level are not quite square
    expected_x = 320.25 + (np.cos(angle) * u - np.sin(angle) * v) * WIDTH / width
    expected_y = 240.75 + (np.sin(angle) * u + np.cos(angle) * v) * HEIGHT / height
    inside = (np.abs(expected_x - 320) < 220) & (np.abs(expected_y - 240) < 160)
    assert inside.sum() > 20
    tolerance = 0.02 * STEP ** (level + coarser)  # OpenCV reads at 32nds of a pixel
    assert np.abs(x - expected_x)[inside].max() < tolerance
    assert np.abs(y - expected_y)[inside].max() < tolerance


def test_a_wider_patch_leaves_the_other_one_as_it_is(ramps):
    workspace = Workspace()
    first = oriented_patches(ramps[0], keypoints(1, 0.2), WIDTH, HEIGHT, workspace)
    kept = first.copy()
    oriented_patches(ramps[1], keypoints(1, 0.2), WIDTH, HEIGHT, workspace, coarser=3)
    assert np.array_equal(first, kept)
