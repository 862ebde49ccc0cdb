# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The layouts of folders: this package's own, TUM RGB-D, KITTI odometry, TartanAir."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hybrid_features_ros.core import se3
from hybrid_features_ros.core.camera import Camera
from hybrid_features_ros.core.errors import InputError, reading
from hybrid_features_ros.core.types import Float64, Trajectory
from hybrid_features_ros.io.calibration import (
    Calibration,
    CameraInfo,
    between,
    checked_scale,
    read_calibration,
)
from hybrid_features_ros.io.folders import (
    FolderSource,
    _depths,
    checked,
    has_no,
    image_files,
    listed,
    paired,
    read_imu,
    there,
)
from hybrid_features_ros.io.images import read_pixels
from hybrid_features_ros.io.rectified import RectifiedSource, rectify
from hybrid_features_ros.io.source import Choice, Notes
from hybrid_features_ros.io.text import parse_stamp, read_rows
from hybrid_features_ros.io.trajectory import poses_of, read_kitti_poses, read_tum

# TartanAir (V1): every camera is this pinhole; its files have no stamps, and this rate is our assumption.
TARTANAIR_CAMERA = Camera(640, 480, 320.0, 320.0, 320.0, 240.0)
TARTANAIR_BASELINE_M, TARTANAIR_RATE_HZ = 0.25, 10
# Its poses have axes x forward, y right, z down; this maps optical axes (x right, y down, z forward) there.
NED_FROM_OPTICAL = se3.make([[0, 0, 1], [1, 0, 0], [0, 1, 0]], [0, 0, 0])
# Published calibrations of the three TUM RGB-D cameras: fx fy cx cy, k1 k2 p1 p2 k3.
TUM_CAMERAS = {
    "freiburg1": (517.3, 516.5, 318.6, 255.3, 0.2624, -0.9531, -0.0054, 0.0026, 1.1633),
    "freiburg2": (520.9, 521.0, 325.1, 249.7, 0.2312, -0.7849, -0.0033, -0.0001, 0.9172),
    "freiburg3": (535.4, 539.2, 320.1, 247.6, 0.0, 0.0, 0.0, 0.0, 0.0),
}
KITTI_PAIRS = (("image_0", "image_1"), ("image_2", "image_3"))


def open_plain(path: Path, choice: Choice) -> FolderSource | RectifiedSource:
    """The layout that :mod:`~hybrid_features_ros.io.folders` describes, or TUM RGB-D's without calib.json.

    Without ``rgb.txt`` the folder's images are taken; the camera of a TUM sequence is told by its name
    (freiburg1 ...). By Kalibr's chain (``choice.calib``) a pair is rectified: cam0 is left, cam1 right.
    """
    return _with_plain_right(path, *_plain_camera(path, choice), choice)


def _plain_camera(path: Path, choice: Choice) -> tuple[FolderSource, Calibration]:
    """The images of one folder, and their calibration."""
    notes = Notes()
    calibration, is_tum = _plain_calibration(path, choice, notes)
    images = choice.image or ("rgb.txt" if (path / "rgb.txt").exists() else ".")
    stamps, files = listed(path, images, "s", calibration.rate_hz, notes)
    depths = _depths(
        path, stamps, choice.depth or "depth.txt", choice.max_interval_ns, notes, calibration.rate_hz
    )
    if choice.depth and not depths:
        raise InputError(f"{path}: {notes.missing['depth']}")
    scale = calibration.depth_scale if choice.depth_scale is None else choice.depth_scale
    if scale is None and not is_tum and any(d is not None and d.suffix == ".png" for d in depths):
        notes.assumed["depth"] = (
            "16-bit depth is taken to have 5000 units per metre, as TUM's has; depth_scale in calib.json or "
            "--depth-scale says others (1000: millimetres)"
        )
    truth = there(path, choice.truth, "groundtruth.txt", "--truth")
    if not truth.exists():
        notes.missing["truth"] = f"there is no {truth}"
    left = checked(
        FolderSource(
            name=path.name,
            camera=calibration.info.camera(choice.rectified is True),
            stamps=stamps,
            images=files,
            depths=depths,
            ground_truth=read_tum(truth, notes) if truth.exists() else None,
            imu=read_imu(there(path, choice.imu, "imu.csv", "--imu"), calibration.T_camera_imu, notes),
            depth_scale=None if scale is None else checked_scale(scale, "--depth-scale"),
            notes=notes,
        )
    )
    return left, calibration


