# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The layouts of folders: this package's own, TUM RGB-D, EuRoC and TUM-VI, KITTI odometry, TartanAir."""

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
    checked_scale,
    read_calibration,
    read_mounting,
)
from hybrid_features_ros.io.folders import (
    PATTERNS,
    FolderSource,
    _depths,
    checked,
    listed,
    paired,
    read_imu,
)
from hybrid_features_ros.io.images import read_pixels
from hybrid_features_ros.io.source import Choice, Notes
from hybrid_features_ros.io.text import natural, parse_stamp, read_rows, read_table
from hybrid_features_ros.io.trajectory import poses_of, read_kitti_poses, read_tum

# TartanAir (V1): every camera is this pinhole; its files have no stamps, and this rate is our assumption.
TARTANAIR_FOCAL, TARTANAIR_BASELINE_M, TARTANAIR_RATE_HZ = 320.0, 0.25, 10
# Its poses have axes x forward, y right, z down; this maps optical axes (x right, y down, z forward) there.
NED_FROM_OPTICAL = se3.make([[0, 0, 1], [1, 0, 0], [0, 1, 0]], [0, 0, 0])
# Published calibrations of the three TUM RGB-D cameras: fx fy cx cy, k1 k2 p1 p2 k3.
TUM_CAMERAS = {
    "freiburg1": (517.3, 516.5, 318.6, 255.3, 0.2624, -0.9531, -0.0054, 0.0026, 1.1633),
    "freiburg2": (520.9, 521.0, 325.1, 249.7, 0.2312, -0.7849, -0.0033, -0.0001, 0.9172),
    "freiburg3": (535.4, 539.2, 320.1, 247.6, 0.0, 0.0, 0.0, 0.0, 0.0),
}
EUROC_TRUTHS = ("state_groundtruth_estimate0", "mocap0", "vicon0")
KITTI_PAIRS = (("image_0", "image_1"), ("image_2", "image_3"))


def open_plain(path: Path, choice: Choice) -> FolderSource:
    """The layout that :mod:`~hybrid_features_ros.io.folders` describes, or TUM RGB-D's without calib.json.

    Without ``rgb.txt`` the folder's images are taken; the camera of a TUM sequence is told by its name
    (freiburg1 ...).
    """
    notes = Notes()
    calibration, is_tum = _plain_calibration(path, choice)
    images = choice.image or ("rgb.txt" if (path / "rgb.txt").exists() else ".")
    stamps, files = listed(path, images, "s", calibration.rate_hz, notes)
    depths = _depths(path, stamps, choice.depth or "depth.txt", choice.max_interval_ns, notes)
    if choice.depth and not depths:
        raise InputError(f"{path}: {notes.missing['depth']}")
    scale = calibration.depth_scale if choice.depth_scale is None else choice.depth_scale
    if scale is None and not is_tum and any(d is not None and d.suffix == ".png" for d in depths):
        notes.assumed["depth"] = (
            "16-bit depth is taken to have 5000 units per metre, as TUM's has; depth_scale in calib.json or "
            "--depth-scale says others (1000: millimetres)"
        )
    truth = path / "groundtruth.txt"
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
            imu=read_imu(_there(path, choice.imu, "imu.csv"), calibration.T_camera_imu, notes),
            depth_scale=None if scale is None else checked_scale(scale, "--depth-scale"),
            notes=notes,
        )
    )
    return _with_plain_right(path, left, calibration, choice)


