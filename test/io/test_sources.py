# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Every layout gives the same kind of source."""

import json
import shutil

import cv2
import numpy as np
import pytest
import sequences
from sequences import BEGIN, HEIGHT, STEP, WIDTH

from hybrid_features_ros.core import se3
from hybrid_features_ros.core.camera import Distortion
from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.io.layouts import open_tartanair
from hybrid_features_ros.io.source import Choice
from hybrid_features_ros.io.sources import open_source


def test_plain_folder(tmp_path):
    source = open_source(sequences.plain(tmp_path / "walk", depth=True))
    frames = list(source)
    assert source.name == "walk"
    assert np.array_equal(source.stamps, sequences.stamps())
    assert [f.stamp for f in frames] == sequences.stamps().tolist()
    assert all(np.array_equal(f.image, sequences.image(i)) for i, f in enumerate(frames))
    assert np.allclose(source.ground_truth.poses, sequences.truth().poses, atol=1e-8)
    assert source.camera.distortion is Distortion.NONE
    assert source.right is None and source.imu is None and source.baseline == 0


def test_half_size_depth_covers_the_image(tmp_path):
    frames = list(open_source(sequences.plain(tmp_path / "walk", depth=True)))
    assert frames[2].depth.shape == (HEIGHT, WIDTH)
    assert (frames[2].depth[:, : WIDTH // 2 - 1] == 3.0).all()
    assert np.isnan(frames[2].depth[:, WIDTH // 2 :]).all()


def test_stereo_pair(tmp_path):
    left = sequences.plain(tmp_path / "walk_left")
    assert open_source(left).right is None
    shutil.copytree(left, tmp_path / "walk_right")
    source = open_source(left)
    assert source.baseline == 0.25
    assert source.right.name == "walk_right"
    assert len(source.right) == len(source)


def test_folder_of_images_alone(tmp_path):
    path = sequences.plain(tmp_path / "walk")
    for i in range(3):
        shutil.move(path / f"images/{i}.png", path / f"{i}.png")
    (path / "rgb.txt").unlink()
    source = open_source(path)
    assert len(source) == 3
    assert source.stamps[1] == pytest.approx(1e9 / 30, abs=1)


def test_tum(tmp_path):
    path = sequences.plain(tmp_path / "rgbd_dataset_freiburg2_desk", depth=True)
    (path / "calib.json").unlink()
    source = open_source(path)
    assert source.camera.fx == 520.9
    assert source.camera.distortion is Distortion.RADTAN
    assert next(iter(source)).image.shape == (HEIGHT, WIDTH)
    unknown = tmp_path / "desk"
    path.rename(unknown)
    with pytest.raises(InputError, match="which TUM camera"):
        open_source(unknown)


def euroc(path):
    cam = path / "mav0" / "cam0"
    (cam / "data").mkdir(parents=True)
    rows = ["#timestamp [ns],filename"]
    for i, stamp in enumerate(sequences.stamps()):
        cv2.imwrite(str(cam / "data" / f"{stamp}.png"), sequences.image(i))
        rows.append(f"{stamp},{stamp}.png")
    (cam / "data.csv").write_text("\n".join(rows))
    T_body_camera = se3.exp([0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
    (cam / "sensor.yaml").write_text(
        f"%YAML:1.0\nT_BS:\n  data: {T_body_camera.ravel().tolist()}\nresolution: [{WIDTH}, {HEIGHT}]\n"
        "intrinsics: [50.0, 50.0, 31.5, 23.5]\ndistortion_model: radial-tangential\n"
        "distortion_coefficients: [-0.28, 0.07, 0.0002, 0.00002]\n"
    )
    estimate = path / "mav0" / "state_groundtruth_estimate0"
    estimate.mkdir()
    lines = ["#timestamp, p, q, v, bw, ba"]
    for stamp, T in zip(
        sequences.stamps(), sequences.truth().poses @ se3.inverse(T_body_camera), strict=True
    ):
        x, y, z, w = se3.to_quaternion(T)
        lines.append(
            ",".join(map(repr, [int(stamp), *T[:3, 3].tolist(), float(w), float(x), float(y), float(z), 0.0]))
        )
    (estimate / "data.csv").write_text("\n".join(lines))
    imu = path / "mav0" / "imu0"
    imu.mkdir()
    (imu / "data.csv").write_text(f"#t,w,a\n{BEGIN},0.1,0.2,0.3,9,8,7\n{BEGIN + STEP},0,0,0,1,2,3\n")
    return path


def test_euroc(tmp_path):
    source = open_source(euroc(tmp_path / "V1_01"))
    assert np.array_equal(source.stamps, sequences.stamps())
    assert np.allclose(source.ground_truth.poses, sequences.truth().poses, atol=1e-9)
    into_camera = se3.exp([0.1, 0.2, 0.3, 0.4, 0.5, 0.6])[:3, :3].T  # the unit itself is the body
    assert np.allclose(source.imu.gyro[0], into_camera @ [0.1, 0.2, 0.3])
    assert np.allclose(source.imu.accel[1], into_camera @ [1, 2, 3])
    assert np.array_equal(next(iter(source)).image, sequences.image(0))


def test_kitti(tmp_path):
    path = tmp_path / "dataset" / "sequences" / "07"
    for camera in (0, 1):
        (path / f"image_{camera}").mkdir(parents=True)
        for i in range(3):
            cv2.imwrite(str(path / f"image_{camera}" / f"{i:06d}.png"), sequences.image(i))
    (path / "times.txt").write_text("0.000000e+00\n1.036224e-01\n2.072449e-01\n")
    projection = "50 0 31.5 {} 0 50 23.5 0 0 0 1 0"
    (path / "calib.txt").write_text(f"P0: {projection.format(0)}\nP1: {projection.format(-27)}\n")
    poses = tmp_path / "dataset" / "poses"
    poses.mkdir()
    rows = [" ".join(map(repr, T[:3].ravel().tolist())) for T in sequences.truth(3).poses]
    (poses / "07.txt").write_text("\n".join(rows) + "\n")
    source = open_source(path)
    assert source.stamps.tolist() == [0, 103622400, 207244900]
    assert source.baseline == pytest.approx(0.54)
    assert np.allclose(source.ground_truth.poses, sequences.truth(3).poses)


def test_tartanair(tmp_path):
    path = tmp_path / "office" / "Easy" / "P000"
    for side in ("left", "right"):
        (path / f"image_{side}").mkdir(parents=True)
        for i in range(3):
            cv2.imwrite(str(path / f"image_{side}" / f"{i:06d}_{side}.png"), sequences.image(i, colour=True))
    (path / "depth_left").mkdir()
    np.save(path / "depth_left" / "000001_left_depth.npy", np.full((HEIGHT, WIDTH), 2.5, np.float32))
    # Moves 1 m forward and 0.5 m right, looking ahead: in its axes x is forward, y right, z down.
    rows = ["0 0 0 0 0 0 1", "0.5 0.25 0 0 0 0 1", "1 0.5 0 0 0 0 1"]
    (path / "pose_left.txt").write_text("\n".join(rows) + "\n")
    source = open_source(path)
    assert source.name == "tartanair_office_Easy_P000"
    moved = se3.inverse(source.ground_truth.poses[0]) @ source.ground_truth.poses[2]
    assert np.allclose(moved, se3.make(np.eye(3), [0.5, 0, 1])), "0.5 m right and 1 m ahead in optical axes"
    depths = [f.depth for f in source]
    assert depths[0] is None and (depths[1] == 2.5).all()
    assert len(source.right) == 3 and source.baseline == 0.25
    assert (source.camera.fx, source.camera.cx) == (320 * WIDTH / 640, WIDTH / 2)
    assert "resized to 64x48 pixels, f = 32" in source.notes.assumed["camera"]
    (path / "image_left" / "000000_left.png").unlink()
    cut = open_source(path)
    assert np.array_equal(cut.ground_truth.poses, source.ground_truth.poses[1:])
    assert np.array_equal(cut.stamps, source.stamps[1:]) and next(iter(cut)).depth is not None
    with pytest.raises(InputError, match="nothing: no such folder of depth images"):
        open_source(path, choice=Choice(depth="nothing"))
    shutil.rmtree(path / "depth_left")
    assert "there is no 000001_left_depth.npy" in open_source(path).notes.missing["depth"]
    for image in (path / "image_left").iterdir():
        image.unlink()
    with pytest.raises(InputError, match="no images named 000000_left"):
        open_source(path)


def broken(tmp_path, change):
    path = sequences.plain(tmp_path / "walk")
    change(path)
    return path


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p: (p / "rgb.txt").write_text("# empty\n"), "walk: no images"),
        (lambda p: (p / "rgb.txt").write_text("1.0 a.png\n1.0 b.png\n"), "all 2 images have the stamp"),
        (lambda p: (p / "rgb.txt").write_text("0 a.png\n50000000 b.png\n"), "in another unit"),
        (lambda p: (p / "rgb.txt").write_text("soon a.png\n"), "not stamps and files"),
        (lambda p: (p / "rgb.txt").write_text("1.0\n"), "rgb.txt:1: 1 values"),
        (lambda p: (p / "calib.json").write_text("{}"), "needs width, height, K"),
        (lambda p: (p / "calib.json").write_text("{"), "needs width, height, K"),
        (lambda p: (p / "calib.json").write_text(json.dumps(
            {"width": 1, "height": 1, "K": [0] * 9, "dist": [], "model": "radtan"})), "uncalibrated"),
    ],
)  # fmt: skip
def test_broken_folders(tmp_path, change, message):
    with pytest.raises(InputError, match=message):
        open_source(broken(tmp_path, change))


def test_a_missing_image_is_left_out_and_named(tmp_path):
    source = open_source(broken(tmp_path, lambda p: (p / "images/2.png").unlink()))
    assert [f.stamp for f in source] == np.delete(sequences.stamps(), 2).tolist()
    assert "no such file" in next(iter(source.notes.skipped.values()))


def test_wrong_paths(tmp_path):
    with pytest.raises(InputError, match="no such file or folder"):
        open_source(tmp_path / "nowhere")
    with pytest.raises(InputError, match="no known layout; expected calib"):
        open_source(tmp_path)
    (tmp_path / "movie.mp4").write_text("")
    with pytest.raises(InputError, match="neither a bag"):
        open_source(tmp_path / "movie.mp4")


def test_tartanair_of_another_shape_is_refused(tmp_path):
    (tmp_path / "image_left").mkdir()
    cv2.imwrite(str(tmp_path / "image_left/000000_left.png"), np.zeros((48, 48), np.uint8))
    with pytest.raises(InputError, match="48x48 pixels, but TartanAir's are 640x480"):
        open_tartanair(tmp_path, Choice())
