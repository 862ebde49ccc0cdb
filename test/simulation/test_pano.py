# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Panoramas: directions fall where they should, and a turning camera is only that."""

import cv2
import numpy as np
import pytest
from synthetic import CAMERA, turn

from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.io.sources import open_source
from hybrid_features_ros.simulation.pano import Panorama
from hybrid_features_ros.simulation.paths import TURN_DURATION, TurnPath
from hybrid_features_ros.simulation.render import render_turn

SMALL = CAMERA.scaled(0.25)


@pytest.fixture
def sphere(tmp_path):
    """A panorama whose red grows with the longitude and whose green grows downwards."""
    v, u = np.mgrid[:256, :512]
    image = np.stack([np.zeros_like(u), v, u / 2], axis=2).astype(np.uint8)
    cv2.imwrite(str(tmp_path / "sphere.png"), image)
    return tmp_path / "sphere.png"


@pytest.fixture
def cube(tmp_path, sphere):
    """The same as six faces, drawn from the sphere by an independent formula."""
    image = cv2.imread(str(sphere))
    y, x = (np.mgrid[:128, :128] + 0.5) / 64 - 1
    one = np.ones_like(x)
    faces = {
        "posx": (one, y, -x), "negx": (-one, y, x), "posy": (x, -one, y),
        "negy": (x, one, -y), "posz": (x, y, one), "negz": (-x, y, -one),
    }  # fmt: skip
    (tmp_path / "cube").mkdir()
    for name, (a, b, c) in faces.items():
        u = ((np.arctan2(a, c) / (2 * np.pi) + 0.5) * 512).astype(int).clip(0, 511)
        v = ((np.arctan2(b, np.hypot(a, c)) / np.pi + 0.5) * 256).astype(int).clip(0, 255)
        cv2.imwrite(str(tmp_path / f"cube/{name}.png"), image[v, u])
    return tmp_path / "cube"


def test_the_centre_looks_ahead_and_a_turn_moves_it(sphere):
    view = Panorama(sphere, SMALL)
    ahead = view.render(np.eye(3))[60, 80]
    right = view.render(turn(y=90)[:3, :3])[60, 80]
    down = view.render(turn(x=-45)[:3, :3])[60, 80]
    assert abs(int(ahead[2]) - 128) < 3 and abs(int(ahead[1]) - 128) < 3
    assert abs(int(right[2]) - 192) < 3
    assert abs(int(down[1]) - 192) < 3


@pytest.mark.parametrize("T", [turn(), turn(y=45), turn(y=-100, x=20), turn(x=-80), turn(x=70, z=30)])
def test_cube_and_sphere_are_the_same_place(sphere, cube, T):
    a, b = (Panorama(path, SMALL).render(T[:3, :3]).astype(int) for path in (sphere, cube))
    away_from_seam = (a[..., 2] > 10) & (a[..., 2] < 245)
    assert np.median(np.abs(a - b)[away_from_seam]) <= 2
    assert np.percentile(np.abs(a - b)[away_from_seam], 95) <= 8


def test_a_missing_face_is_named(cube):
    (cube / "negy.png").unlink()
    with pytest.raises(InputError, match="needs the faces negy"):
        Panorama(cube, SMALL)
    with pytest.raises(InputError, match="no such file"):
        Panorama(cube / "none.jpg", SMALL)


def test_render_turn_writes_a_sequence(tmp_path, sphere):
    out = render_turn(tmp_path / "turn", sphere, camera=SMALL, rate_hz=1.0)
    source = open_source(out)
    assert len(source) == TURN_DURATION
    assert not source.ground_truth.poses[:, :3, 3].any()
    assert np.allclose(source.ground_truth.poses[3], TurnPath().pose(3.0), atol=1e-6)
    with pytest.raises(InputError, match="holds another sequence"):
        render_turn(tmp_path / "turn", sphere, camera=SMALL, rate_hz=2.0)
