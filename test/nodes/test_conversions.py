# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Core values survive the way through messages."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

pytest.importorskip("rclpy", reason="rclpy is not installed: run `make setup` or source a ROS 2")

from rclpy.serialization import deserialize_message, serialize_message
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header
from synthetic import World

from hybrid_features_ros.core import se3
from hybrid_features_ros.core.camera import Distortion
from hybrid_features_ros.core.config import OdometryConfig
from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.core.types import DescriptorFormat, Features, Metric, equal
from hybrid_features_ros.msg import FeatureArray
from hybrid_features_ros.nodes import conversions
from hybrid_features_ros.odometry import Odometry

float32 = st.floats(width=32, allow_nan=True)
finite32 = st.floats(width=32, allow_nan=False, allow_infinity=False)
text = st.text(st.characters(codec="ascii", exclude_characters="\0"), max_size=12)


@st.composite
def features(draw):
    n, dim = draw(st.integers(0, 12)), draw(st.integers(0, 9))

    def column(elements=float32, shape=n, dtype=np.float32):
        return draw(arrays(dtype, shape, elements=elements))

    as_bytes = draw(st.booleans())
    some = n > 0  # an empty array on the wire means "not measured"
    return Features(
        points=column(finite32, (n, 2)),
        scores=column(),
        scales=column(),
        angles=column(),
        sigmas=column(),
        descriptors=column(st.integers(0, 255), (n, dim), np.uint8)
        if as_bytes
        else column(float32, (n, dim)),
        format=DescriptorFormat(
            detector=draw(text),
            descriptor=draw(text),
            metric=draw(st.sampled_from(Metric)),
            quantisation_scale=draw(finite32),
            quantisation_offset=draw(finite32),
            model_digest=draw(text),
        ),
        width=draw(st.integers(1, 10000)),
        height=draw(st.integers(1, 10000)),
        rectified=draw(st.booleans()),
        depths=column() if some and draw(st.booleans()) else None,
        track_ids=column(st.integers(-1, 2**31 - 1), n, np.int32) if some and draw(st.booleans()) else None,
        depth_sigmas=column() if some and draw(st.booleans()) else None,
    )


@given(features())
def test_any_features_survive_the_wire_bit_for_bit(original):
    sent = conversions.features_to_msg(original, Header(frame_id="camera"))
    received = deserialize_message(serialize_message(sent), FeatureArray)
    assert equal(conversions.features_from_msg(received), original)


@pytest.mark.parametrize(
    "change",
    [
        {"score": [1.0]},
        {"descriptor_dim": 7},
        {"descriptor_dtype": 9},
        {"descriptor_metric": 9},
        {"x": [float("nan")] * 3},
    ],
)
def test_contradictory_features_are_refused(change):
    msg = conversions.features_to_msg(World.random(count=60).seen_from(np.eye(4)), Header())
    for name, value in change.items():
        setattr(msg, name, value)
    with pytest.raises(InputError, match="features"):
        conversions.features_from_msg(msg)


