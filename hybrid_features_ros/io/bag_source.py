# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A bag as a sequence: frames, inertial measurements and truth from the topics that were chosen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hybrid_features_ros.core.camera import Camera
from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.core.types import Float32, Float64, Trajectory
from hybrid_features_ros.io.bag_reader import messages, stamp_of
from hybrid_features_ros.io.bag_truth import Truth, read_truth
from hybrid_features_ros.io.images import depth_of, doubt_of, image_of, original_encoding
from hybrid_features_ros.io.source import Frame, Imu, Notes, RecordedPrior, Source

FAR_M = 6.0  # median depth of images in millimetres, beyond which another unit is more likely indoors


@dataclass(frozen=True, eq=False)
class BagSource:
    """A :class:`~hybrid_features_ros.io.source.Source` read from a bag, one message at a time.

    ``own_stamps`` are those of the messages themselves, which for a right camera differ from those of the
    frames; ``depth_stamps`` are those of each image's depth, negative where there is none.
    """

    path: Path
    topic: str
    camera: Camera
    stamps: NDArray[np.int64]
    own_stamps: NDArray[np.int64]
    depth_topic: str = ""
    depth_stamps: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    depth_units: float | None = None
    imu_topic: str = ""
    T_camera_imu: Float64 | None = None
    truth: Truth | None = None
    prior: RecordedPrior | None = None
    right: Source | None = None
    baseline: float = 0.0
    notes: Notes = field(default_factory=Notes)

    @property
    def name(self) -> str:
        """Of the file."""
        return self.path.stem

    def __len__(self) -> int:
        return len(self.stamps)

    def __iter__(self) -> Iterator[Frame]:
        """Frames in the order of their stamps, whatever the order of the messages.

        A message is kept until every frame that needs it has been made.
        """
        plan = [self._parts(i) for i in range(len(self))]
        open_parts = Counter(part for parts in plan for part in parts)
        held: dict[tuple[str, int], Any] = {}
        number = 0
        for topic, message in messages(self.path, [t for t in (self.topic, self.depth_topic) if t]):
            part = None if message is None else (topic, stamp_of(message))
            if part in open_parts and part is not None:
                held.setdefault(part, message)
            while number < len(plan) and all(p in held for p in plan[number]):
                frame = self._frame(number, [held[p] for p in plan[number]])
                for p in plan[number]:
                    open_parts[p] -= 1
                    if not open_parts[p]:
                        del held[p], open_parts[p]
                number += 1
                if frame is not None:
                    yield frame

    def _parts(self, i: int) -> list[tuple[str, int]]:
        """Topics and stamps of the messages that make a frame."""
        image = (self.topic, int(self.own_stamps[i]))
        if not self.depth_topic or self.depth_stamps[i] < 0:
            return [image]
        return [image, (self.depth_topic, int(self.depth_stamps[i]))]

    def _frame(self, i: int, parts: list[Any]) -> Frame | None:
        try:
            image = image_of(parts[0])
        except InputError as error:
            self.notes.skipped[f"image {self.own_stamps[i]} ns on {self.topic}"] = str(error)
            return None
        if doubt := doubt_of(parts[0]):
            self.notes.assumed["encoding"] = f"{self.topic}: {doubt}"
        return Frame(int(self.stamps[i]), image, self._depth(i, parts[1]) if len(parts) > 1 else None)

    def _depth(self, i: int, message: Any) -> Float32 | None:
        try:
            depth = depth_of(message, self.depth_units)
        except InputError as error:
            self.notes.skipped[f"depth {self.depth_stamps[i]} ns on {self.depth_topic}"] = str(error)
            return None
        if self.depth_units is None and "32FC1" not in original_encoding(message):
            self._doubt_millimetres(depth)
        return depth

    def _doubt_millimetres(self, depth: Float32) -> None:
        """Note it where depths of 16 bits are farther than rooms are, in millimetres."""
        known = depth[np.isfinite(depth)]
        middle = float(np.median(known)) if known.size else 0.0
        if middle > FAR_M:
            self.notes.assumed.setdefault(
                "depth unit",
                f"{self.depth_topic}: 16 bits are taken for millimetres (REP 118), so that the median depth "
                f"is {middle:.3g} m; TUM's images have 5000 units per metre: --depth-scale 5000",
            )

    @cached_property
    def ground_truth(self) -> Trajectory | None:
        """Poses of the camera; those that are none are left out."""
        return None if self.truth is None else read_truth(self.path, self.truth, self.notes)

    @cached_property
    def imu(self) -> Imu | None:
        """Measurements of the inertial unit, in the camera's axes where its mounting is known."""
        rows = []
        for _, message in messages(self.path, [self.imu_topic] if self.imu_topic else []):
            if message is not None:
                w, a = message.angular_velocity, message.linear_acceleration
                rows.append((stamp_of(message), w.x, w.y, w.z, a.x, a.y, a.z))
        if not rows:
            return None
        values = np.array([r[1:] for r in rows], dtype=float)
        into_camera = np.eye(3) if self.T_camera_imu is None else self.T_camera_imu[:3, :3].T
        stamps = np.array([r[0] for r in rows], dtype=np.int64)
        return Imu(stamps, values[:, :3] @ into_camera, values[:, 3:] @ into_camera)
