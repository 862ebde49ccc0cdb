# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""How frames lie to one another, from the transforms of a bag."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from hybrid_features_ros.core import se3
from hybrid_features_ros.core.errors import InputError, reading
from hybrid_features_ros.core.types import Float64, Trajectory
from hybrid_features_ros.io.bag_reader import messages, stamp_of

TOPIC = "/tf_static"


def static_transform(path: Path, target: str, source: str) -> Float64 | None:
    """``T_target_source`` (4, 4) along the static transforms of a bag; None where they do not connect.

    Frames of the same name coincide.
    """
    if target == source:
        return np.eye(4)
    near: dict[str, dict[str, Float64]] = {}
    for _, parent, child, T in _transforms(path, TOPIC):
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


def moving_transform(path: Path, topic: str, source: str) -> Trajectory:
    """``T_root_source`` along a topic's transforms and ``/tf_static``, at the stamps of the one that moves.

    Args:
        path: of the bag.
        topic: of the transforms.
        source: frame whose poses are asked for, in that of its farthest parent.

    Raises:
        InputError: none of the transforms between the two moves, or more than one.
    """
    above: dict[str, tuple[str, list[tuple[int, Float64]]]] = {}
    for stamp, parent, child, T in (*_transforms(path, TOPIC), *_transforms(path, topic)):
        above.setdefault(child, (parent, []))[1].append((stamp, T))
    frame, T_moving_source, T_root_moving = source.lstrip("/"), np.eye(4), np.eye(4)
    names, moving = [frame], []
    while frame in above and above[frame][0] not in names:
        parent, found = above[frame]
        if any(not np.allclose(T, found[0][1], atol=1e-9) for _, T in found):
            moving.append((frame, found))
        elif moving:
            T_root_moving = found[0][1] @ T_root_moving
        else:
            T_moving_source = found[0][1] @ T_moving_source
        frame = parent
        names.append(frame)
    if len(moving) != 1:
        raise InputError(
            f"{path}: {topic} as truth: along {' - '.join(reversed(names))}, {len(moving)} transforms move "
            f"({', '.join(name for name, _ in moving) or 'none'}), and one must; --truth names another topic"
        )
    stamps, first = np.unique([stamp for stamp, _ in moving[0][1]], return_index=True)
    poses = np.array([T_root_moving @ moving[0][1][i][1] @ T_moving_source for i in first])
    return Trajectory(stamps.astype(np.int64), poses)


def _transforms(path: Path, topic: str) -> Iterator[tuple[int, str, str, Float64]]:
    """Stamp [ns], parent, child and ``T_parent_child`` (4, 4) of every transform that is one."""
    for _, message in messages(path, [topic]):
        for entry in message.transforms if message is not None else ():
            t, q = entry.transform.translation, entry.transform.rotation
            try:
                with reading(topic):
                    T = se3.from_quaternion([q.x, q.y, q.z, q.w], [t.x, t.y, t.z])
            except InputError:
                continue
            if np.isfinite(T).all():
                yield stamp_of(entry), entry.header.frame_id.lstrip("/"), entry.child_frame_id.lstrip("/"), T
