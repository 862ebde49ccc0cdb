# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Pairs of images with known cameras and motion: Strecha's and COLMAP's text layouts, RGB-D sequences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from hybrid_features_ros.core import se3
from hybrid_features_ros.core.camera import Camera
from hybrid_features_ros.core.errors import InputError, reading
from hybrid_features_ros.core.types import Float32, Float64
from hybrid_features_ros.io.images import read_image
from hybrid_features_ros.io.source import Source
from hybrid_features_ros.io.sources import open_source
from hybrid_features_ros.io.text import read_text
from hybrid_features_ros.io.trajectory import interpolate

ANGLES_DEG = (5.0, 60.0)  # least and greatest rotation between the views of a pair
LONGEST = 1024  # side of an image; larger ones are made smaller [px]
MIN_COMMON = 50  # points of a reconstruction that both views of a pair must see
MIN_PARALLAX, MIN_OVERLAP = (
    0.15,
    0.3,
)  # of an RGB-D pair: baseline over median depth, share of pixels seen twice
MAX_GAP_NS = 100_000_000  # of a sequence's truth
# Models of cameras.txt: where the parameters fx fy cx cy k... of ours stand among COLMAP's; our model.
_COLMAP_MODELS = {
    "SIMPLE_PINHOLE": ((0, 0, 1, 2), (), "none"),
    "PINHOLE": ((0, 1, 2, 3), (), "none"),
    "SIMPLE_RADIAL": ((0, 0, 1, 2), (3,), "plumb_bob"),
    "RADIAL": ((0, 0, 1, 2), (3, 4), "plumb_bob"),
    "OPENCV": ((0, 1, 2, 3), (4, 5, 6, 7), "plumb_bob"),
    "OPENCV_FISHEYE": ((0, 1, 2, 3), (4, 5, 6, 7), "equidistant"),
}


@dataclass(frozen=True, eq=False)
class PosedPair:
    """Two images of one scene and where they were taken.

    Attributes:
        name: for reports.
        image_a, image_b: (H, W) or (H, W, 3) uint8, grey or BGR, free of lens distortion.
        camera_a, camera_b: their pinhole cameras.
        T_b_a: (4, 4), coordinates of the first camera to those of the second; its length may be unknown.
        depth_a: (H, W) float32 of the first image along the optical axis, in the unit of ``T_b_a``, NaN =
            unknown; None where nothing measures it.
    """

    name: str
    image_a: NDArray[Any]
    image_b: NDArray[Any]
    camera_a: Camera
    camera_b: Camera
    T_b_a: Float64
    depth_a: Float32 | None = None


@dataclass(frozen=True, eq=False)
class PosedView:
    """An image file with its camera, its pose and the ids of the reconstructed points that it sees."""

    file: Path
    camera: Camera
    T_world_camera: Float64
    points: frozenset[int] | None = None


def read_pairs(dataset: Path, most: int) -> Iterator[PosedPair]:
    """Pairs of views of a dataset, evenly picked from those that differ by ``ANGLES_DEG``.

    Args:
        dataset: a folder in Strecha's layout (``IMAGE.camera`` of every image), a COLMAP model in text
            (``cameras.txt``, ``images.txt``), a folder of such folders, or a sequence with depth and
            ground truth as :func:`.open_source` reads it.
        most: pairs of each scene.

    Raises:
        InputError: nothing of this kind is there, or it has no pairs.
    """
    folders = sorted(p for p in dataset.iterdir() if p.is_dir()) if dataset.is_dir() else []
    scenes = [dataset] if _views(dataset) else [f for f in folders if _views(f)]
    for scene in scenes:
        yield from _view_pairs(scene.name, _views(scene), most)
    if not scenes:
        yield from sequence_pairs(open_source(dataset), most)


def read_strecha(folder: Path) -> list[PosedView]:
    """Views of a folder with an ``IMAGE.camera`` of every image: K, a row of zeros, R (camera to world), the
    camera's position and the image's size, row by row (Strecha et al., "On benchmarking camera calibration
    and multi-view stereo for high resolution imagery", 2008). The cameras lie in the folder or in
    ``gt_dense_cameras``, the images in the folder or in ``images``.

    Raises:
        InputError: a file has other numbers.
    """
    views = []
    for file in _strecha_cameras(folder):
        values = _numbers(file, read_text(file).split())
        if len(values) != 26:
            raise InputError(
                f"{file}: {len(values)} numbers; a camera of this layout has 26: K, 0 0 0, R, t, size"
            )
        K, R, position, (width, height) = values[:9], values[12:21], values[21:24], values[24:]
        with reading(file):
            camera = Camera.from_calibration(int(width), int(height), K.tolist(), "none", [])
        T_world_camera = _placed(file, R.reshape(3, 3), position)
        views.append(PosedView(_image(folder, file.stem), camera, T_world_camera))
    return views


