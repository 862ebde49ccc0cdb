# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Which topics of a bag are to be read: told by type, encoding, calibration and frame, or by hand."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.io.bag_reader import (
    IMAGES,
    IMU,
    INFOS,
    counts,
    first_message,
    frame_of,
    messages,
    stamp_of,
    topics,
)
from hybrid_features_ros.io.calibration import CameraInfo, is_named_rectified
from hybrid_features_ros.io.images import DEPTH_ENCODINGS, depth_of, image_of, original_encoding
from hybrid_features_ros.io.source import Choice, Notes

TRANSPORTS = r"/(compressed|compressedDepth|zstd|ffmpeg|theora)$"
GYRO_TRIES = 50  # messages of an inertial unit that are looked at for a turn


@dataclass(frozen=True)
class ImageTopic:
    """A topic of images, and what its first message says.

    Attributes:
        name, count: of the topic.
        encoding: of the pixels; of compressed ones that of the image before, if told.
        size: width and height [px]; (0, 0): the first message cannot be read.
        frame: coordinate frame.
        is_depth: whether it holds depths.
        info_topic: camera_info beside it; empty: none.
        info: what that says; None: nothing.
    """

    name: str
    count: int
    encoding: str
    size: tuple[int, int]
    frame: str
    is_depth: bool
    info_topic: str = ""
    info: CameraInfo | None = None

    @property
    def camera_name(self) -> str:
        """The topic without its transport: the same images have the same."""
        return re.sub(TRANSPORTS, "", self.name)

    @property
    def is_rectified(self) -> bool:
        """Whether the name says so, as image_proc and stereo_image_proc do."""
        return is_named_rectified(self.camera_name)

    @property
    def is_calibrated(self) -> bool:
        """Whether a camera_info beside it says a focal length."""
        return self.info is not None and self.info.is_calibrated

    @property
    def offset(self) -> float:
        """P[3]: 0 of a single or left camera, negative of a right one."""
        return float(self.info.p[3]) if self.info is not None and len(self.info.p) == 12 else 0.0


def image_topics(path: Path) -> list[ImageTopic]:
    """All topics of images that can be read, in the order of their names."""
    kinds, numbers = topics(path), counts(path)
    infos = {n: k for n, k in kinds.items() if k in INFOS}
    found = []
    for name, kind in kinds.items():
        message = first_message(path, name) if kind in IMAGES else None
        if message is not None:
            beside = re.sub(TRANSPORTS, "", name).rpartition("/")[0] + "/camera_info"
            info = read_info(path, beside) if beside in infos else None
            found.append(_image_topic(name, numbers[name], message, beside if info else "", info))
    return found


def read_info(path: Path, topic: str) -> CameraInfo | None:
    """The first calibration on a camera_info topic: drivers publish empty ones before they know it."""
    message = first_message(path, topic, lambda m: CameraInfo.of(m).is_calibrated)
    return None if message is None else CameraInfo.of(message)


def read_infos(path: Path, topic: str) -> Iterator[tuple[int, CameraInfo]]:
    """Stamp [ns] and contents of every calibration on a camera_info topic; the empty ones are none."""
    for _, message in messages(path, [topic]):
        if message is not None and (info := CameraInfo.of(message)).is_calibrated:
            yield stamp_of(message), info


def choose_image(path: Path, found: Sequence[ImageTopic], choice: Choice, notes: Notes) -> ImageTopic:
    """The images to be tracked: calibrated before others, of eight bits, of a left camera, most of them.

    Raises:
        InputError: the bag has no such topic.
    """
    if choice.image:
        return _named(path, found, choice.image, "--image")
    pictures = [t for t in found if not t.is_depth] or [t for t in found if "depth" not in t.name.lower()]
    if not pictures:
        raise InputError(f"{path}: no image topic; the bag has {_listing(path)}")
    most = max(t.count for t in pictures)

    def rank(t: ImageTopic) -> tuple[Any, ...]:
        wide = t.encoding.lower() in ("mono16", "16uc1", "16sc1", "32fc1")
        lone = choice.stereo and not any(_is_pair(t, other) for other in pictures)
        return (
            t.size == (0, 0), lone, not t.is_calibrated, wide, t.is_depth, t.offset < 0, 2 * t.count < most,
            "depth" in t.name.lower(), t.name != t.camera_name, t.name,
        )  # fmt: skip

    chosen = min(pictures, key=rank)
    others = [t for t in pictures if t.camera_name != chosen.camera_name]
    if others:
        notes.assumed["image"] = (
            f"images are those of {_said(chosen)}; the bag also has {', '.join(map(_said, others))}: "
            "choose with --image"
        )
    return chosen


