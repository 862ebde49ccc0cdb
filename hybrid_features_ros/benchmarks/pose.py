# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The pose benchmark: two views far apart, their motion by one robust estimator, whatever the features."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np

from hybrid_features_ros.benchmarks import POSE_BUDGET
from hybrid_features_ros.benchmarks.agreement import CLOSE_PX, RADIUS_PX, distinct_places
from hybrid_features_ros.benchmarks.rotation import take
from hybrid_features_ros.core import se3
from hybrid_features_ros.core.camera import Camera
from hybrid_features_ros.core.config import MatchingConfig
from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.core.types import Bool, Features, Float64
from hybrid_features_ros.features import Extractor
from hybrid_features_ros.io.pairs import PosedPair
from hybrid_features_ros.matching.mutual import match
from hybrid_features_ros.simulation.roll import rotation_about_z

RATIO = 0.9
LIMITS_DEG = (5, 10, 20)
ESTIMATOR = {"method": cv2.USAC_MAGSAC, "prob": 0.99999, "threshold": 1.0}  # threshold [px]
# Of a pair, each from its matches in another order, which decides OpenCV's draws as no seed does. With one
# estimate of each of 48 pairs, the AUC@5 has a standard deviation of two points.
ESTIMATES = 5
RIM_PX = 8.0  # keypoints nearer than this to the edge of a rolled image's content are left out
PROTOCOL = {
    "views": "upright: as they come; rolled: the second one resampled (bicubic) into the image of a camera "
    "rolled about its optical axis by a random angle",
    "matches": f"mutual nearest neighbours, ratio {RATIO:g} in both directions",
    "estimator": f"OpenCV findEssentialMat, USAC_MAGSAC, {ESTIMATOR['threshold']:g} px, and recoverPose, "
    f"{ESTIMATES} times with the matches in another order",
    "auc5, auc10, auc20": "area under the curve of recall over max(rotation error, angle between the "
    "directions of translation) up to 5, 10, 20 degrees, over all estimates, in per cent",
    "auc5_sigma, auc10_sigma, auc20_sigma": "their standard deviations from one draw of as many pairs to "
    "the next; of more than one pair",
    "matches_mean": "matches of a pair",
    "distinct": f"matches within {RADIUS_PX:g} px of where the depth of the first view puts them, at places "
    f"of it more than {RADIUS_PX:g} px apart (greedy); only where depth is known",
    "epipolar_px": "median distance from the true epipolar lines, mean of both images, of the matches "
    f"within {RADIUS_PX:g} px",
    "scale_px": "median scale of keypoints",
}


@dataclass(frozen=True)
class PairMatches:
    """What the matches of one pair are worth.

    Attributes:
        a, b: their pixels (M, 2) in the two images.
        off: (M,) distance from where the depth of the first image puts them in the second [px]; NaN =
            unknown.
        scale: median of the keypoints in the first image [px].
    """

    a: Float64
    b: Float64
    off: Float64
    scale: float

    @property
    def correct(self) -> int:
        """Matches within ``RADIUS_PX``."""
        return int((self.off <= RADIUS_PX).sum())

    @property
    def distinct(self) -> int:
        """Of the correct ones, those at distinct places of the first image."""
        return distinct_places(self.a[self.off <= RADIUS_PX])

    @property
    def mma1(self) -> float:
        """Share of the matches within ``CLOSE_PX``."""
        return float((self.off <= CLOSE_PX).sum() / max(len(self.off), 1))


@dataclass(frozen=True)
class PairResult:
    """A pair's matches, errors of the poses from them (``ESTIMATES``,) [deg] and their epipolar distances
    (M,) [px].
    """

    matches: PairMatches
    errors_deg: Float64
    epipolar: Float64

    @staticmethod
    def of(found: PairMatches, pair: PosedPair) -> PairResult:
        """Estimate the pose and compare with the truth of the pair."""
        cameras = pair.camera_a, pair.camera_b
        rng = np.random.default_rng(0)
        orders = [rng.permutation(len(found.a)) for _ in range(ESTIMATES)]
        estimates = [relative_pose(found.a[order], found.b[order], *cameras) for order in orders]
        errors = np.array([pose_error(T, pair.T_b_a) for T in estimates])
        return PairResult(found, errors, epipolar_distances(found.a, found.b, pair))


