# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The odometry of the textbooks, from frame to frame with OpenCV: what ours is measured against."""

from __future__ import annotations

import cv2
import numpy as np

from hybrid_features_ros.benchmarks.baselines import yardstick
from hybrid_features_ros.core import se3
from hybrid_features_ros.core.camera import Camera
from hybrid_features_ros.core.config import MatchingConfig
from hybrid_features_ros.core.types import Features, Float64, Trajectory
from hybrid_features_ros.features.depth import with_depth
from hybrid_features_ros.io.source import Source
from hybrid_features_ros.matching.mutual import match

BUDGET = 1000
PIXELS = 1.0
MATCHING = MatchingConfig(lowe_ratio=0.8)


def textbook_odometry(source: Source, every: int = 1, *, depth: bool = False) -> Trajectory:
    """The camera's path in the first camera's frame, by SIFT and the matches of neighbouring frames.

    With depth by perspective-n-point, without by the essential matrix, whose translation has no length:
    every step is given the length 1. A frame without an estimate repeats the last pose. Nister, Naroditsky
    and Bergen, "Visual odometry" (2004), without its windows of three frames.

    Args:
        every: use every N-th frame.
        depth: use the depth images.
    """
    extractor = yardstick("sift", BUDGET)
    stamps: list[int] = []
    poses: list[Float64] = []
    previous: Features | None = None
    for number, frame in enumerate(source):
        if number % every:
            continue
        features = extractor.extract(frame.image)
        if depth and frame.depth is not None:
            features = with_depth(features, frame.depth)
        T = np.eye(4) if previous is None else motion(previous, features, source.camera)
        stamps.append(frame.stamp)
        poses.append(poses[-1] @ T if poses else T)
        previous = features
    return Trajectory(np.array(stamps, dtype=np.int64), np.array(poses).reshape(-1, 4, 4))


def motion(a: Features, b: Features, camera: Camera) -> Float64:
    """Motion ``T_a_b`` (4, 4) between two images: by PnP where ``a`` has depths [m], else of unit length;
    the identity where OpenCV finds none.
    """
    matches = match(a, b, MATCHING)
    p, q = a.points[matches.index_a].astype(float), b.points[matches.index_b].astype(float)
    if a.depths is not None:
        z = a.depths[matches.index_a]
        known = np.isfinite(z) & (z > 0)
        return _pnp(camera.normalise(p[known]), z[known].astype(float), q[known], camera)
    x, y = camera.normalise(p), camera.normalise(q)
    if len(x) < 8:
        return np.eye(4)
    cv2.setRNGSeed(0)
    E, inliers = cv2.findEssentialMat(x, y, np.eye(3), cv2.RANSAC, 0.999, PIXELS / camera.focal)
    if E is None or E.shape != (3, 3):
        return np.eye(4)
    _, R, t, _ = cv2.recoverPose(E, x, y, np.eye(3), mask=inliers)
    return se3.inverse(se3.make(R, t.ravel()))


def _pnp(x: Float64, z: Float64, q: Float64, camera: Camera) -> Float64:
    if len(z) < 6:
        return np.eye(4)
    points = np.column_stack([x * z[:, None], z]).astype(float)
    seen = camera.normalise(q)
    cv2.setRNGSeed(0)
    found, rvec, t, _ = cv2.solvePnPRansac(
        points, seen, np.eye(3), None, reprojectionError=PIXELS / camera.focal, iterationsCount=300
    )
    if not found:
        return np.eye(4)
    return se3.inverse(se3.make(cv2.Rodrigues(rvec)[0], t.ravel()))