def open_kitti(path: Path, choice: Choice) -> FolderSource:
    """A numbered folder of the KITTI odometry benchmark, grey or colour.

    The truth is ``poses/NN.txt`` two folders up; it is that of camera 0 and is moved to the one that is read.
    """
    has_no(choice, path, "KITTI odometry", "depth", "imu")
    notes = Notes()
    notes.missing.update(dict.fromkeys(("depth", "imu"), "KITTI odometry has none"))
    pair = next(((a, b) for a, b in KITTI_PAIRS if (path / a).is_dir()), KITTI_PAIRS[0])
    pair = choice.image or pair[0], choice.right or dict(KITTI_PAIRS).get(choice.image or pair[0], "")
    left, right = _kitti_camera(path, pair[0], choice, notes), None
    P = _kitti_projection(path, pair[0])
    T_camera0_camera = se3.make(np.eye(3), -np.linalg.solve(P[:, :3], P[:, 3]))
    baseline = 0.0
    if choice.right or (pair[1] and (path / pair[1]).is_dir()):
        right = paired(left, _kitti_camera(path, pair[1], choice, notes), choice.max_interval_ns)
        baseline = float((P[0, 3] - _kitti_projection(path, pair[1])[0, 3]) / P[0, 0])
    else:
        notes.missing["right"] = f"there is no {path / pair[1]}" if pair[1] else f"{pair[0]} has no partner"
    truth_file = there(path, choice.truth, f"../../poses/{path.name}.txt", "--truth").resolve()
    truth = None
    if truth_file.exists():
        times, poses = _kitti_times(path), read_kitti_poses(truth_file)
        if len(times) != len(poses):
            raise InputError(
                f"{truth_file}: {len(poses)} poses, but {path / 'times.txt'} has {len(times)} stamps"
            )
        truth = Trajectory(times, poses @ T_camera0_camera)
    else:
        notes.missing["truth"] = f"there is no {truth_file}"
    return checked(
        FolderSource(
            name=f"kitti_{path.name}",
            camera=left.camera,
            stamps=left.stamps,
            images=left.images,
            ground_truth=truth,
            right=right,
            baseline=baseline,
            notes=notes,
        )
    )


def open_tartanair(path: Path, choice: Choice) -> FolderSource:
    """A trajectory folder (``P000`` ...) of TartanAir V1, with depth and right camera where they are there.

    The world of the truth keeps TartanAir's axes (z down); only the camera's are turned to optical ones.
    """
    has_no(choice, path, "TartanAir", "image", "right", "imu")
    notes = Notes()
    notes.assumed["stamps"] = f"{TARTANAIR_RATE_HZ} images per second: TartanAir has no stamps"
    left = _tartanair_camera(path, "left", choice, notes)
    right = _tartanair_camera(path, "right", choice, notes) if (path / "image_right").is_dir() else None
    folder = path / (choice.depth or "depth_left")
    if choice.depth and not folder.is_dir():
        raise InputError(f"{folder}: no such folder of depth images (--depth)")
    depths = [d if (d := folder / f"{i.stem}_depth.npy").exists() else None for i in left.images]
    if not any(depths):
        notes.missing["depth"] = f"there is no {left.images[0].stem}_depth.npy, and no other, in {folder}"
    truth = there(path, choice.truth, "pose_left.txt", "--truth")
    poses = None
    if truth.exists():
        with reading(truth, "expected tx ty tz qx qy qz qw"):
            rows = np.array([[float(v) for v in r[:7]] for r in read_rows(truth, 7, "tx ty tz qx qy qz qw")])
        numbers = left.stamps * TARTANAIR_RATE_HZ // 1_000_000_000
        if len(rows) <= numbers.max():
            raise InputError(f"{truth}: {len(rows)} poses for images up to {left.images[-1].name}")
        ned = poses_of(truth, left.stamps, rows[numbers], notes)
        poses = Trajectory(ned.stamps, ned.poses @ NED_FROM_OPTICAL)
    return checked(
        FolderSource(
            name="_".join(["tartanair", *path.parts[-3:]]),
            camera=left.camera,
            stamps=left.stamps,
            images=left.images,
            depths=depths,
            ground_truth=poses,
            right=right,
            baseline=TARTANAIR_BASELINE_M if right else 0.0,
            depth_scale=choice.depth_scale,
            notes=notes,
        )
    )


def _plain_calibration(path: Path, choice: Choice, notes: Notes) -> tuple[Calibration, bool]:
    """Calibration of a plain folder, and whether it is one of TUM's."""
    key = next((k for k in TUM_CAMERAS if k in path.name), None)
    if choice.calib is not None or (path / "calib.json").exists():
        return read_calibration(choice.calib or path / "calib.json", path.name, notes), False
    if key is None:
        raise InputError(
            f"{path}: which TUM camera? Keep freiburg1, 2 or 3 in the name, or add a calib.json or --calib"
        )
    fx, fy, cx, cy, *distortion = TUM_CAMERAS[key]
    info = CameraInfo(640, 480, "plumb_bob", distortion, [fx, 0, cx, 0, fy, cy, 0, 0, 1])
    return Calibration(info), True


