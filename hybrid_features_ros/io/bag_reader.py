# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Bags without ROS: their topics and messages, of ROS 1, ROS 2 and Foxglove types."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hybrid_features_ros.core.errors import InputError, extra, reading
from hybrid_features_ros.io.source import is_bag

with extra("bags"):
    from rosbags.highlevel import AnyReader
    from rosbags.typesys import Stores, get_typestore

IMAGE, COMPRESSED, INFO = (f"sensor_msgs/msg/{n}" for n in ("Image", "CompressedImage", "CameraInfo"))
IMU, POSE, TF = "sensor_msgs/msg/Imu", "geometry_msgs/msg/PoseStamped", "tf2_msgs/msg/TFMessage"
IMAGES = (IMAGE, COMPRESSED, "foxglove_msgs/msg/CompressedImage", "foxglove_msgs/msg/RawImage")
INFOS = (INFO, "foxglove_msgs/msg/CameraCalibration")
TRUTH_TOPIC = "/ground_truth/pose"
STORE = get_typestore(Stores.ROS2_JAZZY)
_REPAIRS = {
    ".bag": "rosbag reindex {}",
    ".mcap": "mcap recover {} -o repaired.mcap",
    ".db3": "sqlite3 {} .recover | sqlite3 repaired.db3",
}


@dataclass(frozen=True)
class BagMessage:
    """One message as it lies in the bag: stamp of its reception [ns] and CDR bytes."""

    topic: str
    stamp: int
    data: bytes


def topics(path: Path) -> dict[str, str]:
    """Type of every topic, ROS 2 style (``package/msg/Name``), in the order of the names."""
    with _reader(path) as reader:
        return {name: str(info.msgtype) for name, info in sorted(reader.topics.items())}


def counts(path: Path) -> dict[str, int]:
    """Number of messages of every topic."""
    with _reader(path) as reader:
        return {name: int(info.msgcount) for name, info in reader.topics.items()}


def read_messages(path: Path) -> Iterator[BagMessage]:
    """All messages in the order of their reception, as ROS 2 CDR.

    ROS 1 messages are converted; those of types that ROS 2 does not have are left out.
    """
    with _reader(path) as reader:
        known = [c for c in reader.connections if reader.is2 or c.msgtype in STORE.types]
        for connection, stamp, raw in _raw(path, reader, known):
            cdr = raw if reader.is2 else STORE.ros1_to_cdr(raw, connection.msgtype)
            yield BagMessage(connection.topic, stamp, bytes(cdr))


def messages(path: Path, names: Sequence[str]) -> Iterator[tuple[str, Any]]:
    """Topic and decoded message of some topics in the order of their reception; None for broken bytes."""
    with _reader(path) as reader:
        connections = [c for c in reader.connections if c.topic in names]
        for connection, _, raw in _raw(path, reader, connections):
            try:
                with reading(connection.topic):
                    message = reader.deserialize(raw, connection.msgtype)
            except InputError:
                message = None
            yield connection.topic, message


def first_message(path: Path, topic: str, suits: Callable[[Any], bool] = lambda _: True) -> Any:
    """The first message of a topic that suits, else its first; None if it has none."""
    first = None
    for _, message in messages(path, [topic]):
        if message is not None:
            if suits(message):
                return message
            first = first or message
    return first


def stamp_of(message: Any) -> int:
    """Time of a message [ns], from its header; Foxglove's types have a stamp of their own."""
    stamp = message.header.stamp if hasattr(message, "header") else message.timestamp
    return int(stamp.sec) * 1_000_000_000 + int(stamp.nanosec)


def frame_of(message: Any) -> str:
    """Coordinate frame of a message."""
    return str(message.header.frame_id if hasattr(message, "header") else message.frame_id)


@contextmanager
def _reader(path: Path) -> Iterator[AnyReader]:
    """An open reader of a bag."""
    if not path.exists():
        raise InputError(f"{path}: no such file or folder")
    if not is_bag(path):
        raise InputError(f"{path}: not a bag (.bag, .mcap, .db3, or a rosbag2 folder with metadata.yaml)")
    if path.is_dir() and not (path / "metadata.yaml").exists():
        raise InputError(f"{path}: metadata.yaml is missing; {_repair(path)}")
    with reading(f"{path}: not a bag that can be read", _repair(path)):
        reader = AnyReader([path], default_typestore=STORE)
        reader.open()
    try:
        yield reader
    finally:
        reader.close()


def _raw(path: Path, reader: AnyReader, connections: Sequence[Any]) -> Iterator[tuple[Any, int, bytes]]:
    """Messages of some connections as they are stored."""
    if not connections:
        return
    stream = reader.messages(connections=connections)
    while True:
        with reading(f"{path}: breaks off", _repair(path)):
            item = next(stream, None)
        if item is None:
            return
        yield item


def _storage(path: Path) -> Iterator[Path]:
    """The storage files of a rosbag2 folder."""
    return (p for suffix in (".mcap", ".db3") for p in path.glob(f"*{suffix}"))


def _repair(path: Path) -> str:
    """The command that may mend a bag."""
    if path.is_dir():
        kind = "sqlite3" if any(p.suffix == ".db3" for p in _storage(path)) else "mcap"
        return f"try `ros2 bag reindex -s {kind} {path}`"
    return f"try `{_REPAIRS[path.suffix].format(path)}`"
