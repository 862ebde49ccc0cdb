"""ROS bags without ROS: sequences become rosbag2, bags become sequences."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from hybrid_features_ros.core import se3
from hybrid_features_ros.core.camera import Camera, Distortion
from hybrid_features_ros.core.errors import InputError, extra
from hybrid_features_ros.core.types import Float32, Float64, Trajectory
from hybrid_features_ros.io.source import Frame, Imu, Source, is_bag

with extra("bags"):
    from rosbags.highlevel import AnyReader, AnyReaderError
    from rosbags.interfaces import Connection
    from rosbags.rosbag2 import StoragePlugin, Writer
    from rosbags.typesys import Stores, get_typestore

IMAGE, COMPRESSED, INFO = (f"sensor_msgs/msg/{n}" for n in ("Image", "CompressedImage", "CameraInfo"))
IMU, POSE, TF = "sensor_msgs/msg/Imu", "geometry_msgs/msg/PoseStamped", "tf2_msgs/msg/TFMessage"
OPTICAL_FRAME, RIGHT_FRAME, TRUTH_FRAME = "camera_optical_frame", "right_optical_frame", "ground_truth"
TRUTH_TOPIC = "/ground_truth/pose"
DEPTH_INTERVAL_NS = 20_000_000
_STORE = get_typestore(Stores.ROS2_JAZZY)
_CHANNELS = {"mono8": 1, "8UC1": 1, "bgr8": 3, "8UC3": 3, "rgb8": 3, "bgra8": 4, "rgba8": 4}


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


def read_messages(path: Path) -> Iterator[BagMessage]:
    """All messages in the order of their reception, as ROS 2 CDR.

    ROS 1 messages are converted; those of types that ROS 2 does not have are left out.
    """
    with _reader(path) as reader:
        known = [c for c in reader.connections if reader.is2 or c.msgtype in _STORE.types]
        for connection, stamp, raw in reader.messages(connections=known):
            cdr = raw if reader.is2 else _STORE.ros1_to_cdr(raw, connection.msgtype)
            yield BagMessage(connection.topic, stamp, bytes(cdr))


@dataclass(frozen=True, eq=False)
class BagSource:
    """A :class:`~hybrid_features_ros.io.source.Source` read from a bag, one message at a time."""

    path: Path
    topic: str
    depth_topic: str
    camera: Camera
    stamps: NDArray[np.int64]
    right: Source | None = None
    baseline: float = 0.0

    @property
    def name(self) -> str:
        """Of the file."""
        return self.path.stem

    def __len__(self) -> int:
        return len(self.stamps)

    def __iter__(self) -> Iterator[Frame]:
        wanted = [t for t in (self.topic, self.depth_topic) if t]
        stamps = set(self.stamps.tolist())
        image: Frame | None = None
        depth: tuple[int, Float32] | None = None
        for topic, msg in _messages(self.path, wanted):
            stamp = _stamp(msg)
            if topic == self.depth_topic:
                depth = stamp, _depth_of(msg)
                if image is not None and abs(stamp - image.stamp) <= DEPTH_INTERVAL_NS:
                    image = Frame(image.stamp, image.image, depth[1])
                continue
            if stamp not in stamps:
                continue
            if image is not None:
                yield image
            near = depth is not None and abs(depth[0] - stamp) <= DEPTH_INTERVAL_NS
            image = Frame(stamp, _image_of(msg), depth[1] if depth is not None and near else None)
        if image is not None:
            yield image

    @cached_property
    def ground_truth(self) -> Trajectory | None:
        """Poses on ``/ground_truth/pose``, as :func:`make_bag` writes them."""
        poses = {}
        for _, msg in _messages(self.path, [TRUTH_TOPIC]):
            p, q = msg.pose.position, msg.pose.orientation
            poses[_stamp(msg)] = se3.from_quaternion([q.x, q.y, q.z, q.w], [p.x, p.y, p.z])
        if not poses:
            return None
        stamps = sorted(poses)
        return Trajectory(np.array(stamps, dtype=np.int64), np.array([poses[s] for s in stamps]))

    @cached_property
    def imu(self) -> Imu | None:
        """The first topic of type sensor_msgs/Imu."""
        names = [name for name, kind in topics(self.path).items() if kind == IMU]
        rows = [
            (_stamp(m), *_xyz(m.angular_velocity), *_xyz(m.linear_acceleration))
            for _, m in _messages(self.path, names[:1])
        ]
        if not rows:
            return None
        values = np.array([r[1:] for r in rows])
        return Imu(np.array([r[0] for r in rows], dtype=np.int64), values[:, :3], values[:, 3:])


def open_bag(path: Path, topic: str = "") -> BagSource:
    """The images of a bag with the calibration that lies beside them.

    Args:
        path: of the bag.
        topic: of the images; default: the first that is no depth image.

    Raises:
        InputError: the bag cannot be read, has no such images, or no camera_info beside them.
    """
    kinds = topics(path)
    images = [n for n, k in kinds.items() if k in (IMAGE, COMPRESSED) and "depth" not in n.lower()]
    if not images or (topic and topic not in images):
        wanted = f"image topic {topic}" if topic else "image topic"
        raise InputError(f"{path}: no {wanted}; the bag has {', '.join(kinds) or 'no topics'}")
    chosen = topic or images[0]
    depth = next((n for n, k in kinds.items() if k == IMAGE and "depth" in n.lower()), "")
    stamps = np.unique(np.array([_stamp(m) for _, m in _messages(path, [chosen])], dtype=np.int64))
    if not len(stamps):
        raise InputError(f"{path}: topic {chosen} holds no messages; the bag has {', '.join(kinds)}")
    return BagSource(path, chosen, depth, _camera_of(path, chosen, kinds), stamps)


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
        InputError: something is at ``out`` already.
    """
    if out.exists():
        raise InputError(f"{out}: exists; delete it or choose another name")
    out.parent.mkdir(parents=True, exist_ok=True)
    plugin = {"sqlite3": StoragePlugin.SQLITE3, "mcap": StoragePlugin.MCAP}[storage]
    with Writer(out, version=9, storage_plugin=plugin) as writer:
        bag = _Bag(writer)
        for frame in tqdm(source, total=len(source), unit="frame", desc=out.name, disable=None):
            bag.write_image("/camera", OPTICAL_FRAME, source.camera, frame, 0.0, compressed)
            if frame.depth is not None:
                bag.write_depth(frame.stamp, frame.depth)
        if source.right is not None:
            for frame in source.right:
                bag.write_image(
                    "/right", RIGHT_FRAME, source.right.camera, frame, source.baseline, compressed
                )
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
                header=_header(stamp, "imu"),
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
        if topic not in self._connections:
            self._connections[topic] = self._writer.add_connection(topic, kind, typestore=_STORE)
        self._writer.write(self._connections[topic], stamp, _STORE.serialize_cdr(message, kind))


