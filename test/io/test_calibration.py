# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The same camera, told by every kind of file and message."""

import contextlib
import json
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid_features_ros.core.camera import Camera, Distortion
from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.io.calibration import DEPTH_SCALES, CameraInfo, read_calibration
from hybrid_features_ros.io.source import Notes

K = [420.0, 0, 330.5, 0, 418.0, 235.5, 0, 0, 1]
D = [-0.25, 0.06, 0.001, -0.002]
CAMERA = Camera(640, 480, 420, 418, 330.5, 235.5, Distortion.RADTAN, tuple(D))
P = [400.0, 0, 320, -48, 0, 400, 240, 0, 0, 0, 1, 0]
OURS = {"width": 640, "height": 480, "K": np.reshape(K, (3, 3)).tolist(), "dist": D, "model": "radtan"}
T = [[0, 0, 1, 0.1], [-1, 0, 0, 0], [0, -1, 0, 0], [0, 0, 0, 1]]

FILES = {
    "calib.json": json.dumps({**OURS, "licence": "CC0"}),
    "ros.yaml": f"""image_width: 640
image_height: 480
camera_name: front
camera_matrix:
  rows: 3
  cols: 3
  data: {K}
distortion_model: plumb_bob
distortion_coefficients: {{rows: 1, cols: 4, data: {D}}}
rectification_matrix: {{rows: 3, cols: 3, data: [1, 0, 0, 0, 1, 0, 0, 0, 1]}}
projection_matrix: {{rows: 3, cols: 4, data: {P}}}
""",
    "opencv.yml": f"""%YAML:1.0
---
image_width: 640
image_height: 480
camera_matrix: !!opencv-matrix
   rows: 3
   cols: 3
   dt: d
   data: {K}
distortion_coefficients: !!opencv-matrix
   rows: 4
   cols: 1
   dt: d
   data: {D}
""",
    "echoed.yaml": f"""header:
  stamp: {{sec: 1, nanosec: 2}}
  frame_id: cam
height: 480
width: 640
distortion_model: plumb_bob
d: {D}
k: {K}
r: [1, 0, 0, 0, 1, 0, 0, 0, 1]
p: {P}
binning_x: 0
binning_y: 0
roi: {{x_offset: 0, y_offset: 0, height: 0, width: 0, do_rectify: false}}
---
""",
    "camchain.yaml": f"""cam0:
  camera_model: pinhole
  intrinsics: [100, 100, 320, 240]
  distortion_model: equidistant
  distortion_coeffs: [0, 0, 0, 0]
  resolution: [640, 480]
  rostopic: /left/image_raw
cam1:
  camera_model: pinhole
  intrinsics: [420, 418, 330.5, 235.5]
  distortion_model: radtan
  distortion_coeffs: {D}
  resolution: [640, 480]
  rostopic: /right/image_raw
  T_cam_imu: {T}
""",
    "sensor.yaml": f"""sensor_type: camera
T_BS:
  cols: 4
  rows: 4
  data: {np.ravel(T).tolist()}
resolution: [640, 480]
camera_model: pinhole
intrinsics: [420, 418, 330.5, 235.5]
distortion_model: radial-tangential
distortion_coefficients: {D}
""",
}


@pytest.mark.parametrize("name", FILES)
def test_every_file_tells_the_same_camera(tmp_path, name):
    path = tmp_path / name
    path.write_text(FILES[name])
    assert read_calibration(path, "/right/image_raw").info.camera() == CAMERA


@pytest.mark.parametrize("name", ["ros.yaml", "echoed.yaml"])
def test_files_with_a_projection_tell_the_rectified_camera(tmp_path, name):
    (tmp_path / name).write_text(FILES[name])
    info = read_calibration(tmp_path / name).info
    assert info.camera(rectified=True) == Camera(640, 480, 400, 400, 320, 240)
    assert info.baseline == pytest.approx(0.12)


def test_a_chain_without_the_topic_gives_its_first_camera(tmp_path):
    (tmp_path / "c.yaml").write_text(FILES["camchain.yaml"])
    assert read_calibration(tmp_path / "c.yaml").info.camera().distortion is Distortion.EQUIDISTANT
    with_imu = read_calibration(tmp_path / "c.yaml", "/right/image_raw")
    assert np.array_equal(with_imu.T_camera_imu, T)