@given(st.integers(0, 2**62 // 10**9 * 10**9 % (2**31 * 10**9)))
def test_stamps_keep_every_nanosecond(ns):
    assert conversions.to_ns(conversions.to_time(ns)) == ns


@given(arrays(np.float64, 6, elements=st.floats(-1.7, 1.7)))
def test_motions_survive(xi):
    T = se3.exp(xi)
    assert np.allclose(conversions.pose_from_msg(conversions.to_pose(T)), T, atol=1e-12)
    assert np.allclose(conversions.transform_from_msg(conversions.to_transform(T)), T, atol=1e-12)


def padded(encoding, image, padding=0, big_endian=False):
    """An Image message with ``padding`` bytes after every row."""
    data = image.astype(image.dtype.newbyteorder(">")) if big_endian else image
    rows = data.reshape(image.shape[0], -1).view(np.uint8)
    rows = np.pad(rows, ((0, 0), (0, padding)))
    return Image(
        height=image.shape[0], width=image.shape[1], encoding=encoding, step=rows.shape[1],
        is_bigendian=int(big_endian), data=rows.tobytes(),
    )  # fmt: skip


BGR = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)
OPAQUE = np.full((6, 8, 1), 255, np.uint8)


@pytest.mark.parametrize("padding", [0, 5])
@pytest.mark.parametrize(
    ("encoding", "image", "expected"),
    [
        ("mono8", BGR[..., 0], BGR[..., 0]),
        ("bgr8", BGR, BGR),
        ("rgb8", BGR[..., ::-1], BGR),
        ("bgra8", np.concatenate([BGR, OPAQUE], 2), BGR),
        ("rgba8", np.concatenate([BGR[..., ::-1], OPAQUE], 2), BGR),
    ],
)
def test_encodings_with_row_padding(encoding, image, expected, padding):
    found = conversions.image_from_msg(padded(encoding, np.ascontiguousarray(image), padding))
    assert np.array_equal(found, expected)


def test_a_flag_for_the_order_of_bytes_does_not_matter_to_single_bytes():
    """Some drivers set it whatever they send."""
    msg = padded("bgr8", BGR)
    msg.is_bigendian = 1
    assert np.array_equal(conversions.image_from_msg(msg), BGR)


def test_images_that_the_nodes_send_are_read_back():
    sent = conversions.image_to_msg(BGR, Header(frame_id="camera"))
    assert (sent.header.frame_id, sent.encoding, sent.step, len(sent.data)) == ("camera", "bgr8", 24, 144)
    assert np.array_equal(conversions.image_from_msg(sent), BGR)


@pytest.mark.parametrize("big_endian", [False, True])
def test_sixteen_bits_fill_the_eight(big_endian):
    image = np.array([[1000, 2000], [3000, 5000]], np.uint16)
    found = conversions.image_from_msg(padded("mono16", image, 2, big_endian))
    assert found.tolist() == [[0, 63], [127, 255]]


@pytest.mark.parametrize(
    ("encoding", "image", "expected"),
    [
        ("8UC1", BGR[..., 0], BGR[..., 0]),
        ("8UC3", BGR, BGR),
        ("8UC4", np.concatenate([BGR, OPAQUE], 2), BGR),
    ],
)
@pytest.mark.parametrize("padding", [0, 3])
def test_numbers_without_a_colour_are_taken_for_grey_or_bgr(encoding, image, expected, padding):
    """What cv2_to_imgmsg writes when nobody gives it an encoding."""
    found = conversions.image_from_msg(padded(encoding, np.ascontiguousarray(image), padding))
    assert np.array_equal(found, expected)


@pytest.mark.parametrize("encoding", ["yuyv", "uyvy", "yuv422", "yuv422_yuy2", "YUYV"])
def test_interleaved_brightness_and_colour(encoding):
    grey, colour = BGR[..., 0] // 2 + 60, np.full((6, 8), 128, np.uint8)
    pair = [colour, grey] if encoding.lower() in ("uyvy", "yuv422") else [grey, colour]
    found = conversions.image_from_msg(padded(encoding, np.dstack(pair), 4))
    assert found.shape == (6, 8, 3)
    slope = np.polyfit(grey.ravel(), found[..., 0].ravel().astype(float), 1)[0]
    assert 0.9 < slope < 1.25, "the brightness, in the narrower range of video"


@pytest.mark.parametrize(("encoding", "rows"), [("nv12", 3), ("nv21", 3), ("nv24", 6), ("i420", 3)])
@pytest.mark.parametrize("padding", [0, 2])
def test_colour_planes_behind_the_brightness_are_not_needed(encoding, rows, padding):
    planes = np.concatenate([BGR[..., 0], np.full((rows, 8), 77, np.uint8)])
    msg = padded(encoding, planes, padding)
    msg.height = 6
    assert np.array_equal(conversions.image_from_msg(msg), BGR[..., 0])


@pytest.mark.parametrize("encoding", ["bayer_rggb16", "bayer_grbg16", "rgb16", "bgra16", "mono16"])
def test_twelve_bits_in_sixteen_are_not_dark(encoding):
    channels = {"rgb16": 3, "bgra16": 4}.get(encoding, 1)
    ramp = np.linspace(64, 4095, 48).astype(np.uint16).reshape(6, 8)
    image = np.repeat(ramp[..., None], channels, axis=2) if channels > 1 else ramp
    found = conversions.image_from_msg(padded(encoding, np.ascontiguousarray(image)))
    assert found.max() > 230 and found.min() < 25


def test_floats_are_scaled_whatever_they_mean_and_holes_are_dark():
    found = conversions.image_from_msg(padded("32FC1", np.array([[np.nan, 0.5], [0.25, 0.75]], np.float32)))
    assert found.tolist() == [[0, 127], [0, 255]]
    assert not conversions.image_from_msg(padded("32FC1", np.full((2, 2), np.nan, np.float32))).any()


@pytest.mark.parametrize("encoding", ["bayer_rggb8", "yuv422_yuy2"])
def test_grey_stays_grey_through_camera_encodings(encoding):
    if encoding.startswith("bayer"):
        raw = np.full((6, 8), 90, np.uint8)
    else:
        raw = np.dstack([np.full((6, 8), 90, np.uint8), np.full((6, 8), 128, np.uint8)])
    found = conversions.image_from_msg(padded(encoding, raw))
    assert found.shape == (6, 8, 3)
    assert np.abs(found.astype(int) - 90).max() <= 16


def test_compressed_images():
    import cv2

    png = cv2.imencode(".png", BGR)[1].tobytes()
    assert np.array_equal(conversions.image_from_msg(CompressedImage(format="png", data=png)), BGR)
    deep = cv2.imencode(".png", np.array([[0, 2048], [1024, 4095]], np.uint16))[1].tobytes()
    assert conversions.image_from_msg(CompressedImage(format="png", data=deep)).tolist() == [
        [0, 127],
        [63, 255],
    ]


@pytest.mark.parametrize("data", [b"", b"\xff", b"\xff\xd8\xff", b"not an image"])
def test_compressed_images_that_are_none_are_one_line(data):
    with pytest.raises(InputError, match=f"{len(data)} bytes.* cannot be decoded") as refused:
        conversions.image_from_msg(CompressedImage(format="jpeg", data=data))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("msg", "message"),
    [
        (Image(encoding="mono8"), "image of 0x0 pixels"),
        (Image(width=4, height=4, step=4, encoding="mono8", data=b"123"), "holds 3 bytes"),
        (Image(width=2, height=1, step=2, encoding="nv99", data=b"12"), "'nv99' cannot be read"),
        (
            Image(width=2, height=1, step=2, encoding="bgr8", data=b"123456"),
            "step 2 .* of 6 bytes are needed",
        ),
    ],
)
def test_unusable_images(msg, message):
    with pytest.raises(InputError, match=message):
        conversions.image_from_msg(msg)


