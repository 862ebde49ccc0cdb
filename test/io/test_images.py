# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""One decoder for topics, bags and folders: every encoding shows the same picture, bad data one line."""

import contextlib
import struct
from types import SimpleNamespace

import cv2
import messages
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.io.images import ENCODINGS, depth_of, doubt_of, image_of, metres, read_pixels

H, W = 24, 32
GREY = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 256, (H, W), dtype=np.uint8), (0, 0), 5)
GREY = cv2.normalize(GREY, None, 0, 255, cv2.NORM_MINMAX)
BGR = np.stack([GREY, GREY[::-1], GREY[:, ::-1]], axis=-1)
WIDE = ENCODINGS["mono16"].dtype


def wide(pixels, factor):
    """Sixteen bits: numpy 1 would keep the product of an array of eight bits at eight."""
    return pixels.astype(WIDE) * WIDE(factor)


def mosaic(name, dtype):
    """The colours of BGR as a sensor with that pattern of red, green and blue sees them."""
    channel = {"r": 2, "g": 1, "b": 0}
    seen = np.zeros((H, W), dtype)
    for i, letter in enumerate(name):
        seen[i // 2 :: 2, i % 2 :: 2] = BGR[i // 2 :: 2, i % 2 :: 2, channel[letter]]
    return seen


def packed(y_first):
    """4:2:2 without colour."""
    none = np.full_like(GREY, 128)
    return np.stack([GREY, none] if y_first else [none, GREY], axis=-1)


def example(encoding):
    """Pixels in an encoding, what should be seen (grey or BGR), and by how much it may differ."""
    alpha = np.full((H, W, 1), 255, np.uint8)
    four = np.concatenate([BGR, alpha], axis=-1)
    by_name = {
        "bgr8": BGR, "8UC3": BGR, "rgb8": BGR[..., ::-1], "bgra8": four, "8UC4": four,
        "rgba8": four[..., [2, 1, 0, 3]], "bgr16": wide(BGR, 16), "16UC3": wide(BGR, 16),
        "rgb16": wide(BGR[..., ::-1], 16), "bgra16": wide(four, 16), "16UC4": wide(four, 16),
        "rgba16": wide(four[..., [2, 1, 0, 3]], 16),
    }  # fmt: skip
    if encoding in by_name:
        return by_name[encoding], BGR, 1
    if encoding.startswith("bayer_"):
        broad = encoding.endswith("16")
        return (
            mosaic(encoding[6:10], np.uint16) * WIDE(4) if broad else mosaic(encoding[6:10], np.uint8),
            BGR,
            60,
        )
    if encoding in ("yuv422", "uyvy", "yuv422_yuy2", "yuyv", "yuy2"):
        return packed("yuy" in encoding and encoding != "uyvy"), None, 25
    dtype = ENCODINGS[encoding].dtype
    return (GREY.astype(dtype) * dtype(8 if dtype != np.uint8 else 1)), GREY, 1


@pytest.mark.parametrize("big", [False, True], ids=["little", "big"])
@pytest.mark.parametrize("padding", [0, 12])
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_every_encoding_shows_the_same_picture(encoding, padding, big):
    pixels, expected, tolerance = example(encoding)
    found = image_of(messages.image(pixels, encoding, padding, big)).astype(int)
    if expected is None:
        expected = cv2.cvtColor(GREY, cv2.COLOR_GRAY2BGR)
    assert found.shape == expected.shape
    assert np.median(abs(found - expected)) <= tolerance / 4
    assert np.percentile(abs(found - expected), 90) <= tolerance


@pytest.mark.parametrize("encoding", ["BGR8", "Mono8", "YUYV", "8uc1"])
def test_names_in_other_letters(encoding):
    pixels = example(next(e for e in ENCODINGS if e.lower() == encoding.lower()))[0]
    assert image_of(messages.image(pixels, encoding)).shape[:2] == (H, W)


def test_twelve_bits_in_sixteen_are_not_lost():
    faint = mosaic("rggb", np.uint16) * WIDE(16)
    assert np.ptp(image_of(messages.image(faint, "bayer_rggb16"))) > 200


@pytest.mark.parametrize(("extension", "form"), [(".png", "png"), (".jpg", "rgb8; jpeg compressed bgr8")])
def test_compressed_images(extension, form):
    found = image_of(messages.compressed(BGR, extension, form)).astype(int)
    assert np.median(abs(found - BGR)) <= 3
    found = image_of(messages.compressed(wide(GREY, 9), ".png", "mono16; png compressed "))
    assert np.array_equal(found, GREY)


def test_depth_in_every_transport():
    millimetres = np.array([[0, 1500], [65535, 2500]], np.uint16)
    expected = [[np.nan, 1.5], [np.nan, 2.5]]
    header = struct.pack("<iff", 0, 0, 0)
    for msg in (
        messages.image(millimetres, "16UC1", padding=3),
        messages.image(millimetres, "mono16", big=True),
        messages.compressed(millimetres, ".png", "16UC1; png compressed "),
        messages.compressed(millimetres, ".png", "16UC1; compressedDepth png", header),
    ):
        assert np.array_equal(depth_of(msg), np.float32(expected), equal_nan=True)
    floats = np.array([[-1, 1.5], [np.inf, 65.535]], np.float32)
    found = depth_of(messages.image(floats, "32FC1"))
    assert np.array_equal(found, np.float32([[np.nan, 1.5], [np.nan] * 2]), equal_nan=True)
    assert depth_of(messages.image(millimetres, "16UC1"), units=5000)[0, 1] == np.float32(0.3)


def test_depth_of_floats_compressed_by_their_inverse():
    """compressed_depth_image_transport stores a / depth + b, with a and b in its header."""
    a, b = 3000.0, 100.0
    depth = np.array([[0.5, 2.0], [4.0, 8.0]], np.float32)
    stored = np.rint(a / depth + b).astype(np.uint16)
    stored[1, 1] = 0
    msg = messages.compressed(stored, ".png", "32FC1; compressedDepth", struct.pack("<iff", 0, a, b))
    found = depth_of(msg)
    assert np.allclose(found[0], depth[0], rtol=1e-3) and np.isnan(found[1, 1])


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (np.zeros((2, 2), np.uint8), "1 x uint8 holds no depth"),
        (np.zeros((2, 2, 3), np.uint16), "3 x uint16"),
        (np.zeros((2, 2), np.int32), "1 x int32"),
    ],
)
def test_what_is_no_depth(raw, message):
    with pytest.raises(InputError, match=message):
        metres(raw, 1000)


