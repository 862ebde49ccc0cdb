# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Folders as publishers, other tools and people leave them."""

import json
import shutil

import cv2
import numpy as np
import pytest
import sequences
from test_sources import euroc

from hybrid_features_ros.core import se3
from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.io.folders import _depths
from hybrid_features_ros.io.source import Choice
from hybrid_features_ros.io.sources import open_source
from hybrid_features_ros.io.trajectory import format_stamp

STAMPS = sequences.stamps()


def calibrate(path, **more):
    content = json.loads((path / "calib.json").read_text())
    (path / "calib.json").write_text(json.dumps({**content, **more}))


@pytest.mark.parametrize(
    ("suffix", "make", "more", "choice"),
    [
        (".png", lambda m: np.uint16(m * 5000), {}, {}),
        (".png", lambda m: np.uint16(m * 1000), {"depth_scale": 1000}, {}),
        (".png", lambda m: np.uint16(m * 256), {"depth_scale": 5000}, {"depth_scale": 256.0}),
        (".tiff", np.float32, {}, {}),
        (".npy", np.float64, {}, {}),
        (".tiff", lambda m: np.float32(m * 1000), {"depth_units": 1000}, {}),
    ],
)
def test_units_of_depth(tmp_path, suffix, make, more, choice):
    path = sequences.plain(tmp_path / "walk", depth=True)
    calibrate(path, **more)
    for file in list((path / "depth").iterdir()):
        metres = np.full((sequences.HEIGHT, sequences.WIDTH), 2.0)
        file.unlink()
        if suffix == ".npy":
            np.save(file.with_suffix(suffix), make(metres))
        else:
            cv2.imwrite(str(file.with_suffix(suffix)), make(metres))
    listed = (path / "depth.txt").read_text().replace(".png", suffix)
    (path / "depth.txt").write_text(listed)
    source = open_source(path, choice=Choice(**choice))
    assert all(np.allclose(f.depth, 2.0, atol=0.01) for f in source)
    assumed = suffix == ".png" and not more
    assert ("5000 units per metre" in source.notes.assumed.get("depth", "")) == assumed


@pytest.mark.parametrize("bad", [np.zeros((48, 64), np.uint8), np.zeros((48, 64, 3), np.uint16)])
def test_depth_that_is_none_is_named(tmp_path, bad):
    path = sequences.plain(tmp_path / "walk", depth=True)
    cv2.imwrite(str(path / "depth/1.png"), bad)
    source = open_source(path)
    assert [f.depth is None for f in source] == [False, True, False, False, False]
    assert "holds no depth" in next(iter(source.notes.skipped.values()))


def test_files_of_one_name_are_counted_one_by_one(tmp_path):
    path = sequences.plain(tmp_path / "walk")
    rows = [line.split() for line in (path / "rgb.txt").read_text().splitlines()]
    (path / "rgb.txt").write_text("".join(f"{stamp} nope.png\n" for stamp, _ in rows))
    source = open_source(path)
    assert not list(source)
    assert len(source.notes.skipped) == len(rows)


def test_lists_in_any_order_with_doubles_and_one_wrong_stamp(tmp_path):
    path = sequences.plain(tmp_path / "walk", depth=True)
    lines = (path / "rgb.txt").read_text().splitlines()
    wrong = f"{format_stamp(int(STAMPS[0]) + 3_600_000_000_000)} images/2.png"
    (path / "rgb.txt").write_text("\n".join([lines[3], lines[1], lines[1], wrong, lines[0], lines[4]]))
    (path / "depth.txt").write_text("\n".join(reversed((path / "depth.txt").read_text().splitlines())))
    source = open_source(path)
    assert source.stamps.tolist() == STAMPS[[0, 1, 3, 4]].tolist()
    assert [round(float(f.depth[0, 0])) for f in source] == [1, 2, 4, 5]
    assert "1 with the stamp of another, 1 with a stamp over 10 s" in source.notes.assumed["stamps"]


@pytest.mark.parametrize(("count", "limit"), [(3000, 20_000_000), (9000, 5_000_000)])
def test_pairing_finds_the_nearest_without_a_table_of_all(tmp_path, count, limit):
    """A table of all pairs of 9000 would take 1.3 GB; the answers are those of such a table."""
    rng = np.random.default_rng(count)
    known, stamps = (np.sort(rng.integers(0, 10**10, count)) for _ in range(2))
    (tmp_path / "depth.txt").write_text("".join(f"{s / 1e9:.9f} {i}.png\n" for i, s in enumerate(known)))
    found = _depths(tmp_path, stamps, max_interval_ns=limit)
    for i in range(0, count, 97):
        gaps = np.abs(known - stamps[i])
        expected = gaps.min() if gaps.min() <= limit else None
        assert (found[i] is None) == (expected is None)
        assert found[i] is None or gaps[int(found[i].stem)] == expected