def bench_pose(
    extractors: dict[str, Extractor], pairs: Iterable[PosedPair], budget: int = POSE_BUDGET, seed: int = 0
) -> dict[str, Any]:
    """Accuracy of the poses from every extractor's matches, upright and rolled, as the JSON of the command.

    Args:
        extractors: each should find more than ``budget`` keypoints where it can: those at the rim of a
            rolled image do not count.
        pairs: read once, one after another.
        seed: of the angles of roll.

    Raises:
        InputError: there are no pairs.
    """
    rng = np.random.default_rng(seed)
    results: dict[str, dict[str, list[PairResult]]] = {n: {"upright": [], "rolled": []} for n in extractors}
    count = 0
    for pair in pairs:
        count += 1
        rolled, inside = roll_second(pair, rng.uniform(-np.pi, np.pi))
        for name, extractor in extractors.items():
            a, b, turned = (extractor.extract(i) for i in (pair.image_a, pair.image_b, rolled.image_b))
            turned = take(turned, np.flatnonzero(inside(turned.points.astype(float))))
            a, b, turned = (best(f, budget) for f in (a, b, turned))
            results[name]["upright"].append(PairResult.of(judge(a, b, pair), pair))
            results[name]["rolled"].append(PairResult.of(judge(a, turned, rolled), rolled))
    if not count:
        raise InputError("bench pose: there are no pairs")
    return {
        "protocol": {**PROTOCOL, "keypoints": budget, "pairs_in_dataset": count},
        "methods": {n: {way: summary(rows) for way, rows in r.items()} for n, r in results.items()},
    }


def roll_second(pair: PosedPair, angle: float) -> tuple[PosedPair, Callable[[Float64], Bool]]:
    """The pair whose second camera is rolled about its optical axis by an angle [rad], and a function that
    tells which of its pixels (N, 2) lie in what the camera has seen, ``RIM_PX`` off the edge.

    The rolled image is as large as the whole content needs; its empty corners are grey.
    """
    camera = pair.camera_b
    Rz = rotation_about_z(angle)
    A = (camera.K @ Rz @ np.linalg.inv(camera.K))[:2]
    size = np.array([camera.width, camera.height])
    corners = np.array([[x, y, 1.0] for x in (0, size[0] - 1) for y in (0, size[1] - 1)]) @ A.T
    low = np.floor(corners.min(axis=0))
    width, height = (np.ceil(corners.max(axis=0)) - low + 1).astype(int).tolist()
    A[:, 2] -= low
    image = cv2.warpAffine(
        pair.image_b, A, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_CONSTANT,
        borderValue=(128, 128, 128),
    )  # fmt: skip

    def inside(pixels: Float64) -> Bool:
        source = (pixels - A[:, 2]) @ np.linalg.inv(A[:, :2]).T
        return np.asarray(((source >= RIM_PX) & (source <= size - 1 - RIM_PX)).all(axis=1))

    moved = replace(camera, width=width, height=height, cx=camera.cx - low[0], cy=camera.cy - low[1])
    T = se3.make(Rz, np.zeros(3)) @ pair.T_b_a
    return replace(pair, image_b=np.asarray(image), camera_b=moved, T_b_a=T), inside


def best(features: Features, budget: int) -> Features:
    """At most ``budget`` features, those with the highest scores."""
    return take(features, np.argsort(-features.scores, kind="stable")[:budget])


def judge(a: Features, b: Features, pair: PosedPair, ratio: float = RATIO) -> PairMatches:
    """The matches of a pair's two images, and how far they are from the truth."""
    found = match(a, b, MatchingConfig(lowe_ratio=ratio))
    p, q = a.points[found.index_a].astype(float), b.points[found.index_b].astype(float)
    scale = float(np.median(a.scales)) if len(a) else np.nan
    return PairMatches(p, q, np.linalg.norm(_transferred(p, pair) - q, axis=1), scale)


def relative_pose(p: Float64, q: Float64, camera_a: Camera, camera_b: Camera) -> Float64 | None:
    """Motion ``T_b_a`` (4, 4) with a translation of unit length from corresponding pixels (M, 2); None where
    the estimator finds none.
    """
    if len(p) < 6:
        return None
    focal = float(np.sqrt(camera_a.focal * camera_b.focal))
    K = np.diag([focal, focal, 1.0])
    x, y = camera_a.normalise(p) * focal, camera_b.normalise(q) * focal
    cv2.setRNGSeed(0)
    E, inliers = cv2.findEssentialMat(x, y, K, **ESTIMATOR)
    if E is None or E.shape != (3, 3):
        return None
    _, R, t, _ = cv2.recoverPose(E, x, y, K, mask=inliers)
    return se3.make(R, t.ravel())


