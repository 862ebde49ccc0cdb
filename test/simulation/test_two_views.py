# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Rendered pairs are what their truth says."""

import cv2
import numpy as np
import pytest

from hybrid_features_ros.core.camera import Camera
from hybrid_features_ros.io.pairs import ANGLES_DEG
from hybrid_features_ros.simulation import two_views


@pytest.fixture(scope="module")
def textures():
    rng = np.random.default_rng(0)
    noise = [
        cv2.GaussianBlur(rng.normal(0, 1, (300, 400, 3)).astype(np.float32), (0, 0), 16) for _ in range(3)
    ]
    return [np.clip(128 + 2500 * n, 0, 255).astype(np.uint8) for n in noise]


@pytest.fixture(autouse=True)
def small_camera(monkeypatch):
    monkeypatch.setattr(two_views, "CAMERA", Camera(160, 120, 130.0, 130.0, 79.5, 59.5))
    monkeypatch.setattr(two_views, "PAIRS_PER_SCENE", 2)


def seen_alike(pair):
    """Median difference of grey values where the depth of the first image puts its pixels in the second."""
    y, x = (g.ravel() for g in np.mgrid[4:116:3, 4:156:3])
    z = pair.depth_a[y, x].astype(float)
    points = (
        np.column_stack([pair.camera_a.normalise(np.stack([x, y], axis=1)), np.ones(len(z))]) * z[:, None]
    )
    q = pair.camera_b.project(points @ pair.T_b_a[:3, :3].T + pair.T_b_a[:3, 3]).astype(np.float32)
    inside = ((q >= 2) & (q <= [157, 117])).all(axis=1)
    a, b = (cv2.GaussianBlur(cv2.cvtColor(i, cv2.COLOR_BGR2GRAY), (0, 0), 1.5).astype(np.float32)
            for i in (pair.image_a, pair.image_b))  # fmt: skip
    there = cv2.remap(b, q[inside][:, None], None, cv2.INTER_LINEAR)[:, 0]
    here = a[y, x][inside]
    gain = np.median(there / np.maximum(here, 1))
    return np.median(np.abs(there - gain * here)), np.median(np.abs(there - np.roll(gain * here, 1234)))


def test_wide_pairs_see_the_same_from_apart(textures):
    found = list(two_views.wide_pairs(textures, 1, 3))
    assert len(found) == 2
    for pair, apart in zip(found, ANGLES_DEG, strict=True):
        assert pair.depth_a.shape == pair.image_a.shape[:2]
        baseline = np.linalg.norm(pair.T_b_a[:3, 3])
        assert baseline > 2.4 * np.radians(apart) * 0.6
    right, wrong = seen_alike(found[0])
    assert right < 0.4 * wrong


def test_zoomed_pairs_have_two_lenses(textures):
    (pair,) = two_views.zoomed_pairs(textures, 1, 3, 2.0)
    assert pair.camera_a.fx == pytest.approx(2 * pair.camera_b.fx)
    right, wrong = seen_alike(pair)
    assert right < 0.4 * wrong


def test_the_second_view_is_smeared_or_dark(textures):
    (sharp,), (smeared,), (dark,) = (
        two_views.blurred_pairs(textures, 1, 3, *given) for given in ((0.0, 1.0), (15.0, 1.0), (0.0, 0.1))
    )
    assert np.array_equal(sharp.image_a, smeared.image_a) and np.array_equal(sharp.T_b_a, dark.T_b_a)

    def detail(image):
        smooth = cv2.GaussianBlur(image, (0, 0), 1.0).astype(float)
        return np.abs(np.diff(smooth, axis=1)).mean() + np.abs(np.diff(smooth, axis=0)).mean()

    assert detail(smeared.image_b) < 0.8 * detail(sharp.image_b)
    assert dark.image_b.mean() < 0.15 * sharp.image_b.mean()


@pytest.mark.parametrize("direction", [0.0, np.pi / 2])
def test_motion_blur_is_a_line_of_its_length(direction):
    image = np.zeros((41, 41, 3), np.uint8)
    image[20, 20] = 250
    line = two_views.motion_blurred(image, 9.0, direction)[..., 0].astype(float)
    line = line if direction == 0 else line.T
    assert line[20].sum() > 0.95 * line.sum()
    columns = np.flatnonzero(line[20] > 5)
    assert columns.mean() == 20 and 9 <= len(columns) <= 11
    assert np.array_equal(two_views.motion_blurred(image, 0.0, direction), image)
