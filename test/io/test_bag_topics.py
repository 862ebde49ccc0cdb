# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Topics are told by what they are: type, encoding, calibration, frame; or chosen by hand."""

import json

import bagmaker
import numpy as np
import pytest
import sequences
from bagmaker import camera, compressed, image, imu, info, pose, static, write

from hybrid_features_ros.core import se3
from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.io.bags import open_bag
from hybrid_features_ros.io.source import Choice

pytestmark = pytest.mark.slow

STAMPS = sequences.stamps(3).tolist()
DEPTH = np.full((sequences.HEIGHT, sequences.WIDTH), 1500, np.uint16)


def depths(topic, encoding="16UC1", frame="cam", shift=0, size=1):
    return [image(topic, s + shift, DEPTH[::size, ::size], encoding, frame) for s in STAMPS]


@pytest.mark.parametrize(
    ("entries", "chosen", "others"),
    [
        (
            camera("/a_thermal", encoding="mono16") + camera("/front", encoding="bgr8"),
            "/front/image",
            "/a_thermal",
        ),
        ([e for e in camera("/debug") if "info" not in e[0]] + camera("/eye"), "/eye/image", "/debug"),
        (camera("/a", count=1) + camera("/b", count=3), "/b/image", "/a/image"),
        (camera("/a_right", offset=-5.0) + camera("/b_left"), "/b_left/image", "/a_right"),
        (camera("/depth_camera", encoding="bgr8"), "/depth_camera/image", ""),
        (camera("/depth") + camera("/eye"), "/eye/image", "/depth/image"),
        (camera("/lwir", encoding="16UC1"), "/lwir/image", ""),
    ],
)
def test_images_are_told_by_what_they_are(tmp_path, entries, chosen, others):
    source = open_bag(write(tmp_path / "b", entries))
    assert source.topic == chosen
    assert (others in source.notes.assumed["image"]) if others else "image" not in source.notes.assumed
    assert len(list(source)) == 3


def test_images_may_be_chosen_by_hand(tmp_path):
    path = write(tmp_path / "b", camera("/front") + camera("/back"))
    assert open_bag(path, Choice(image="/front/image")).topic == "/front/image"
    with pytest.raises(InputError, match=r"no image topic /up; the bag has /back/camera_info \(sensor_msgs"):
        open_bag(path, Choice(image="/up"))


@pytest.mark.parametrize(
    ("entries", "chosen"),
    [
        (depths("/a/depth", frame="other") + depths("/z/range"), "/z/range"),
        (depths("/a/depth", size=2) + depths("/aligned_depth/image"), "/aligned_depth/image"),
        (depths("/x/depth", encoding="mono16"), "/x/depth"),
        ([compressed("/d", s, DEPTH, "16UC1; compressedDepth png", bytes(12)) for s in STAMPS], "/d"),
        ([compressed("/depth/compressed", s, DEPTH, "png") for s in STAMPS], "/depth/compressed"),
    ],
)  # fmt: skip
def test_depth_is_told_by_what_it_is(tmp_path, entries, chosen):
    source = open_bag(write(tmp_path / "b", camera("/eye") + entries))
    assert source.depth_topic == chosen
    assert all((f.depth == 1.5).all() for f in source)
    by_hand = open_bag(tmp_path / "b", Choice(depth=entries[0][0], depth_scale=500))
    assert next(iter(by_hand)).depth[0, 0] == 3.0


@pytest.mark.parametrize(("units", "doubted"), [(1000, False), (5000, True)])
def test_sixteen_bits_that_are_far_in_millimetres_are_doubted(tmp_path, units, doubted):
    wall = np.full((sequences.HEIGHT, sequences.WIDTH), 2 * units, np.uint16)
    entries = camera("/eye") + [image("/eye/depth", s, wall, encoding="16UC1") for s in STAMPS]
    source = open_bag(write(tmp_path / "b", entries))
    assert len(list(source)) == len(STAMPS)
    assert ("--depth-scale 5000" in source.notes.assumed.get("depth unit", "")) is doubted
    told = open_bag(tmp_path / "b", Choice(depth_scale=units))
    assert all((f.depth == 2.0).all() for f in told) and "depth unit" not in told.notes.assumed


def test_grey_images_with_rows_of_colours_are_doubted(tmp_path):
    source = open_bag(write(tmp_path / "b", camera("/eye", encoding="bgr8")))
    for frame in source:
        assert frame.image.ndim == 3
    assert "encoding" not in source.notes.assumed
    colours = np.dstack([sequences.image(0)] * 3)
    entries = [e for e in camera("/eye") if e[0].endswith("info")]
    entries += [image("/eye/image", s, colours, encoding="mono8") for s in STAMPS]
    source = open_bag(write(tmp_path / "c", entries))
    assert all(f.image.ndim == 2 for f in source)
    assert "3 channels and another encoding" in source.notes.assumed["encoding"]


