# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The demo's sequence: its path, its files, its repeatability."""

import itertools
import json

import numpy as np
import pytest

from hybrid_features_ros.core import se3
from hybrid_features_ros.core.camera import Camera
from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.io.sources import open_source
from hybrid_features_ros.simulation.paths import DURATION, STILL, RoomPath
from hybrid_features_ros.simulation.render import render_sequence

pytestmark = pytest.mark.slow

SMALL = Camera(96, 72, 80.0, 80.0, 47.5, 35.5)


@pytest.fixture(scope="module")
def rendered(tmp_path_factory):
    pytest.importorskip("skimage", reason="scikit-image carries the photographs: install the demo extra")
    out = tmp_path_factory.mktemp("render") / "room_left"
    return render_sequence(out, camera=SMALL, duration_s=0.4, baseline_m=0.1)


def poses(rate=100):
    return np.array([RoomPath().pose(t) for t in np.arange(0, DURATION, 1 / rate)])


def test_the_path_is_smooth_and_fast():
    path = poses()
    steps = [se3.inverse(a) @ b for a, b in itertools.pairwise(path)]
    turned = np.array([np.degrees(se3.rotation_angle(T[:3, :3])) for T in steps])
    assert 180 < turned.max() * 100 < 215
    assert turned.sum() > 900
    assert np.abs(np.diff(turned)).max() * 100 < 8
    speed = np.linalg.norm(np.diff(path[:, :3, 3], axis=0), axis=1) * 100
    assert 0.3 < speed.max() < 1.5


def test_the_centre_stands_still_while_it_only_turns():
    path = poses()
    begin, end = (int(t * 100) for t in STILL)
    assert (path[begin:end, :3, 3] == path[begin, :3, 3]).all()
    assert se3.rotation_angle(path[begin, :3, :3].T @ path[begin + 200, :3, :3]) > 0.5


def test_it_ends_near_where_it_began():
    path = RoomPath()
    assert np.linalg.norm(path.pose(DURATION)[:3, 3] - path.pose(0)[:3, 3]) < 0.5


def test_a_rendered_sequence_is_a_source(rendered):
    source = open_source(rendered)
    frames = list(source)
    assert len(frames) == len(source.ground_truth) == 8
    assert np.array_equal(source.stamps, source.ground_truth.stamps)
    assert source.camera == SMALL
    assert source.baseline == 0.1
    assert len(source.right) == 8
    assert all(0.5 < np.nanmedian(f.depth) < 6 for f in frames)
    assert all(np.isfinite(f.depth).all() for f in frames), "a closed room has no holes"
    assert all(f.image.std() > 20 for f in frames)


def test_right_camera_stands_beside_the_left(rendered):
    source = open_source(rendered)
    relative = np.linalg.inv(source.ground_truth.poses) @ source.right.ground_truth.poses
    assert np.allclose(relative, se3.make(np.eye(3), [0.1, 0, 0]), atol=1e-8)


def test_the_same_seed_gives_the_same_images(rendered, tmp_path):
    again = render_sequence(tmp_path / "room_left", camera=SMALL, duration_s=0.4, baseline_m=0.1)
    for name in ("images/000003.jpg", "depth/000003.png", "groundtruth.txt", "calib.json"):
        assert (again / name).read_bytes() == (rendered / name).read_bytes()
    other = render_sequence(tmp_path / "other", camera=SMALL, duration_s=0.1, seed=1)
    assert (other / "images/000000.jpg").read_bytes() != (rendered / "images/000000.jpg").read_bytes()


def test_what_is_there_is_kept(rendered):
    before = (rendered / "images/000000.jpg").stat().st_mtime_ns
    render_sequence(rendered, camera=SMALL, duration_s=0.4, baseline_m=0.1)
    assert (rendered / "images/000000.jpg").stat().st_mtime_ns == before
    with pytest.raises(InputError, match="holds another sequence"):
        render_sequence(rendered, camera=SMALL, duration_s=0.4, baseline_m=0.1, seed=5)
    assert json.loads((rendered / "calib.json").read_text())["baseline_m"] == 0.1


def test_stereo_needs_a_name_for_the_left(tmp_path):
    with pytest.raises(InputError, match="ends in _left"):
        render_sequence(tmp_path / "room", baseline_m=0.1)
