# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Rendered geometry is exact."""

import cv2
import numpy as np
import pytest

from hybrid_features_ros.core import se3
from hybrid_features_ros.core.camera import Camera
from hybrid_features_ros.simulation.scene import Renderer, Surface

CAMERA = Camera(320, 240, 260.0, 260.0, 159.5, 119.5)
FISHEYE = Camera.from_calibration(
    640, 480, [320.0, 0, 319.5, 0, 320, 239.5, 0, 0, 1], "equidistant", [0.01, -0.01, 0.002, 0.001]
)
SQUARES = 8


def board(side=2.0, distance=2.0):
    """A checkered wall straight ahead, 8 x 8 squares."""
    tile = np.kron(np.indices((SQUARES, SQUARES)).sum(0) % 2, np.ones((64, 64)))
    texture = cv2.cvtColor((40 + 170 * tile).astype(np.uint8), cv2.COLOR_GRAY2BGR)
    half = side / 2
    return Surface.make([-half, -half, distance], [side, 0, 0], [0, side, 0], texture)


def corners(side=2.0, distance=2.0):
    """Inner corners (49, 3) of the board."""
    grid = (np.arange(1, SQUARES) / SQUARES - 0.5) * side
    return np.array([[x, y, distance] for y in grid for x in grid])


# The corner finder expects straight edges; those of a fisheye image are bent.
@pytest.mark.parametrize(("camera", "tolerance"), [(CAMERA, 0.1), (FISHEYE, 0.2)], ids=["pinhole", "fisheye"])
@pytest.mark.parametrize("xi", [[0, 0, 0, 0, 0, 0], [0.2, -0.1, 0.3, 0.1, -0.15, 0.5]])
def test_corners_appear_where_they_project(camera, tolerance, xi):
    T = se3.exp(xi)
    image, _ = Renderer([board()], camera).render(T)
    expected = camera.project((corners() - T[:3, 3]) @ T[:3, :3]).astype(np.float32)
    inside = ((expected > 12) & (expected < [camera.width - 13, camera.height - 13])).all(axis=1)
    assert inside.sum() > 20
    gray = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    stop = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 50, 1e-4)
    found = cv2.cornerSubPix(
        gray, np.ascontiguousarray(expected[inside])[:, None].copy(), (4, 4), (-1, -1), stop
    )[:, 0]
    assert np.linalg.norm(found - expected[inside], axis=1).max() < tolerance


def test_depth_is_that_of_the_plane():
    T = se3.exp([0.1, 0, 0.2, 0.05, 0.3, 0.4])
    _, depth = Renderer([board()], CAMERA).render(T)
    y, x = np.nonzero(np.isfinite(depth))
    assert len(x) > 10000
    rays = CAMERA.bearings(np.stack([x, y], axis=1))
    points = rays / rays[:, 2:] * depth[y, x, None]
    assert np.allclose((points @ T[:3, :3].T + T[:3, 3])[:, 2], 2.0, atol=1e-4)


def test_the_nearer_surface_hides_the_farther():
    near, far = board(side=0.5, distance=1.0), board(distance=2.0)
    for order in ([near, far], [far, near]):
        _, depth = Renderer(order, CAMERA).render(np.eye(4))
        assert depth[120, 160] == pytest.approx(1.0)
        assert depth[120, 40] == pytest.approx(2.0)


def test_the_void_and_the_back_are_not_seen():
    image, depth = Renderer([board()], CAMERA).render(se3.exp([0, 0, 4, 0, np.pi, 0]))
    assert np.isnan(depth).all()
    assert not image.any()


def test_disparity_of_a_stereo_pair():
    baseline = 0.2
    left, _ = Renderer([board()], CAMERA).render(np.eye(4))
    right, _ = Renderer([board()], CAMERA).render(se3.make(np.eye(3), [baseline, 0, 0]))
    disparity = CAMERA.fx * baseline / 2.0
    shift = np.float32([[1, 0, disparity], [0, 1, 0]])
    moved = cv2.warpAffine(right, shift, (320, 240))
    assert np.abs(moved[20:-20, 60:-60].astype(int) - left[20:-20, 60:-60]).mean() < 1


def test_a_turn_is_a_homography():
    """Without translation the depth does not matter: one view is the other, resampled."""
    scene = [board(), board(side=0.5, distance=1.0)]
    T = se3.exp([0, 0, 0, 0.05, -0.04, 0.6])
    renderer = Renderer(scene, CAMERA)
    a, b = (renderer.render(pose_)[0] for pose_ in (np.eye(4), T))
    H = CAMERA.K @ T[:3, :3].T @ np.linalg.inv(CAMERA.K)
    warped = cv2.warpPerspective(a, H, (320, 240), flags=cv2.INTER_CUBIC)
    seen = cv2.warpPerspective(np.full((240, 320), 255, np.uint8), H, (320, 240)) == 255
    seen = cv2.erode(seen.astype(np.uint8), np.ones((5, 5))).astype(bool)
    assert seen.mean() > 0.5
    assert np.median(np.abs(warped[seen].astype(int) - b[seen])) <= 2
    assert np.abs(warped[seen].astype(int) - b[seen]).mean() < 5


def test_distant_texture_does_not_flicker():
    """A board far beyond the image's resolution is an even grey, wherever the camera stands."""
    far = board(side=40.0, distance=30.0)
    fine = Surface(far.corner, far.across, far.down, far.pyramid)
    texture = np.kron(np.indices((256, 256)).sum(0) % 2, np.ones((2, 2)))
    texture = cv2.cvtColor((255 * texture).astype(np.uint8), cv2.COLOR_GRAY2BGR)
    fine = Surface.make(fine.corner, fine.across, fine.down, texture)
    image, _ = Renderer([fine], Camera(80, 60, 60.0, 60.0, 39.5, 29.5)).render(np.eye(4))
    assert image.std() < 12
