"""An image against the map: which landmarks it sees, from where, and by which model of motion.

The rival models are, in this order:

* PNP, where landmarks of known depth alone determine the position to a small share of the scene's depth;
* otherwise the two-view models between the image and the keyframe that shares most landmarks with it
  (rotation only, homography, essential), see :mod:`unmapped`.

Whichever wins, the pose comes from the same least-squares problem over all landmarks, known or not
(:mod:`resection`): free, or with the position held when the camera only turned.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from hybrid_features_ros.core import se3
from hybrid_features_ros.core.config import OdometryConfig
from hybrid_features_ros.core.types import Bool, Float32, Float64, MotionModel, Rows
from hybrid_features_ros.geometry.pnp import estimate_pnp
from hybrid_features_ros.geometry.two_view import Pairs, fit_rotation
from hybrid_features_ros.matching.descriptors import mutual_among, mutual_nearest, squared_distances
from hybrid_features_ros.odometry.frame import View
from hybrid_features_ros.odometry.initializer import place_by_two_views
from hybrid_features_ros.odometry.local_map import Keyframe, LocalMap
from hybrid_features_ros.odometry.pose_optimizer import (
    Fit,
    Sights,
    approach,
    judge,
    middle,
    scatter,
    squared_errors,
)
from hybrid_features_ros.odometry.tracking_result import LENIENT, Guess, Lens, Tracked, agreeing

_SEARCH_PX = 9.0  # how far from its predicted place a landmark is looked for once the pose is known
_GUIDED_RATIO = 0.9  # a landmark's place tells it from others, so its descriptor need not
_MARGIN = np.radians(12.0)  # landmarks this far outside the image are compared as well
_WIDE = np.radians(3.0)  # threshold of a rotation that stands for a motion with parallax
_ROUGH = 5e-4  # steps below which a first pose counts as found [rad]
_ENOUGH = 250  # matches that a first pose is fitted to
_TRUST = 3.0  # a position may be this much less sure where the last velocity helps it
_AGREE = 0.5  # share of inliers below which another start is tried


def track(
    local_map: LocalMap, view: View, guess: Guess, lens: Lens, config: OdometryConfig, usual: float
) -> Tracked | None:
    """Place an image near where it is expected; None if too few landmarks agree.

    Args:
        usual: one over the scene's usual depth [1/m].
    """
    rows = local_map.in_view(guess.T, lens.half_angle + _MARGIN, config.tracking.max_landmarks)
    return _place(local_map, rows, view, guess, lens, config, usual)


def find(
    local_map: LocalMap, keyframe: Keyframe, view: View, lens: Lens, config: OdometryConfig, usual: float
) -> Tracked | None:
    """Place an image among the landmarks of one keyframe, wherever it may be."""
    rows = local_map.seen_by(keyframe)
    return _place(local_map, rows, view, Guess(keyframe.T, keyframe.T[:3, 3]), lens, config, usual)


def _place(
    local_map: LocalMap,
    candidates: Rows,
    view: View,
    guess: Guess,
    lens: Lens,
    config: OdometryConfig,
    usual: float,
) -> Tracked | None:
    squared = squared_distances(local_map.landmarks.values[candidates], view.values)
    at, columns = mutual_nearest(squared, config.matching.ratio)
    if len(at) < config.two_view.min_inliers:
        return None
    threshold = config.tracking.threshold_px / lens.focal
    T, agree = _fit_known(local_map, candidates[at], view, columns, guess, threshold, config)
    if T is not None:
        more, others = _guided(squared, local_map, candidates, view, T, lens, at[agree], columns[agree])
        rows, seen = candidates[np.concatenate([at[agree], more])], np.concatenate([columns[agree], others])
        sights = local_map.sights(rows, view, seen)
        heard = _heard(local_map, rows, squared_errors(sights, T), sights, threshold, config)
        T = approach(sights[heard], T, prior=guess.information, mean=guess.T, widest=2 * threshold)
        fit = judge(sights, T, heard)
        blur = 3 * fit.noise * middle(sights.sigmas)
        loose = agreeing(fit.errors, sights, min(max(threshold, blur), LENIENT * threshold))
        known = loose & heard & local_map.landmarks.known[rows]
        sure = config.tracking.max_position_sigma * (1.0 if guess.information is None else _TRUST)
        if determined(fit, known, config, sure / usual):
            inliers = agreeing(fit.errors, sights, threshold)
            return Tracked.made_of(MotionModel.PNP, local_map, view, fit, rows, seen, inliers)
    return place_by_two_views(local_map, candidates[at], view, columns, guess, lens, config, usual)


def _fit_known(
    local_map: LocalMap,
    rows: Rows,
    view: View,
    columns: Rows,
    guess: Guess,
    threshold: float,
    config: OdometryConfig,
) -> tuple[Float64 | None, Bool]:
    """A pose that most landmarks of known depth agree with, and who of all agrees with it.

    Those whose depth has stood a test decide: what only the newest keyframes saw may lie on something that
    moves. Where they are few or a minority, and agree on nothing, all are asked.
    """
    marks, sights = local_map.landmarks, local_map.sights(rows, view, columns)
    known = np.flatnonzero(marks.known[rows])
    proven = known[marks.tested[rows[known]]]
    T, agree = _search(sights, proven, guess, threshold, config)
    if T is None and len(proven) < max(config.tracking.min_landmarks, len(known) / 2):
        return _search(sights, known, guess, threshold, config)
    return T, agree


def _search(
    sights: Sights, known: Rows, guess: Guess, threshold: float, config: OdometryConfig
) -> tuple[Float64 | None, Bool]:
    """From the guess, from a rotation, and by random samples, until one satisfies."""
    if len(known) < config.tracking.min_landmarks:
        return None, np.zeros(len(sights), np.bool_)
    few = sights[known[:: max(1, len(known) // _ENOUGH)]]
    enough = max(config.tracking.min_landmarks, config.two_view.min_inlier_share * len(known))
    best, agreed, count = None, np.zeros(len(sights), np.bool_), 0
    for start in _starts(few, guess.T, threshold, config):
        T = approach(few, start, steps=6, widest=8 * threshold, settled=_ROUGH)
        if scatter(squared_errors(few, T)) * middle(few.sigmas) > 2 * threshold:
            T = approach(few, T, steps=6, widest=2 * threshold, settled=_ROUGH)
        agree = agreeing(squared_errors(sights, T), sights, LENIENT * threshold)
        if agree[known].sum() > count:
            best, agreed, count = T, agree, int(agree[known].sum())
        if count >= _AGREE * len(known):
            break
    if best is None or count < enough:
        return None, np.zeros(len(sights), np.bool_)
    return best, agreed


def _heard(
    local_map: LocalMap, rows: Rows, errors: Float64, sights: Sights, threshold: float, config: OdometryConfig
) -> Bool:
    """Which landmarks refine a pose (M,): all that roughly agree, but of the untested, while there are
    enough others, only those that agree well.
    """
    rough = agreeing(errors, sights, LENIENT * threshold)
    proven = local_map.landmarks.tested[rows]
    if (rough & proven & local_map.landmarks.known[rows]).sum() < config.tracking.min_landmarks:
        return rough
    return rough & (proven | agreeing(errors, sights, threshold))


def _starts(sights: Sights, T: Float64, threshold: float, config: OdometryConfig) -> Iterator[Float64]:
    """Poses to start from, cheap ones first."""
    yield T
    d = sights.directions + sights.inverse[:, None] * (sights.origins - T[:3, 3])
    d /= np.maximum(np.linalg.norm(d, axis=1, keepdims=True), 1e-12)
    pairs = Pairs(d, sights.rays, sights.sigmas)
    yield se3.make(fit_rotation(pairs, _WIDE, config.two_view, config.seed).R, T[:3, 3])
    points = sights.origins + sights.directions / sights.inverse[:, None]
    found = estimate_pnp(points, sights.rays, sights.sigmas, threshold, config.two_view)
    if found is not None:
        yield found[0]


def _guided(
    squared: Float32,
    local_map: LocalMap,
    candidates: Rows,
    view: View,
    T: Float64,
    lens: Lens,
    taken_rows: Rows,
    taken_columns: Rows,
) -> tuple[Rows, Rows]:
    """More matches, among what is left, where the pose says that the landmarks are to be seen."""
    rows, columns = _others(len(candidates), taken_rows), _others(len(view), taken_columns)
    rays, blur = local_map.places(T, candidates[rows])
    inside = rays[:, 2] > np.cos(lens.half_angle)
    rows, rays, blur = rows[inside], rays[inside], blur[inside]
    apart = rays.astype(np.float32) @ view.rays[columns].T.astype(np.float32)
    limit = np.cos(np.minimum(_SEARCH_PX / lens.focal + 2 * blur, 1.0)).astype(np.float32)
    i, j = np.divmod(np.flatnonzero(apart >= limit[:, None]), max(len(columns), 1))
    best = mutual_among(squared[rows[i], columns[j]], i, j, apart.shape, _GUIDED_RATIO)
    return rows[i[best]], columns[j[best]]


def _others(count: int, taken: Rows) -> Rows:
    """The numbers up to ``count`` that are not taken."""
    free = np.ones(count, np.bool_)
    free[taken] = False
    return np.flatnonzero(free)


def determined(fit: Fit, known: Bool, config: OdometryConfig, sigma: float) -> bool:
    """Whether points of known depth (N,) alone tell the position, to ``sigma`` [m]."""
    if known.sum() < config.tracking.min_landmarks:
        return False
    information = fit.told_by(known)
    if np.linalg.matrix_rank(information) < 6:
        return False
    return bool(np.linalg.eigvalsh(np.linalg.inv(information)[:3, :3])[-1] < sigma**2)
