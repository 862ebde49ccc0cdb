"""Sequences that are folders of images: TUM RGB-D, EuRoC, KITTI, TartanAir, and this package's own layout.

Its own, the plain layout: ``calib.json`` (width, height, K, dist, model), ``rgb.txt`` (stamp [s], file), and
where known ``depth.txt`` (stamp, 16-bit PNG, metres = value / 5000), ``groundtruth.txt`` (TUM format,
camera to world, optical axes), ``imu.csv`` (EuRoC format). How the inertial unit is mounted is said by
``T_camera_imu`` in ``calib.json`` (4x4, row by row: coordinates of the unit to the camera's optical axes);
without it the measurements are taken to be in the camera's axes. A stereo pair is two sibling folders
``NAME_left`` and ``NAME_right``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import yaml
from numpy.typing import NDArray

from hybrid_features_ros.core import se3
from hybrid_features_ros.core.camera import Camera
from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.core.types import Float32, Float64, Trajectory
from hybrid_features_ros.io.source import Frame, Imu
from hybrid_features_ros.io.text import parse_stamp, read_rows
from hybrid_features_ros.io.trajectory import read_kitti_poses, read_tum

DEPTH_UNITS = 5000.0  # of a TUM depth image, per metre
DEPTH_INTERVAL_NS = 20_000_000  # longest time between an image and its depth
# TartanAir (V1): every camera is this pinhole; its files have no stamps, and this rate is our assumption.
TARTANAIR_FOCAL, TARTANAIR_BASELINE_M, TARTANAIR_RATE_HZ = 320.0, 0.25, 10
# Its poses have axes x forward, y right, z down; this maps optical axes (x right, y down, z forward) there.
NED_FROM_OPTICAL = se3.make([[0, 0, 1], [1, 0, 0], [0, 1, 0]], [0, 0, 0])
PATTERNS = ("*.png", "*.jpg", "*.jpeg", "*.pgm", "*.bmp")
# Published calibrations of the three TUM RGB-D cameras: fx fy cx cy, k1 k2 p1 p2 k3.
TUM_CAMERAS = {
    "freiburg1": (517.3, 516.5, 318.6, 255.3, 0.2624, -0.9531, -0.0054, 0.0026, 1.1633),
    "freiburg2": (520.9, 521.0, 325.1, 249.7, 0.2312, -0.7849, -0.0033, -0.0001, 0.9172),
    "freiburg3": (535.4, 539.2, 320.1, 247.6, 0.0, 0.0, 0.0, 0.0, 0.0),
}


@dataclass(frozen=True, eq=False)
class FolderSource:
    """A :class:`~hybrid_features_ros.io.source.Source` made of image files.

    ``depths`` holds the depth image of every image, or None where there is none.
    """

    name: str
    camera: Camera
    stamps: NDArray[np.int64]
    images: Sequence[Path]
    depths: Sequence[Path | None] = ()
    ground_truth: Trajectory | None = None
    imu: Imu | None = None
    right: FolderSource | None = None
    baseline: float = 0.0

    def __len__(self) -> int:
        return len(self.images)

    def __iter__(self) -> Iterator[Frame]:
        for i, (stamp, path) in enumerate(zip(self.stamps.tolist(), self.images, strict=True)):
            depth = self.depths[i] if self.depths else None
            yield Frame(stamp, _read(path), None if depth is None else self._depth(depth))

    def _depth(self, path: Path) -> Float32:
        """Depth at every pixel of the image: of the nearest pixel of a smaller depth image."""
        if path.suffix == ".npy":  # metres as they are
            return np.asarray(np.load(path), dtype=np.float32)
        raw = _read(path).astype(np.float32) / np.float32(DEPTH_UNITS)
        raw[raw == 0] = np.nan
        rows, columns = (
            np.rint(np.arange(n) * (m / n)).astype(int).clip(0, m - 1)
            for n, m in zip((self.camera.height, self.camera.width), raw.shape, strict=True)
        )
        return np.asarray(raw[rows][:, columns])


def open_plain(path: Path) -> FolderSource:
    """The layout described above; without ``rgb.txt`` the images count 30 per second."""
    calibration, camera = _calibration(path / "calib.json")
    if (path / "rgb.txt").exists():
        stamps, images = _listed(path, "rgb.txt")
    else:
        images = sorted(p for pattern in PATTERNS for p in path.glob(pattern))
        stamps = np.arange(len(images), dtype=np.int64) * 1_000_000_000 // 30
    truth = path / "groundtruth.txt"
    right = None
    if path.name.endswith("_left") and path.with_name(f"{path.name[:-5]}_right").is_dir():
        right = open_plain(path.with_name(f"{path.name[:-5]}_right"))
    return _checked(
        FolderSource(
            name=path.name,
            camera=camera,
            stamps=stamps,
            images=images,
            depths=_depths(path, stamps),
            ground_truth=read_tum(truth) if truth.exists() else None,
            imu=_read_imu(path / "imu.csv", _mounting(path / "calib.json", calibration.get("T_camera_imu"))),
            right=right,
            baseline=float(calibration.get("baseline_m", 0.0)) if right else 0.0,
        )
    )


def open_tum(path: Path) -> FolderSource:
    """A folder as the TUM RGB-D benchmark publishes it; the camera is told by its name (freiburg1 ...)."""
    key = next((k for k in TUM_CAMERAS if k in path.name), None)
    if key is None:
        raise InputError(f"{path}: which TUM camera? Keep freiburg1, 2 or 3 in the name, or add a calib.json")
    fx, fy, cx, cy, *distortion = TUM_CAMERAS[key]
    stamps, images = _listed(path, "rgb.txt")
    truth = path / "groundtruth.txt"
    return _checked(
        FolderSource(
            name=path.name,
            camera=Camera.from_calibration(
                640, 480, [fx, 0, cx, 0, fy, cy, 0, 0, 1], "plumb_bob", distortion
            ),
            stamps=stamps,
            images=images,
            depths=_depths(path, stamps),
            ground_truth=read_tum(truth) if truth.exists() else None,
        )
    )


def open_euroc(path: Path) -> FolderSource:
    """A folder as EuRoC publishes it, or its ``mav0``; the truth of the body is moved to camera 0."""
    root = path / "mav0" if (path / "mav0").is_dir() else path
    unit = root / "imu0" / "sensor.yaml"
    T_body_imu = _euroc_mounting(_euroc_sensor(unit)) if unit.is_file() else np.eye(4)
    left, T_body_camera = _euroc_camera(root / "cam0", path.name)
    truth_file = root / "state_groundtruth_estimate0" / "data.csv"
    truth = None
    if truth_file.exists():
        rows = read_rows(truth_file, 8, "t px py pz qw qx qy qz")
        values = np.array([[float(v) for v in r[1:8]] for r in rows])
        bodies = [se3.from_quaternion(v[[4, 5, 6, 3]], v[:3]) for v in values]
        stamps = np.array([int(r[0]) for r in rows], dtype=np.int64)
        truth = Trajectory(stamps, np.array(bodies) @ T_body_camera)
    return _checked(
        FolderSource(
            name=left.name,
            camera=left.camera,
            stamps=left.stamps,
            images=left.images,
            ground_truth=truth,
            imu=_read_imu(root / "imu0" / "data.csv", se3.inverse(T_body_camera) @ T_body_imu),
        )
    )


def open_kitti(path: Path) -> FolderSource:
    """A numbered folder of the KITTI odometry benchmark; the truth is ``poses/NN.txt`` two folders up."""
    left, right = _kitti_camera(path, 0), None
    baseline = 0.0
    if (path / "image_1").is_dir():
        right = _kitti_camera(path, 1)
        P1 = _kitti_projection(path, 1)
        baseline = -P1[0, 3] / P1[0, 0]
    truth_file = path.parent.parent / "poses" / f"{path.name}.txt"
    truth = None
    if truth_file.exists():
        poses = read_kitti_poses(truth_file)
        n = min(len(poses), len(left))
        truth = Trajectory(left.stamps[:n], poses[:n])
    return _checked(
        FolderSource(
            name=f"kitti_{path.name}",
            camera=left.camera,
            stamps=left.stamps,
            images=left.images,
            ground_truth=truth,
            right=right,
            baseline=float(baseline),
        )
    )


def open_tartanair(path: Path) -> FolderSource:
    """A trajectory folder (``P000`` ...) of TartanAir V1, with depth and right camera where they are there.

    The world of the truth keeps TartanAir's axes (z down); only the camera's are turned to optical ones.
    """
    left, right = _tartanair_camera(path, "left"), None
    if (path / "image_right").is_dir():
        right = _tartanair_camera(path, "right")
    depths = [path / "depth_left" / f"{image.stem}_depth.npy" for image in left.images]
    truth = path / "pose_left.txt"
    poses = None
    if truth.exists():
        rows = np.array([[float(v) for v in r[:7]] for r in read_rows(truth, 7, "tx ty tz qx qy qz qw")])
        n = min(len(rows), len(left))
        ned = np.array([se3.from_quaternion(r[3:], r[:3]) for r in rows[:n]])
        poses = Trajectory(left.stamps[:n], ned @ NED_FROM_OPTICAL)
    return _checked(
        FolderSource(
            name="_".join(["tartanair", *path.parts[-3:]]),
            camera=left.camera,
            stamps=left.stamps,
            images=left.images,
            depths=[d if d.exists() else None for d in depths],
            ground_truth=poses,
            right=right,
            baseline=TARTANAIR_BASELINE_M if right else 0.0,
        )
    )


def _tartanair_camera(path: Path, side: str) -> FolderSource:
    images = sorted((path / f"image_{side}").glob(f"*_{side}.png"))
    if not images:
        raise InputError(f"{path / f'image_{side}'}: no images named 000000_{side}.png in it")
    height, width = _read(images[0]).shape[:2]
    camera = Camera(width, height, TARTANAIR_FOCAL, TARTANAIR_FOCAL, width / 2, height / 2)
    stamps = np.arange(len(images), dtype=np.int64) * (1_000_000_000 // TARTANAIR_RATE_HZ)
    return FolderSource(f"image_{side}", camera, stamps, images)


def _kitti_camera(path: Path, number: int) -> FolderSource:
    images = sorted((path / f"image_{number}").glob("*.png"))
    if not images:
        raise InputError(f"{path / f'image_{number}'}: no PNG images in it")
    P = _kitti_projection(path, number)
    height, width = _read(images[0]).shape[:2]
    seconds = [r[0] for r in read_rows(path / "times.txt", 1, "a stamp in seconds")]
    stamps = np.array([round(float(s) * 1e9) for s in seconds[: len(images)]], dtype=np.int64)
    camera = Camera(width, height, P[0, 0], P[1, 1], P[0, 2], P[1, 2])
    return FolderSource(f"image_{number}", camera, stamps, images)


def _kitti_projection(path: Path, number: int) -> Float64:
    for row in read_rows(path / "calib.txt", 13, "P0: and 12 numbers"):
        if row[0] == f"P{number}:":
            return np.array([float(v) for v in row[1:13]]).reshape(3, 4)
    raise InputError(f"{path / 'calib.txt'}: no line P{number}:")


def _euroc_camera(path: Path, name: str) -> tuple[FolderSource, Float64]:
    sensor = path / "sensor.yaml"
    if not sensor.is_file():
        raise InputError(f"{sensor}: no such file; give a EuRoC sequence (with mav0/cam0)")
    content = _euroc_sensor(sensor)
    fx, fy, cx, cy = content["intrinsics"]
    width, height = content["resolution"]
    model = {"radial-tangential": "plumb_bob", "equidistant": "equidistant"}.get(
        content["distortion_model"], content["distortion_model"]
    )
    K = [fx, 0, cx, 0, fy, cy, 0, 0, 1]
    camera = Camera.from_calibration(width, height, K, model, content["distortion_coefficients"])
    rows = read_rows(path / "data.csv", 2, "stamp [ns], file")
    stamps = np.array([int(r[0]) for r in rows], dtype=np.int64)
    images = [path / "data" / r[1] for r in rows]
    return FolderSource(name, camera, stamps, images), _euroc_mounting(content)


def _euroc_sensor(path: Path) -> dict[str, Any]:
    text = "\n".join(line for line in path.read_text().splitlines() if not line.startswith("%"))
    content: dict[str, Any] = yaml.safe_load(text)
    return content


def _euroc_mounting(content: dict[str, Any]) -> Float64:
    """``T_body_sensor`` (4, 4)."""
    return np.array(content["T_BS"]["data"], dtype=float).reshape(4, 4)


def _calibration(path: Path) -> tuple[dict[str, Any], Camera]:
    if not path.is_file():
        raise InputError(f"{path}: no such file; write width, height, K (3x3), dist and model into it")
    try:
        content = json.loads(path.read_text())
        model = {"pinhole": "none", "radtan": "plumb_bob"}.get(content["model"], content["model"])
        K = np.ravel(content["K"]).tolist()
        return content, Camera.from_calibration(
            content["width"], content["height"], K, model, content["dist"]
        )
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise InputError(f"{path}: needs width, height, K (3x3), dist and model ({error!r})") from None


def _listed(path: Path, name: str) -> tuple[NDArray[np.int64], list[Path]]:
    rows = read_rows(path / name, 2, "stamp [s] and file")
    try:
        stamps = np.array([parse_stamp(r[0]) for r in rows], dtype=np.int64)
    except ValueError as error:
        raise InputError(f"{path / name}: not stamps and files: {error}") from None
    return stamps, [path / r[1] for r in rows]


def _depths(path: Path, stamps: NDArray[np.int64]) -> list[Path | None]:
    """The depth image nearest in time to every image, if near enough."""
    if not (path / "depth.txt").exists():
        return []
    known, files = _listed(path, "depth.txt")
    if not len(known):
        return []
    nearest = np.abs(known[None] - stamps[:, None]).argmin(axis=1)
    near = np.abs(known[nearest] - stamps) <= DEPTH_INTERVAL_NS
    return [files[i] if ok else None for i, ok in zip(nearest, near, strict=True)]


def _mounting(path: Path, given: Any) -> Float64:
    """``T_camera_imu`` (4, 4) as ``calib.json`` gives it; none is the identity."""
    if given is None:
        return np.eye(4)
    try:
        T = np.array(given, dtype=float).reshape(4, 4)
    except (TypeError, ValueError):
        raise InputError(f"{path}: T_camera_imu must be 4x4 numbers, got {given!r}") from None
    if not np.allclose(T[:3, :3] @ T[:3, :3].T, np.eye(3), atol=1e-3) or np.linalg.det(T[:3, :3]) < 0:
        raise InputError(f"{path}: the first 3x3 numbers of T_camera_imu are no rotation")
    return T


def _read_imu(path: Path, T_camera_imu: Float64) -> Imu | None:
    """Measurements turned into the camera's axes."""
    if not path.exists():
        return None
    rows = read_rows(path, 7, "stamp [ns], angular velocity, acceleration")
    values = np.array([[float(v) for v in r[1:7]] for r in rows]).reshape(-1, 6)
    into_camera = T_camera_imu[:3, :3].T
    stamps = np.array([int(r[0]) for r in rows], dtype=np.int64)
    return Imu(stamps, values[:, :3] @ into_camera, values[:, 3:] @ into_camera)


def _checked(source: FolderSource) -> FolderSource:
    if not source.images:
        raise InputError(f"{source.name}: no images; expected a list in rgb.txt or image files")
    if not (np.diff(source.stamps) > 0).all():
        raise InputError(f"{source.name}: the stamps of the images must increase strictly")
    return source


def _read(path: Path) -> NDArray[Any]:
    image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED) if path.is_file() else None
    if image is None:
        raise InputError(f"{path}: {'not an image that OpenCV reads' if path.exists() else 'no such file'}")
    return np.asarray(image[..., :3] if image.ndim == 3 else image)
