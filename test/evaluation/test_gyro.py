# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A gyroscope helps only in the camera's axes: a mounting in calib.json brings it there."""

import json

import cv2
import numpy as np
import pytest
import sequences

from hybrid_features_ros.benchmarks.consistency import journey
from hybrid_features_ros.core import se3
from hybrid_features_ros.core.camera import Camera
from hybrid_features_ros.core.config import Config, with_options
from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.evaluation.run import run
from hybrid_features_ros.io.sources import open_source
from hybrid_features_ros.io.trajectory import format_stamp
from hybrid_features_ros.simulation.scene import Renderer, furnished_room

CAMERA = Camera(160, 120, 131.0, 131.0, 79.5, 59.5)
T_CAMERA_IMU = se3.make(se3.exp([0, 0, 0, 1.1, -0.7, 0.4])[:3, :3], [0.1, 0, 0.05])
DARK = range(8, 14)


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    """A rendered walk, dark in its middle, with an inertial unit that sits askew."""
    pytest.importorskip("skimage", reason="the room's photographs lie in scikit-image and scikit-learn")
    folder = tmp_path_factory.mktemp("askew")
    path, renderer = journey(1, 16), Renderer(furnished_room(1), CAMERA)
    rows = []
    for i, (stamp, T) in enumerate(zip(path.stamps.tolist(), path.poses, strict=True)):
        image = renderer.render(T)[0] * (i not in DARK)
        cv2.imwrite(str(folder / f"{i:03d}.png"), image)
        rows.append(f"{format_stamp(stamp)} {i:03d}.png")
    (folder / "rgb.txt").write_text("\n".join(rows) + "\n")
    measured = []
    for stamp, a, b in zip(path.stamps.tolist(), path.poses[:-1], path.poses[1:], strict=False):
        rate = T_CAMERA_IMU[:3, :3].T @ se3.rotation_vector(a[:3, :3].T @ b[:3, :3]) / 0.05
        measured += [f"{stamp + k * 12_500_000},{','.join(map(str, rate))},0,0,9.8" for k in range(4)]
    (folder / "imu.csv").write_text("\n".join(measured) + "\n")
    return folder, path


def calibrate(folder, **more):
    content = {"width": 160, "height": 120, "K": CAMERA.K.tolist(), "model": "pinhole", "dist": [0.0] * 4}
    (folder / "calib.json").write_text(json.dumps({**content, **more}))


def worst_turn_in_the_dark(folder, path):
    """Largest error [deg] of the rotation since the last image with light."""
    results = list(run(open_source(folder), with_options(Config(), {"input.imu": True})))
    errors = []
    for i in DARK:
        a, b = (results[k].result.T_world_camera[:3, :3] for k in (DARK[0] - 1, i))
        true = path.poses[DARK[0] - 1][:3, :3].T @ path.poses[i][:3, :3]
        errors.append(np.degrees(se3.rotation_angle((a.T @ b).T @ true)))
    return max(errors)


def test_a_mounting_turns_the_rates_into_the_cameras_axes(recording):
    folder, path = recording
    calibrate(folder, T_camera_imu=T_CAMERA_IMU.tolist())
    rate = open_source(folder).imu.gyro[0]
    expected = se3.rotation_vector(path.poses[0][:3, :3].T @ path.poses[1][:3, :3]) / 0.05
    assert np.allclose(rate, expected, atol=1e-9)
    with_mounting = worst_turn_in_the_dark(folder, path)
    calibrate(folder)
    assert with_mounting < 0.7
    assert worst_turn_in_the_dark(folder, path) > 3 * with_mounting


@pytest.mark.parametrize(
    ("given", "message"), [([1, 2], "must be 4x4 numbers"), ((2 * np.eye(4)).tolist(), "no rotation")]
)
def test_a_mounting_that_is_none_is_refused(tmp_path, given, message):
    folder = sequences.plain(tmp_path)
    content = json.loads((folder / "calib.json").read_text())
    (folder / "calib.json").write_text(json.dumps({**content, "T_camera_imu": given}))
    (folder / "imu.csv").write_text("1,0,0,0,0,0,0\n")
    with pytest.raises(InputError, match=message):
        open_source(folder)
