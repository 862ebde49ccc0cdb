# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A panorama seen by a camera that only turns: exact pure rotation of a real place.

World axes are those of a level camera: x right, y down, z forward.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from hybrid_features_ros.core.camera import Camera
from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.core.types import Float32, Float64, UInt8

# Faces of a cube map by the names that most archives use, y up: the axes of the image's columns and rows
# and of the viewing direction, in the world.
_FACES = {
    "posx": ((0, 0, -1), (0, 1, 0), (1, 0, 0)),
    "negx": ((0, 0, 1), (0, 1, 0), (-1, 0, 0)),
    "posy": ((1, 0, 0), (0, 0, 1), (0, -1, 0)),
    "negy": ((1, 0, 0), (0, 0, -1), (0, 1, 0)),
    "posz": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "negz": ((-1, 0, 0), (0, 1, 0), (0, 0, -1)),
}  # fmt: skip
_COLUMNS = 512  # of the maps given to OpenCV, which allows 32767 rows
_DETAIL = 1.3  # pixels of the panorama per pixel of the camera; more would alias


class Panorama:
    """Views of a panorama through one camera.

    Args:
        path: a folder with the six faces of a cube map, or one equirectangular image.
        camera: any lens; every pixel's ray is computed once.

    Raises:
        InputError: there is no panorama at the path.
    """

    def __init__(self, path: Path, camera: Camera) -> None:
        self._shape = camera.height, camera.width
        y, x = np.mgrid[: camera.height, : camera.width]
        self._rays = camera.bearings(np.stack([x.ravel(), y.ravel()], axis=1)).astype(np.float32)
        if path.is_dir():
            files = {name: next(iter(sorted(path.glob(f"{name}.*"))), None) for name in _FACES}
            missing = [name for name, file in files.items() if file is None]
            if missing:
                raise InputError(
                    f"{path}: a cube map needs the faces {', '.join(missing)} too (.jpg or .png)"
                )
            self._faces = {n: _read(f, _DETAIL * 2 * camera.focal) for n, f in files.items() if f is not None}
        else:
            self._faces = {}
            self._sphere = _read(path, _DETAIL * 2 * np.pi * camera.focal)

    def render(self, R_world_camera: Float64) -> UInt8:
        """Image (H, W, 3) BGR of the camera turned by a rotation (3, 3)."""
        directions = self._rays @ R_world_camera.T.astype(np.float32)
        if self._faces:
            return _from_cube(self._faces, directions).reshape(*self._shape, 3)
        return _from_sphere(self._sphere, directions.reshape(*self._shape, 3))


def _from_sphere(image: UInt8, directions: Float32) -> UInt8:
    h, w = image.shape[:2]
    x, y, z = np.moveaxis(directions, 2, 0)
    u = (np.arctan2(x, z) / (2 * np.pi) + 0.5) * w - 0.5
    v = (np.arcsin(np.clip(y, -1, 1)) / np.pi + 0.5) * h - 0.5
    return np.asarray(cv2.remap(image, u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP), dtype=np.uint8)


def _from_cube(faces: dict[str, UInt8], directions: Float32) -> UInt8:
    result = np.zeros((len(directions), 3), np.uint8)
    ahead = np.array([axes[2] for axes in _FACES.values()], np.float32)
    nearest = (directions @ ahead.T).argmax(axis=1)
    for i, (name, axes) in enumerate(_FACES.items()):
        mine = np.flatnonzero(nearest == i)
        if not len(mine):
            continue
        size = faces[name].shape[0]
        x, y, z = np.array(axes, np.float32) @ directions[mine].T
        uv = np.stack([x / z, y / z]) * np.float32(size / 2) + np.float32((size - 1) / 2)
        padded = np.zeros((2, -(-len(mine) // _COLUMNS) * _COLUMNS), np.float32)
        padded[:, : len(mine)] = uv
        u, v = padded.reshape(2, -1, _COLUMNS)
        seen = cv2.remap(faces[name], u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        result[mine] = seen.reshape(-1, 3)[: len(mine)]
    return result


def _read(path: Path, width: float) -> UInt8:
    """A picture, made smaller if it is wider than ``width`` [px]."""
    image = cv2.imread(str(path), cv2.IMREAD_COLOR) if path.is_file() else None
    if image is None:
        raise InputError(f"{path}: {'not an image that OpenCV reads' if path.exists() else 'no such file'}")
    factor = width / image.shape[1]
    if factor < 1:
        image = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    return np.asarray(image, dtype=np.uint8)
