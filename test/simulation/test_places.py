# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Places, ways through them, and cameras that are not what they are said to be."""

from dataclasses import replace

import numpy as np
import pytest

from hybrid_features_ros.core import se3
from hybrid_features_ros.core.camera import Camera
from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.io.sources import open_source
from hybrid_features_ros.simulation.paths import Shake, Walk
from hybrid_features_ros.simulation.places import PLACES, Shutter, floor_plan, take
from hybrid_features_ros.simulation.points import PointScene
from hybrid_features_ros.simulation.render import render_place
from hybrid_features_ros.simulation.scene import Renderer, Surface

pytestmark = pytest.mark.slow

SMALL = Camera(96, 72, 80.0, 80.0, 47.5, 35.5)


def wall(distance, half=4.0, shade=lambda x: x):
    texture = np.repeat(shade(np.linspace(0, 255, 256))[None, :, None], 64, axis=0).repeat(3, axis=2)
    corner = [-half, -half, distance]
    return Surface.make(corner, [2 * half, 0, 0], [0, 2 * half, 0], texture.astype(np.uint8))


def test_a_walk_has_constant_speed_and_looks_ahead():
    walk = Walk(((0, 0, 0), (0, 0, 4), (4, 0, 6)), 1.2, seed=0, bob_m=0.0, sway_deg=0.0)
    poses = np.array([walk.pose(t) for t in np.arange(0, 5, 0.1)])
    steps = np.diff(poses[:, :3, 3], axis=0)
    assert np.allclose(np.linalg.norm(steps, axis=1), 0.12, rtol=0.02)
    ahead = (steps * poses[:-1, :3, 2]).sum(axis=1) / np.linalg.norm(steps, axis=1)
    assert (ahead > 0.95).all()


def test_a_shaking_hand_stays_in_its_bounds_and_repeats_itself():
    shake = Shake(3, (0.3, 0.1, 0.2), (20, 10, 5))
    poses = np.array([shake.pose(t) for t in np.arange(0, 20, 0.1)])
    assert (np.abs(poses[:, :3, 3]) <= np.sqrt(3) * np.array([0.3, 0.1, 0.2])).all()
    assert np.ptp(poses[:, 0, 3]) > 0.2
    assert np.allclose(poses[7], Shake(3, (0.3, 0.1, 0.2), (20, 10, 5)).pose(0.7))


def test_a_rolling_shutter_takes_its_middle_row_at_the_stamp_and_the_others_around_it():
    surfaces = [wall(2.0)]

    def pose(seconds):
        return se3.make(np.eye(3), [seconds, 0, 0])

    still = Renderer(surfaces, SMALL).render(pose(0.5))[0].astype(float)
    rolled = Shutter(surfaces, SMALL, readout_s=0.2).take(pose, 0.5)[0].astype(float)
    middle, top, bottom = 36, 1, 70
    assert np.abs(rolled[middle] - still[middle]).max() <= 2
    before, after = (Renderer(surfaces, SMALL).render(pose(0.5 + d))[0] for d in (-0.1, 0.1))
    assert np.abs(rolled[top] - before[top]).max() <= 2
    assert np.abs(rolled[bottom] - after[bottom]).max() <= 2
    assert np.abs(rolled[bottom] - still[bottom]).max() > 2


def test_an_exposure_blurs_along_the_motion():
    surfaces = [wall(2.0, shade=lambda x: 255 * (x > 128))]
    sharp, blurred = (
        Shutter(surfaces, SMALL, exposure_s=e).take(lambda t: se3.make(np.eye(3), [t, 0, 0]), 0.0)[0]
        for e in (0.0, 0.2)
    )
    grey = [((image > 30) & (image < 225)).mean() for image in (sharp, blurred)]
    assert grey[1] > 2 * grey[0]


def test_a_nearer_surface_hides_points():
    open_air, behind = (
        PointScene(surfaces, SMALL, 0, per_square_metre=40.0, passing=0.0, noise_px=0.0)
        for surfaces in ([wall(4.0)], [wall(4.0), wall(2.0, half=0.3)])
    )
    free, hidden = (scene.seen_from(np.eye(4)) for scene in (open_air, behind))
    assert np.allclose(free.depths, 4.0, atol=1e-4)
    shadow = (np.abs(hidden.points - [47.5, 35.5]) < 11).all(axis=1)
    assert shadow.any() and np.allclose(hidden.depths[shadow], 2.0, atol=1e-4)
    assert np.allclose(hidden.depths[~shadow & (hidden.depths > 3)], 4.0, atol=1e-4)


def test_points_keep_their_descriptors_from_place_to_place():
    scene = PointScene([wall(4.0)], SMALL, 1, per_square_metre=10.0, passing=0.0)
    a, b = (scene.seen_from(se3.exp([x, 0, 0, 0, 0, 0])) for x in (0.0, 0.2))
    similarity = a.descriptors @ b.descriptors.T
    best = similarity.argmax(axis=1)
    sure = similarity.max(axis=1) > 0.8
    moved = a.points[sure, 0] - b.points[best[sure], 0]
    assert sure.mean() > 0.5 and abs(np.median(moved) - 80 * 0.2 / 4) < 1


def test_places_are_closed_and_ways_lead_through_the_open():
    pytest.importorskip("skimage", reason="scikit-image carries the photographs: install the demo extra")
    place = PLACES["floor_walk"]
    path, renderer = place.path(1), Renderer(floor_plan(1), SMALL)
    for seconds in np.arange(0, place.duration_s, 1.7):
        depth = renderer.render(path.pose(seconds))[1]
        assert np.isfinite(depth).all(), "no holes in walls"
        assert np.median(depth) > 0.5, "and none before the eyes"


def test_a_place_is_filmed(monkeypatch):
    pytest.importorskip("skimage", reason="scikit-image carries the photographs: install the demo extra")
    times, view, right = take(PLACES["corridor"], seed=0)
    image, depth = view(float(times[3]))
    assert len(times) == 150 and image.shape == (480, 640, 3) and image.std() > 20
    assert right is not None and np.isfinite(depth).all()
    assert np.abs(right(float(times[3])).astype(int) - image).mean() > 2


def test_a_place_is_written_with_its_right_camera(monkeypatch, tmp_path):
    pytest.importorskip("skimage", reason="scikit-image carries the photographs: install the demo extra")
    corridor = replace(PLACES["corridor"], camera=SMALL, lens=SMALL, duration_s=0.3)
    monkeypatch.setitem(PLACES, "corridor", corridor)
    source = open_source(render_place(tmp_path / "corridor_left", "corridor", seed=2))
    frames = list(source)
    assert len(frames) == len(source.right) == len(source.ground_truth) == 3
    assert source.baseline == 0.1 and all(np.isfinite(f.depth).mean() > 0.5 for f in frames)
    assert np.allclose(source.ground_truth.poses[1], corridor.path(2).pose(0.1), atol=1e-6)
    with pytest.raises(InputError, match="holds another sequence"):
        render_place(tmp_path / "corridor_left", "corridor", seed=3)
    with pytest.raises(InputError, match="choose one of room_rolls, "):
        render_place(tmp_path / "x", "nowhere")