@contextmanager
def _reader(path: Path) -> Iterator[AnyReader]:
    """An open reader of a bag."""
    if not path.exists():
        raise InputError(f"{path}: no such file or folder")
    if not is_bag(path):
        raise InputError(f"{path}: not a bag (.bag, .mcap, .db3, or a rosbag2 folder with metadata.yaml)")
    try:
        reader = AnyReader([path], default_typestore=_STORE)
        reader.open()
    except AnyReaderError as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{path}: not a bag that can be read: {reason}") from None
    try:
        yield reader
    finally:
        reader.close()


def _messages(path: Path, names: list[str]) -> Iterator[tuple[str, Any]]:
    """Decoded messages of some topics in the order of their reception."""
    with _reader(path) as reader:
        connections = [c for c in reader.connections if c.topic in names]
        if not connections:
            return
        for connection, _, raw in reader.messages(connections=connections):
            yield connection.topic, reader.deserialize(raw, connection.msgtype)


def _camera_of(path: Path, image_topic: str, kinds: dict[str, str]) -> Camera:
    """The first calibration of the camera_info beside an image topic, or of the bag's only one."""
    infos = [name for name, kind in kinds.items() if kind == INFO]
    base = image_topic.removesuffix("/compressed").rpartition("/")[0]
    topic = f"{base}/camera_info"
    if topic not in infos:
        if len(infos) != 1:
            raise InputError(
                f"{path}: no {topic} for the images on {image_topic}; the bag has "
                f"{', '.join(infos) or 'no camera_info at all'}"
            )
        topic = infos[0]
    for _, msg in _messages(path, [topic]):
        K = msg.k if hasattr(msg, "k") else msg.K
        D = msg.d if hasattr(msg, "d") else msg.D
        return Camera.from_calibration(msg.width, msg.height, K.tolist(), msg.distortion_model, D.tolist())
    raise InputError(f"{path}: topic {topic} holds no messages, so the camera is not calibrated")


def _image_of(msg: Any) -> NDArray[Any]:
    if hasattr(msg, "format"):
        image = cv2.imdecode(msg.data, cv2.IMREAD_UNCHANGED)
        if image is None:
            raise InputError(f"compressed image ({msg.format!r}, {len(msg.data)} bytes) cannot be decoded")
        return np.asarray(image if image.ndim == 2 else image[..., :3])
    channels = _CHANNELS.get(msg.encoding)
    if channels is None:
        raise InputError(f"image encoding {msg.encoding!r} is not read offline; use {', '.join(_CHANNELS)}")
    rows = msg.data.reshape(msg.height, msg.step)[:, : msg.width * channels]
    image = rows.reshape(msg.height, msg.width, channels)
    if channels == 1:
        return np.asarray(image[..., 0])
    return np.asarray(image[..., 2::-1] if msg.encoding.startswith("rgb") else image[..., :3])


def _depth_of(msg: Any) -> Float32:
    if msg.encoding not in ("16UC1", "mono16", "32FC1"):
        raise InputError(f"depth image has encoding {msg.encoding!r}; record 16UC1 [mm] or 32FC1 [m]")
    kind = np.dtype(np.float32 if msg.encoding == "32FC1" else np.uint16)
    order = kind.newbyteorder(">" if msg.is_bigendian else "<")
    rows = np.ascontiguousarray(msg.data.reshape(msg.height, msg.step)[:, : msg.width * kind.itemsize])
    depth = rows.view(order).astype(np.float32) / np.float32(1.0 if kind.kind == "f" else 1e3)
    depth[depth == 0] = np.nan
    return np.asarray(depth)


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


def _xyz(vector: Any) -> tuple[float, float, float]:
    return vector.x, vector.y, vector.z


def _stamp(msg: Any) -> int:
    return int(msg.header.stamp.sec) * 1_000_000_000 + int(msg.header.stamp.nanosec)


def _new(kind: str, **values: Any) -> Any:
    return _STORE.types[kind](**values)
