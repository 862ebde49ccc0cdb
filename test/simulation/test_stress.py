# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Hard cases: what moves, sensors that see little, and images of changing brightness."""

from dataclasses import replace

import numpy as np
import pytest

from hybrid_features_ros.core import se3
from hybrid_features_ros.core.camera import Camera
from hybrid_features_ros.io.sources import open_source
from hybrid_features_ros.simulation.paths import Eased
from hybrid_features_ros.simulation.places import DepthCamera, Place, Shutter, take
from hybrid_features_ros.simulation.render import render_place
from hybrid_features_ros.simulation.scene import Surface
from hybrid_features_ros.simulation.stress import STRESS, Carried, bonnet

pytestmark = pytest.mark.slow

SMALL = Camera(96, 72, 80.0, 80.0, 47.5, 35.5)


def board(distance, half, shade):
    corner = [-half, -half, distance]
    return Surface.make(corner, [2 * half, 0, 0], [0, 2 * half, 0], np.full((32, 32, 3), shade, np.uint8))


def test_an_eased_way_stands_still_between_its_steps():
    way = Eased({"z": ((1.0, 2.0, 3.0),), "yaw": ((2.0, 4.0, 90.0),)})
    assert np.array_equal(way.pose(0.2), np.eye(4)) and np.array_equal(way.pose(5.0), way.pose(9.0))
    assert np.allclose(way.pose(5.0)[:3, 3], [0, 0, 3]) and np.allclose(way.pose(5.0)[:3, 2], [1, 0, 0])


def test_a_camera_that_is_carried_moves_in_the_axes_of_what_carries_it():
    turned = Eased({"yaw": ((-1.0, 0.0, 90.0),)})
    pose = Carried(turned, Eased({"z": ((0.0, 1.0, 2.0),)})).pose(1.0)
    assert np.allclose(pose[:3, 3], [2, 0, 0])


def test_what_moves_hides_the_scene_only_where_it_is():
    def moving(seconds):
        return [replace(board(2.0, 0.3, 250), corner=np.array([seconds, -0.3, 2.0]))]

    still = lambda t: np.eye(4)  # noqa: E731
    shutter = Shutter([board(4.0, 4.0, 50)], SMALL, moving=moving)
    (before, near), (after, far) = shutter.take(still, 0.0), shutter.take(still, 5.0)
    assert before[36, 55, 0] == 250 and near[36, 55] == pytest.approx(2.0)
    assert (after == 50).all() and np.allclose(far, 4.0, atol=1e-4)


def test_a_depth_camera_sees_as_far_as_it_reaches_and_not_through_its_holes():
    depth = np.linspace(1, 8, 60 * 80, dtype=np.float32).reshape(60, 80)
    measured = DepthCamera(farthest_m=4.0, holes=0.3).measure(depth, np.random.default_rng(0))
    known = np.isfinite(measured)
    assert (depth[known] <= 4.0).all() and np.array_equal(measured[known], depth[known])
    assert 0.55 < known[depth <= 4.0].mean() < 0.85
    everything = DepthCamera().measure(depth, np.random.default_rng(0))
    assert np.array_equal(everything, depth)


def test_a_gain_makes_both_cameras_darker():
    place = Place(
        lambda seed: [board(4.0, 4.0, 100)], lambda seed: Eased({}), 1.0, SMALL, SMALL, baseline_m=0.1,
        gain=lambda seconds: 0.5 if seconds > 0.5 else 1.0,
    )  # fmt: skip
    _, left, right = take(place, 0)
    assert [left(t)[0].max() for t in (0.0, 0.9)] == [right(t).max() for t in (0.0, 0.9)] == [100, 50]


def test_a_bonnet_stays_where_it_is_in_the_image():
    pytest.importorskip("skimage", reason="scikit-image carries the photographs: install the demo extra")
    vga = STRESS["bonnet"].camera

    class Way:
        def pose(self, seconds):
            return se3.exp([seconds, 0.2, 0.1, 0.0, seconds, 0.3 * seconds])

    shutter = Shutter([], vga, moving=bonnet(Way(), 0))
    first, later = (shutter.take(Way().pose, t)[0].astype(int) for t in (0.0, 1.0))
    assert (first[:380] == 0).all() and (first[400:] > 0).mean() > 0.95
    assert np.abs(first - later).mean() < 1.0


@pytest.mark.parametrize("name", STRESS)
def test_hard_cases_are_filmed(name, monkeypatch, tmp_path):
    pytest.importorskip("skimage", reason="scikit-image carries the photographs: install the demo extra")
    place = STRESS[name]
    lens = replace(SMALL, distortion=place.lens.distortion, coefficients=place.lens.coefficients)
    monkeypatch.setitem(STRESS, name, replace(place, camera=lens, lens=lens, duration_s=1.1 / place.rate_hz))
    source = open_source(render_place(tmp_path / "case_left", name, seed=1))
    (frame,) = source
    assert frame.image.std() > 5 and np.isfinite(frame.depth).any()
    assert (len(source.right) if place.baseline_m else 1) == 1
