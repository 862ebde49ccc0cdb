# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Pixels and depths of image messages and files: one decoder for topics, bags and folders, without ROS.

Messages are told by their fields: ``encoding`` of sensor_msgs/Image (and foxglove_msgs/RawImage), ``format``
of a CompressedImage. Pixels of more than eight bits are stretched from their own range, so that what a 12-bit
camera or a thermal one sees is not lost.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from hybrid_features_ros.core.errors import InputError, reading
from hybrid_features_ros.core.types import Float32, UInt8
from hybrid_features_ros.io.rvl import read_rvl

MILLIMETRES = 1000.0  # units per metre of a 16-bit depth message (REP 118)
NOT_MEASURED = 65535  # of a 16-bit depth image, besides 0: full scale
_DEPTH_HEADER = 12  # bytes before the data of compressedDepth: a number and two parameters
FARTHEST_M = 1e4  # beyond it, a depth is a mark for "not measured"


@dataclass(frozen=True)
class Encoding:
    """How the bytes of an image are to be read.

    Attributes:
        dtype: of one element.
        channels: elements of one pixel in a row.
        conversion: OpenCV's code that leads to BGR; None for grey and BGR.
    """

    dtype: type[np.generic] = np.uint8
    channels: int = 1
    conversion: int | None = None


# OpenCV names a mosaic by its second row, ROS by its first.
_MOSAICS = {
    "rggb": cv2.COLOR_BayerBG2BGR, "bggr": cv2.COLOR_BayerRG2BGR,
    "gbrg": cv2.COLOR_BayerGR2BGR, "grbg": cv2.COLOR_BayerGB2BGR,
}  # fmt: skip
_UYVY = Encoding(channels=2, conversion=cv2.COLOR_YUV2BGR_UYVY)
_YUYV = Encoding(channels=2, conversion=cv2.COLOR_YUV2BGR_YUYV)
ENCODINGS = {
    **dict.fromkeys(("mono8", "8UC1"), Encoding()),
    **dict.fromkeys(("mono16", "16UC1"), Encoding(np.uint16)),
    "16SC1": Encoding(np.int16),
    "32FC1": Encoding(np.float32),
    **dict.fromkeys(("bgr8", "8UC3"), Encoding(channels=3)),
    "rgb8": Encoding(channels=3, conversion=cv2.COLOR_RGB2BGR),
    **dict.fromkeys(("bgra8", "8UC4"), Encoding(channels=4, conversion=cv2.COLOR_BGRA2BGR)),
    "rgba8": Encoding(channels=4, conversion=cv2.COLOR_RGBA2BGR),
    **dict.fromkeys(("bgr16", "16UC3"), Encoding(np.uint16, 3)),
    "rgb16": Encoding(np.uint16, 3, cv2.COLOR_RGB2BGR),
    **dict.fromkeys(("bgra16", "16UC4"), Encoding(np.uint16, 4, cv2.COLOR_BGRA2BGR)),
    "rgba16": Encoding(np.uint16, 4, cv2.COLOR_RGBA2BGR),
    **{f"bayer_{name}8": Encoding(conversion=code) for name, code in _MOSAICS.items()},
    **{f"bayer_{name}16": Encoding(np.uint16, conversion=code) for name, code in _MOSAICS.items()},
    **dict.fromkeys(("yuv422", "uyvy"), _UYVY),
    **dict.fromkeys(("yuv422_yuy2", "yuyv", "yuy2"), _YUYV),
    # A grey image, and planes of colour after it.
    **dict.fromkeys(("nv12", "nv21", "nv16", "nv61", "nv24", "nv42", "i420", "yv12"), Encoding()),
}
DEPTH_ENCODINGS = ("16UC1", "mono16", "32FC1")
_BY_NAME = {name.lower(): encoding for name, encoding in ENCODINGS.items()}


