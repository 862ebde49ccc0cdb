# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Bags with any topics: messages of sensor_msgs in a few words, written by rosbags."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import sequences
from rosbags.rosbag2 import Writer
from rosbags.typesys import get_types_from_msg

from hybrid_features_ros.io.bag_reader import COMPRESSED, IMAGE, IMU, INFO, POSE, STORE

FOXGLOVE = "foxglove_msgs/msg/CompressedImage"
Entry = tuple[str, str, int, Any]
"""Topic, type, stamp of reception [ns], message."""


def new(kind: str, **fields: Any) -> Any:
    return STORE.types[kind](**fields)


def time(stamp: int) -> Any:
    return new("builtin_interfaces/msg/Time", sec=int(stamp // 10**9), nanosec=int(stamp % 10**9))


def header(stamp: int, frame: str) -> Any:
    return new("std_msgs/msg/Header", stamp=time(stamp), frame_id=frame)


def image(topic: str, stamp: int, pixels: np.ndarray, encoding: str = "mono8", frame: str = "cam") -> Entry:
    data = np.ascontiguousarray(pixels)
    message = new(
        IMAGE, header=header(stamp, frame), height=pixels.shape[0], width=pixels.shape[1], encoding=encoding,
        is_bigendian=0, step=data.strides[0], data=data.reshape(-1).view(np.uint8),
    )  # fmt: skip
    return topic, IMAGE, stamp, message


def compressed(topic: str, stamp: int, pixels: np.ndarray, form: str, before: bytes = b"") -> Entry:
    data = np.frombuffer(before + cv2.imencode(".png", pixels)[1].tobytes(), np.uint8)
    return topic, COMPRESSED, stamp, new(COMPRESSED, header=header(stamp, "cam"), format=form, data=data)


def info(
    topic: str, stamp: int, *, size: tuple[int, int] = (sequences.WIDTH, sequences.HEIGHT),
    K: Any = sequences.K, D: Iterable[float] = (0.0,) * 5, P: Any = None, offset: float = 0.0,
    model: str = "plumb_bob", frame: str = "cam", binning: int = 0,
    roi: tuple[int, int, int, int] = (0, 0, 0, 0),
) -> Entry:  # fmt: skip
    """A camera_info; ``offset`` is P[3]."""
    projection = np.zeros((3, 4))
    projection[:, :3] = K if P is None else P
    projection[0, 3] = offset
    x, y, width, height = roi
    region = new(
        "sensor_msgs/msg/RegionOfInterest",
        x_offset=x,
        y_offset=y,
        width=width,
        height=height,
        do_rectify=False,
    )
    message = new(
        INFO, header=header(stamp, frame), width=size[0], height=size[1], distortion_model=model,
        d=np.array(list(D), float), k=np.ravel(K).astype(float), r=np.eye(3).ravel(), p=projection.ravel(),
        binning_x=binning, binning_y=binning, roi=region,
    )  # fmt: skip
    return topic, INFO, stamp, message


def imu(topic: str, stamp: int, gyro: Iterable[float], frame: str = "imu") -> Entry:
    def vector(values: Iterable[float]) -> Any:
        x, y, z = map(float, values)
        return new("geometry_msgs/msg/Vector3", x=x, y=y, z=z)

    message = new(
        IMU, header=header(stamp, frame),
        orientation=new("geometry_msgs/msg/Quaternion", x=0.0, y=0.0, z=0.0, w=1.0),
        orientation_covariance=np.zeros(9), angular_velocity=vector(gyro),
        angular_velocity_covariance=np.zeros(9), linear_acceleration=vector((0, 0, 9.8)),
        linear_acceleration_covariance=np.zeros(9),
    )  # fmt: skip
    return topic, IMU, stamp, message


def pose(stamp: int, position: Iterable[float], xyzw: Iterable[float]) -> Entry:
    x, y, z = map(float, position)
    qx, qy, qz, qw = map(float, xyzw)
    placed = new(
        "geometry_msgs/msg/Pose", position=new("geometry_msgs/msg/Point", x=x, y=y, z=z),
        orientation=new("geometry_msgs/msg/Quaternion", x=qx, y=qy, z=qz, w=qw),
    )  # fmt: skip
    return "/ground_truth/pose", POSE, stamp, new(POSE, header=header(stamp, "world"), pose=placed)


def static(parent: str, child: str, T: np.ndarray) -> Entry:
    from hybrid_features_ros.core import se3

    x, y, z, w = se3.to_quaternion(T).tolist()
    transform = new(
        "geometry_msgs/msg/Transform",
        translation=new("geometry_msgs/msg/Vector3", **dict(zip("xyz", T[:3, 3].tolist(), strict=True))),
        rotation=new("geometry_msgs/msg/Quaternion", x=x, y=y, z=z, w=w),
    )
    stamped = new(
        "geometry_msgs/msg/TransformStamped",
        header=header(0, parent),
        child_frame_id=child,
        transform=transform,
    )
    kind = "tf2_msgs/msg/TFMessage"
    return "/tf_static", kind, sequences.BEGIN, new(kind, transforms=[stamped])


def write(path: Path, entries: Iterable[Entry]) -> Path:
    """A rosbag2 folder; messages keep the order that they are given in."""
    with Writer(path, version=9) as writer:
        connections: dict[str, Any] = {}
        for topic, kind, stamp, message in entries:
            if topic not in connections:
                connections[topic] = writer.add_connection(topic, kind, typestore=STORE)
            writer.write(connections[topic], stamp, STORE.serialize_cdr(message, kind))
    return path


def write_foreign(path: Path, kind: str, definition: str, topic: str, fields: list[dict[str, Any]]) -> Path:
    """A bag of one topic whose type ROS does not ship."""
    from rosbags.typesys import Stores, get_typestore

    store = get_typestore(Stores.ROS2_JAZZY)
    store.register(get_types_from_msg(definition, kind))
    with Writer(path, version=9) as writer:
        connection = writer.add_connection(topic, kind, typestore=store)
        calibration = writer.add_connection("/lens/camera_info", INFO, typestore=store)
        for i, values in enumerate(fields):
            stamp = int(sequences.stamps()[0]) + i * sequences.STEP
            writer.write(calibration, stamp, STORE.serialize_cdr(info("", stamp)[3], INFO))
            writer.write(connection, stamp, store.serialize_cdr(store.types[kind](**values), kind))
    return path


def camera(name: str, count: int = 3, encoding: str = "mono8", **calibration: Any) -> list[Entry]:
    """Images on NAME/image and their camera_info."""
    frame = calibration.pop("frame", "cam")
    entries = []
    for i, stamp in enumerate(sequences.stamps(count).tolist()):
        pixels = sequences.image(i, colour=encoding.startswith("bgr"))
        if encoding in ("mono16", "16UC1"):
            pixels = pixels.astype(np.uint16) * np.uint16(16)
        entries += [info(f"{name}/camera_info", stamp, frame=frame, **calibration),
                    image(f"{name}/image", stamp, pixels, encoding, frame)]  # fmt: skip
    return entries
