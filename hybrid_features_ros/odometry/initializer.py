"""An image whose known depths, if any, tell no position: the motion since one keyframe, or a held position.

The two-view models (rotation only, homography, essential) are judged by Torr's criterion, see
:mod:`two_view`. A translation must show twice in a row, unless it is the first and its parallax is beyond
doubt.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hybrid_features_ros.core import se3
from hybrid_features_ros.core.config import OdometryConfig
from hybrid_features_ros.core.types import Float64, MotionEstimate, MotionModel, Rows
from hybrid_features_ros.geometry.two_view import Pairs, estimate_motion, sampson
from hybrid_features_ros.odometry.frame import View
from hybrid_features_ros.odometry.local_map import Keyframe, LocalMap
from hybrid_features_ros.odometry.pose_optimizer import fit_pose, judge
from hybrid_features_ros.odometry.tracking_result import LENIENT, Guess, Lens, Tracked, agreeing, shared_most

_LEAST_DEPTHS = 4  # known depths that outvote the scene's usual one
_CLEAR = 6.0  # parallax, over the scatter across it, that is no accident if the next image shows it again
_BEYOND_DOUBT = 12.0  # the same, where one image suffices to begin the map
_SAME = np.cos(np.radians(25.0))  # directions that confirm each other


def place_by_two_views(
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
    partner, shared, theirs = shared_most(local_map, rows, np.ones(len(rows), np.bool_))
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
    at_once = clear > _BEYOND_DOUBT and not local_map.landmarks.known.any()
    wide = motion.parallax > np.radians(config.tracking.min_parallax_deg)
    heading = partner.T[:3, :3] @ motion.T_a_b[:3, 3] if at_once or (wide and clear > _CLEAR) else None
    if heading is None or not (at_once or _confirmed(heading, guess)):
        sights = local_map.sights(rows, view, columns)
        fit = fit_pose(sights, se3.make(partner.T[:3, :3] @ motion.T_a_b[:3, :3], guess.held), turn_only=True)
        inliers = agreeing(fit.errors, sights, LENIENT * config.tracking.threshold_px / lens.focal)
        if inliers.sum() < max(config.two_view.min_inliers, config.two_view.min_inlier_share * len(rows)):
            return None
        tracked = Tracked.made_of(motion.model, local_map, view, fit, rows, columns, inliers)
        doubt = np.zeros(6) if motion.model is MotionModel.ROTATION_ONLY else se3.log(se3.inverse(fit.T) @ T)
        return replace(tracked, held=True, heading=heading, doubt=doubt)
    rows, columns = rows[shared], columns[shared]
    sights = local_map.sights(rows, view, columns)
    information = np.asarray(np.linalg.pinv(units @ motion.covariance @ units, hermitian=True))
    fit = replace(judge(sights, T), information=information)
    return Tracked.made_of(motion.model, local_map, view, fit, rows, columns, motion.inliers)


def _clearness(motion: MotionEstimate, pairs: Pairs, config: OdometryConfig) -> float:
    """Parallax over what noise makes of a rotation: how clear it is that the camera moved.

    0 where the models disagree with too many matches or with each other.
    """
    if motion.model is MotionModel.ROTATION_ONLY or motion.ambiguous:
        return 0.0
    if motion.inliers.mean() < config.tracking.min_agreement:
        return 0.0
    few = Pairs(*(a[motion.inliers] for a in (pairs.rays_a, pairs.rays_b, pairs.sigmas)))
    miss = np.sqrt(np.median(sampson(motion.T_a_b[:3, :3], motion.T_a_b[:3, 3], few)) / 0.4549)
    return float(motion.parallax / max(miss, 1e-9))


def _confirmed(heading: Float64, guess: Guess) -> bool:
    """Whether the image before showed the same translation: two accidents in a row rarely agree."""
    return guess.heading is not None and bool(guess.heading @ heading > _SAME)


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
    return se3.make(T[:3, :3], T[:3, 3] * length), np.diag([length] * 3 + [1.0] * 3)
