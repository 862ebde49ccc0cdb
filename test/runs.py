# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Evaluations made on the spot: a camera on a circle, states and counts that change."""

from __future__ import annotations

import cv2
import numpy as np

from hybrid_features_ros.core import se3
from hybrid_features_ros.core.config import Config
from hybrid_features_ros.core.types import (
    Matches,
    MotionEstimate,
    MotionModel,
    OdometryResult,
    Scale,
    State,
    Trajectory,
)
from hybrid_features_ros.evaluation.evaluate import Evaluation, with_mode
from hybrid_features_ros.visualization.gallery import Snapshot

STEP = 33_000_000


def circle(frames: int, error: float = 0.0) -> Trajectory:
    """A level camera that looks ahead on a circle of 2 m; its world's y points down."""
    turn = np.linspace(0, 2 * np.pi, frames)
    rng = np.random.default_rng(1)
    poses = np.array([se3.make(np.eye(3), [2 * np.sin(a), 0.3 * np.sin(3 * a), 2 - 2 * np.cos(a)])
                      @ se3.exp([0, 0, 0, 0, a, 0]) for a in turn])  # fmt: skip
    poses[:, :3, 3] += error * rng.standard_normal((frames, 3))
    return Trajectory(1_000_000_000 + STEP * np.arange(frames), poses)


def evaluation(name: str = "a run", frames: int = 60, error: float = 0.01, truth: bool = True) -> Evaluation:
    """A run in which every state occurs."""
    path = circle(frames, error)
    index = np.arange(40, dtype=np.int32)
    results = [
        OdometryResult(
            stamp=int(stamp), reference_stamp=int(path.stamps[0]), state=State(i * len(State) // frames),
            scale=Scale.METRIC, T_world_camera=T, covariance=1e-4 * np.eye(6), twist=np.zeros(6),
            twist_covariance=np.eye(6), matches=Matches(index, index, np.ones(40, np.float32)),
            motion=MotionEstimate(MotionModel.PNP, np.eye(4), np.eye(6), Scale.METRIC, index < 30, 0.1),
            keypoints=100 + i % 7, landmarks=50, keyframes=1, resets=0, reason="</script>" if i % 2 else "",
            milliseconds={"track": 5.0} if i else {},
        )
        for i, (stamp, T) in enumerate(zip(path.stamps, path.poses, strict=True))
    ]  # fmt: skip
    report = {
        "protocol": {"sequence": "circle", "mode": "rgbd", "every": 1,
                     "config": {"features.extractor": "sift", "odometry.seed": 0}},
        "frames": frames, "with_orientation": frames, "with_translation": frames - 1, "resets": 0,
        "ate_rmse_m": error if truth else None, "rot_rpe_30f_median_deg": 0.1, "rot_rpe_30f_p95_deg": 0.2,
        "rpe_trans_30f_median_m": 0.01, "nees_mean": None,
        "ms": {"extract": {"median": 7.0, "p95": 9.0}, "track": {"median": 5.0, "p95": 5.0}},
    }  # fmt: skip
    return Evaluation(
        name, with_mode(Config(), "rgbd"), results, [7.0] * frames, circle(frames) if truth else None, report,
    )  # fmt: skip


def snapshots(run: Evaluation, count: int = 3) -> list[Snapshot]:
    """Pictures of noise."""
    picture = np.random.default_rng(0).integers(0, 255, (480, 640, 3), np.uint8)
    jpeg = cv2.imencode(".jpg", cv2.GaussianBlur(picture, (0, 0), 2))[1].tobytes()
    stamps = run.trajectory.stamps[np.linspace(0, len(run.results) - 1, count).astype(int)]
    return [Snapshot(int(s), jpeg, 100, 30) for s in stamps]