@pytest.mark.parametrize(
    ("camera", "name", "said"),
    [("cam1", "cam1", False), ("/cam1/image_raw", "cam1", False), ("/right/image_raw", "cam1", False),
     ("image_0", "cam0", True), ("", "cam0", True)],
)  # fmt: skip
def test_which_camera_of_a_chain_it_is_and_what_was_assumed(tmp_path, camera, name, said):
    first, _, second = FILES["camchain.yaml"].partition("cam1:")
    (tmp_path / "c.yaml").write_text("cam1:" + second + first)
    notes = Notes()
    found = read_calibration(tmp_path / "c.yaml", camera, notes).info.camera()
    assert (found == CAMERA) == (name == "cam1")
    assert ("the calibration is that of cam0; the chain has" in notes.assumed.get("camera", "")) == said


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("ros.yaml", "distortion_coefficients", "dist_coeffs"),
        ("ros.yaml", "distortion_coefficients", "Distortion_Coefficients"),
        ("opencv.yml", "distortion_coefficients", "distCoeffs"),
        ("sensor.yaml", "distortion_coefficients", "distortion"),
        ("sensor.yaml", f"distortion_coefficients: {D}", "distortion_coefficients: []"),
    ],
)
def test_coefficients_under_another_name_are_not_lost_without_a_word(tmp_path, name, old, new):
    assert old in FILES[name]
    (tmp_path / name).write_text(FILES[name].replace(old, new))
    with pytest.raises(InputError, match="but no distortion_coeff"):
        read_calibration(tmp_path / name)


def test_a_message_that_was_echoed_twice(tmp_path):
    (tmp_path / "c.yaml").write_text(2 * FILES["echoed.yaml"])
    assert read_calibration(tmp_path / "c.yaml").info.camera() == CAMERA


def test_a_principal_point_far_from_the_middle_is_doubted_and_none_is_refused():
    assert not CAMERA.doubt
    half = message(width=640, height=480, k=[210, 0, 165, 0, 210, 118, 0, 0, 1])
    assert "lies far from the middle of 640x480" in CameraInfo.of(half).camera().doubt
    with pytest.raises(InputError, match=r"the principal point \(0, 118\) is not set"):
        CameraInfo.of(message(k=[210, 0, 0, 0, 210, 118, 0, 0, 1])).camera()


@pytest.mark.parametrize("factor", [30.0, 0.25])
def test_a_focal_length_in_another_unit_is_doubted(factor):
    k = np.diag([210 * factor, 210 * factor, 1.0])
    k[:2, 2] = CAMERA.cx, CAMERA.cy
    assert "focal length" in CameraInfo.of(message(k=k.ravel().tolist())).camera().doubt


def ours(tmp_path, **more):
    (tmp_path / "calib.json").write_text(json.dumps({**OURS, **more}))
    return read_calibration(tmp_path / "calib.json")


@pytest.mark.parametrize("key", DEPTH_SCALES)
def test_units_of_depth_under_every_name(tmp_path, key):
    assert ours(tmp_path, **{key: 1000}).depth_scale == 1000
    assert ours(tmp_path).depth_scale is None
    with pytest.raises(InputError, match="give units per metre, such as 1000 for millimetres"):
        ours(tmp_path, **{key: 0.001})
    with pytest.raises(InputError, match=r"contradicting units of depth: 1000\.0, 5000\.0"):
        ours(tmp_path, depth_scale=1000, depth_factor=5000)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"baseline": 0.1}, "unknown keys baseline; it needs width"),
        ({"camera_matrix": 1, "fps": 2}, "unknown keys camera_matrix, fps"),
        ({"T_camera_imu": [1, 2]}, "T_camera_imu must be 4x4 numbers"),
        ({"T_camera_imu": (2 * np.eye(4)).tolist()}, "T_camera_imu are no rotation"),
        ({"P": [1, 2, 3]}, "P has 3 numbers"),
        ({"rate_hz": "often"}, "could not convert"),
        ({"rate_hz": 0}, "rate_hz 0: give images per second"),
        ({"rate_hz": -30}, "rate_hz -30: give"),
        ({"baseline_m": -0.1}, "baseline_m -0.1: give the distance"),
        ({"baseline_m": float("nan")}, "baseline_m nan"),
    ],
)
def test_keys_that_nobody_reads_are_refused(tmp_path, more, message):
    with pytest.raises(InputError, match=message):
        ours(tmp_path, **more)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("c.json", "{", "a calib.json needs width"),
        ("c.json", "[1]", "expected keys and values"),
        ("c.yaml", "a: [1,\n\tb", "neither a calib.json nor"),
        ("c.yaml", "camera_matrix: {data: [1]}", "'image_width' is missing"),
        ("c.yaml", FILES["sensor.yaml"].replace("pinhole", "omni"), "camera_model 'omni' is not supported"),
        ("c.yaml", FILES["sensor.yaml"].replace("420, 418, ", ""), "not enough values"),
        ("c.yaml", "", "expected keys and values"),
    ],
)
def test_files_that_are_no_calibration(tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=message):
        read_calibration(tmp_path / name)