def pose_error(estimate: Float64 | None, truth: Float64) -> float:
    """Larger one of the angles [deg] between the rotations and between the directions of translation of two
    motions (4, 4); 180 where there is no estimate.
    """
    if estimate is None:
        return 180.0
    t, u = estimate[:3, 3], truth[:3, 3]
    cosine = t @ u / (np.linalg.norm(t) * np.linalg.norm(u))
    turn = se3.rotation_angle(estimate[:3, :3].T @ truth[:3, :3])
    return float(np.degrees(max(turn, np.arccos(np.clip(cosine, -1, 1)))))


def epipolar_distances(p: Float64, q: Float64, pair: PosedPair) -> Float64:
    """Distance (M,) [px] of corresponding pixels (M, 2) from the true epipolar lines, mean of both images."""
    E = se3.skew(pair.T_b_a[:3, 3]) @ pair.T_b_a[:3, :3]
    F = np.linalg.inv(pair.camera_b.K).T @ E @ np.linalg.inv(pair.camera_a.K)
    x, y = np.column_stack([p, np.ones(len(p))]), np.column_stack([q, np.ones(len(q))])
    in_b, in_a = x @ F.T, y @ F
    residual = np.abs((in_b * y).sum(axis=1))
    distances = residual * (1 / np.hypot(*in_b.T[:2]) + 1 / np.hypot(*in_a.T[:2])) / 2
    return np.asarray(distances)


def auc(errors: Sequence[float], limit: float) -> float:
    """Area under the curve of recall over the error, from 0 to a limit, as a share of the limit."""
    sorted_ = np.sort(np.asarray(errors, dtype=float))
    below = sorted_[sorted_ < limit]
    x = np.concatenate([[0.0], below, [limit]])
    recall = np.arange(len(below) + 1) / len(sorted_)
    y = np.append(recall, recall[-1])
    return float(((y[1:] + y[:-1]) / 2 * np.diff(x)).sum() / limit)


def auc_sigma(errors: Float64, limit: float) -> float:
    """Standard deviation of :func:`auc` from one draw of N pairs to the next, if they are independent; N > 1.

    But for half a step of its curve, the area is the mean of ``max(0, 1 - error / limit)``.

    Args:
        errors: (N, S) of S estimates of each pair.
    """
    shares = np.maximum(1 - errors / limit, 0).mean(axis=1)
    return float(shares.std(ddof=1) / np.sqrt(len(shares)))


def summary(rows: Sequence[PairResult]) -> dict[str, float]:
    """The figures of ``PROTOCOL`` over all pairs."""
    errors = np.array([r.errors_deg for r in rows])
    epipolar = np.concatenate([r.epipolar for r in rows])
    close = epipolar[epipolar <= RADIUS_PX]
    with_depth = [r.matches for r in rows if np.isfinite(r.matches.off).any()]
    return {
        **{f"auc{limit}": 100 * auc(errors.ravel().tolist(), limit) for limit in LIMITS_DEG},
        **{f"auc{limit}_sigma": 100 * auc_sigma(errors, limit) for limit in LIMITS_DEG if len(errors) > 1},
        "matches_mean": float(np.mean([len(r.matches.off) for r in rows])),
        **({"distinct": float(np.mean([m.distinct for m in with_depth]))} if with_depth else {}),
        **({"epipolar_px": float(np.median(close))} if len(close) else {}),
        "scale_px": float(np.nanmedian([r.matches.scale for r in rows])),
    }


def _transferred(p: Float64, pair: PosedPair) -> Float64:
    """Pixels (M, 2) of the first image in the second, by the depth of the nearest pixel; NaN if unknown."""
    depth = pair.depth_a
    if depth is None:
        return np.full_like(p, np.nan)
    column, row = np.rint(p).astype(int).clip(0, np.array(depth.shape[::-1]) - 1).T
    z = depth[row, column].astype(float)
    points = np.column_stack([pair.camera_a.normalise(p), np.ones(len(p))]) * z[:, None]
    return pair.camera_b.project(points @ pair.T_b_a[:3, :3].T + pair.T_b_a[:3, 3])