@pytest.mark.parametrize(
    ("name", "stamps"),
    [(lambda i: f"{i + 8}.png", None), (lambda i: f"{STAMPS[i]}.png", STAMPS),
     (lambda i: f"{format_stamp(int(STAMPS[i]))}.png", STAMPS)],
)  # fmt: skip
def test_images_without_a_list_are_read_in_the_order_of_their_numbers(tmp_path, name, stamps):
    path = sequences.plain(tmp_path / "walk")
    for i in range(5):
        shutil.move(path / f"images/{i}.png", path / name(i))
    (path / "rgb.txt").unlink()
    source = open_source(path)
    assert all(np.array_equal(f.image, sequences.image(i)) for i, f in enumerate(source))
    if stamps is None:
        assert "30 images per second" in source.notes.assumed["stamps"]
        calibrate(path, rate_hz=10)
        assert open_source(path).stamps.tolist() == [i * 10**8 for i in range(5)]
    else:
        assert source.stamps.tolist() == stamps.tolist()


def numbered(path, names, depth_names=(), **more):
    """Images and depth by their names alone, without lists."""
    path = sequences.plain(path, depth=True)
    calibrate(path, **more)
    for name in ("rgb.txt", "depth.txt"):
        (path / name).unlink()
    for folder, wanted in (("images", names), ("depth", depth_names)):
        files = sorted((path / folder).iterdir())
        for file, name in zip(files, wanted, strict=False):
            file.rename(path / ("." if folder == "images" else folder) / name)
    return path


@pytest.mark.parametrize(("step", "said"), [(1, False), (50, True)])  # 1 Hz; milliseconds from zero
def test_stamps_that_may_be_of_another_unit(tmp_path, step, said):
    path = sequences.plain(tmp_path / "walk")
    (path / "rgb.txt").write_text("\n".join(f"{step * i} images/{i}.png" for i in range(5)))
    assert ("50 s apart" in open_source(path).notes.assumed.get("rate", "")) == said


def test_depth_by_number_has_the_rate_of_the_images(tmp_path):
    path = numbered(
        tmp_path / "walk", [f"{i}.png" for i in range(5)], [f"d{i}.png" for i in range(5)], rate_hz=10
    )
    found = [frame.depth[0, 0] for frame in open_source(path, choice=Choice(depth="depth"))]
    assert np.allclose(found, [1, 2, 3, 4, 5])


def test_names_in_capitals(tmp_path):
    path = numbered(tmp_path / "walk", [f"IMG_{i}.JPG" for i in range(4)] + ["IMG_9.jpg"])
    assert [p.name for p in open_source(path).images][-1] == "IMG_9.jpg" and len(open_source(path)) == 5


def test_images_of_several_kinds_are_not_mixed(tmp_path):
    path = numbered(tmp_path / "walk", ["0_rgb.png", "0_depth.png", "1_rgb.png", "1_depth.png"])
    with pytest.raises(InputError, match=r"images of several kinds \(#_depth, #_rgb"):
        open_source(path)


@pytest.mark.parametrize(
    "make", [lambda p: open_source(kitti(p / "sequences/01"), choice=Choice(right="image_9"))]
)
def test_a_right_camera_that_is_not_there(tmp_path, make):
    with pytest.raises(InputError, match="image_9: no images in it"):
        make(tmp_path)


def test_truth_from_a_named_file(tmp_path):
    path = sequences.plain(tmp_path / "walk")
    (path / "groundtruth.txt").rename(path / "mocap.tum")
    assert "there is no" in open_source(path).notes.missing["truth"]
    named = open_source(path, choice=Choice(truth="mocap.tum"))
    assert len(named.ground_truth) == 5 and "truth" not in named.notes.missing
    with pytest.raises(InputError, match=r"no\.tum: no such file \(--truth\)"):
        open_source(path, choice=Choice(truth="no.tum"))
    path = tum_vi(tmp_path / "vi")
    assert open_source(path, choice=Choice(truth="mocap0")).ground_truth is not None
    with pytest.raises(InputError, match=r"vicon0/data\.csv: no such file \(--truth\)"):
        open_source(path, choice=Choice(truth="vicon0"))


