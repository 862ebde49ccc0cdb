# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Depth images in run-length and variable-length code, as compressed_depth_image_transport can send them.

Source: Wilson, "Fast lossless depth image compression" (2017). The first nibbles of the little-endian 32-bit
words are their highest. A number has three bits in every nibble, the lowest first; the fourth says that more
follow. Pixels come in runs: how many are zero, how many are not, and the changes of those from one to the
next, with the sign in the lowest bit.
"""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray

from hybrid_features_ros.core.errors import InputError

_MOST_PIXELS = 1 << 26  # the size of the image is told by the data alone


def read_rvl(data: bytes) -> NDArray[np.uint16]:
    """Depth (H, W) of a run-length and variable-length coded image: width, height (int32), then nibbles.

    Raises:
        InputError: the data ends before the image does.
    """
    width, height = struct.unpack_from("<ii", data)
    if min(width, height) <= 0 or width * height > _MOST_PIXELS:
        raise InputError(f"depth image of {width}x{height} pixels: its data is broken")
    numbers = _varying(data[8:])
    depth, at, place = np.zeros(width * height, np.int64), 0, 0
    steps = (numbers >> 1) ^ -(numbers & 1)
    level = 0
    while at < len(depth):
        zeros, others = (int(v) for v in numbers[place : place + 2])
        at, place = at + zeros, place + 2
        if at + others > len(depth) or place + others > len(numbers):
            raise InputError("depth image: its data is broken or cut off")
        run = level + np.cumsum(steps[place : place + others])
        depth[at : at + others], level = run, int(run[-1]) if others else level
        at, place = at + others, place + others
    return depth.reshape(height, width).astype(np.uint16)


def _varying(data: bytes) -> NDArray[np.int64]:
    """The numbers of nibbles that say whether more follow."""
    words = np.frombuffer(data[: len(data) // 4 * 4], "<u4").astype(">u4").view(np.uint8)
    nibbles = np.stack([words >> 4, words & 15], axis=1).ravel().astype(np.int64)
    last = np.flatnonzero(nibbles < 8)  # of each number
    first = np.append(0, last[:-1] + 1)
    begin = np.repeat(first, last + 1 - first)
    powers = 3 * (np.arange(len(begin)) - begin)
    parts = (nibbles[: len(begin)] & 7) << powers.clip(0, 60)
    return np.add.reduceat(parts, first) if len(first) else np.empty(0, np.int64)
