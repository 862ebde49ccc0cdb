# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The window of keyframes that bundle adjustment moves: its selection, and the map with the result."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from hybrid_features_ros.core import se3
from hybrid_features_ros.core.config import MappingConfig
from hybrid_features_ros.core.types import Int32
from hybrid_features_ros.odometry.bundle_adjustment import Problem, Solution, adjust
from hybrid_features_ros.odometry.landmarks import is_measured
from hybrid_features_ros.odometry.local_map import Keyframe, LocalMap


@dataclass(frozen=True)
class WindowLimits:
    """What goes into one adjustment. The number of landmarks keeps it below 50 ms on a desktop's core.

    Attributes:
        max_landmarks: those with most observations.
        min_landmarks: below which there is nothing to adjust.
        unknown_depth: factor on the standard deviation of an unknown depth's prior: a window constrains such
            a depth, one image does not.
    """

    max_landmarks: int = 1500
    min_landmarks: int = 10
    unknown_depth: float = 3.0


LIMITS = WindowLimits()


@dataclass(frozen=True, eq=False)
class BAWindow:
    """A problem for bundle adjustment and where its parts came from.

    Attributes:
        numbers: (K,) int32, keyframes of the problem.
        ids: (L,) int32, landmarks of the problem.
    """

    problem: Problem
    numbers: Int32
    ids: Int32


def select_window(local_map: LocalMap, config: MappingConfig) -> BAWindow | None:
    """The newest keyframe with its most covisible ones, and as many more that are fixed.

    None while no depths are known or the keyframes stand on one spot: then there is nothing to adjust but
    rotations, and those come from the landmarks' directions.
    """
    if not local_map.landmarks.depth_known.any():
        return None
    alive = [k for k in local_map.keyframes if k.frame is not None]
    newest = alive[-1]
    seen = local_map.among(newest.landmark_ids, np.concatenate([k.landmark_ids for k in alive]))
    ends = np.cumsum([len(k.landmark_ids) for k in alive])
    counts = [int(part.sum()) for part in np.split(seen, ends[:-1])]
    common = {k.number: count for k, count in zip(alive, counts, strict=True)}
    chosen = sorted(alive, key=lambda k: (-common[k.number], -k.number))[: 2 * config.window]
    chosen = [k for k in chosen if common[k.number]]
    free = sorted(k.number for k in chosen[: config.window])
    if len(chosen) <= config.window:
        free = free[1:]  # the oldest fixes the gauge
    chosen.sort(key=lambda k: k.number)
    if not free or not any((k.T[:3, 3] != newest.T[:3, 3]).any() for k in chosen):
        return None
    return _problem(local_map, chosen, free)


def adjust_window(window: BAWindow, config: MappingConfig) -> Solution:
    """Bundle adjustment of a window; touches nothing else, so that it may run in another thread."""
    return preserve_scale(window.problem, adjust(window.problem, config.iterations))


def preserve_scale(problem: Problem, solution: Solution) -> Solution:
    """The solution in the unit of length that the map had (gauge freedom of the scale).

    While all poses that are fixed stand on one spot and no depth was measured, only the wide priors of the
    depths constrain the scale. There the free keyframes keep their distances from that spot, in the root
    mean square, so that what was published since the start is not of another scale than what follows.
    """
    fixed = problem.poses[~problem.free, :3, 3]
    given, found = (p[problem.free, :3, 3] - fixed[0] for p in (problem.poses, solution.poses))
    lengths = float(np.linalg.norm(given)), float(np.linalg.norm(found))
    if (
        is_measured(problem.prior, problem.prior_sigmas).any()
        or (fixed != fixed[0]).any()
        or not min(lengths)
    ):
        return solution
    scale = lengths[0] / lengths[1]
    poses = solution.poses.copy()
    poses[:, :3, 3] = fixed[0] + scale * (poses[:, :3, 3] - fixed[0])
    units = np.diag([scale] * 3 + [1.0] * 3)
    return replace(
        solution,
        poses=poses,
        inverse_depth=solution.inverse_depth / scale,
        inverse_depth_sigmas=solution.inverse_depth_sigmas / scale,
        covariance=units @ solution.covariance @ units,
    )