def test_a_folder_of_images_with_a_calibration_from_elsewhere(tmp_path):
    path = sequences.plain(tmp_path / "walk")
    shutil.move(path / "calib.json", tmp_path / "calib.json")
    shutil.move(path / "rgb.txt", path / "left list.txt")
    with pytest.raises(InputError, match="--calib FILE"):
        open_source(path)
    choice = Choice(calib=tmp_path / "calib.json", image="left list.txt")
    assert open_source(path, choice=choice).stamps.tolist() == STAMPS.tolist()
    with pytest.raises(InputError, match="names a topic of a bag; of a folder, give --calib"):
        open_source(path, choice=Choice(camera_info="/x"))


def test_a_pair_with_gaps_and_another_clock_tick(tmp_path):
    left = sequences.plain(tmp_path / "w_left")
    right = shutil.copytree(left, tmp_path / "beside")
    lines = (right / "rgb.txt").read_text().splitlines()
    late = [
        f"{format_stamp(int(s) + 2_000_000)} {line.split()[1]}" for s, line in zip(STAMPS, lines, strict=True)
    ]
    (right / "rgb.txt").write_text("\n".join(late[:2] + late[3:]))
    assert "w_right" in open_source(left).notes.missing["right"]
    source = open_source(left, choice=Choice(right="beside"))
    assert [f.stamp for f in source.right] == np.delete(STAMPS, 2).tolist()
    with pytest.raises(InputError, match=r"no such folder of right images \(--right\)"):
        open_source(left, choice=Choice(right="nowhere"))


def tum_vi(path):
    """EuRoC's layout with mocap0 and Kalibr's chain in dso."""
    root = euroc(path) / "mav0"
    (root / "state_groundtruth_estimate0").rename(root / "mocap0")
    (root / "cam0" / "sensor.yaml").unlink()
    (path / "dso").mkdir()
    T_camera_imu = se3.inverse(se3.exp([0.1, 0.2, 0.3, 0.4, 0.5, 0.6]))
    (path / "dso" / "camchain.yaml").write_text(
        "cam0:\n  camera_model: pinhole\n  intrinsics: [50, 50, 31.5, 23.5]\n  resolution: [64, 48]\n"
        "  distortion_model: equidistant\n  distortion_coeffs: [0.01, 0, 0, 0]\n"
        f"  T_cam_imu: {T_camera_imu.tolist()}\n"
    )
    return path


def test_tum_vi(tmp_path):
    source = open_source(tum_vi(tmp_path / "room1"))
    assert np.allclose(source.ground_truth.poses, sequences.truth().poses, atol=1e-9)
    assert source.camera.coefficients == (0.01, 0, 0, 0)