def test_why_there_is_no_depth(tmp_path):
    source = open_bag(write(tmp_path / "a", camera("/eye")))
    assert "no depth topic (16UC1, 32FC1 or compressedDepth)" in source.notes.missing["depth"]
    late = open_bag(write(tmp_path / "b", camera("/eye") + depths("/depth", shift=24_000_000)))
    assert "0.024 s or more from every image" in late.notes.missing["depth"]
    wider = open_bag(tmp_path / "b", Choice(max_interval_ns=24_000_000))
    assert "depth" not in wider.notes.missing and next(iter(wider)).depth is not None


@pytest.mark.parametrize("name", ["image_rect", "image_rect_color", "image_rectified/compressed"])
def test_rectified_images_have_p_and_no_distortion(tmp_path, name):
    K = np.array(sequences.K) * [[0.9], [0.9], [1]]
    entries = [info("/eye/camera_info", s, D=[-0.2, 0.1, 0, 0, 0], P=K) for s in STAMPS]
    if name.endswith("compressed"):
        entries += [compressed(f"/eye/{name}", s, sequences.image(0), "png") for s in STAMPS]
    else:
        entries += [image(f"/eye/{name}", s, sequences.image(0)) for s in STAMPS]
    source = open_bag(write(tmp_path / "b", entries))
    assert source.camera.fx == 45 and not source.camera.coefficients
    assert "taken for rectified, by its name" in source.notes.assumed["camera"]
    raw = open_bag(tmp_path / "b", Choice(rectified=False))
    assert raw.camera.fx == 50 and raw.camera.coefficients


def test_a_pair_is_chosen_together(tmp_path):
    entries = camera("/colour", encoding="bgr8") + camera("/ir1") + camera("/ir2", offset=-50 * 0.2)
    for i, entry in enumerate(entries):
        if entry[0] == "/colour/camera_info":
            entries[i] = info("/colour/camera_info", entry[2], K=[[40.0, 0, 31.5], [0, 40, 23.5], [0, 0, 1]])
    source = open_bag(write(tmp_path / "b", entries), Choice(stereo=True))
    assert (source.topic, source.right.topic) == ("/ir1/image", "/ir2/image")
    assert source.baseline == pytest.approx(0.2)
    alone = open_bag(tmp_path / "b")
    assert alone.topic == "/colour/image" and alone.right is None and "P[3]" in alone.notes.missing["right"]


def test_right_images_may_be_a_little_late(tmp_path):
    right = [(t, k, s, m) for t, k, s, m in camera("/r", offset=-10.0)]
    for _, _, s, m in right:
        m.header = bagmaker.header(s + 3_000_000, "cam")
    source = open_bag(write(tmp_path / "b", camera("/l") + right[:-1]))
    assert [f.stamp for f in source.right] == STAMPS[:-1], "under the stamps of the left images"


def test_an_inertial_unit_that_turns(tmp_path):
    accel = [imu("/accel", s, (0, 0, 0)) for s in STAMPS]
    gyro = [imu("/gyro", s, (0.1, 0.2, 0.3)) for s in STAMPS]
    T = se3.exp([0, 0, 0, 0.3, -1.2, 0.5])
    tree = [static("base", "cam", T), static("base", "imu", np.eye(4))]
    source = open_bag(write(tmp_path / "a", camera("/eye") + accel + gyro + tree))
    assert source.imu_topic == "/gyro" and "/accel" in source.notes.assumed["imu"]
    assert np.allclose(source.imu.gyro[0], T[:3, :3].T @ [0.1, 0.2, 0.3])
    lost = open_bag(write(tmp_path / "b", camera("/eye") + gyro))
    assert "taken for the camera's axes" in lost.notes.assumed["imu"]
    assert open_bag(tmp_path / "a", Choice(imu="/accel")).imu_topic == "/accel"
    with pytest.raises(InputError, match="no Imu topic /x; the bag has /accel, /gyro"):
        open_bag(tmp_path / "a", Choice(imu="/x"))


def test_a_calibration_that_comes_late_or_from_elsewhere(tmp_path):
    entries = camera("/eye")
    entries[0] = info("/eye/camera_info", STAMPS[0], K=np.zeros((3, 3)))
    assert open_bag(write(tmp_path / "a", entries)).camera.fx == 50
    only = [e if "info" not in e[0] else ("/elsewhere/camera_info", *e[1:]) for e in camera("/eye")]
    assert "/elsewhere/camera_info" in open_bag(write(tmp_path / "b", only)).notes.assumed["camera"]
    two = [*only, info("/third/camera_info", STAMPS[0], frame="third")]
    assert open_bag(write(tmp_path / "c", two)).camera.fx == 50, "of the same frame"
    with pytest.raises(InputError, match="no camera_info topic /x; the bag has /elsewhere"):
        open_bag(tmp_path / "c", Choice(camera_info="/x"))
    empty = [info("/eye/camera_info", s, K=np.zeros((3, 3))) if "info" in t else (t, k, s, m)
             for t, k, s, m in camera("/eye")]  # fmt: skip
    with pytest.raises(InputError, match=r"every message on /eye/camera_info is empty .*--calib FILE"):
        open_bag(write(tmp_path / "d", empty))