def open_euroc(path: Path, choice: Choice) -> FolderSource:
    """A folder as EuRoC or TUM-VI publish it, or its ``mav0``; truth of the body is moved to the camera."""
    _has_no(choice, path, "EuRoC", "depth", "right")
    notes = Notes()
    notes.missing["right"] = "the pairs of EuRoC and TUM-VI are not rectified"
    notes.missing["depth"] = "EuRoC and TUM-VI have none"
    root = path / "mav0" if (path / "mav0").is_dir() else path
    unit = root / "imu0" / "sensor.yaml"
    told = read_mounting(unit) if unit.is_file() else None
    T_body_imu = np.eye(4) if told is None else told
    camera = root / (choice.image or "cam0")
    calibration = _euroc_calibration(path, camera, choice)
    T_body_camera = calibration.T_body_camera
    if T_body_camera is None and calibration.T_camera_imu is not None:
        T_body_camera = T_body_imu @ se3.inverse(calibration.T_camera_imu)
    if T_body_camera is None:
        notes.assumed["camera"] = (
            "truth and inertial unit are taken to be in the camera's axes: T_BS is missing"
        )
        T_body_camera = np.eye(4)
    rows = "data.csv" if (camera / "data.csv").exists() else "data"
    stamps, files = listed(camera, rows, "ns", calibration.rate_hz, notes, folder="data")
    return checked(
        FolderSource(
            name=path.name,
            camera=calibration.info.camera(choice.rectified is True),
            stamps=stamps,
            images=files,
            ground_truth=_euroc_truth(root, T_body_camera, notes),
            imu=read_imu(
                _there(root, choice.imu and f"{choice.imu}/data.csv", "imu0/data.csv"),
                se3.inverse(T_body_camera) @ T_body_imu,
                notes,
            ),
            notes=notes,
        )
    )


def open_kitti(path: Path, choice: Choice) -> FolderSource:
    """A numbered folder of the KITTI odometry benchmark, grey or colour.

    The truth is ``poses/NN.txt`` two folders up; it is that of camera 0 and is moved to the one that is read.
    """
    _has_no(choice, path, "KITTI odometry", "depth", "imu")
    notes = Notes()
    notes.missing.update(dict.fromkeys(("depth", "imu"), "KITTI odometry has none"))
    pair = next(((a, b) for a, b in KITTI_PAIRS if (path / a).is_dir()), KITTI_PAIRS[0])
    pair = choice.image or pair[0], choice.right or dict(KITTI_PAIRS).get(choice.image or pair[0], "")
    left, right = _kitti_camera(path, pair[0], choice, notes), None
    P = _kitti_projection(path, pair[0])
    T_camera0_camera = se3.make(np.eye(3), -np.linalg.solve(P[:, :3], P[:, 3]))
    baseline = 0.0
    if pair[1] and (path / pair[1]).is_dir():
        right = paired(left, _kitti_camera(path, pair[1], choice, notes), choice.max_interval_ns)
        baseline = float((P[0, 3] - _kitti_projection(path, pair[1])[0, 3]) / P[0, 0])
    truth_file = path.parent.parent / "poses" / f"{path.name}.txt"
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
    _has_no(choice, path, "TartanAir", "image", "right", "imu")
    notes = Notes()
    notes.assumed["stamps"] = f"{TARTANAIR_RATE_HZ} images per second: TartanAir has no stamps"
    left = _tartanair_camera(path, "left", choice, notes)
    right = _tartanair_camera(path, "right", choice, notes) if (path / "image_right").is_dir() else None
    folder = path / (choice.depth or "depth_left")
    depths = [folder / f"{image.stem}_depth.npy" for image in left.images]
    truth = path / "pose_left.txt"
    poses = None
    if truth.exists():
        with reading(truth, "expected tx ty tz qx qy qz qw"):
            rows = np.array([[float(v) for v in r[:7]] for r in read_rows(truth, 7, "tx ty tz qx qy qz qw")])
        if len(rows) < len(left):
            raise InputError(f"{truth}: {len(rows)} poses for {len(left)} images")
        ned = poses_of(truth, left.stamps, rows[: len(left)], notes)
        poses = Trajectory(ned.stamps, ned.poses @ NED_FROM_OPTICAL)
    return checked(
        FolderSource(
            name="_".join(["tartanair", *path.parts[-3:]]),
            camera=left.camera,
            stamps=left.stamps,
            images=left.images,
            depths=[d if d.exists() else None for d in depths],
            ground_truth=poses,
            right=right,
            baseline=TARTANAIR_BASELINE_M if right else 0.0,
            depth_scale=choice.depth_scale,
            notes=notes,
        )
    )


