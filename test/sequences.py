# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Tiny recordings in every layout, made on the spot."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np

from hybrid_features_ros.core import se3
from hybrid_features_ros.core.types import Trajectory
from hybrid_features_ros.io.trajectory import format_stamp, write_tum

BEGIN = 1_403_715_273_262_142_976
STEP = 50_000_000
WIDTH, HEIGHT, COUNT = 64, 48, 5
K = [[50.0, 0, 31.5], [0, 50.0, 23.5], [0, 0, 1]]


def stamps(count: int = COUNT) -> np.ndarray:
    return BEGIN + STEP * np.arange(count)


def image(i: int, colour: bool = False) -> np.ndarray:
    shape = (HEIGHT, WIDTH, 3) if colour else (HEIGHT, WIDTH)
    return np.random.default_rng(i).integers(0, 256, shape, dtype=np.uint8)


def truth(count: int = COUNT) -> Trajectory:
    poses = [se3.exp([0.1 * i, 0, 0, 0, 0.05 * i, 0.2]) for i in range(count)]
    return Trajectory(stamps(count), np.array(poses))


def plain(path: Path, *, depth: bool = False, colour: bool = False, dist: list[float] | None = None) -> Path:
    """The layout of this package; depth i is (i + 1) metres on the left half, unknown on the right."""
    for folder in ("images", "depth"):
        (path / folder).mkdir(parents=True)
    lists: dict[str, list[str]] = {"rgb.txt": [], "depth.txt": []}
    for i, stamp in enumerate(stamps()):
        cv2.imwrite(str(path / f"images/{i}.png"), image(i, colour))
        lists["rgb.txt"].append(f"{format_stamp(int(stamp))} images/{i}.png")
        if depth:
            raw = np.zeros((HEIGHT // 2, WIDTH // 2), np.uint16)
            raw[:, : WIDTH // 4] = 5000 * (i + 1)
            cv2.imwrite(str(path / f"depth/{i}.png"), raw)
            lists["depth.txt"].append(f"{format_stamp(int(stamp) + 1000)} depth/{i}.png")
    for name, lines in lists.items():
        if lines:
            (path / name).write_text("\n".join(lines) + "\n")
    write_tum(path / "groundtruth.txt", truth())
    content = {"width": WIDTH, "height": HEIGHT, "K": K, "dist": dist or [0.0] * 5, "model": "radtan"}
    (path / "calib.json").write_text(json.dumps({**content, "baseline_m": 0.25}))
    return path