@pytest.mark.parametrize(
    ("msg", "message"),
    [
        (messages.image(GREY, "mono7"), "encoding 'mono7' cannot be read; publish mono8"),
        (SimpleNamespace(**{**vars(messages.image(GREY, "mono8")), "step": W - 1}), "needed"),
        (SimpleNamespace(**{**vars(messages.image(GREY, "mono8")), "data": b"abc"}), "holds 3 bytes"),
        (messages.image(GREY, "rgb8"), "24 rows of 96 bytes are needed"),
        (messages.image(packed(True)[:, :31], "yuyv"), "image of encoding yuyv"),
        (SimpleNamespace(format="jpeg", data=b""), "0 bytes"),
        (SimpleNamespace(format="h264", data=b"\0\0\0\1" * 9), "cannot be decoded; JPEG and PNG can"),
    ],
)
def test_images_that_cannot_be_read(msg, message):
    with pytest.raises(InputError, match=message):
        image_of(msg)


def test_depth_that_cannot_be_read():
    with pytest.raises(InputError, match="publish 16UC1"):
        depth_of(messages.image(GREY, "mono8"))
    with pytest.raises(InputError, match="its data is broken"):
        depth_of(messages.compressed(GREY, ".png", "16UC1; compressedDepth rvl"))


@given(
    st.integers(0, 40), st.integers(0, 40), st.integers(0, 200), st.sampled_from([*ENCODINGS, "", "x"]),
    st.binary(max_size=3000), st.integers(0, 1),
)  # fmt: skip
def test_any_message_gives_a_picture_or_one_line(height, width, step, encoding, data, big):
    msg = SimpleNamespace(
        height=height, width=width, step=step, encoding=encoding, data=data, is_bigendian=big
    )
    for read in (image_of, depth_of):
        with contextlib.suppress(InputError):
            assert read(msg).shape[:2] == (height, width)


@given(
    st.sampled_from(["", "jpeg", "16UC1; compressedDepth png", "32FC1; compressedDepth png", "\0"]),
    st.sampled_from([".png", ".jpg"]), st.integers(0, 600), st.binary(max_size=20),
)  # fmt: skip
def test_any_compressed_message_gives_a_picture_or_one_line(form, extension, cut, noise):
    whole = messages.compressed(GREY, extension, form).data.tobytes()
    msg = SimpleNamespace(format=form, data=whole[:cut] + noise)
    for read in (image_of, depth_of):
        with contextlib.suppress(InputError):
            assert read(msg).ndim >= 2


def test_files(tmp_path):
    name = tmp_path / "Straße 1.png"
    name.write_bytes(cv2.imencode(".png", BGR)[1].tobytes())
    assert np.array_equal(read_pixels(name), BGR)
    name.write_bytes(b"")
    with pytest.raises(InputError, match="Straße 1"):
        read_pixels(name)
    with pytest.raises(InputError, match="no such file"):
        read_pixels(tmp_path)


@pytest.mark.parametrize(
    ("encoding", "step", "doubted"),
    [
        ("mono8", 3 * W, "3 channels"),
        ("8UC1", 4 * W, "4 channels"),
        ("mono8", W, ""),
        ("mono8", 3 * W + 8, ""),
        ("bgr8", 3 * W, ""),
        ("bayer_rggb8", 3 * W, ""),
    ],
)
def test_rows_that_would_hold_colours_are_doubted(encoding, step, doubted):
    said = doubt_of(SimpleNamespace(encoding=encoding, width=W, height=H, step=step, data=b""))
    assert (doubted in said) if doubted else not said
    assert not doubt_of(SimpleNamespace(format="jpeg", data=b""))