def _plain_calibration(path: Path, choice: Choice) -> tuple[Calibration, bool]:
    """Calibration of a plain folder, and whether it is one of TUM's."""
    key = next((k for k in TUM_CAMERAS if k in path.name), None)
    if choice.calib is not None or (path / "calib.json").exists():
        return read_calibration(choice.calib or path / "calib.json"), False
    if key is None:
        raise InputError(
            f"{path}: which TUM camera? Keep freiburg1, 2 or 3 in the name, or add a calib.json or --calib"
        )
    fx, fy, cx, cy, *distortion = TUM_CAMERAS[key]
    info = CameraInfo(640, 480, "plumb_bob", distortion, [fx, 0, cx, 0, fy, cy, 0, 0, 1])
    return Calibration(info), True


def _with_plain_right(
    path: Path, left: FolderSource, calibration: Calibration, choice: Choice
) -> FolderSource:
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
    calib = None if (folder / "calib.json").exists() else choice.calib
    right = open_plain(folder, Choice(calib=calib, rectified=choice.rectified))
    right = replace(paired(left, right, choice.max_interval_ns), notes=left.notes)
    return replace(left, right=right, baseline=calibration.baseline_m)


def _euroc_calibration(path: Path, camera: Path, choice: Choice) -> Calibration:
    """Of ``sensor.yaml`` beside the images; TUM-VI has Kalibr's chain in ``dso``."""
    chain = path / "dso" / "camchain.yaml"
    if choice.calib is not None:
        return read_calibration(choice.calib, camera.name)
    if not (camera / "sensor.yaml").exists() and chain.exists():
        return read_calibration(chain, camera.name)
    if not (camera / "sensor.yaml").exists():
        raise InputError(f"{camera / 'sensor.yaml'}: no such file; give the calibration with --calib FILE")
    return read_calibration(camera / "sensor.yaml")


def _euroc_truth(root: Path, T_body_camera: Float64, notes: Notes) -> Trajectory | None:
    """Poses of the camera; the columns are ``t px py pz qw qx qy qz``."""
    path = next((p for name in EUROC_TRUTHS if (p := root / name / "data.csv").exists()), None)
    if path is None:
        notes.missing["truth"] = f"there is no {root}/" + " or ".join(f"{n}/data.csv" for n in EUROC_TRUTHS)
        return None
    stamps, values = read_table(path, 8, "t px py pz qw qx qy qz", "ns")
    bodies = poses_of(path, stamps, values[:, [0, 1, 2, 4, 5, 6, 3]], notes)
    return Trajectory(bodies.stamps, bodies.poses @ T_body_camera)


def _kitti_camera(path: Path, name: str, choice: Choice, notes: Notes) -> FolderSource:
    """One camera; images are numbered from 0 as the lines of times.txt are."""
    images = sorted((p for q in PATTERNS for p in (path / name).glob(q)), key=lambda p: natural(p.name))
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
        camera = read_calibration(choice.calib).info.camera(choice.rectified is True)
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


def _tartanair_camera(path: Path, side: str, choice: Choice, notes: Notes) -> FolderSource:
    images = sorted((path / f"image_{side}").glob(f"*_{side}.png"))
    if not images:
        raise InputError(f"{path / f'image_{side}'}: no images named 000000_{side}.png in it")
    height, width = read_pixels(images[0]).shape[:2]
    camera = Camera(width, height, TARTANAIR_FOCAL, TARTANAIR_FOCAL, width / 2, height / 2)
    if choice.calib is not None:
        camera = read_calibration(choice.calib).info.camera(choice.rectified is True)
    stamps = np.arange(len(images), dtype=np.int64) * (1_000_000_000 // TARTANAIR_RATE_HZ)
    return FolderSource(f"image_{side}", camera, stamps, images, notes=notes)


def _there(path: Path, named: str, usual: str) -> Path:
    """A file that was asked for, which must be there, or the usual one, which may be missing."""
    if named and not (path / named).is_file():
        raise InputError(f"{path / named}: no such file (--imu)")
    return path / (named or usual)


def _has_no(choice: Choice, path: Path, layout: str, *names: str) -> None:
    """Refuse what was asked for and the layout does not have."""
    for name in names:
        if getattr(choice, name):
            raise InputError(
                f"{path}: --{name} {getattr(choice, name)}: a folder of {layout} has no choice of it"
            )