def choose_depth(
    path: Path, found: Sequence[ImageTopic], image: ImageTopic, choice: Choice, notes: Notes
) -> str:
    """The depth that belongs to the images: of their size and frame, registered; empty: none.

    Raises:
        InputError: the bag has not the topic that was asked for.
    """
    if choice.depth:
        chosen = _named(path, found, choice.depth, "--depth")
        _doubt_frame(chosen, image, notes)
        return chosen.name
    depths = [t for t in found if t.is_depth and t.name != image.name]
    if not depths:
        notes.missing["depth"] = (
            f"no depth topic (16UC1, 32FC1 or compressedDepth); the bag has {_listing(path)}; --depth chooses"
        )
        return ""

    def rank(t: ImageTopic) -> tuple[Any, ...]:
        registered = re.search("align|regist", t.name) is not None
        return (
            t.size == (0, 0), t.size != image.size, t.frame != image.frame, not registered,
            -_common(t.name, image.name), t.name != t.camera_name, t.name,
        )  # fmt: skip

    chosen = min(depths, key=rank)
    others = [t for t in depths if t.camera_name != chosen.camera_name]
    if others:
        notes.assumed["depth"] = (
            f"depth is that of {_said(chosen)}; the bag also has {', '.join(map(_said, others))}: "
            "choose with --depth"
        )
    _doubt_frame(chosen, image, notes)
    return chosen.name


def _doubt_frame(depth: ImageTopic, image: ImageTopic, notes: Notes) -> None:
    if depth.frame != image.frame:
        notes.assumed["depth"] = "; ".join(
            [*filter(None, [notes.assumed.get("depth")]),
             f"depth on {depth.name} is taken for registered to {image.name}, but their frames are "
             f"{depth.frame!r} and {image.frame!r}"]
        )  # fmt: skip


def choose_right(
    path: Path, found: Sequence[ImageTopic], left: ImageTopic, choice: Choice, notes: Notes
) -> ImageTopic | None:
    """The right camera of a rectified pair: of the same size and focal length, with a baseline in its P.

    Raises:
        InputError: the bag has not the topic that was asked for.
    """
    if choice.right:
        return _named(path, found, choice.right, "--right")
    partners = [t for t in found if _is_pair(left, t)]
    if not partners:
        return None
    alike = [t for t in partners if (t.is_rectified, t.name == t.camera_name)
             == (left.is_rectified, left.name == left.camera_name)]  # fmt: skip
    chosen = max(alike or partners, key=lambda t: (_common(t.name, left.name), t.name))
    others = [t for t in partners if t.camera_name != chosen.camera_name]
    if others:
        notes.assumed["right"] = (
            f"right images are those of {_said(chosen)}; the bag also has {', '.join(map(_said, others))}: "
            "choose with --right"
        )
    return chosen


def choose_info(path: Path, image: ImageTopic, choice: Choice, notes: Notes) -> tuple[str, CameraInfo]:
    """Topic and calibration of images: beside them, of their frame, or the bag's only one.

    Raises:
        InputError: there is none, or it is empty.
    """
    kinds = topics(path)
    infos = [n for n, k in kinds.items() if k in INFOS]
    topic, info = image.info_topic, image.info
    remedy = "--camera-info TOPIC or --calib FILE says which calibration to take"
    if choice.camera_info:
        if choice.camera_info not in infos:
            raise InputError(
                f"{path}: no camera_info topic {choice.camera_info}; the bag has {', '.join(infos) or 'none'}"
            )
        topic, info = choice.camera_info, read_info(path, choice.camera_info)
    elif info is None:
        beside = f"{image.camera_name.rpartition('/')[0]}/camera_info"
        alike = [t for t in infos if frame_of(first_message(path, t)) == image.frame != ""]
        candidates = alike if len(alike) == 1 else infos
        if len(candidates) != 1:
            raise InputError(
                f"{path}: no {beside} for the images on {image.name}; the bag has "
                f"{', '.join(infos) or 'no camera_info at all'}; {remedy}"
            )
        topic, info = candidates[0], read_info(path, candidates[0])
        notes.assumed["camera"] = f"calibration is that of {topic}: no {beside}; {remedy}"
    if info is None or not info.is_calibrated:
        raise InputError(
            f"{path}: every message on {topic} is empty (K[0] = 0 means uncalibrated), so the camera is not "
            f"calibrated; {remedy}"
        )
    return topic, info


