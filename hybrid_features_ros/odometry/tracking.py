"""An image against the map: which landmarks it sees, from where, and by which model of motion.

The rival models are, in this order:

* PNP, where landmarks of known depth alone determine the position to a small share of the scene's depth;
* otherwise the two-view models between the image and the keyframe that shares most landmarks with it
  (rotation only, homography, essential), judged by Torr's criterion, see :mod:`two_view`; unless its
  parallax is beyond doubt a translation must show twice in a row, or the position is held.

Whichever wins, the pose comes from the same least-squares problem over all landmarks, known or not
(:mod:`resection`): free, or with the position held when the camera only turned.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from hybrid_features_ros import pose
from hybrid_features_ros.config import OdometryConfig
from hybrid_features_ros.odometry.local_map import Keyframe, LocalMap, Rows
from hybrid_features_ros.odometry.matching import mutual_nearest, squared_distances
from hybrid_features_ros.odometry.pnp import estimate_pnp
from hybrid_features_ros.odometry.resection import Fit, Sights, approach, fit_pose, judge
from hybrid_features_ros.odometry.two_view import (
    Pairs,
    estimate_motion,
    fit_rotation,
    median_parallax,
    sampson,
)
from hybrid_features_ros.odometry.view import View
from hybrid_features_ros.types import Bool, Float32, Float64, MotionEstimate, MotionModel

_SEARCH_PX = 9.0  # how far from its predicted place a landmark is looked for once the pose is known
_GUIDED_RATIO = 0.9  # a landmark's place tells it from others, so its descriptor need not
_MARGIN = np.radians(12.0)  # landmarks this far outside the image are compared as well
_WIDE = np.radians(3.0)  # threshold of a rotation that stands for a motion with parallax
_ROUGH = 5e-4  # steps below which a first pose counts as found [rad]
_ENOUGH = 250  # matches that a first pose is fitted to
_LEAST_DEPTHS = 4  # known depths that outvote the scene's usual one
_CLEAR = 6.0  # parallax, over the scatter across it, that is no accident if the next image shows it again
_BEYOND_DOUBT = 12.0  # the same, where one image suffices
_LENIENT = 3.0  # how much larger an inlier's error may be while the position is held
_SAME = np.cos(np.radians(25.0))  # directions that confirm each other
_TRUST = 3.0  # a position may be this much less sure where the last velocity helps it
_AGREE = 0.5  # share of inliers below which another start is tried


@dataclass(frozen=True, eq=False)
class Lens:
    """What matters of the camera here: pixels per radian, and its half angle of view [rad]."""

    focal: float
    half_angle: float


@dataclass(frozen=True, eq=False)
class Guess:
    """Where the camera is expected.

    Attributes:
        T: (4, 4) ``T_world_camera``.
        held: (3,) where it is if it only turned: the last position known [m].
        information: (6, 6) of a right perturbation of ``T``; None = nothing is known.
        heading: what the image before showed, see :class:`Tracked`.
    """

    T: Float64
    held: Float64
    information: Float64 | None = None
    heading: Float64 | None = None


@dataclass(frozen=True, eq=False)
class Tracked:
    """An image placed in the map.

    Attributes:
        model: what explains it.
        fit: the pose, its information and the residuals.
        rows, columns: (M,) landmarks of the map and the features that match them.
        inliers, known: (M,) bool, which agree, and which of those have a known depth.
        partner: the keyframe that shares most of them.
        shared, theirs: (S,) which of the matches it shares, and as what features.
        parallax: median angle by which the inliers moved since the partner, rotation undone [rad].
        held: the position was not estimated but kept: the camera only turned, or one cannot tell.
        heading: direction (3,) in the world of a translation to be confirmed.
        doubt: (6,) from the pose to the one that two views speak for while the position is held.
    """

    model: MotionModel
    fit: Fit
    rows: Rows
    columns: Rows
    inliers: Bool
    known: Bool
    partner: Keyframe
    shared: Rows
    theirs: Rows
    parallax: float
    held: bool = False
    heading: Float64 | None = None
    doubt: Float64 = field(default_factory=lambda: np.zeros(6))


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
    fit, agree = _fit_known(local_map, candidates[at], view, columns, guess, threshold, config)
    if fit is not None:
        more, others = _guided(squared, local_map, candidates, view, fit.T, lens, at[agree], columns[agree])
        rows, seen = candidates[np.concatenate([at[agree], more])], np.concatenate([columns[agree], others])
        sights = local_map.sights(rows, view, seen)
        heard = _heard(local_map, rows, judge(sights, fit.T), sights, threshold, config)
        T = approach(sights[heard], fit.T, prior=guess.information, mean=guess.T, widest=2 * threshold)
        fit = judge(sights, T, heard)
        blur = 3 * fit.noise * float(np.median(sights.sigmas))
        loose = agreeing(fit, sights, min(max(threshold, blur), _LENIENT * threshold))
        known = loose & heard & local_map.landmarks.known[rows]
        sure = config.tracking.max_position_sigma * (1.0 if guess.information is None else _TRUST)
        if determined(sights, fit, known, config, sure / usual):
            inliers = agreeing(fit, sights, threshold)
            return _tracked(MotionModel.PNP, local_map, view, fit, rows, seen, inliers)
    return _by_two_views(local_map, candidates[at], view, columns, guess, lens, config, usual)


def _fit_known(
    local_map: LocalMap,
    rows: Rows,
    view: View,
    columns: Rows,
    guess: Guess,
    threshold: float,
    config: OdometryConfig,
) -> tuple[Fit | None, Bool]:
    """A pose that most landmarks of known depth agree with, and who of all agrees with it.

    It is looked for from the guess, from a rotation, and by random samples, until one satisfies.
    """
    known = np.flatnonzero(_proven(local_map, rows, config))
    if len(known) < config.tracking.min_landmarks:
        return None, np.zeros(len(rows), np.bool_)
    sights = local_map.sights(rows, view, columns)
    few = sights[known[:: max(1, len(known) // _ENOUGH)]]
    enough = max(config.tracking.min_landmarks, config.two_view.min_inlier_share * len(known))
    best, agreed, count = None, np.zeros(len(rows), np.bool_), 0
    for start in _starts(few, guess.T, threshold, config):
        T = approach(few, start, steps=6, widest=8 * threshold, settled=_ROUGH)
        T = approach(few, T, steps=6, widest=2 * threshold, settled=_ROUGH)
        fit = judge(sights, T)
        agree = agreeing(fit, sights, _LENIENT * threshold)
        if agree[known].sum() > count:
            best, agreed, count = fit, agree, int(agree[known].sum())
        if count >= _AGREE * len(known):
            break
    if best is None or count < enough:
        return None, np.zeros(len(rows), np.bool_)
    return best, agreed


def _proven(local_map: LocalMap, rows: Rows, config: OdometryConfig) -> Bool:
    """Which landmarks (M,) find the pose: while they suffice, those whose depth has stood a test.

    What only the newest keyframes saw may lie on something that moves.
    """
    marks = local_map.landmarks
    proven = marks.known[rows] & marks.tested[rows]
    return proven if proven.sum() >= config.tracking.min_landmarks else marks.known[rows]


def _heard(
    local_map: LocalMap, rows: Rows, fit: Fit, sights: Sights, threshold: float, config: OdometryConfig
) -> Bool:
    """Which landmarks refine a pose (M,): all that roughly agree, but of the untested, while there are
    enough others, only those that agree well.
    """
    rough = agreeing(fit, sights, _LENIENT * threshold)
    proven = local_map.landmarks.tested[rows]
    if (rough & proven & local_map.landmarks.known[rows]).sum() < config.tracking.min_landmarks:
        return rough
    return rough & (proven | agreeing(fit, sights, threshold))


def _by_two_views(
    local_map: LocalMap,
    rows: Rows,
    view: View,
    columns: Rows,
    guess: Guess,
    lens: Lens,
    config: OdometryConfig,
    usual: float,
) -> Tracked | None:
    """The motion since the keyframe that shares most matches, without known depths or with few."""
    partner, shared, theirs = _partner(local_map, rows, np.ones(len(rows), np.bool_))
    assert partner.view is not None
    pairs = Pairs(
        partner.view.rays[theirs],
        view.rays[columns[shared]],
        np.hypot(partner.view.sigmas[theirs], view.sigmas[columns[shared]]),
    )
    motion = estimate_motion(pairs, config.two_view.threshold_px / lens.focal, config.two_view, config.seed)
    mapped = local_map.landmarks.known[rows].sum() >= config.tracking.min_landmarks
    if motion.model is MotionModel.NONE or (mapped and motion.model is not MotionModel.ROTATION_ONLY):
        return None  # points of known depth disagree with every position: no ground for one without them
    T_a_b, units = with_length(local_map, rows[shared], partner, motion, pairs, usual)
    T = partner.T @ T_a_b
    clear = _clearness(motion, pairs, config)
    heading = partner.T[:3, :3] @ motion.T_a_b[:3, 3] if clear > _CLEAR else None
    if heading is None or not (clear > _BEYOND_DOUBT or _confirmed(heading, guess)):
        sights = local_map.sights(rows, view, columns)
        fit = fit_pose(
            sights, pose.make(partner.T[:3, :3] @ motion.T_a_b[:3, :3], guess.held), turn_only=True
        )
        inliers = agreeing(fit, sights, _LENIENT * config.tracking.threshold_px / lens.focal)
        if inliers.sum() < max(config.two_view.min_inliers, config.two_view.min_inlier_share * len(rows)):
            return None
        tracked = _tracked(motion.model, local_map, view, fit, rows, columns, inliers)
        doubt = (
            np.zeros(6) if motion.model is MotionModel.ROTATION_ONLY else pose.log(pose.inverse(fit.T) @ T)
        )
        return replace(tracked, held=True, heading=heading, doubt=doubt)
    rows, columns = rows[shared], columns[shared]
    sights = local_map.sights(rows, view, columns)
    information = np.asarray(np.linalg.pinv(units @ motion.covariance @ units, hermitian=True))
    fit = replace(judge(sights, T), information=information)
    return _tracked(motion.model, local_map, view, fit, rows, columns, motion.inliers)


def _clearness(motion: MotionEstimate, pairs: Pairs, config: OdometryConfig) -> float:
    """Parallax over what noise makes of a rotation: how clear it is that the camera moved.

    0 where the models disagree with too many matches or with each other. Below ``min_parallax_deg`` only a
    parallax beyond doubt counts.
    """
    rule = config.tracking
    if motion.model is MotionModel.ROTATION_ONLY or motion.ambiguous:
        return 0.0
    if motion.inliers.mean() < rule.min_agreement:
        return 0.0
    few = Pairs(*(a[motion.inliers] for a in (pairs.rays_a, pairs.rays_b, pairs.sigmas)))
    miss = np.sqrt(np.median(sampson(motion.T_a_b[:3, :3], motion.T_a_b[:3, 3], few)) / 0.4549)
    clear = float(motion.parallax / max(miss, 1e-9))
    return clear if clear > _BEYOND_DOUBT or motion.parallax > np.radians(rule.min_parallax_deg) else 0.0


def _confirmed(heading: Float64, guess: Guess) -> bool:
    """Whether the image before showed the same translation: two accidents in a row rarely agree."""
    return guess.heading is not None and bool(guess.heading @ heading > _SAME)


def _tracked(
    model: MotionModel,
    local_map: LocalMap,
    view: View,
    fit: Fit,
    rows: Rows,
    columns: Rows,
    inliers: Bool,
) -> Tracked:
    partner, shared, theirs = _partner(local_map, rows, inliers)
    assert partner.view is not None
    pairs = Pairs(partner.view.rays[theirs], view.rays[columns[shared]], np.zeros(len(shared)))
    parallax = median_parallax(pairs, partner.T[:3, :3].T @ fit.T[:3, :3], inliers[shared])
    known = inliers & local_map.landmarks.known[rows]
    return Tracked(model, fit, rows, columns, inliers, known, partner, shared, theirs, parallax)


def _starts(sights: Sights, T: Float64, threshold: float, config: OdometryConfig) -> Iterator[Float64]:
    """Poses to start from, cheap ones first."""
    yield T
    d = sights.directions + sights.inverse[:, None] * (sights.origins - T[:3, 3])
    d /= np.maximum(np.linalg.norm(d, axis=1, keepdims=True), 1e-12)
    pairs = Pairs(d, sights.rays, sights.sigmas)
    yield pose.make(fit_rotation(pairs, _WIDE, config.two_view, config.seed).R, T[:3, 3])
    points = sights.origins + sights.directions / sights.inverse[:, None]
    found = estimate_pnp(points, sights.rays, sights.sigmas, threshold, config.two_view)
    if found is not None:
        yield found[0]


def agreeing(fit: Fit, sights: Sights, threshold: float) -> Bool:
    """(M,) bool: residuals below ``threshold`` [rad], uncertain depths forgiven."""
    return np.asarray(fit.errors * sights.sigmas**2 < threshold**2)


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
    near = np.flatnonzero(apart >= limit[:, None])
    i, j = np.divmod(near, len(columns))
    rest = np.full(apart.size, np.inf, np.float32)
    rest[near] = squared[rows[i], columns[j]]
    at, column = mutual_nearest(rest.reshape(apart.shape), _GUIDED_RATIO)
    return rows[at], columns[column]


def _others(count: int, taken: Rows) -> Rows:
    """The numbers up to ``count`` that are not taken."""
    free = np.ones(count, np.bool_)
    free[taken] = False
    return np.flatnonzero(free)


def determined(sights: Sights, fit: Fit, known: Bool, config: OdometryConfig, sigma: float) -> bool:
    """Whether points of known depth (N,) alone tell the position, to ``sigma`` [m]."""
    if known.sum() < config.tracking.min_landmarks:
        return False
    information = judge(sights, fit.T, known).information
    if np.linalg.matrix_rank(information) < 6:
        return False
    return bool(np.linalg.eigvalsh(np.linalg.inv(information)[:3, :3])[-1] < sigma**2)


def with_length(
    local_map: LocalMap, rows: Rows, partner: Keyframe, motion: MotionEstimate, pairs: Pairs, usual: float
) -> tuple[Float64, Float64]:
    """A motion of unit translation made as long as its parallax says, and the units (6, 6) of that.

    The depths are the known ones if there are a few, else the scene's usual one.
    """
    T = motion.T_a_b
    a, c = pairs.rays_a, pairs.rays_b @ T[:3, :3].T
    across = np.linalg.norm(np.cross(a, T[:3, 3]), axis=1)
    gap = np.linalg.norm(a - c, axis=1)
    known = motion.inliers & local_map.landmarks.known[rows] & (across > 0.1)
    if known.sum() >= _LEAST_DEPTHS:
        points = (
            local_map.origins[rows] + local_map.directions[rows] / local_map.landmarks.inverse[rows][:, None]
        )
        distance = np.linalg.norm(points - partner.T[:3, 3], axis=1)
        length = float(np.median((gap * distance / np.maximum(across, 1e-9))[known]))
    else:
        gap, across = gap[motion.inliers], across[motion.inliers]
        length = float((gap * across).sum() / max((across**2).sum(), 1e-12)) / usual
    return pose.make(T[:3, :3], T[:3, 3] * length), np.diag([length] * 3 + [1.0] * 3)


def _partner(local_map: LocalMap, rows: Rows, inliers: Bool) -> tuple[Keyframe, Rows, Rows]:
    """The keyframe that sees most of the inliers, which of the matches it shares, and as what features.

    Of equals the newest.
    """
    ids = local_map.landmarks.ids[rows]
    alive = [k for k in local_map.keyframes if k.view is not None]
    first = local_map.landmarks.ids[0]
    agrees = np.zeros(local_map.next_id - first, np.bool_)
    agrees[ids[inliers] - first] = True
    best = max(alive, key=lambda k: (np.count_nonzero(agrees[k.ids - first]), k.number))
    agrees[:] = False
    agrees[best.ids - first] = True
    shared = np.flatnonzero(agrees[ids - first])
    return best, shared, best.columns[np.searchsorted(best.ids, ids[shared])]