def apply_solution(local_map: LocalMap, window: BAWindow, solution: Solution) -> LocalMap:
    """The map with an adjusted window; what was added since the window was selected moves along.

    Observations that the solution calls outliers are dropped.
    """
    free = window.problem.free
    poses = dict(zip(window.numbers[free].tolist(), solution.poses[free], strict=True))
    newest = int(window.numbers[free][-1])
    shift = poses[newest] @ se3.inverse(window.problem.poses[free][-1])
    outliers = _outlier_ids(window, solution)
    keyframes = []
    for k in local_map.keyframes:
        moves = k.number in poses or k.number > newest
        moved = k.with_pose(poses.get(k.number, shift @ k.T)) if moves else k
        wrong = outliers.get(k.number)
        if wrong is not None and len(wrong):
            moved = moved.with_landmarks(~np.isin(k.landmark_ids, wrong))
        keyframes.append(moved)
    marks = local_map.landmarks
    inverse_depth, spread = marks.inverse_depth.copy(), marks.inverse_depth_sigmas.copy()
    n_observations = marks.n_observations.copy()
    still = np.isin(window.ids, marks.ids, assume_unique=True)
    rows = np.searchsorted(marks.ids, window.ids[still])
    inverse_depth[rows] = solution.inverse_depth[still]
    spread[rows] = solution.inverse_depth_sigmas[still]
    dropped = np.bincount(window.problem.landmark[solution.outliers], minlength=len(window.ids))
    n_observations[rows] -= dropped[still]
    marks = replace(
        marks, inverse_depth=inverse_depth, inverse_depth_sigmas=spread, n_observations=n_observations
    )
    return LocalMap.build(keyframes, marks, local_map.next_id)


def _problem(local_map: LocalMap, chosen: list[Keyframe], free: list[int]) -> BAWindow | None:
    marks = local_map.landmarks
    ids = np.concatenate([k.landmark_ids for k in chosen])
    frames = np.concatenate([np.full(len(k.landmark_ids), k.number) for k in chosen])
    at = np.searchsorted(marks.ids, ids)
    anchored = marks.anchors[at] == frames
    useful = np.bincount(at[~anchored], minlength=len(marks)) > 0
    moves = np.repeat([k.number in free for k in chosen], [len(k.landmark_ids) for k in chosen])
    useful &= np.bincount(at[moves], minlength=len(marks)) > 0
    rows = np.flatnonzero(useful)
    rows = np.sort(rows[np.argsort(-marks.n_observations[rows], kind="stable")[: LIMITS.max_landmarks]])
    if len(rows) < LIMITS.min_landmarks:
        return None
    numbers = np.union1d([k.number for k in chosen], marks.anchors[rows])
    keyframes = {k.number: k for k in local_map.keyframes}
    taken = np.zeros(len(marks), np.bool_)
    taken[rows] = True
    keep = taken[at] & ~anchored
    rays, sigmas = (
        np.concatenate([getattr(k.frame, name)[k.feature_idx] for k in chosen])[keep]
        for name in ("rays", "sigmas")
    )
    landmark = np.searchsorted(rows, at[keep])
    factor = np.where(marks.measured[rows], 1.0, LIMITS.unknown_depth)
    problem = Problem(
        poses=np.array([keyframes[n].T for n in numbers]),
        free=np.isin(numbers, free),
        anchors=np.searchsorted(numbers, marks.anchors[rows]).astype(np.int32),
        anchor_rays=marks.rays[rows],
        inverse_depth=marks.inverse_depth[rows],
        prior=marks.prior_inverse_depth[rows],
        prior_sigmas=marks.prior_inverse_depth_sigmas[rows] * factor,
        keyframe=np.searchsorted(numbers, frames[keep]).astype(np.int32),
        landmark=landmark.astype(np.int32),
        rays=rays,
        sigmas=np.hypot(sigmas, marks.ray_sigmas[rows][landmark]),
    )
    return BAWindow(problem, numbers.astype(np.int32), marks.ids[rows])


def _outlier_ids(window: BAWindow, solution: Solution) -> dict[int, Int32]:
    """Landmarks that a keyframe, by its number, observes wrongly."""
    p = window.problem
    return {
        int(n): window.ids[p.landmark[solution.outliers & (p.keyframe == i)]]
        for i, n in enumerate(window.numbers)
    }