@pytest.mark.parametrize("write", [lambda s: f"{s / 1e9:.9f}", lambda s: str(s // 1000), lambda s: f"{s}"])
def test_euroc_with_stamps_in_other_units(tmp_path, write):
    path = euroc(tmp_path / "V1")
    listed = path / "mav0/cam0/data.csv"
    listed.write_text("t,file\n" + "\n".join(f"{write(int(s))},{s}.png" for s in STAMPS))
    found = open_source(path)
    assert np.abs(found.stamps - STAMPS).max() < 1000
    assert len(list(found)) == 5


def test_euroc_without_what_others_leave_out(tmp_path):
    path = euroc(tmp_path / "V1")
    sensor = path / "mav0/cam0/sensor.yaml"
    sensor.write_text("\n".join(line for line in sensor.read_text().splitlines() if "data:" not in line
                                and "T_BS" not in line))  # fmt: skip
    (path / "mav0/cam0/data.csv").unlink()
    shutil.rmtree(path / "mav0/state_groundtruth_estimate0")
    source = open_source(path)
    assert source.stamps.tolist() == STAMPS.tolist() and len(list(source)) == 5
    assert "T_BS is missing" in source.notes.assumed["camera"]
    assert "mocap0/data.csv" in source.notes.missing["truth"]
    sensor.unlink()
    with pytest.raises(InputError, match=r"sensor\.yaml: no such file; give the calibration with --calib"):
        open_source(path)


def kitti(path, cameras=(2, 3), count=4, times=4):
    """Rows of P as KITTI has them: camera 2 sits 0.06 m beside camera 0, camera 3 0.48 m."""
    offsets = {0: 0.0, 1: -27.0, 2: 3.0, 3: -24.0}
    for number in cameras:
        (path / f"image_{number}").mkdir(parents=True)
        for i in range(count):
            cv2.imwrite(str(path / f"image_{number}" / f"{i:06d}.png"), sequences.image(i, colour=True))
    (path / "times.txt").write_text("".join(f"{0.1 * i:e}\n" for i in range(times)))
    rows = [f"P{k}: 50 0 31.5 {v} 0 50 23.5 0 0 0 1 0" for k, v in offsets.items()]
    (path / "calib.txt").write_text("calib_time: 09-Jan-2012\n" + "\n".join(rows) + "\n")
    poses = path.parent.parent / "poses"
    poses.mkdir(exist_ok=True)
    upper = sequences.truth(times).poses[:, :3].reshape(-1, 12)
    (poses / f"{path.name}.txt").write_text("\n".join(" ".join(map(repr, r)) for r in upper.tolist()) + "\n")
    return path


def test_the_colour_set_of_kitti_and_its_own_truth(tmp_path):
    source = open_source(kitti(tmp_path / "d/sequences/03"))
    assert source.baseline == pytest.approx(0.54) and len(source.right) == 4
    offset = se3.inverse(sequences.truth(4).poses[1]) @ source.ground_truth.poses[1]
    assert np.allclose(offset[:3, 3], [-0.06, 0, 0])
    grey = open_source(kitti(tmp_path / "e/sequences/03", cameras=(0, 1, 2)), choice=Choice(image="image_2"))
    assert grey.right is None and np.allclose(grey.ground_truth.poses, source.ground_truth.poses)


def test_kitti_that_was_cut(tmp_path):
    path = kitti(tmp_path / "d/sequences/04", count=3)
    (path / "image_2/000001.png").unlink()
    (path / "image_3/000002.png").unlink()
    source = open_source(path)
    assert source.stamps.tolist() == [0, 2 * 10**8]
    assert [f.stamp for f in source.right] == [0]
    with pytest.raises(InputError, match=r"4 images up to 000003.png, but .*times.txt has 2 stamps"):
        open_source(kitti(tmp_path / "e/sequences/04", times=2))
    (path / "times.txt").write_text("0\n0.1\n0.2\n")
    with pytest.raises(InputError, match=r"04.txt: 4 poses, but .* has 3 stamps"):
        open_source(path)


def test_what_a_layout_does_not_have_is_refused(tmp_path):
    with pytest.raises(InputError, match="--depth d: a folder of EuRoC has no choice of it"):
        open_source(euroc(tmp_path / "V1"), choice=Choice(depth="d"))
    with pytest.raises(InputError, match="--imu i: a folder of KITTI odometry"):
        open_source(kitti(tmp_path / "d/sequences/05"), choice=Choice(imu="i"))


@pytest.mark.parametrize("rectified", [True, False])
def test_rectified_needs_a_projection_in_folders_too(tmp_path, rectified):
    path = sequences.plain(tmp_path / "walk", dist=[-0.2, 0.1, 0, 0, 0])
    if rectified:
        with pytest.raises(InputError, match="P of the camera_info is empty"):
            open_source(path, choice=Choice(rectified=True))
        calibrate(path, P=[[45.0, 0, 31, 0], [0, 45, 23, 0], [0, 0, 1, 0]])
    camera = open_source(path, choice=Choice(rectified=rectified)).camera
    assert camera.fx == (45 if rectified else 50) and bool(camera.coefficients) != rectified


def test_numbers_that_are_missing_leave_a_gap_in_time(tmp_path):
    path = sequences.plain(tmp_path / "walk")
    shutil.copy(path / "images/4.png", path / "images/7.png")
    calibrate(path, rate_hz=10)
    source = open_source(path, choice=Choice(image="images"))
    assert source.stamps.tolist() == [i * 10**8 for i in (0, 1, 2, 3, 4, 7)]
    assert "2 numbers are missing between 0.png and 7.png" in source.notes.assumed["numbers"]
    shutil.copy(path / "images/7.png", path / "images/5.png")
    shutil.copy(path / "images/7.png", path / "images/6.png")
    assert "numbers" not in open_source(path, choice=Choice(image="images")).notes.assumed


def test_numbers_that_do_not_count_images_are_an_order(tmp_path):
    path = sequences.plain(tmp_path / "walk")
    for i in reversed(range(sequences.COUNT)):
        (path / f"images/{i}.png").rename(path / f"images/{33 * i}.png")
    calibrate(path, rate_hz=10)
    source = open_source(path, choice=Choice(image="images"))
    assert source.stamps.tolist() == [i * 10**8 for i in range(sequences.COUNT)]
