# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Bags become sequences: which images, and which depth, right image, inertial unit and truth beside them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hybrid_features_ros.core.camera import Camera
from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.core.types import Float64
from hybrid_features_ros.io.bag_pairs import pair_of_file, pair_of_topics
from hybrid_features_ros.io.bag_prior import bag_prior
from hybrid_features_ros.io.bag_reader import (
    BagMessage,
    first_message,
    frame_of,
    messages,
    read_messages,
    stamp_of,
    topics,
)
from hybrid_features_ros.io.bag_source import BagSource
from hybrid_features_ros.io.bag_topics import (
    ImageTopic,
    choose_depth,
    choose_image,
    choose_imu,
    choose_info,
    choose_right,
    image_topics,
    read_infos,
)
from hybrid_features_ros.io.bag_truth import choose_truth
from hybrid_features_ros.io.bag_writer import make_bag
from hybrid_features_ros.io.calibration import Calibration, CameraInfo, checked_scale, read_calibration
from hybrid_features_ros.io.source import Choice, Notes, Source, is_bag
from hybrid_features_ros.io.stamps import nearest, partners, usable
from hybrid_features_ros.io.transforms import static_transform

__all__ = ["BagMessage", "BagSource", "is_bag", "make_bag", "open_bag", "read_messages", "topics"]


def open_bag(path: Path, choice: Choice | None = None) -> Source:
    """The images of a bag with the calibration, depth, right camera and inertial unit beside them.

    Args:
        path: of the bag.
        choice: what is to be read, where it is said by hand.

    Raises:
        InputError: the bag cannot be read, has no such images, or no calibration for them.
    """
    choice = choice or Choice()
    notes = Notes()
    found = image_topics(path)
    image = choose_image(path, found, choice, notes)
    calibration, info_topic = _calibration(path, image, choice, notes)
    depth = choose_depth(path, found, image, choice, notes)
    stamps = _calibrated(path, info_topic, calibration.info, _stamps(path, image.name, notes), notes)
    imu = choose_imu(path, image.frame, choice, notes)
    scale = calibration.depth_scale if choice.depth_scale is None else choice.depth_scale
    depth_stamps = _partners(path, depth, stamps, choice, notes, "depth") if depth else np.empty(0, np.int64)
    source = BagSource(
        path, image.name, _camera(image, calibration, choice, notes), stamps, stamps,
        depth_topic=depth,
        depth_stamps=depth_stamps,
        depth_units=None if scale is None else checked_scale(scale, "--depth-scale"),
        imu_topic=imu,
        T_camera_imu=_mounting(path, imu, image.frame, calibration, notes) if imu else None,
        truth=choose_truth(path, image.frame, calibration, choice, notes),
        prior=bag_prior(path, choice.prior, image.frame, calibration, notes) if choice.prior else None,
        notes=notes,
    )  # fmt: skip
    return _with_right(source, choose_right(path, found, image, choice, notes), calibration, choice)


def _calibration(path: Path, image: ImageTopic, choice: Choice, notes: Notes) -> tuple[Calibration, str]:
    """Of a file, or of a topic and that topic."""
    if choice.calib is not None:
        return read_calibration(choice.calib, image.camera_name, notes), ""
    topic, info = choose_info(path, image, choice, notes)
    return Calibration(info), topic


def _camera(image: ImageTopic, calibration: Calibration, choice: Choice, notes: Notes) -> Camera:
    """Of the rectified image where that is said, or where the topic's name says it."""
    if choice.rectified is not None:
        return calibration.info.camera(choice.rectified)
    camera = calibration.info.camera(image.is_rectified)
    if image.is_rectified and camera != calibration.info.camera():
        notes.assumed["camera"] = (
            f"{image.name} is taken for rectified, by its name: P of the calibration, no distortion; "
            "--set input.rectified=false takes K and D"
        )
    return camera


def _stamps(path: Path, topic: str, notes: Notes) -> NDArray[np.int64]:
    """Stamps (N,) of the images that can be used, increasing [ns]."""
    found = [None if m is None else stamp_of(m) for _, m in messages(path, [topic])]
    stamps = np.array([s for s in found if s is not None], dtype=np.int64)
    if not len(stamps):
        raise InputError(f"{path}: topic {topic} holds no messages that can be read")
    if len(stamps) < len(found):
        notes.skipped[f"{len(found) - len(stamps)} messages on {topic}"] = "their bytes are no message"
    index = usable(topic, stamps, notes)
    back = int((np.diff(stamps[np.sort(index)]) < 0).sum())
    if back:
        notes.assumed["order"] = (
            f"time was set back on {topic}, {back} times: images recorded later have earlier stamps; all are "
            "read in the order of their stamps"
        )
    return np.asarray(stamps[index])


def _calibrated(
    path: Path, topic: str, info: CameraInfo, stamps: NDArray[np.int64], notes: Notes
) -> NDArray[np.int64]:
    """Stamps (M,) of the images with the calibration that was taken: drivers may change it on the way.

    An image's calibration is the one nearest in time.
    """
    told = dict(read_infos(path, topic)) if topic else {}
    others = [stamp for stamp, other in sorted(told.items()) if other != info]
    if not others:
        return stamps
    known = np.array(sorted(told), dtype=np.int64)
    keep = ~np.isin(known[nearest(stamps, known, 2**62)], others)
    notes.assumed["calibration"] = (
        f"left out of {len(stamps)} images: {(~keep).sum()} whose calibration on {topic} is another than at "
        f"the beginning, the first of {others[0]} ns; --calib FILE gives one for all"
    )
    return stamps[keep]


def _partners(
    path: Path, topic: str, stamps: NDArray[np.int64], choice: Choice, notes: Notes, about: str
) -> NDArray[np.int64]:
    """Stamps (N,) of the messages on another topic that belong to some stamps (N,), -1 where none does."""
    known = np.unique(np.array([stamp_of(m) for _, m in messages(path, [topic]) if m is not None], np.int64))
    index = partners(topic, stamps, known, choice.max_interval_ns, notes, about)
    return np.where(index >= 0, known[index], -1) if len(known) else index.astype(np.int64)


def _with_right(
    left: BagSource, topic: ImageTopic | None, calibration: Calibration, choice: Choice
) -> Source:
    """With the images of the right camera, under the stamps of the left ones."""
    if topic is None:
        left.notes.missing["right"] = (
            "a pair has images of one size, and the right camera_info tells the baseline in P[3]; "
            "--left and --right choose the topics"
        )
        return left
    own = _partners(left.path, topic.name, left.stamps, choice, left.notes, "right")
    found = own >= 0
    right = BagSource(left.path, topic.name, left.camera, left.stamps[found], own[found], notes=left.notes)
    if choice.calib is not None:
        return pair_of_file(left, right, calibration, read_calibration(choice.calib, topic.camera_name))
    return pair_of_topics(left, right, calibration.info, topic, choice)


def _mounting(path: Path, topic: str, frame: str, calibration: Calibration, notes: Notes) -> Float64 | None:
    """``T_camera_imu`` (4, 4) of the calibration or of ``/tf_static``; None: assumed to be the identity."""
    if calibration.T_camera_imu is not None:
        return calibration.T_camera_imu
    message = first_message(path, topic)
    unit = "" if message is None else frame_of(message)
    T = static_transform(path, frame, unit)
    if T is None:
        notes.assumed["imu"] = "; ".join(
            [*filter(None, [notes.assumed.get("imu")]),
             f"its frame {unit!r} is taken for the camera's axes: no transform to {frame!r} on /tf_static; "
             "T_camera_imu in a calib.json (--calib) says it"]
        )  # fmt: skip
    return T
