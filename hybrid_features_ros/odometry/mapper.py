"""Keyframes: when one is due, the depths it reveals, and the window that is adjusted with it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from hybrid_features_ros.core import se3
from hybrid_features_ros.core.config import MappingConfig
from hybrid_features_ros.core.types import Bool, Float64, Int32, MotionModel, Rows
from hybrid_features_ros.odometry.bundle_adjustment import Problem, Solution, adjust
from hybrid_features_ros.odometry.frame import View
from hybrid_features_ros.odometry.local_map import KNOWN, Keyframe, LocalMap, is_measured, moved
from hybrid_features_ros.odometry.pose_optimizer import linearise
from hybrid_features_ros.odometry.tracking_result import Tracked

_GATE = 3.0  # residual, in sigmas per axis, up to which an observation may tell a depth
_MOST_LANDMARKS = 1500  # in one adjustment
_LOOSE = 3.0  # an unknown distance is freer in the adjustment than it is for one image


def is_due(tracked: Tracked, local_map: LocalMap, support: int, config: MappingConfig) -> bool:
    """Whether an image should become a keyframe.

    Args:
        support: inliers of the first image after the newest keyframe.
    """
    if tracked.inliers.sum() < config.min_inlier_share * support:
        return True
    axis = local_map.reference.T[:3, 2] @ tracked.fit.T[:3, 2]
    if np.degrees(np.arccos(np.clip(axis, -1, 1))) > config.max_rotation_deg:
        return True
    if tracked.held:
        return False
    if tracked.model is not MotionModel.PNP:
        return True  # a translation without depths is only reported once it is clear
    if np.degrees(tracked.parallax) > config.max_parallax_deg and tracked.partner is local_map.reference:
        return True
    return reveals(tracked, local_map) >= config.min_new_depths


def reveals(tracked: Tracked, local_map: LocalMap) -> int:
    """How many depths that are unknown the image would determine."""
    rows = tracked.rows[tracked.inliers & ~tracked.known]
    away = local_map.origins[rows] - tracked.fit.T[:3, 3]
    marks = local_map.landmarks
    across = np.linalg.norm(np.cross(local_map.directions[rows], away), axis=1)  # to first order in 1 / depth
    sigmas = np.sqrt(2) * marks.ray_sigmas[rows] * tracked.fit.noise
    spread = 1 / np.sqrt(1 / marks.inverse_sigmas[rows] ** 2 + (across / sigmas) ** 2)
    return int((spread < KNOWN * marks.inverse[rows]).sum())


def with_depths(local_map: LocalMap, tracked: Tracked, view: View) -> LocalMap:
    """What an image at a known pose says about the distances of the landmarks it sees.

    First its own measured depths, then the parallax: one unknown each, three Gauss-Newton steps.
    """
    rows, columns = tracked.rows[tracked.inliers], tracked.columns[tracked.inliers]
    local_map = _with_measured(local_map, rows, columns, view, tracked.fit.T)
    marks = local_map.landmarks
    before, spread = marks.inverse[rows], marks.inverse_sigmas[rows]
    inverse, V, fits = before, 1 / spread**2, np.ones(len(rows), np.bool_)
    sights = replace(local_map.sights(rows, view, columns), inverse_sigmas=spread)
    basis, variance = sights.basis, (sights.sigmas * tracked.fit.noise) ** 2
    for _ in range(3):
        r, _, A = linearise(replace(sights, inverse=inverse), tracked.fit.T, basis)
        fits = (r**2).sum(axis=0) < 2 * _GATE**2 * variance
        r = np.where(np.isfinite(r), r, 0)
        V = 1 / spread**2 + (A**2).sum(axis=0) / variance
        gradient = (A * r).sum(axis=0) / variance + (inverse - before) / spread**2
        inverse = np.clip(inverse - gradient / V, 0.05 * before, None)
    changed, spreads = marks.inverse.copy(), marks.inverse_sigmas.copy()
    changed[rows] = np.where(fits, inverse, before)
    spreads[rows] = np.where(fits, 1 / np.sqrt(V), spread)
    return replace(local_map, landmarks=replace(marks, inverse=changed, inverse_sigmas=spreads))


def _with_measured(local_map: LocalMap, rows: Rows, columns: Rows, view: View, T: Float64) -> LocalMap:
    """Measured distances of an image, turned into distances from the anchors and averaged into the prior."""
    has = np.isfinite(view.inverse[columns])
    rows, columns = rows[has], columns[has]
    if not len(rows):
        return local_map
    points = (view.rays[columns] / view.inverse[columns][:, None]) @ T[:3, :3].T + T[:3, 3]
    distance = np.maximum(((points - local_map.origins[rows]) * local_map.directions[rows]).sum(1), 1e-3)
    inverse = 1 / distance
    spread = view.inverse_sigmas[columns] * (inverse / view.inverse[columns]) ** 2
    marks = local_map.landmarks
    names = ("prior", "inverse")
    changes: dict[str, Any] = {}
    for name in names:
        mean, sigma = getattr(marks, name).copy(), getattr(marks, f"{name}_sigmas").copy()
        agrees = np.abs(mean[rows] - inverse) < _GATE * np.hypot(sigma[rows], spread)
        at, value, s = rows[agrees], inverse[agrees], spread[agrees]
        weight = 1 / sigma[at] ** 2 + 1 / s**2
        mean[at] = (mean[at] / sigma[at] ** 2 + value / s**2) / weight
        sigma[at] = 1 / np.sqrt(weight)
        changes[name], changes[f"{name}_sigmas"] = mean, sigma
    return replace(local_map, landmarks=replace(marks, **changes))


@dataclass(frozen=True, eq=False)
class Window:
    """A problem for bundle adjustment and where its parts came from.

    Attributes:
        numbers: (K,) int32, keyframes of the problem.
        ids: (L,) int32, landmarks of the problem.
    """

    problem: Problem
    numbers: Int32
    ids: Int32


def window(local_map: LocalMap, config: MappingConfig) -> Window | None:
    """The newest keyframe with those that share most landmarks with it, and as many more that are kept.

    None while the keyframes stand on one spot: then there is nothing to adjust but rotations, and those
    come from the landmarks' directions.
    """
    alive = [k for k in local_map.keyframes if k.view is not None]
    newest = alive[-1]
    shared = {k.number: int(np.isin(newest.ids, k.ids, assume_unique=True).sum()) for k in alive}
    chosen = sorted(alive, key=lambda k: (-shared[k.number], -k.number))[: 2 * config.window]
    chosen = [k for k in chosen if shared[k.number]]
    free = sorted(k.number for k in chosen[: config.window])
    if len(chosen) <= config.window:
        free = free[1:]  # the oldest keeps the rest in place
    chosen.sort(key=lambda k: k.number)
    if not free or not any((k.T[:3, 3] != newest.T[:3, 3]).any() for k in chosen):
        return None
    return _problem(local_map, chosen, free)


def _problem(local_map: LocalMap, chosen: list[Keyframe], free: list[int]) -> Window | None:
    marks = local_map.landmarks
    ids = np.concatenate([k.ids for k in chosen])
    frames = np.concatenate([np.full(len(k.ids), k.number) for k in chosen])
    at = np.searchsorted(marks.ids, ids)
    anchored = marks.anchors[at] == frames
    useful = np.bincount(at[~anchored], minlength=len(marks)) > 0
    useful &= np.bincount(at[np.isin(frames, free)], minlength=len(marks)) > 0
    rows = np.flatnonzero(useful)
    rows = np.sort(rows[np.argsort(-marks.views[rows], kind="stable")[:_MOST_LANDMARKS]])
    if len(rows) < 10:
        return None
    numbers = np.union1d([k.number for k in chosen], marks.anchors[rows])
    keyframes = {k.number: k for k in local_map.keyframes}
    keep = np.isin(at, rows) & ~anchored
    seen, sigmas = (
        np.concatenate([getattr(k.view, name)[k.columns] for k in chosen])[keep]
        for name in ("rays", "sigmas")
    )
    landmark = np.searchsorted(rows, at[keep])
    loose = np.where(marks.measured[rows], 1.0, _LOOSE)
    problem = Problem(
        poses=np.array([keyframes[n].T for n in numbers]),
        free=np.isin(numbers, free),
        anchors=np.searchsorted(numbers, marks.anchors[rows]).astype(np.int32),
        rays=marks.rays[rows],
        inverse=marks.inverse[rows],
        prior=marks.prior[rows],
        prior_sigmas=marks.prior_sigmas[rows] * loose,
        frame=np.searchsorted(numbers, frames[keep]).astype(np.int32),
        landmark=landmark.astype(np.int32),
        seen=seen,
        sigmas=np.hypot(sigmas, marks.ray_sigmas[rows][landmark]),
    )
    return Window(problem, numbers.astype(np.int32), marks.ids[rows])


def solve(given: Window, config: MappingConfig) -> Solution:
    """Adjust a window; touches nothing else, so that it may run in another thread."""
    return _as_long(given.problem, adjust(given.problem, config.iterations))


def _as_long(problem: Problem, solution: Solution) -> Solution:
    """The solution in the unit of length that the map had.

    While all poses that stay stand on one spot and no depth was measured, only the wide priors of the
    depths hold the scale. There the free keyframes keep their distances from that spot, in the root mean
    square, so that what was published since the start is not of another scale than what follows.
    """
    spots = problem.poses[~problem.free, :3, 3]
    given, found = (p[problem.free, :3, 3] - spots[0] for p in (problem.poses, solution.poses))
    lengths = float(np.linalg.norm(given)), float(np.linalg.norm(found))
    if (
        is_measured(problem.prior, problem.prior_sigmas).any()
        or (spots != spots[0]).any()
        or not min(lengths)
    ):
        return solution
    scale = lengths[0] / lengths[1]
    poses = solution.poses.copy()
    poses[:, :3, 3] = spots[0] + scale * (poses[:, :3, 3] - spots[0])
    units = np.diag([scale] * 3 + [1.0] * 3)
    return replace(
        solution,
        poses=poses,
        inverse=solution.inverse / scale,
        inverse_sigmas=solution.inverse_sigmas / scale,
        covariance=units @ solution.covariance @ units,
    )


def adjusted(local_map: LocalMap, given: Window, solution: Solution) -> LocalMap:
    """The map with a solved window put in; what was added since the window was taken moves along."""
    poses = dict(zip(given.numbers.tolist(), solution.poses, strict=True))
    old = dict(zip(given.numbers.tolist(), given.problem.poses, strict=True))
    newest = int(given.numbers[given.problem.free][-1])
    shift = poses[newest] @ se3.inverse(old[newest])
    keyframes = []
    for k in local_map.keyframes:
        T = poses.get(k.number, shift @ k.T if k.number > newest else k.T)
        keyframes.append(moved(k, T, k.covariance))
    marks = local_map.landmarks
    inverse, spread, views = marks.inverse.copy(), marks.inverse_sigmas.copy(), marks.views.copy()
    still = np.isin(given.ids, marks.ids, assume_unique=True)
    rows = np.searchsorted(marks.ids, given.ids[still])
    inverse[rows] = solution.inverse[still]
    spread[rows] = solution.inverse_sigmas[still]
    views[rows] -= np.bincount(given.problem.landmark[solution.outliers], minlength=len(given.ids))[still]
    keyframes = _without_outliers(keyframes, given, solution)
    marks = replace(marks, inverse=inverse, inverse_sigmas=spread, views=views)
    return LocalMap.made_of(keyframes, marks, local_map.next_id)


def _without_outliers(keyframes: list[Keyframe], given: Window, solution: Solution) -> list[Keyframe]:
    """Observations that nothing explains are forgotten."""
    p = given.problem
    bad: dict[int, Bool | Int32] = {
        int(n): given.ids[p.landmark[solution.outliers & (p.frame == i)]] for i, n in enumerate(given.numbers)
    }
    result = []
    for k in keyframes:
        wrong = bad.get(k.number)
        if wrong is None or not len(wrong):
            result.append(k)
            continue
        stay = ~np.isin(k.ids, wrong)
        result.append(replace(k, ids=k.ids[stay], columns=k.columns[stay]))
    return result
