# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The true path in a bag: which topic tells it, of which frame, and how the camera lies to that."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hybrid_features_ros.core import se3
from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.core.types import Float64, Trajectory
from hybrid_features_ros.io.bag_reader import POSE, TF, TRUTH_TOPIC, first_message, messages, stamp_of, topics
from hybrid_features_ros.io.calibration import Calibration
from hybrid_features_ros.io.source import Choice, Notes
from hybrid_features_ros.io.trajectory import poses_of
from hybrid_features_ros.io.transforms import moving_transform, static_transform

ODOMETRY, PATH = "nav_msgs/msg/Odometry", "nav_msgs/msg/Path"
TRUTHS = (
    POSE, "geometry_msgs/msg/PoseWithCovarianceStamped", "geometry_msgs/msg/TransformStamped",
    ODOMETRY, PATH, TF,
)  # fmt: skip
_NAMED = re.compile(
    r"(^|[/_])(gt|truth|ground_?truth|mocap|vicon|optitrack|qualisys|vrpn)([/_]|$)", re.IGNORECASE
)


@dataclass(frozen=True, eq=False)
class Truth:
    """Where the true path is.

    Attributes:
        topic, kind: of the messages.
        frame: of the camera.
        T_body_camera: (4, 4), the camera in the frame whose poses they are.
    """

    topic: str
    kind: str
    frame: str
    T_body_camera: Float64


def choose_truth(
    path: Path, frame: str, calibration: Calibration, choice: Choice, notes: Notes
) -> Truth | None:
    """The topic that was asked for, ``/ground_truth/pose``, or the only one whose name says what it is.

    Args:
        path: of the bag.
        frame: of the camera.
        calibration: may tell how the camera lies in the body.
        choice: may name the topic.
        notes: get what was assumed, or why there is none.

    Raises:
        InputError: the bag has not the topic that was asked for, or not of such a type.
    """
    kinds = {name: kind for name, kind in topics(path).items() if kind in TRUTHS}
    found = ", ".join(f"{name} ({kind})" for name, kind in kinds.items()) or "none"
    if choice.truth and choice.truth not in kinds:
        raise InputError(f"{path}: --truth {choice.truth}: topics with poses are {found}")
    named = [n for n, kind in kinds.items() if kind != TF and (n == TRUTH_TOPIC or _NAMED.search(n))]
    topic = choice.truth or (TRUTH_TOPIC if TRUTH_TOPIC in named else "")
    if not topic and len(named) == 1:
        topic = named[0]
        notes.assumed["truth topic"] = f"the truth is {topic}, by its name; topics with poses are {found}"
    if not topic:
        notes.missing["truth"] = f"nothing on {TRUTH_TOPIC}; topics with poses are {found}; --truth chooses"
        return None
    if kinds[topic] == TF:
        return Truth(topic, TF, frame, np.eye(4))  # its frames lead to the camera's
    body = str(getattr(first_message(path, topic), "child_frame_id", ""))
    return Truth(topic, kinds[topic], frame, _camera_in(path, body, frame, topic, calibration, notes))


def read_truth(path: Path, truth: Truth, notes: Notes) -> Trajectory | None:
    """Poses of the camera; those that are none are left out and noted.

    Args:
        path: of the bag.
        truth: where they are.
        notes: get why there are none.

    Raises:
        InputError: not one of the transforms between the camera and its farthest parent moves, or several do.
    """
    if truth.kind == TF:
        return moving_transform(path, truth.topic, truth.frame)
    rows = list(_rows(path, truth))
    if not rows:
        notes.missing["truth"] = f"nothing on {truth.topic} ({truth.kind})"
        return None
    stamps = np.array([r[0] for r in rows], dtype=np.int64)
    bodies = poses_of(path, stamps, np.array([r[1:] for r in rows], dtype=float), notes)
    return Trajectory(bodies.stamps, bodies.poses @ truth.T_body_camera)


def _rows(path: Path, truth: Truth) -> Iterator[tuple[float, ...]]:
    """Stamp [ns], position and quaternion of every pose; of paths, which grow, the last one counts."""
    found = [message for _, message in messages(path, [truth.topic]) if message is not None]
    for message in found[-1].poses if truth.kind == PATH and found else found:
        pose: Any = getattr(message, "pose", getattr(message, "transform", None))
        pose = getattr(pose, "pose", pose)  # beside a covariance
        p, q = (
            (pose.position, pose.orientation)
            if hasattr(pose, "position")
            else (pose.translation, pose.rotation)
        )
        yield stamp_of(message), p.x, p.y, p.z, q.x, q.y, q.z, q.w


def _camera_in(
    path: Path, body: str, frame: str, topic: str, calibration: Calibration, notes: Notes
) -> Float64:
    """``T_body_camera`` of the calibration or of ``/tf_static``; else the poses count as the camera's."""
    if topic == TRUTH_TOPIC and not body:  # as `bag make` writes it
        return np.eye(4)
    if calibration.T_body_camera is not None:
        return calibration.T_body_camera
    T = static_transform(path, body, frame) if body else None
    if T is None and calibration.T_camera_imu is not None:
        return np.asarray(se3.inverse(calibration.T_camera_imu))
    if T is None:
        notes.assumed["truth frame"] = (
            f"poses on {topic} are taken for those of the camera: no transform from "
            f"{body or 'their frame'!r} to {frame!r} on /tf_static; T_BS in the "
            "calibration (--calib) says where the camera is"
        )
        return np.eye(4)
    return T