def image_of(msg: Any) -> UInt8:
    """Pixels (H, W) grey or (H, W, 3) BGR, uint8, of an image message.

    Raises:
        InputError: the encoding is unknown, or the data is no such image.
    """
    if hasattr(msg, "format"):
        return eight_bits(_decompress(msg))
    encoding = _BY_NAME.get(str(msg.encoding).lower())
    if encoding is None:
        raise InputError(f"image encoding {msg.encoding!r} cannot be read; publish {', '.join(ENCODINGS)}")
    if encoding in (_UYVY, _YUYV) and msg.width % 2:  # OpenCV 4.5 writes beyond the end of such an image
        raise InputError(f"image of encoding {msg.encoding}: its width {msg.width} is odd")
    with reading(f"image of encoding {msg.encoding}"):
        pixels = _elements(msg, encoding)
        if encoding.conversion is not None:
            pixels = np.asarray(cv2.cvtColor(np.ascontiguousarray(pixels), encoding.conversion))
        return eight_bits(pixels)


def doubt_of(msg: Any) -> str:
    """Why an image message may not be what it says; empty: nothing speaks against it.

    Rows three or four times as long as grey pixels need may be padded, but are what colour pixels take.
    """
    channels = 0 if hasattr(msg, "format") or not msg.width else int(msg.step) / int(msg.width)
    if channels not in (3, 4) or str(msg.encoding).lower() not in ("mono8", "8uc1"):
        return ""
    return (
        f"{msg.width} pixels of {msg.encoding} in rows of {msg.step} bytes, of which {msg.width} are used: "
        f"does the image have {channels:.0f} channels and another encoding?"
    )


def depth_of(msg: Any, units: float | None = None) -> Float32:
    """Depth (H, W) [m] of an image message, NaN where it was not measured.

    Args:
        msg: Image of 16UC1, mono16 or 32FC1, or a CompressedImage of one (``compressedDepth``, PNG).
        units: per metre; default: 1000 of 16 bits, 1 of floats (REP 118).

    Raises:
        InputError: another encoding, or the data is no such image.
    """
    if hasattr(msg, "format"):
        return metres(_decompressed_depth(msg), units or MILLIMETRES, units or 1.0)
    encoding = next((e for e in DEPTH_ENCODINGS if e.lower() == str(msg.encoding).lower()), None)
    if encoding is None:
        raise InputError(f"depth image has encoding {msg.encoding!r}; publish 16UC1 [mm] or 32FC1 [m]")
    with reading(f"depth image of encoding {encoding}"):
        return metres(_elements(msg, ENCODINGS[encoding]), units or MILLIMETRES, units or 1.0)


def metres(raw: NDArray[Any], units: float, float_units: float = 1.0) -> Float32:
    """Depth (H, W) [m] of the numbers of a depth image, NaN where nothing was measured.

    That is told by 0, by full scale (65535, also where it has been turned into 65.535 m), and in floats by
    what is negative, not finite or beyond :data:`FARTHEST_M`.

    Args:
        raw: (H, W) uint16, or of floats.
        units: of integers, per metre.
        float_units: of floats, per metre.

    Raises:
        InputError: eight bits or several channels, which hold no depth.
    """
    if raw.ndim != 2 or (raw.dtype != np.uint16 and raw.dtype.kind != "f"):
        channels = raw.shape[2] if raw.ndim == 3 else 1
        raise InputError(
            f"a depth image of {channels} x {raw.dtype} holds no depth; store 16 bits or floats, one channel"
        )
    with np.errstate(all="ignore"):
        if raw.dtype.kind == "f":
            depth = raw.astype(np.float32) / np.float32(float_units)
            bad = ~(depth > 0) | ~(depth < FARTHEST_M) | (depth == np.float32(NOT_MEASURED / MILLIMETRES))
        else:
            depth = raw.astype(np.float32) / np.float32(units)
            bad = (raw == 0) | (raw == NOT_MEASURED)
    depth[bad] = np.nan
    return np.asarray(depth)


