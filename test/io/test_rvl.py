# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Depth in run-length and variable-length code."""

import contextlib
import struct
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.io.images import depth_of
from hybrid_features_ros.io.rvl import read_rvl


class Nibbles:
    """Four bits after four bits, eight of them in a word, the first in its highest bits."""

    def __init__(self):
        self.all = []

    def number(self, value):
        """Three bits at a time, the lowest first, each but the last marked with 8."""
        low, value = value & 7, value >> 3
        while value:
            self.all.append(low | 8)
            low, value = value & 7, value >> 3
        self.all.append(low)

    def words(self):
        padded = [*self.all, *[0] * (-len(self.all) % 8)]
        text = "".join(f"{nibble:x}" for nibble in padded)
        return b"".join(struct.pack("<I", int(text[i : i + 8], 16)) for i in range(0, len(text), 8))


def coded(depth):
    """Pixel by pixel, as the paper tells it."""
    out, pixels, before, i = Nibbles(), depth.ravel().tolist(), 0, 0
    while i < len(pixels):
        begin = i
        while i < len(pixels) and pixels[i] == 0:
            i += 1
        out.number(i - begin)
        begin = i
        while i < len(pixels) and pixels[i] != 0:
            i += 1
        out.number(i - begin)
        for value in pixels[begin:i]:
            change, before = value - before, value
            out.number(2 * change if change >= 0 else -2 * change - 1)
    return struct.pack("<ii", depth.shape[1], depth.shape[0]) + out.words()


@given(
    st.integers(1, 9).flatmap(
        lambda w: st.lists(
            st.lists(st.sampled_from([0, 0, 1, 2, 1500, 65535]), min_size=w, max_size=w),
            min_size=1,
            max_size=9,
        )
    )
)
def test_what_was_coded_comes_back(rows):
    depth = np.array(rows, np.uint16)
    assert np.array_equal(read_rvl(coded(depth)), depth)


def test_a_message_of_it():
    depth = np.array([[0, 1500, 1501], [1499, 0, 65535]], np.uint16)
    data = np.frombuffer(bytes(12) + coded(depth), np.uint8)
    found = depth_of(SimpleNamespace(format="16UC1; compressedDepth rvl", data=data))
    expected = np.float32([[np.nan, 1.5, 1.501], [1.499, np.nan, np.nan]])
    assert np.array_equal(found, expected, equal_nan=True)
    a, b = 3000.0, 100.0  # floats come as a / depth + b
    data = np.frombuffer(struct.pack("<iff", 0, a, b) + coded(np.array([[0, 1600]], np.uint16)), np.uint8)
    found = depth_of(SimpleNamespace(format="32FC1; compressedDepth rvl", data=data))
    assert np.array_equal(found, np.float32([[np.nan, 2.0]]), equal_nan=True)


@pytest.mark.parametrize("cut", range(9, 20))
def test_a_cut_is_named(cut):
    data = coded(np.arange(1, 101, dtype=np.uint16).reshape(10, 10))
    with pytest.raises(InputError, match="rvl"):
        depth_of(
            SimpleNamespace(format="16UC1; compressedDepth rvl", data=np.frombuffer(data[:cut], np.uint8))
        )


@given(st.binary(max_size=200))
def test_any_bytes_are_an_image_or_one_line(data):
    with contextlib.suppress(InputError):
        depth_of(SimpleNamespace(format="16UC1; compressedDepth rvl", data=np.frombuffer(data, np.uint8)))