def _strecha_cameras(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.camera")) or sorted(folder.glob("gt_dense_cameras/*.camera"))


def read_colmap(folder: Path) -> list[PosedView]:
    """Views of a COLMAP model in text: ``cameras.txt`` and ``images.txt`` in the folder, in ``sparse`` or in
    ``sparse/0``; the images in the folder or in ``images``.

    COLMAP's pixels have their corner at (0, 0), ours their centre.

    Raises:
        InputError: a line cannot be read, or a camera's model is not one that this package knows.
    """
    model = _model(folder) or folder
    file = model / "cameras.txt"
    with reading(file, "expected CAMERA_ID MODEL WIDTH HEIGHT and the model's parameters"):
        cameras = dict(_colmap_camera(row) for row in _lines(file) if row)
    file = model / "images.txt"
    lines = _lines(file)
    while lines and not lines[0]:  # nothing but comments went before
        del lines[0]
    with reading(file, "expected two lines for each image: its pose, camera and name; its points"):
        return [
            _colmap_view(folder, cameras, row, seen)
            for row, seen in zip(lines[::2], [*lines[1::2], []], strict=False)
            if row
        ]


def _colmap_camera(row: Sequence[str]) -> tuple[str, Camera]:
    """Id and camera of a line of ``cameras.txt``."""
    name, model, *values = row
    if model not in _COLMAP_MODELS:
        raise InputError(f"cameras.txt: {model}: use a model of {', '.join(_COLMAP_MODELS)}")
    width, height, *parameters = (float(v) for v in values)
    pinhole, coefficients, distortion = _COLMAP_MODELS[model]
    if len(parameters) != len({*pinhole, *coefficients}):
        raise InputError(f"cameras.txt: {model} has {len(parameters)} parameters")
    fx, fy, cx, cy = (parameters[i] for i in pinhole)
    D = [*(parameters[i] for i in coefficients), *([0.0] * (4 - len(coefficients)))]
    K = [fx, 0, cx - 0.5, 0, fy, cy - 0.5, 0, 0, 1]
    return name, Camera.from_calibration(int(width), int(height), K, distortion, D)


def _colmap_view(
    folder: Path, cameras: Mapping[str, Camera], row: Sequence[str], seen: Sequence[str]
) -> PosedView:
    """An image of ``images.txt``."""
    qw, qx, qy, qz, *t = (float(v) for v in row[1:8])
    name = " ".join(row[9:])
    T_world_camera = se3.inverse(se3.from_quaternion([qx, qy, qz, qw], t))
    if not np.isfinite(T_world_camera).all():
        raise InputError(f"images.txt: {name}: its pose is no rigid motion")
    ids = frozenset(int(i) for i in seen[2::3] if int(i) >= 0)
    return PosedView(_image(folder, name), cameras[row[8]], T_world_camera, ids)


def _image(folder: Path, name: str) -> Path:
    """The file of an image, in the folder or in its ``images``."""
    return next((f for f in (folder / "images" / name, folder / name) if f.exists()), folder / name)


def sequence_pairs(source: Source, most: int) -> Iterator[PosedPair]:
    """Pairs of a sequence with depth and ground truth: evenly picked frames, each with the first later one
    that has enough parallax (``MIN_PARALLAX``), if it still sees enough of the same (``MIN_OVERLAP``).

    Raises:
        InputError: the sequence has no ground truth, no depth or no such pair.
    """
    if source.ground_truth is None:
        raise InputError(f"{source.name}: pairs need its ground truth")
    poses, known = interpolate(source.ground_truth, source.stamps, MAX_GAP_NS)
    firsts = set(np.linspace(0, len(source) - 1, most + 1).astype(int).tolist())
    open_: list[tuple[int, NDArray[Any], Float32, float]] = []
    count = 0
    for j, frame in enumerate(source):
        for entry in list(open_):
            i, image, depth, reach = entry
            T_b_a = se3.inverse(poses[j]) @ poses[i]
            if known[j] and np.linalg.norm(T_b_a[:3, 3]) >= reach:
                open_.remove(entry)
                if _overlap(depth, source.camera, T_b_a) >= MIN_OVERLAP:
                    count += 1
                    a, camera, depth_a = _undistorted(image, source.camera, depth)
                    b = _undistorted(frame.image, source.camera)[0]
                    yield PosedPair(f"{source.name} {i} {j}", a, b, camera, camera, T_b_a, depth_a)
        if j in firsts and known[j] and frame.depth is not None and np.isfinite(frame.depth).any():
            open_.append((j, frame.image, frame.depth, MIN_PARALLAX * float(np.nanmedian(frame.depth))))
    if not count:
        raise InputError(f"{source.name}: no pair of images with depth, parallax and overlap")


def _views(folder: Path) -> list[PosedView]:
    """The views of a folder; none if it has no layout of single views."""
    if _strecha_cameras(folder):
        return read_strecha(folder)
    return read_colmap(folder) if _model(folder) else []


def _overlap(depth: Float32, camera: Camera, T_b_a: Float64) -> float:
    """Share of an image's pixels of known depth that another view of the same camera holds."""
    y, x = (grid[::8, ::8].ravel() for grid in np.mgrid[: camera.height, : camera.width])
    z = depth[y, x]
    points = camera.normalise(np.stack([x, y], axis=1)[np.isfinite(z)])
    points = np.column_stack([points, np.ones(len(points))]) * z[np.isfinite(z)][:, None]
    pixels = camera.project(points @ T_b_a[:3, :3].T + T_b_a[:3, 3])
    inside = ((pixels >= 0) & (pixels <= [camera.width - 1, camera.height - 1])).all(axis=1)
    return float(np.mean(inside)) if len(points) else 0.0


def _view_pairs(name: str, views: Sequence[PosedView], most: int) -> Iterator[PosedPair]:
    fitting = [
        (a, b)
        for i, a in enumerate(views)
        for b in views[i + 1 :]
        if ANGLES_DEG[0] <= np.degrees(se3.rotation_angle(_between(a, b)[:3, :3])) <= ANGLES_DEG[1]
        and (a.points is None or b.points is None or len(a.points & b.points) >= MIN_COMMON)
    ]
    if not fitting:
        low, high = ANGLES_DEG
        raise InputError(f"{name}: no two views of the same differ by {low:g} to {high:g} degrees")
    picked = sorted(set(np.linspace(0, len(fitting) - 1, min(most, len(fitting))).astype(int).tolist()))
    for a, b in (fitting[k] for k in picked):
        (image_a, camera_a), (image_b, camera_b) = _load(a), _load(b)
        yield PosedPair(
            f"{name} {a.file.name} {b.file.name}", image_a, image_b, camera_a, camera_b, _between(a, b)
        )


def _between(a: PosedView, b: PosedView) -> Float64:
    return np.asarray(se3.inverse(b.T_world_camera) @ a.T_world_camera)


def _load(view: PosedView) -> tuple[NDArray[Any], Camera]:
    """The image of a view, without distortion and not larger than ``LONGEST``, and its camera."""
    image: NDArray[Any] = read_image(view.file)
    height, width = image.shape[:2]
    if (width, height) != (view.camera.width, view.camera.height):
        raise InputError(
            f"{view.file}: {width}x{height}, its camera {view.camera.width}x{view.camera.height}"
        )
    factor = min(1.0, LONGEST / max(width, height))
    camera = view.camera.scaled(factor)
    if factor < 1:
        image = cv2.resize(image, (camera.width, camera.height), interpolation=cv2.INTER_AREA)
    return _undistorted(np.asarray(image), camera)[:2]


def _undistorted(
    image: NDArray[Any], camera: Camera, depth: Float32 | None = None
) -> tuple[NDArray[Any], Camera, Float32 | None]:
    """What the pinhole camera with the same K sees; a camera without distortion keeps its image."""
    pinhole = Camera(camera.width, camera.height, camera.fx, camera.fy, camera.cx, camera.cy)
    if camera == pinhole:
        return image, camera, depth
    y, x = np.mgrid[: camera.height, : camera.width]
    rays = pinhole.bearings(np.stack([x.ravel(), y.ravel()], axis=1))
    u, v = camera.project(rays).astype(np.float32).T.reshape(2, camera.height, camera.width)
    straight = cv2.remap(image, u, v, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    if depth is not None:
        depth = np.asarray(
            cv2.remap(
                depth, u, v, cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT, borderValue=float("nan")
            )
        )
    return np.asarray(straight), pinhole, depth


def _model(folder: Path) -> Path | None:
    """Where the text files of a COLMAP model lie, if the folder has one."""
    places = (folder, folder / "sparse", folder / "sparse" / "0")
    return next((p for p in places if (p / "cameras.txt").exists() and (p / "images.txt").exists()), None)


def _placed(file: Path, R: Float64, position: Float64) -> Float64:
    """A pose (4, 4) of a rotation (3, 3) that must be one."""
    if not (np.isfinite(R).all() and np.allclose(R @ R.T, np.eye(3), atol=1e-2) and np.linalg.det(R) > 0):
        raise InputError(f"{file}: R is no rotation")
    if not np.isfinite(position).all():
        raise InputError(f"{file}: the position {position.tolist()} is not finite")
    return se3.make(R, position)


def _lines(file: Path) -> list[list[str]]:
    """Words of every line that is no comment; an empty line means a view without points."""
    return [line.split() for line in read_text(file).splitlines() if not line.startswith("#")]


def _numbers(file: Path, words: Sequence[str]) -> Float64:
    try:
        return np.array([float(w) for w in words])
    except ValueError as error:
        raise InputError(f"{file}: {error}") from None
