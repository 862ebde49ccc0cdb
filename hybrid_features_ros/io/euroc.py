# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Folders as EuRoC and TUM-VI publish them: cameras and an inertial unit on a body whose path is known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from hybrid_features_ros.core import se3
from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.core.types import Float64, Trajectory
from hybrid_features_ros.io.calibration import Calibration, read_calibration, read_mounting
from hybrid_features_ros.io.folders import (
    FolderSource,
    checked,
    has_no,
    listed,
    paired,
    read_imu,
    there,
)
from hybrid_features_ros.io.rectified import RectifiedSource, rectify
from hybrid_features_ros.io.source import Choice, Notes
from hybrid_features_ros.io.text import read_table
from hybrid_features_ros.io.trajectory import poses_of

EUROC_TRUTHS = ("state_groundtruth_estimate0", "mocap0", "vicon0")


def open_euroc(path: Path, choice: Choice) -> FolderSource | RectifiedSource:
    """A recording, or its ``mav0``; truth of the body is moved to the camera.

    As a pair, which is asked for by ``choice.stereo`` or a name of the right camera, it is rectified.
    """
    has_no(choice, path, "EuRoC", "depth")
    notes = Notes()
    notes.missing["depth"] = "EuRoC and TUM-VI have none"
    root = path / "mav0" if (path / "mav0").is_dir() else path
    unit = root / "imu0" / "sensor.yaml"
    told = read_mounting(unit) if unit.is_file() else None
    T_body_imu = np.eye(4) if told is None else told
    images, T_body_camera = _camera(path, root, choice.image or "cam0", T_body_imu, choice, notes)
    mounting = np.eye(4) if T_body_camera is None else T_body_camera
    if T_body_camera is None:
        notes.assumed["camera"] = (
            "truth and inertial unit are taken to be in the camera's axes: T_BS is missing"
        )
    imu = there(root, choice.imu and f"{choice.imu}/data.csv", "imu0/data.csv", "--imu")
    left = replace(
        images,
        ground_truth=_truth(root, choice.truth, mounting, notes),
        imu=read_imu(imu, se3.inverse(mounting) @ T_body_imu, notes),
    )
    if not (choice.stereo or choice.right):
        notes.missing["right"] = "the pair is to be rectified: ask for it when it is opened (--mode stereo)"
        return left
    name = choice.right or "cam1"
    if not choice.right and not (root / name).is_dir():
        notes.missing["right"] = f"there is no {root / name}"
        return left
    right, T_body_right = _camera(path, root, name, T_body_imu, choice, notes)
    if T_body_camera is None or T_body_right is None:
        raise InputError(f"{path}: T_BS of {choice.image or 'cam0'} and {name} is needed to rectify the pair")
    right = paired(left, right, choice.max_interval_ns)
    return rectify(left, right, se3.inverse(T_body_camera) @ T_body_right)


def _camera(
    path: Path, root: Path, name: str, T_body_imu: Float64, choice: Choice, notes: Notes
) -> tuple[FolderSource, Float64 | None]:
    """Images of a camera, and how it is mounted on the body if that is told."""
    calibration = _calibration(path, root / name, choice, notes)
    T_body_camera = calibration.T_body_camera
    if T_body_camera is None and calibration.T_camera_imu is not None:
        T_body_camera = T_body_imu @ se3.inverse(calibration.T_camera_imu)
    rows = "data.csv" if (root / name / "data.csv").exists() else "data"
    stamps, files = listed(root / name, rows, "ns", calibration.rate_hz, notes, folder="data")
    camera = calibration.info.camera(choice.rectified is True)
    return checked(FolderSource(path.name, camera, stamps, files, notes=notes)), T_body_camera


def _calibration(path: Path, camera: Path, choice: Choice, notes: Notes) -> Calibration:
    """Of ``sensor.yaml`` beside the images; TUM-VI has Kalibr's chain in ``dso``."""
    chain = path / "dso" / "camchain.yaml"
    if choice.calib is not None:
        return read_calibration(choice.calib, camera.name, notes)
    if not (camera / "sensor.yaml").exists() and chain.exists():
        return read_calibration(chain, camera.name, notes)
    if not (camera / "sensor.yaml").exists():
        raise InputError(f"{camera / 'sensor.yaml'}: no such file; give the calibration with --calib FILE")
    return read_calibration(camera / "sensor.yaml")


def _truth(root: Path, named: str, T_body_camera: Float64, notes: Notes) -> Trajectory | None:
    """Poses of the camera; the columns are ``t px py pz qw qx qy qz``."""
    names = (named,) if named else EUROC_TRUTHS
    path = next((p for name in names if (p := root / name / "data.csv").exists()), None)
    if path is None and named:
        raise InputError(f"{root / named}/data.csv: no such file (--truth)")
    if path is None:
        notes.missing["truth"] = f"there is no {root}/" + " or ".join(f"{n}/data.csv" for n in EUROC_TRUTHS)
        return None
    stamps, values = read_table(path, 8, "t px py pz qw qx qy qz", "ns")
    bodies = poses_of(path, stamps, values[:, [0, 1, 2, 4, 5, 6, 3]], notes)
    return Trajectory(bodies.stamps, bodies.poses @ T_body_camera)
