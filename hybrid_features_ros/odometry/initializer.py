# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Two-view initialization: images whose landmarks of known depth, if any, do not determine a position.

The two-view models (rotation only, homography, essential) are compared by GRIC, see
:mod:`~hybrid_features_ros.geometry.model_selection`. A translation must show in two images in a row, unless
it is the first and its parallax is beyond doubt.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from hybrid_features_ros.core import se3
from hybrid_features_ros.core.camera import Camera
from hybrid_features_ros.core.config import OdometryConfig
from hybrid_features_ros.core.types import Float64, MotionEstimate, MotionModel
from hybrid_features_ros.geometry.essential import sampson_errors
from hybrid_features_ros.geometry.model_selection import estimate_motion
from hybrid_features_ros.geometry.ray_pairs import RayPairs
from hybrid_features_ros.geometry.robust import CHI2_MEDIAN
from hybrid_features_ros.odometry.local_map import Keyframe, MapMatches, select_reference_keyframe
from hybrid_features_ros.odometry.pose_optimizer import PosePrior, evaluate_pose, optimize_pose
from hybrid_features_ros.odometry.tracking_result import LENIENT, TrackingResult, inlier_mask


@dataclass(frozen=True)
class Initialization:
    """When a translation counts; chosen on rendered rooms, turns and walls with exact truth.

    Attributes:
        min_depths: known depths that outvote the scene's median one.
        candidate_snr: parallax, over its noise, of a translation that the next image may confirm.
        certain_snr: the same, of a translation that begins the map at once.
        same_direction: cosine of the angle between directions that confirm each other.
    """

    min_depths: int = 4
    candidate_snr: float = 6.0
    certain_snr: float = 12.0
    same_direction: float = float(np.cos(np.radians(25.0)))


INITIALIZATION = Initialization()


def track_two_view(
    matches: MapMatches,
    prior: PosePrior,
    config: OdometryConfig,
    camera: Camera,
    median_inverse_depth: float,
) -> TrackingResult | None:
    """The motion since the keyframe with most covisible landmarks, without known depths or with few."""
    everything = np.ones(len(matches), np.bool_)
    keyframe, common, features = select_reference_keyframe(
        matches.local_map, matches.landmark_idx, everything
    )
    pairs = _ray_pairs(keyframe, features, matches[common])
    threshold = config.two_view.inlier_threshold_px / camera.focal
    motion = estimate_motion(pairs, threshold, config.two_view, config.seed)
    mapped = matches.depth_known.sum() >= config.tracking.min_landmarks
    if motion.model is MotionModel.NONE or (mapped and motion.model is not MotionModel.ROTATION_ONLY):
        return None  # landmarks of known depth disagree with every position: no ground for one without them
    T_a_b, units = scaled_translation(matches[common], keyframe, motion, pairs, median_inverse_depth)
    T = keyframe.T @ T_a_b
    snr = parallax_snr(motion, pairs, config.tracking.min_agreement)
    at_once = snr > INITIALIZATION.certain_snr and not matches.local_map.landmarks.depth_known.any()
    wide = motion.parallax > np.radians(config.tracking.min_parallax_deg)
    candidate = None
    if at_once or (wide and snr > INITIALIZATION.candidate_snr):
        candidate = keyframe.T[:3, :3] @ motion.T_a_b[:3, 3]
    if candidate is None or not (at_once or is_confirmed(candidate, prior)):
        start = se3.make(keyframe.T[:3, :3] @ motion.T_a_b[:3, :3], prior.last_position)
        tracked = _hold_position(matches, start, motion.model, config, camera)
        if tracked is None:
            return None
        offset = np.zeros(6)
        if motion.model is not MotionModel.ROTATION_ONLY:
            offset = se3.log(se3.inverse(tracked.fit.T) @ T)
        return replace(tracked, candidate_translation=candidate, held_offset=offset)
    information = np.asarray(np.linalg.pinv(units @ motion.covariance @ units, hermitian=True))
    fit = replace(evaluate_pose(matches[common].observations, T), information=information)
    return TrackingResult.make(motion.model, matches[common], fit, motion.inliers)


def _ray_pairs(keyframe: Keyframe, features: np.ndarray, matches: MapMatches) -> RayPairs:
    """Rays of a keyframe's features and of the matches with the same landmarks."""
    a, b = keyframe.frame, matches.frame
    assert a is not None
    sigmas = np.hypot(a.sigmas[features], b.sigmas[matches.feature_idx])
    return RayPairs(a.rays[features], b.rays[matches.feature_idx], sigmas)


def _hold_position(
    matches: MapMatches, start: Float64, model: MotionModel, config: OdometryConfig, camera: Camera
) -> TrackingResult | None:
    """Fit the rotation alone; None if too few matches agree with it."""
    observations = matches.observations
    fit = evaluate_pose(observations, optimize_pose(observations, start, fix_position=True))
    inliers = inlier_mask(fit.errors, observations, LENIENT * config.tracking.threshold_px / camera.focal)
    if inliers.sum() < max(config.two_view.min_inliers, config.two_view.min_inlier_share * len(matches)):
        return None
    return replace(TrackingResult.make(model, matches, fit, inliers), position_held=True)


def parallax_snr(motion: MotionEstimate, pairs: RayPairs, min_agreement: float) -> float:
    """Signal-to-noise ratio of the parallax: over what noise makes of a rotation.

    0 where the models disagree with too many matches or with each other.
    """
    if motion.model is MotionModel.ROTATION_ONLY or motion.ambiguous:
        return 0.0
    if motion.inliers.mean() < min_agreement:
        return 0.0
    R, t = motion.T_a_b[:3, :3], motion.T_a_b[:3, 3]
    noise = np.sqrt(np.median(sampson_errors(R, t, pairs[motion.inliers])) / CHI2_MEDIAN[1])
    return float(motion.parallax / max(noise, 1e-9))


def is_confirmed(direction: Float64, prior: PosePrior) -> bool:
    """Whether the image before showed the same direction (3,): two accidents in a row rarely agree."""
    before = prior.candidate_translation
    return before is not None and bool(before @ direction > INITIALIZATION.same_direction)


def scaled_translation(
    matches: MapMatches,
    keyframe: Keyframe,
    motion: MotionEstimate,
    pairs: RayPairs,
    median_inverse_depth: float,
) -> tuple[Float64, Float64]:
    """A motion of unit translation scaled to its parallax, and the units (6, 6) of that.

    The depths are the known ones if there are a few, else the scene's median one.
    """
    T = motion.T_a_b
    a, c = pairs.rays_a, pairs.rays_b @ T[:3, :3].T
    sine = np.linalg.norm(np.cross(a, T[:3, 3]), axis=1)
    gap = np.linalg.norm(a - c, axis=1)
    known = motion.inliers & matches.depth_known & (sine > 0.1)
    if known.sum() >= INITIALIZATION.min_depths:
        points = matches.local_map.points(matches.landmark_idx)
        distance = np.linalg.norm(points - keyframe.T[:3, 3], axis=1)
        length = float(np.median((gap * distance / np.maximum(sine, 1e-9))[known]))
    else:
        gap, sine = gap[motion.inliers], sine[motion.inliers]
        length = float((gap * sine).sum() / max((sine**2).sum(), 1e-12)) / median_inverse_depth
    return se3.make(T[:3, :3], T[:3, 3] * length), np.diag([length] * 3 + [1.0] * 3)
