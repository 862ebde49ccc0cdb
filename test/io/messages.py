# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Messages as plain objects with the fields of sensor_msgs, for whatever reads them by their fields."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np


def image(pixels: np.ndarray, encoding: str, padding: int = 0, big: bool = False) -> Any:
    """An Image whose rows end with some bytes of padding."""
    stored = np.ascontiguousarray(pixels.astype(pixels.dtype.newbyteorder(">")) if big else pixels)
    rows = stored.reshape(len(pixels), -1).view(np.uint8)
    data = np.pad(rows, ((0, 0), (0, padding)), constant_values=7)
    return SimpleNamespace(
        height=pixels.shape[0], width=pixels.shape[1], encoding=encoding, is_bigendian=int(big),
        step=data.shape[1], data=data.ravel(),
    )  # fmt: skip


def compressed(pixels: np.ndarray, extension: str, form: str, before: bytes = b"") -> Any:
    """A CompressedImage; ``before`` comes before the file's own bytes."""
    data = before + cv2.imencode(extension, pixels)[1].tobytes()
    return SimpleNamespace(format=form, data=np.frombuffer(data, np.uint8))
