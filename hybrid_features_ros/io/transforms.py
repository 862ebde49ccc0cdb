# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""How frames lie to one another, from the static transforms of a bag."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hybrid_features_ros.core import se3
from hybrid_features_ros.core.errors import InputError, reading
from hybrid_features_ros.core.types import Float64
from hybrid_features_ros.io.bag_reader import messages

TOPIC = "/tf_static"


def static_transform(path: Path, target: str, source: str) -> Float64 | None:
    """``T_target_source`` (4, 4) along the static transforms of a bag; None where they do not connect.

    Frames of the same name coincide.
    """
    if target == source:
        return np.eye(4)
    near: dict[str, dict[str, Float64]] = {}
    for _, message in messages(path, [TOPIC]):
        for entry in message.transforms if message is not None else ():
            t, q = entry.transform.translation, entry.transform.rotation
            try:
                with reading(TOPIC):
                    T = se3.from_quaternion([q.x, q.y, q.z, q.w], [t.x, t.y, t.z])
            except InputError:
                continue
            parent, child = entry.header.frame_id.lstrip("/"), entry.child_frame_id.lstrip("/")
            near.setdefault(parent, {})[child] = T
            near.setdefault(child, {})[parent] = se3.inverse(T)
    reached = {target.lstrip("/"): np.eye(4)}
    waiting = list(reached)
    while waiting:
        frame = waiting.pop()
        for other, T in near.get(frame, {}).items():
            if other not in reached:
                reached[other] = reached[frame] @ T
                waiting.append(other)
    return reached.get(source.lstrip("/"))
