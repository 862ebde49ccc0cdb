# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What this package relies on in cv_bridge: holds for the real one and for the stand-in."""

from __future__ import annotations

import sys

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("sensor_msgs", reason="no ROS 2: run `make setup` or source one")

from cv_bridge import CvBridge, CvBridgeError
from sensor_msgs.msg import CompressedImage, Image

BRIDGE = CvBridge()
COLOUR = np.array([[[10, 20, 30], [200, 100, 50]], [[0, 255, 128], [77, 66, 55]]], np.uint8)  # BGR


def message(image: NDArray[np.generic], encoding: str, padding: int = 0) -> Image:
    """An image message made by hand, each row followed by ``padding`` bytes that are no pixels."""
    rows = image.reshape(len(image), -1).view(np.uint8)
    data = np.hstack([rows, np.full((len(rows), padding), 0xEE, np.uint8)])
    return Image(
        height=image.shape[0],
        width=image.shape[1],
        encoding=encoding,
        step=data.shape[1],
        is_bigendian=int(sys.byteorder == "big"),
        data=data.tobytes(),
    )


@pytest.mark.parametrize(
    ("encoding", "dtype", "channels"),
    [
        ("mono8", np.uint8, 1),
        ("mono16", np.uint16, 1),
        ("8UC1", np.uint8, 1),
        ("16UC1", np.uint16, 1),
        ("32FC1", np.float32, 1),
        ("64FC1", np.float64, 1),
        ("bgr8", np.uint8, 3),
        ("rgb8", np.uint8, 3),
        ("bgra8", np.uint8, 4),
        ("rgba8", np.uint8, 4),
        ("rgb16", np.uint16, 3),
        ("bayer_rggb8", np.uint8, 1),
        ("yuv422", np.uint8, 2),
        ("yuv422_yuy2", np.uint8, 2),
    ],
)
@pytest.mark.parametrize("padding", [0, 24])  # bytes; a whole number of pixels of each encoding
def test_passthrough_returns_the_pixels(
    encoding: str, dtype: type[np.generic], channels: int, padding: int
) -> None:
    shape = (5, 6) if channels == 1 else (5, 6, channels)
    expected = np.random.default_rng(0).uniform(0, 250, shape).astype(dtype)
    image = BRIDGE.imgmsg_to_cv2(message(expected, encoding, padding))
    assert BRIDGE.encoding_to_dtype_with_channels(encoding) == (np.dtype(dtype).name, channels)
    assert image.dtype == dtype
    np.testing.assert_array_equal(image, expected)


def test_equal_encodings_leave_the_image_alone() -> None:
    np.testing.assert_array_equal(BRIDGE.imgmsg_to_cv2(message(COLOUR, "bgr8"), "bgr8"), COLOUR)


@pytest.mark.parametrize(
    ("encoding", "channel_order"),
    [("rgb8", [2, 1, 0]), ("bgra8", [0, 1, 2, 1]), ("rgba8", [2, 1, 0, 1])],
)
def test_colours_end_up_in_their_channels(encoding: str, channel_order: list[int]) -> None:
    image = BRIDGE.imgmsg_to_cv2(message(np.ascontiguousarray(COLOUR[..., channel_order]), encoding), "bgr8")
    np.testing.assert_array_equal(image, COLOUR)


@pytest.mark.parametrize("encoding", ["bgr8", "bgra8", "rgb8", "rgba8"])
def test_grey_is_the_luminance(encoding: str) -> None:
    code = {"bgra8": cv2.COLOR_BGR2BGRA, "rgb8": cv2.COLOR_BGR2RGB, "rgba8": cv2.COLOR_BGR2RGBA}.get(encoding)
    source = COLOUR if code is None else cv2.cvtColor(COLOUR, code)
    grey = BRIDGE.imgmsg_to_cv2(message(source, encoding), "mono8")
    assert grey.shape == (2, 2)
    luminance = COLOUR @ np.array([0.114, 0.587, 0.299])
    np.testing.assert_allclose(grey, luminance, atol=1)