def choose_imu(path: Path, frame: str, choice: Choice, notes: Notes) -> str:
    """The inertial unit: with a gyroscope that turns, most messages, a name like the camera's frame."""
    kinds = topics(path)
    units = [n for n, k in kinds.items() if k == IMU]
    if choice.imu:
        if choice.imu not in units:
            raise InputError(f"{path}: no Imu topic {choice.imu}; the bag has {', '.join(units) or 'none'}")
        return choice.imu
    if not units:
        notes.missing["imu"] = f"no topic of type {IMU}"
        return ""
    numbers = counts(path)
    chosen = min(units, key=lambda n: (not _turns(path, n), -_common(n.lstrip("/"), frame), -numbers[n], n))
    if len(units) > 1:
        others = ", ".join(n for n in units if n != chosen)
        notes.assumed["imu"] = f"inertial unit is {chosen}; the bag also has {others}: choose with --imu"
    return chosen


def _image_topic(name: str, count: int, message: Any, info_topic: str, info: CameraInfo | None) -> ImageTopic:
    encoding = original_encoding(message)
    told = {e.lower() for e in DEPTH_ENCODINGS} - {"mono16"}
    depth_name = "depth" in name.lower()
    is_depth = encoding.lower() in told or (encoding.lower() == "mono16" and depth_name)
    is_depth |= "compresseddepth" in str(getattr(message, "format", "")).lower()
    size = (0, 0)
    if not hasattr(message, "format"):
        size = int(message.width), int(message.height)
    else:
        try:
            if depth_name and not encoding and not is_depth:
                is_depth = _holds_depth(message)
            shape = (depth_of if is_depth else image_of)(message).shape
            size = shape[1], shape[0]
        except InputError:
            pass
    return ImageTopic(name, count, encoding, size, frame_of(message), is_depth, info_topic, info)


def _holds_depth(message: Any) -> bool:
    """Whether a compressed image of untold encoding has sixteen bits and one channel."""
    try:
        depth_of(message)
    except InputError:
        return False
    return True


def _named(path: Path, found: Sequence[ImageTopic], name: str, option: str) -> ImageTopic:
    for topic in found:
        if topic.name == name:
            return topic
    raise InputError(f"{path}: no image topic {name}; the bag has {_listing(path)} ({option})")


def _listing(path: Path) -> str:
    """Topics of a bag with their types; how images of an unsupported type can be had."""
    kinds = topics(path)
    text = ", ".join(f"{n} ({k})" for n, k in kinds.items()) or "no topics"
    if any(re.search("Video|Packet", k) for k in kinds.values()):
        text += "; video is not read: have image_transport republish it as raw or compressed, and record that"
    return text


def _is_pair(left: ImageTopic, right: ImageTopic) -> bool:
    a, b = left.info, right.info
    if a is None or b is None or left.is_depth or right.is_depth or len(a.p) != 12 or len(b.p) != 12:
        return False
    return (
        left.offset == 0 > right.offset and left.size == right.size and abs(a.p[0] - b.p[0]) <= 1e-3 * a.p[0]
    )


def _turns(path: Path, topic: str) -> bool:
    """Whether a topic has angular velocities: some units publish accelerations alone, with zeros beside."""
    for number, (_, message) in enumerate(messages(path, [topic])):
        if message is not None:
            w = message.angular_velocity
            if message.angular_velocity_covariance[0] != -1 and (w.x, w.y, w.z) != (0, 0, 0):
                return True
        if number >= GYRO_TRIES:
            return False
    return False


def _common(a: str, b: str) -> int:
    """How many letters two names begin with alike."""
    return next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))


def _said(topic: ImageTopic) -> str:
    return f"{topic.name} ({topic.encoding or 'compressed'})"
