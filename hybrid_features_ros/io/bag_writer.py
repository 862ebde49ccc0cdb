# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Sequences become rosbag2, without ROS."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from hybrid_features_ros.core import se3
from hybrid_features_ros.core.camera import Camera, Distortion
from hybrid_features_ros.core.errors import InputError, extra, reading
from hybrid_features_ros.core.types import Float32, Float64, Trajectory
from hybrid_features_ros.io.bag_reader import COMPRESSED, IMAGE, IMU, INFO, POSE, STORE, TF, TRUTH_TOPIC
from hybrid_features_ros.io.source import Frame, Imu, Source

with extra("bags"):
    from rosbags.interfaces import Connection
    from rosbags.rosbag2 import StoragePlugin, Writer

OPTICAL_FRAME, RIGHT_FRAME, TRUTH_FRAME = "camera_optical_frame", "right_optical_frame", "ground_truth"


def make_bag(
    source: Source,
    out: Path,
    *,
    compressed: bool = False,
    storage: Literal["sqlite3", "mcap"] = "sqlite3",
) -> None:
    """Write a sequence as a rosbag2 that ``ros2 bag play`` replays.

    Topics: ``/camera/image_raw`` (or ``/camera/image_raw/compressed``, PNG), ``/camera/camera_info``;
    where known ``/camera/depth/image_raw`` (16UC1, millimetres), ``/right/...``, ``/imu``, and the truth
    as ``/ground_truth/pose`` and ``/tf``. Messages are received at their stamps.

    Raises:
        InputError: something is at ``out`` already, or it cannot be written.
    """
    if out.exists():
        raise InputError(f"{out}: exists; delete it or choose another name")
    plugin = {"sqlite3": StoragePlugin.SQLITE3, "mcap": StoragePlugin.MCAP}[storage]
    with reading(f"{out}: cannot write"):
        out.parent.mkdir(parents=True, exist_ok=True)
        # Version 9 has the quality of service as a list, which Humble does not read.
        writer = Writer(out, version=8, storage_plugin=plugin)
        writer.open()
    try:
        _fill(_Bag(writer), source, out.name, compressed)
    finally:
        with reading(f"{out}: cannot write"):
            writer.close()


def _fill(bag: _Bag, source: Source, name: str, compressed: bool) -> None:
    """Write everything that a source has."""
    count = 0
    for frame in tqdm(source, total=len(source), unit="frame", desc=name, disable=None):
        count += 1
        bag.write_image("/camera", OPTICAL_FRAME, source.camera, frame, 0.0, compressed)
        if frame.depth is not None:
            bag.write_depth(frame.stamp, frame.depth)
    if not count:
        reason = next(iter(source.notes.skipped.values()), "it has none")
        raise InputError(f"{source.name}: no image could be read: {reason}")
    if source.right is not None:
        for frame in source.right:
            bag.write_image("/right", RIGHT_FRAME, source.right.camera, frame, source.baseline, compressed)
    if source.imu is not None:
        bag.write_imu(source.imu)
    if source.ground_truth is not None:
        bag.write_truth(source.ground_truth)