def test_grey_becomes_three_equal_channels() -> None:
    grey = np.arange(6, dtype=np.uint8).reshape(2, 3)
    image = BRIDGE.imgmsg_to_cv2(message(grey, "mono8"), "bgr8")
    np.testing.assert_array_equal(image, np.repeat(grey[..., None], 3, axis=2))


def test_sixteen_bits_are_scaled_to_eight() -> None:
    grey = np.array([[0, 257, 32768, 65535]], np.uint16)
    np.testing.assert_array_equal(BRIDGE.imgmsg_to_cv2(message(grey, "mono16"), "mono8"), [[0, 1, 128, 255]])
    image = BRIDGE.imgmsg_to_cv2(message(grey, "mono16"), "bgr8")
    np.testing.assert_array_equal(image[..., 0], [[0, 1, 128, 255]])


@pytest.mark.parametrize(
    ("pattern", "first_row", "second_row"),
    [("rggb", "rg", "gb"), ("bggr", "bg", "gr"), ("gbrg", "gb", "rg"), ("grbg", "gr", "bg")],
)
def test_bayer_patterns_give_the_colour_that_made_them(pattern: str, first_row: str, second_row: str) -> None:
    value = {"b": 30, "g": 90, "r": 200}
    tile = np.array([[value[c] for c in first_row], [value[c] for c in second_row]], np.uint8)
    image = BRIDGE.imgmsg_to_cv2(message(np.tile(tile, (4, 4)), f"bayer_{pattern}8"), "bgr8")
    np.testing.assert_allclose(image[2:-2, 2:-2].reshape(-1, 3), np.tile([30, 90, 200], (16, 1)), atol=1)


@pytest.mark.parametrize(("encoding", "luma"), [("yuv422", 1), ("yuv422_yuy2", 0)])
def test_yuv_without_chroma_is_grey(encoding: str, luma: int) -> None:
    packed = np.full((2, 4, 2), 128, np.uint8)
    packed[..., luma] = [[50, 100, 150, 200], [60, 110, 160, 210]]
    grey = BRIDGE.imgmsg_to_cv2(message(packed, encoding), "mono8")
    np.testing.assert_array_equal(grey, packed[..., luma])
    colour = BRIDGE.imgmsg_to_cv2(message(packed, encoding), "bgr8").astype(int)
    assert np.ptp(colour, axis=2).max() <= 2


@pytest.mark.parametrize(
    ("encoding", "desired"),
    [
        ("nonsense", "passthrough"),
        ("mono8", "nonsense"),
        ("16UC1", "mono8"),
        ("8UC1", "mono8"),
        ("32FC1", "bgr8"),
        ("mono8", "bayer_rggb8"),
    ],
)
def test_conversions_without_meaning_are_refused(encoding: str, desired: str) -> None:
    with pytest.raises(CvBridgeError):
        BRIDGE.imgmsg_to_cv2(message(np.zeros((4, 4), np.float32), encoding), desired)


def test_a_message_with_too_few_bytes_is_refused() -> None:
    short = Image(height=10, width=10, step=10, encoding="mono8", data=bytes(50))
    with pytest.raises(TypeError):
        BRIDGE.imgmsg_to_cv2(short)


def compressed(image: NDArray[np.uint8], extension: str) -> CompressedImage:
    return CompressedImage(format=extension, data=cv2.imencode(f".{extension}", image)[1].tobytes())


def test_a_png_survives_compression() -> None:
    sent = compressed(COLOUR, "png")
    np.testing.assert_array_equal(BRIDGE.compressed_imgmsg_to_cv2(sent), COLOUR)
    np.testing.assert_array_equal(BRIDGE.compressed_imgmsg_to_cv2(sent, "rgb8"), COLOUR[..., ::-1])


def test_a_grey_jpeg_is_decoded_as_it_is() -> None:
    grey = np.tile(np.arange(0, 160, 10, np.uint8), (16, 1))
    image = BRIDGE.compressed_imgmsg_to_cv2(compressed(grey, "jpeg"))
    assert image.shape == grey.shape
    np.testing.assert_allclose(image, grey, atol=3)


def test_bytes_that_are_no_picture_decode_to_nothing() -> None:
    assert BRIDGE.compressed_imgmsg_to_cv2(CompressedImage(format="jpeg", data=b"not a picture")) is None