def message(**more):
    """A camera_info of ROS 2."""
    roi = SimpleNamespace(x_offset=0, y_offset=0, width=0, height=0, do_rectify=False)
    size = {"width": 640, "height": 480, "binning_x": 0, "binning_y": 0, "roi": roi}
    return SimpleNamespace(**{"distortion_model": "plumb_bob", "d": D, "k": K, "p": P, **size, **more})


def test_messages_of_ros_1_and_foxglove_write_the_matrices_large():
    old = SimpleNamespace(width=640, height=480, distortion_model="plumb_bob", D=D, K=K, P=P)
    assert CameraInfo.of(old) == CameraInfo.of(message())
    assert CameraInfo.of(old).camera() == CAMERA


def test_region_and_binning():
    """Half of the pixels of the sensor's lower right quarter: the middle of a pixel stays where it is."""
    roi = SimpleNamespace(x_offset=320, y_offset=240, width=320, height=240, do_rectify=False)
    camera = CameraInfo.of(message(roi=roi, binning_x=2, binning_y=2)).camera()
    assert (camera.width, camera.height, camera.fx) == (160, 120, 210)
    whole = CAMERA.project([[0.1, 0.2, 1]])[0]
    assert np.allclose(camera.project([[0.1, 0.2, 1]])[0], (whole - [320, 240] + 0.5) / 2 - 0.5)


def test_a_region_beyond_the_sensor_is_refused():
    roi = SimpleNamespace(x_offset=600, y_offset=0, width=320, height=240, do_rectify=False)
    with pytest.raises(InputError, match=r"320x240 at \(600, 0\), lies beyond the sensor's 640x480"):
        CameraInfo.of(message(roi=roi)).camera()


def test_a_rectified_image_needs_a_projection_only_where_there_is_distortion():
    empty = CameraInfo.of(message(p=[0.0] * 12))
    with pytest.raises(InputError, match="P of the camera_info is empty"):
        empty.camera(rectified=True)
    assert CameraInfo.of(message(p=[0.0] * 12, d=[0.0] * 5)).camera(rectified=True).fx == 420


@pytest.mark.parametrize("p", [[0.0] * 12, [400.0, 0, 320, 48, *[0.0] * 8], [400.0, 0, 320]])
def test_what_is_no_right_camera(p):
    with pytest.raises(InputError, match="is no rectified pair"):
        _ = CameraInfo.of(message(p=p)).baseline


def test_an_empty_message_is_told():
    assert not CameraInfo.of(message(k=[0.0] * 9)).is_calibrated
    with pytest.raises(InputError, match="means uncalibrated"):
        CameraInfo.of(message(k=[0.0] * 9, d=[])).camera()


@given(st.data())
def test_any_file_is_a_calibration_or_one_line(tmp_path_factory, data):
    """Whole files cut off, and with any line replaced."""
    name = data.draw(st.sampled_from(list(FILES)))
    lines = FILES[name].splitlines()
    lines[data.draw(st.integers(0, len(lines) - 1))] = data.draw(
        st.sampled_from(lines) | st.text(max_size=30)
    )
    path = tmp_path_factory.mktemp("any") / name
    path.write_text("\n".join(lines)[: data.draw(st.integers(0, 2000))], encoding="utf-8", errors="replace")
    with contextlib.suppress(InputError):
        read_calibration(path).info.camera()


def test_a_principal_point_in_exchanged_order_is_doubted():
    exchanged = message(k=[420.0, 0, 239.5, 0, 418.0, 319.5, 0, 0, 1])
    assert "are cx and cy exchanged?" in CameraInfo.of(exchanged).camera().doubt


@pytest.mark.parametrize(
    ("name", "more", "said"),
    [
        ("calib.json", {"width": 640.5}, "an image side of 640.5 pixels"),
        ("calib.json", {"T_camera_imu": (2 * np.eye(4)).tolist()}, "T_camera_imu are no rotation: .*2.0"),
        ("sensor.yaml", {"T_BS": (2 * np.eye(4)).ravel().tolist()}, "sensor.yaml: .*T_BS are no rotation"),
    ],
)
def test_values_that_cannot_be_are_named(tmp_path, name, more, said):
    euroc = {"intrinsics": [420, 418, 330, 235], "resolution": [640, 480], "distortion_model": "none"}
    content = {**(OURS if name == "calib.json" else euroc), **more}
    (tmp_path / name).write_text(json.dumps(content))
    with pytest.raises(InputError, match=said):
        read_calibration(tmp_path / name)


def test_coefficients_that_are_not_finite_are_named():
    with pytest.raises(InputError, match=r"distortion coefficients .*nan.* are not finite"):
        CameraInfo.of(message(d=[0.1, float("nan"), 0.0, 0.0, 0.0])).camera()