def test_rectified_images_use_the_projection_matrix():
    from sensor_msgs.msg import CameraInfo

    msg = CameraInfo(
        width=640, height=480, distortion_model="plumb_bob", d=[0.1, 0.0, 0.0, 0.0, 0.0],
        k=[500.0, 0, 320, 0, 500, 240, 0, 0, 1], p=[400.0, 0, 310, -40, 0, 400, 230, 0, 0, 0, 1, 0],
    )  # fmt: skip
    raw, rectified = (conversions.camera_from_msg(msg, r) for r in (False, True))
    assert (raw.fx, raw.distortion) == (500, Distortion.RADTAN)
    assert (rectified.fx, rectified.cx, rectified.distortion) == (400, 310, Distortion.NONE)


def test_an_uncalibrated_camera_is_called_that():
    from sensor_msgs.msg import CameraInfo

    with pytest.raises(InputError, match="means uncalibrated"):
        conversions.camera_from_msg(CameraInfo(width=640, height=480), False)


def moved_forward():
    """A camera that went one metre along its optical axis at 2 m/s."""
    world = World.random()
    odometry = Odometry(OdometryConfig())
    for i in range(2):
        seen = world.seen_from(se3.make(np.eye(3), [0, 0, 0.2 * i]), with_depth=True)
        result = odometry.process((1 + i) * 100_000_000, seen, conversions_camera())
    return result


def conversions_camera():
    from synthetic import CAMERA

    return CAMERA


def test_odometry_in_ros_axes():
    """Forward for the camera is +x for a base that looks the same way, in pose and in twist."""
    msg = conversions.odometry_to_msg(
        moved_forward(), conversions.OPTICAL_TO_BODY, conversions.OPTICAL_TO_BODY, Header(), "base_link"
    )
    p, v = msg.pose.pose.position, msg.twist.twist.linear
    assert [p.x, p.y, p.z] == pytest.approx([0.2, 0, 0], abs=0.01)
    assert [v.x, v.y, v.z] == pytest.approx([2.0, 0, 0], abs=0.1)
    q = msg.pose.pose.orientation
    assert [q.x, q.y, q.z, q.w] == pytest.approx([0, 0, 0, 1], abs=0.01)


def test_covariance_reaches_the_base_over_the_lever():
    """A camera 2 m ahead that is unsure of its yaw leaves the base unsure of where it is sideways."""
    result = moved_forward()
    yaw_only = np.diag([0.0, 0, 0, 0, 0.01, 0])  # about the camera's y axis, which points down
    result = replace(result, covariance=yaw_only, T_world_camera=np.eye(4))
    T_base_camera = se3.make(conversions.OPTICAL_TO_BODY[:3, :3], [2.0, 0, 0])
    msg = conversions.odometry_to_msg(result, T_base_camera, T_base_camera, Header(), "base_link")
    C = np.reshape(msg.pose.covariance, (6, 6))
    assert C[5, 5] == pytest.approx(0.01)
    assert C[1, 1] == pytest.approx(0.04)
    assert C[0, 0] == pytest.approx(0, abs=1e-12)


def test_status_counts_and_names_everything():
    result = moved_forward()
    msg = conversions.status_to_msg(result, Header(), 3, {"extraction": 7.0, **result.milliseconds})
    assert msg.dropped_frames == 3
    assert msg.inliers <= msg.matches <= msg.keypoints
    assert msg.stage[0] == "extraction" and msg.stage_ms[0] == 7.0
    assert len(msg.stage) == len(msg.stage_ms) == 4


def test_matches_and_relative_pose_describe_the_same_motion():
    result = moved_forward()
    matches = conversions.matches_to_msg(result, Header())
    relative = conversions.relative_pose_to_msg(result, Header())
    assert conversions.to_ns(matches.stamp_a) == conversions.to_ns(relative.stamp_from) == 100_000_000
    assert sum(matches.inlier) == relative.inliers
    assert relative.transform.translation.z == pytest.approx(0.2, abs=0.01)
    assert len(matches.index_a) == len(matches.inlier) == relative.matches
    assert np.allclose(conversions.transform_from_msg(relative.transform), result.motion.T_a_b, atol=1e-9)