class _Bag:
    """Messages into a rosbag2 under their topics."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._connections: dict[str, Connection] = {}

    def write_image(
        self, prefix: str, frame_id: str, camera: Camera, frame: Frame, baseline: float, compressed: bool
    ) -> None:
        header, image = _header(frame.stamp, frame_id), frame.image
        self._write(f"{prefix}/camera_info", INFO, frame.stamp, _camera_info(header, camera, baseline))
        if compressed:
            data = cv2.imencode(".png", image)[1].ravel()
            message = _new(COMPRESSED, header=header, format="png", data=data)
            self._write(f"{prefix}/image_raw/compressed", COMPRESSED, frame.stamp, message)
        else:
            message = _image(header, image, "mono8" if image.ndim == 2 else "bgr8")
            self._write(f"{prefix}/image_raw", IMAGE, frame.stamp, message)

    def write_depth(self, stamp: int, depth: Float32) -> None:
        millimetres = np.nan_to_num(np.rint(depth * 1e3), posinf=0, neginf=0).clip(0, 65535).astype(np.uint16)
        message = _image(_header(stamp, OPTICAL_FRAME), millimetres, "16UC1")
        self._write("/camera/depth/image_raw", IMAGE, stamp, message)

    def write_imu(self, imu: Imu) -> None:
        unknown = np.array([-1.0, *[0.0] * 8])
        identity = _new("geometry_msgs/msg/Quaternion", x=0.0, y=0.0, z=0.0, w=1.0)
        for stamp, gyro, accel in zip(imu.stamps.tolist(), imu.gyro, imu.accel, strict=True):
            message = _new(
                IMU,
                header=_header(stamp, OPTICAL_FRAME),  # a source's are in the camera's axes
                orientation=identity,
                orientation_covariance=unknown,
                angular_velocity=_vector(gyro),
                angular_velocity_covariance=np.zeros(9),
                linear_acceleration=_vector(accel),
                linear_acceleration_covariance=np.zeros(9),
            )
            self._write("/imu", IMU, stamp, message)

    def write_truth(self, truth: Trajectory) -> None:
        for stamp, T in zip(truth.stamps.tolist(), truth.poses, strict=True):
            header = _header(stamp, TRUTH_FRAME)
            x, y, z, w = se3.to_quaternion(T).tolist()
            rotation = _new("geometry_msgs/msg/Quaternion", x=x, y=y, z=z, w=w)
            position = _vector(T[:3, 3], "geometry_msgs/msg/Point")
            placed = _new("geometry_msgs/msg/Pose", position=position, orientation=rotation)
            self._write(TRUTH_TOPIC, POSE, stamp, _new(POSE, header=header, pose=placed))
            moved = _new("geometry_msgs/msg/Transform", translation=_vector(T[:3, 3]), rotation=rotation)
            transform = _new(
                "geometry_msgs/msg/TransformStamped",
                header=header,
                child_frame_id=f"{TRUTH_FRAME}_camera",
                transform=moved,
            )
            self._write("/tf", TF, stamp, _new(TF, transforms=[transform]))

    def _write(self, topic: str, kind: str, stamp: int, message: Any) -> None:
        with reading(f"{self._writer.path}: cannot write"):
            if topic not in self._connections:
                self._connections[topic] = self._writer.add_connection(topic, kind, typestore=STORE)
            self._writer.write(self._connections[topic], stamp, STORE.serialize_cdr(message, kind))


def _image(header: Any, image: NDArray[Any], encoding: str) -> Any:
    data = np.ascontiguousarray(image)
    return _new(
        IMAGE,
        header=header,
        height=image.shape[0],
        width=image.shape[1],
        encoding=encoding,
        is_bigendian=0,
        step=data.strides[0],
        data=data.reshape(-1).view(np.uint8),
    )


def _camera_info(header: Any, camera: Camera, baseline: float) -> Any:
    """``baseline`` [m] puts a right camera into its projection matrix, ``P[3] = -fx * baseline``."""
    distorted = camera.distortion is not Distortion.NONE
    P = np.zeros((3, 4))
    P[:, :3] = camera.K
    P[0, 3] = -camera.fx * baseline
    return _new(
        INFO,
        header=header,
        height=camera.height,
        width=camera.width,
        distortion_model=camera.distortion.value if distorted else "plumb_bob",
        d=np.array(camera.coefficients if distorted else [0.0] * 5),
        k=camera.K.ravel(),
        r=np.eye(3).ravel(),
        p=P.ravel(),
        binning_x=0,
        binning_y=0,
        roi=_new(
            "sensor_msgs/msg/RegionOfInterest", x_offset=0, y_offset=0, height=0, width=0, do_rectify=False
        ),
    )


def _header(stamp: int, frame_id: str) -> Any:
    time = _new("builtin_interfaces/msg/Time", sec=stamp // 1_000_000_000, nanosec=stamp % 1_000_000_000)
    return _new("std_msgs/msg/Header", stamp=time, frame_id=frame_id)


def _vector(values: Float64, kind: str = "geometry_msgs/msg/Vector3") -> Any:
    x, y, z = values.tolist()
    return _new(kind, x=x, y=y, z=z)


def _new(kind: str, **values: Any) -> Any:
    return STORE.types[kind](**values)