def test_a_bag_without_calibration_takes_a_file(tmp_path):
    bare = [e for e in camera("/cam0") + camera("/cam1") if "info" not in e[0]]
    path = write(tmp_path / "b", bare)
    with pytest.raises(InputError, match="no camera_info at all; --camera-info TOPIC or --calib FILE"):
        open_bag(path)
    ours = {
        "width": 64,
        "height": 48,
        "K": sequences.K,
        "dist": [0] * 4,
        "model": "radtan",
        "baseline_m": 0.11,
    }
    (tmp_path / "calib.json").write_text(json.dumps(ours))
    source = open_bag(path, Choice(calib=tmp_path / "calib.json", right="/cam1/image"))
    assert source.camera.fx == 50 and source.baseline == 0.11 and len(list(source.right)) == 3


def test_messages_that_are_out_of_order_double_or_broken(tmp_path):
    entries = camera("/eye", count=6)
    images = [e for e in entries if e[0] == "/eye/image"]
    images[1], images[2] = (*images[1][:3], images[2][3]), (*images[2][:3], images[1][3])
    images.insert(4, images[4])
    images[5][3].data = images[5][3].data[:50]
    source = open_bag(write(tmp_path / "b", [*images, *(e for e in entries if "info" in e[0])]))
    frames = list(source)
    assert [f.stamp for f in frames] == np.delete(sequences.stamps(6), 4).tolist()
    assert all(
        np.array_equal(f.image, sequences.image(i)) for f, i in zip(frames, (0, 1, 2, 3, 5), strict=True)
    )
    assert "1 with the stamp of another" in source.notes.assumed["stamps"]
    (reason,) = source.notes.skipped.values()
    assert "holds 50 bytes" in reason


def test_truth_without_poses_where_the_body_was_not_seen(tmp_path):
    rows = [pose(STAMPS[0], (1, 2, 3), (0, 0, 0, 1)), pose(STAMPS[1], (np.nan,) * 3, (0, 0, 0, 1)),
            pose(STAMPS[2], (0, 0, 0), (0, 0, 0, 0))]  # fmt: skip
    source = open_bag(write(tmp_path / "b", camera("/eye") + rows))
    assert source.ground_truth.stamps.tolist() == STAMPS[:1]
    assert "2 of 3 lines of the truth" in source.notes.assumed["truth"]


def test_images_of_foxglove_are_read_and_video_is_named(tmp_path):
    still = {"timestamp": None, "frame_id": "f", "format": "png"}
    data = bagmaker.compressed("", 0, sequences.image(0), "png")[3].data
    fields = [{**still, "timestamp": bagmaker.time(s), "data": data} for s in STAMPS]
    definition = "builtin_interfaces/Time timestamp\nstring frame_id\nuint8[] data\nstring format\n"
    path = bagmaker.write_foreign(tmp_path / "a", bagmaker.FOXGLOVE, definition, "/lens/image", fields)
    assert np.array_equal(next(iter(open_bag(path))).image, sequences.image(0))
    kind = "foxglove_msgs/msg/CompressedVideo"
    film = bagmaker.write_foreign(tmp_path / "b", kind, definition, "/lens/video", fields)
    with pytest.raises(InputError, match=r"/lens/video \(foxglove_msgs/msg/CompressedVideo\).*republish"):
        open_bag(film)


def test_depth_of_another_frame_is_doubted(tmp_path):
    entries = camera("/eye") + depths("/eye/depth", frame="infrared")
    for choice in (Choice(), Choice(depth="/eye/depth")):
        path = tmp_path / (choice.depth.replace("/", "_") or "found")
        assert "'infrared' and 'cam'" in open_bag(write(path, entries), choice).notes.assumed["depth"]


def test_a_clock_that_was_set_back_is_said(tmp_path):
    entries = camera("/eye", count=5)
    turned = entries[6:] + entries[:6]  # as they were recorded
    recorded = [(topic, kind, i, message) for i, (topic, kind, _, message) in enumerate(turned)]
    notes = open_bag(write(tmp_path / "b", recorded)).notes
    assert "set back on /eye/image, 1 times" in notes.assumed["order"]
    assert "order" not in open_bag(write(tmp_path / "a", entries)).notes.assumed