def _with_plain_right(
    path: Path, left: FolderSource, calibration: Calibration, choice: Choice
) -> FolderSource | RectifiedSource:
    """With the sibling NAME_right of NAME_left, or the folder that was named."""
    folder = path.parent / choice.right if choice.right else path.with_name(f"{path.name[:-5]}_right")
    if not choice.right and not path.name.endswith("_left"):
        left.notes.missing["right"] = (
            "a stereo pair is two folders NAME_left and NAME_right; --right names another"
        )
        return left
    if not folder.is_dir():
        left.notes.missing["right"] = f"there is no {folder}"
        if choice.right:
            raise InputError(f"{folder}: no such folder of right images (--right)")
        return left
    file = folder / "calib.json"
    calib = None if file.exists() else choice.calib
    right, _ = _plain_camera(folder, Choice(calib=calib, rectified=choice.rectified))
    right = replace(paired(left, right, choice.max_interval_ns), notes=left.notes)
    if choice.calib is not None and not calibration.baseline_m:
        other = read_calibration(choice.calib, "cam1")  # of Kalibr's chain
        T_left_right = between(calibration, other)
        if choice.stereo and T_left_right is not None and np.linalg.norm(T_left_right[:3, 3]) > 1e-6:
            return rectify(left, replace(right, camera=other.info.camera()), T_left_right)
    elif choice.calib is None and file.exists():
        _doubt_baseline(calibration.baseline_m, file, left.notes)
    return replace(left, right=right, baseline=calibration.baseline_m)


def _doubt_baseline(baseline: float, file: Path, notes: Notes) -> None:
    """Note it where the right camera's file tells another baseline than the left one's."""
    other = read_calibration(file).baseline_m
    if other and abs(other - baseline) > 1e-3 * baseline:
        notes.assumed["right"] = (
            f"baseline_m is {baseline:g}, that of the left folder; {file} contradicts it with {other:g}"
        )


def _kitti_camera(path: Path, name: str, choice: Choice, notes: Notes) -> FolderSource:
    """One camera; images are numbered from 0 as the lines of times.txt are."""
    images = image_files(path / name)
    if not images:
        raise InputError(f"{path / name}: no images in it")
    times = _kitti_times(path)
    with reading(path / name, "images are named by their numbers, such as 000000.png"):
        numbers = np.array([int(p.stem) for p in images])
    if numbers.max() >= len(times) or numbers.min() < 0:
        raise InputError(
            f"{path / name}: {len(images)} images up to {images[-1].name}, but {path / 'times.txt'} has "
            f"{len(times)} stamps; fetch the whole sequence again"
        )
    if choice.calib is not None:
        camera = read_calibration(choice.calib, name, notes).info.camera(choice.rectified is True)
    else:
        height, width = read_pixels(images[0]).shape[:2]
        K = _kitti_projection(path, name)[:, :3].ravel().tolist()
        camera = Camera.from_calibration(width, height, K, "none", ())
    return FolderSource(name, camera, times[numbers], images, notes=notes)


def _kitti_times(path: Path) -> NDArray[np.int64]:
    rows = read_rows(path / "times.txt", 1, "a stamp in seconds")
    with reading(path / "times.txt"):
        return np.array([parse_stamp(r[0]) for r in rows], dtype=np.int64)


def _kitti_projection(path: Path, name: str) -> Float64:
    """P (3, 4) of the camera whose images lie in ``image_N``."""
    key = f"P{name.removeprefix('image_')}:"
    for row in read_rows(path / "calib.txt", 1, "P0: and 12 numbers"):
        if row[0] == key:
            with reading(path / "calib.txt", f"expected {key} and 12 numbers"):
                return np.array([float(v) for v in row[1:13]]).reshape(3, 4)
    raise InputError(f"{path / 'calib.txt'}: no line {key}")


def _resized_tartanair(image: Path, notes: Notes) -> Camera:
    """The camera of all images of TartanAir, resized to the size of this one."""
    (height, width), camera = read_pixels(image).shape[:2], TARTANAIR_CAMERA
    if width * camera.height != height * camera.width:
        raise InputError(
            f"{image}: {width}x{height} pixels, but TartanAir's are {camera.width}x{camera.height}: give the "
            "calibration of these with --calib FILE"
        )
    if width != camera.width:
        f = camera.fx * width / camera.width
        camera = Camera(width, height, f, f, width / 2, height / 2)
        notes.assumed["camera"] = (
            f"TartanAir's camera is taken to be resized to {width}x{height} pixels, f = {camera.fx:g}: its "
            f"images have {TARTANAIR_CAMERA.width}x{TARTANAIR_CAMERA.height}"
        )
    return camera


def _tartanair_camera(path: Path, side: str, choice: Choice, notes: Notes) -> FolderSource:
    images = sorted((path / f"image_{side}").glob(f"*_{side}.png"))
    if not images:
        raise InputError(f"{path / f'image_{side}'}: no images named 000000_{side}.png in it")
    if choice.calib is None:
        camera = _resized_tartanair(images[0], notes)
    else:
        camera = read_calibration(choice.calib, f"image_{side}", notes).info.camera(choice.rectified is True)
    with reading(path / f"image_{side}", f"images are named 000000_{side}.png"):
        numbers = np.array([int(p.name.partition("_")[0]) for p in images], dtype=np.int64)
    stamps = numbers * (1_000_000_000 // TARTANAIR_RATE_HZ)
    return FolderSource(f"image_{side}", camera, stamps, images, notes=notes)