def read_pixels(path: Path) -> NDArray[Any]:
    """An image file as it is stored, (H, W) or (H, W, channels).

    Raises:
        InputError: there is no such file, or it is no image.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    with reading(path):
        # Through memory: OpenCV's own reader takes no names outside the machine's code page.
        image = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)
    if image is None:
        raise InputError(f"{path}: not an image that OpenCV reads")
    return np.asarray(image)


def read_image(path: Path) -> UInt8:
    """(H, W, 3) uint8, BGR, of an image file.

    Raises:
        InputError: there is no such file, or it is no image.
    """
    image = eight_bits(read_pixels(path))
    return image if image.ndim == 3 else np.asarray(cv2.cvtColor(image, cv2.COLOR_GRAY2BGR), dtype=np.uint8)


def eight_bits(image: NDArray[Any]) -> UInt8:
    """Grey (H, W) or BGR (H, W, 3) pixels, uint8, of an image as OpenCV has read it."""
    pixels = image if image.ndim == 2 else image[..., :3]
    return np.asarray(pixels if pixels.dtype == np.uint8 else _stretched(pixels), dtype=np.uint8)


def original_encoding(msg: Any) -> str:
    """Encoding of an image message; of a compressed one, that of the image before, or empty if not told."""
    if not hasattr(msg, "format"):
        return str(msg.encoding)
    first = str(msg.format).partition(";")[0].strip()
    return first if first.lower() in _BY_NAME else ""


def _elements(msg: Any, encoding: Encoding) -> NDArray[Any]:
    """Elements in this machine's order, (H, W) or (H, W, channels), without padding."""
    height, width, step = int(msg.height), int(msg.width), int(msg.step)
    row = width * encoding.channels * np.dtype(encoding.dtype).itemsize
    if width <= 0 or height <= 0 or step < row or len(msg.data) < step * height:
        raise InputError(
            f"image of {width}x{height} pixels ({msg.encoding}) with step {step} holds {len(msg.data)} "
            f"bytes; check the camera driver: {height} rows of {row} bytes are needed"
        )
    data = np.frombuffer(msg.data, np.uint8)[: step * height].reshape(height, step)[:, :row]
    stored = np.dtype(encoding.dtype).newbyteorder(">" if getattr(msg, "is_bigendian", 0) else "<")
    elements = np.ascontiguousarray(data).view(stored)
    pixels = elements.astype(encoding.dtype, copy=False)
    return pixels if encoding.channels == 1 else pixels.reshape(height, width, encoding.channels)


def _stretched(raw: NDArray[Any]) -> UInt8:
    """The range of values of an image on 0 to 255; what is not finite is darkest or brightest."""
    known = raw[np.isfinite(raw)]
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 0.0)
    values = np.nan_to_num(raw.astype(np.float64), nan=low, posinf=high, neginf=low)
    return np.asarray((values - low) * (255.0 / (high - low) if high > low else 0.0), dtype=np.uint8)


def _decompress(msg: Any, begin: int = 0) -> NDArray[Any]:
    what = f"compressed image ({msg.format!r}, {len(msg.data)} bytes)"
    with reading(what, "cannot be decoded"):
        image = cv2.imdecode(np.frombuffer(msg.data, np.uint8)[begin:], cv2.IMREAD_UNCHANGED)
    if image is None:
        raise InputError(f"{what} cannot be decoded; JPEG and PNG can")
    return np.asarray(image)


def _decompressed_depth(msg: Any) -> NDArray[Any]:
    """uint16 as it was, or floats [m], of a PNG or of what compressed_depth_image_transport has made."""
    form = str(msg.format)
    if "compresseddepth" not in form.lower():
        return _decompress(msg)
    if "rvl" in form.lower():
        with reading(f"depth image ({form!r}, {len(msg.data)} bytes)"):
            raw = read_rvl(bytes(msg.data[_DEPTH_HEADER:]))
    else:
        raw = _decompress(msg, begin=_DEPTH_HEADER)
    if not form.startswith("32FC1"):
        return raw
    with reading(f"depth image ({form!r})"), np.errstate(all="ignore"):
        _, a, b = struct.unpack_from("<iff", bytes(msg.data[:_DEPTH_HEADER]))
        return np.asarray(np.where(raw == 0, np.nan, a / (raw.astype(np.float32) - b)), dtype=np.float32)
