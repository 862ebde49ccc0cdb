# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Stand-in for the Python half of cv_bridge; as strict as the original about what it converts."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import CompressedImage, Image

Array = NDArray[Any]

_DEPTHS = {
    "8U": "uint8",
    "8S": "int8",
    "16U": "uint16",
    "16S": "int16",
    "32S": "int32",
    "32F": "float32",
    "64F": "float64",
}
# Colour space by the part of an encoding's name before the bits, with its number of channels.
_COLOURS = {
    "mono": ("GRAY", 1),
    "bgr": ("BGR", 3),
    "rgb": ("RGB", 3),
    "bgra": ("BGRA", 4),
    "rgba": ("RGBA", 4),
}
# OpenCV names a Bayer pattern by its second row and column, ROS by its first.
_BAYER = {"rggb": "BayerBG", "bggr": "BayerRG", "gbrg": "BayerGR", "grbg": "BayerGB"}
_YUV = {"yuv422": "UYVY", "yuv422_yuy2": "YUY2"}


class CvBridgeError(TypeError):
    """An encoding is unknown or a conversion does not exist."""


@dataclass(frozen=True)
class _Encoding:
    dtype: np.dtype[Any]
    channels: int
    colour: str | None = None  # None: numbers without a colour, such as 16UC1


class CvBridge:
    """Converts between image messages and OpenCV's arrays."""

    def encoding_to_dtype_with_channels(self, encoding: str) -> tuple[str, int]:
        """Name of the number type and count of channels that an encoding stands for.

        Raises:
            CvBridgeError: the encoding is unknown.
        """
        meaning = _encoding(encoding)
        return meaning.dtype.name, meaning.channels

    def imgmsg_to_cv2(self, img_msg: Image, desired_encoding: str = "passthrough") -> Array:
        """The image of a message, (H, W) or (H, W, channels), in ``desired_encoding``.

        Row padding may be whole pixels, numbers are in this machine's byte order. Without a conversion and
        without padding the array shares the message's memory.

        Raises:
            CvBridgeError: an encoding is unknown, or there is no conversion between the two.
            TypeError: the message holds fewer bytes than height and step announce.
        """
        source = _encoding(img_msg.encoding)
        dtype = source.dtype
        if len(img_msg.data) < img_msg.height * img_msg.step:
            raise TypeError("buffer is too small for requested array")
        pixel = dtype.itemsize * source.channels
        image: Array = np.ndarray(
            (img_msg.height, img_msg.width, source.channels),
            dtype,
            img_msg.data,
            strides=(img_msg.step, pixel, dtype.itemsize),
        )
        image = np.ascontiguousarray(image[:, :, 0] if source.channels == 1 else image)
        return _convert(image, img_msg.encoding, desired_encoding)

    def compressed_imgmsg_to_cv2(
        self, cmprs_img_msg: CompressedImage, desired_encoding: str = "passthrough"
    ) -> Array:
        """Decode a JPEG or PNG message; anything but passthrough takes the picture for bgr8.

        Raises:
            CvBridgeError: there is no such conversion, or the picture has not three channels.
        """
        data = cmprs_img_msg.data
        image = cv2.imdecode(np.ndarray((1, len(data)), np.uint8, data), cv2.IMREAD_UNCHANGED)
        return _convert(image, "bgr8", desired_encoding)


def _encoding(name: str) -> _Encoding:
    """What the name of an encoding in ``sensor_msgs/Image`` means."""
    if name in _YUV:
        return _Encoding(np.dtype(np.uint8), 2, name)
    if match := re.fullmatch(r"bayer_(\w{4})(8|16)", name):
        pattern, bits = match.groups()
        if pattern in _BAYER:
            return _Encoding(np.dtype(f"uint{bits}"), 1, _BAYER[pattern])
    if match := re.fullmatch(r"([a-z]+)(8|16)", name):
        base, bits = match.groups()
        if base in _COLOURS:
            colour, channels = _COLOURS[base]
            return _Encoding(np.dtype(f"uint{bits}"), channels, colour)
    if match := re.fullmatch(r"(8U|8S|16U|16S|32S|32F|64F)(?:C(\d+))?", name):
        depth, count = match.groups()
        return _Encoding(np.dtype(_DEPTHS[depth]), int(count or 1))
    raise CvBridgeError(f"Unrecognized image encoding [{name}]")


def _convert(image: Array, source_name: str, target_name: str) -> Array:
    """Change the colour space, then the depth."""
    if target_name in ("passthrough", source_name):
        return image
    source, target = _encoding(source_name), _encoding(target_name)
    impossible = CvBridgeError(f"Unsupported conversion from [{source_name}] to [{target_name}]")
    if target.colour is None or source.colour is None:
        # Numbers without a colour cannot become one; the other way the channels have to agree.
        if target.colour is not None or source.channels != target.channels:
            raise impossible
    elif source.colour != target.colour:
        code = _conversion_code(source.colour, target.colour)
        if code is None:
            raise impossible
        try:
            image = cv2.cvtColor(image, code)
        except cv2.error as error:
            raise CvBridgeError(f"[{source_name}] to [{target_name}]: {error}") from None
    return _change_depth(image, source.dtype, target.dtype)


def _conversion_code(source: str, target: str) -> int | None:
    if source in _YUV:
        return getattr(cv2, f"COLOR_YUV2{target}_{_YUV[source]}", None)
    if source.startswith("Bayer") and target not in ("GRAY", "BGR", "RGB"):
        return None
    return getattr(cv2, f"COLOR_{source}2{target}", None)


def _change_depth(image: Array, source: np.dtype[Any], target: np.dtype[Any]) -> Array:
    """Other numbers for the same picture: bytes and 16-bit words are scaled, all else is saturated."""
    if source == target:
        return image
    values = image.astype(np.float64)
    if {source.name, target.name} == {"uint8", "uint16"}:
        values *= np.iinfo(target).max / np.iinfo(source).max
    if target.kind in "iu":
        limits = np.iinfo(target)
        values = np.clip(np.rint(values), limits.min, limits.max)
    return values.astype(target)
