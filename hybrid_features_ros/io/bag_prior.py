# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Another odometry in a bag as a motion prior, as the nodes take it from ``prior``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.io.bag_reader import messages, stamp_of, topics
from hybrid_features_ros.io.bag_truth import ODOMETRY
from hybrid_features_ros.io.calibration import Calibration
from hybrid_features_ros.io.priors import recorded
from hybrid_features_ros.io.source import Notes, RecordedPrior
from hybrid_features_ros.io.transforms import static_transform


def bag_prior(path: Path, topic: str, frame: str, calibration: Calibration, notes: Notes) -> RecordedPrior:
    """The poses on a topic of Odometry, with the covariances of their twists.

    Args:
        path: of the bag.
        topic: of the messages.
        frame: of the camera.
        calibration: tells how the camera sits on the body where ``/tf_static`` does not.
        notes: get what is left out.

    Raises:
        InputError: there is no such topic, its messages are no odometry of one body, or nothing tells how
            the camera sits on that.
    """
    found = [name for name, kind in topics(path).items() if kind == ODOMETRY]
    if topic not in found:
        raise InputError(f"{path}: --prior {topic}: topics of {ODOMETRY} are {', '.join(found) or 'none'}")
    told = [message for _, message in messages(path, [topic]) if message is not None]
    bodies = sorted({message.child_frame_id.lstrip("/") for message in told})
    if len(bodies) != 1 or not bodies[0]:
        raise InputError(
            f"{path}: --prior {topic}: child_frame_id is {' or '.join(map(repr, bodies)) or 'missing'}; it "
            "must be the one frame whose motion it is"
        )
    T_body_camera = static_transform(path, bodies[0], frame)
    T_body_camera = calibration.T_body_camera if T_body_camera is None else T_body_camera
    if T_body_camera is None:
        raise InputError(
            f"{path}: --prior {topic}: no transform from {bodies[0]!r} to {frame!r} on /tf_static; T_BS in "
            "the calibration (--calib) says where the camera is"
        )
    stamps = np.array([stamp_of(message) for message in told], dtype=np.int64)
    covariances = np.array([message.twist.covariance for message in told], dtype=float).reshape(-1, 6, 6)
    places = [(m.pose.pose.position, m.pose.pose.orientation) for m in told]
    values = np.array([(p.x, p.y, p.z, q.x, q.y, q.z, q.w) for p, q in places], dtype=float)
    prior = recorded(f"{path}: {topic}", stamps, values, covariances, T_body_camera, notes)
    return replace(prior, name=topic)
