# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Two-view initialization: images whose landmarks of known depth, if any, do not determine a position.

The two-view models (rotation only, homography, essential) are compared by GRIC, see
:mod:`~hybrid_features_ros.geometry.model_selection`. A translation begins the map if its parallax is large
against the uncertainty of the rotation: parallax by itself proves little, since a small field of view or a
plane lets a rotation pass for it, and a rolling shutter bends what a turning camera sees
(:func:`parallax_snr`). It must show in two images in a row, unless it is the first and beyond doubt. Until
then the map holds the position; a translation that may yet be confirmed is published, with a covariance that
contains that nothing moved, but nothing is derived from it. Even the map's start is a hypothesis: it is put
to the test again at 1, 2, 4 and 8 degrees of parallax, and a bent map is begun anew (:func:`revise_start`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from hybrid_features_ros.core import se3
from hybrid_features_ros.core.camera import Camera
from hybrid_features_ros.core.config import OdometryConfig, TrackingConfig
from hybrid_features_ros.core.types import Float64, Int32, MotionEstimate, MotionModel, Rows
from hybrid_features_ros.geometry.essential import sampson_errors
from hybrid_features_ros.geometry.model_selection import estimate_motion
from hybrid_features_ros.geometry.ray_pairs import RayPairs
from hybrid_features_ros.matching.descriptors import squared_distances
from hybrid_features_ros.matching.mutual import mutual_nearest
from hybrid_features_ros.odometry.local_map import (
    Keyframe,
    LocalMap,
    MapMatches,
    select_reference_keyframe,
)
from hybrid_features_ros.odometry.pose_optimizer import PosePrior, evaluate_pose, optimize_pose
from hybrid_features_ros.odometry.tracking_result import LENIENT, TrackingResult, inlier_mask


@dataclass(frozen=True)
class Initialization:
    """When a translation counts. Depths and the angle were chosen on rendered rooms, turns and walls, the
    signal-to-noise ratios and the shutter's share on 27 scenes of rendered points (docs/tuning.md); what
    concerns revisions by looking at recordings (KITTI, 7-Scenes, TUM fr1_rpy, TartanAir), so that figures on
    these four are not independent of them; rendered points agree afterwards with ``contradiction``, and do
    not tell ``last_revision``.

    Attributes:
        min_depths: known depths from which they, not the scene's median one, give a translation's length.
        min_sine: sine of the angle between a ray and the translation from which its depth counts there.
        candidate_snr: parallax, over the rotation's uncertainty, of a translation that the next image may
            confirm.
        certain_snr: the same, of a translation that begins the map at once.
        published_snr: the same, of a translation that is published before; nothing is derived from it, and
            its covariance contains that nothing moved.
        shutter_share: of the turn within ``tracking.stamp_error_s``, by which a rolling shutter makes the
            rotation uncertain.
        same_direction: cosine of the angle between directions that confirm each other.
        min_common: matches with a keyframe that are enough to compare it with an image.
        oldest_share: share of the most common matches that makes an older keyframe preferable: it has more
            parallax.
        first_revision, last_revision: parallaxes [rad] from which a map's start is put to the test, again at
            each doubling, and at which it is accepted.
        contradiction, min_contradiction_px: by which factor, and by how much, the epipolar errors of a pose
            that two views contradict are larger than those of their best motion.
    """

    min_depths: int = 4
    min_sine: float = 0.1
    candidate_snr: float = 10.0
    certain_snr: float = 15.0
    published_snr: float = 4.0
    shutter_share: float = 0.07
    same_direction: float = float(np.cos(np.radians(25.0)))
    min_common: int = 40
    oldest_share: float = 0.5
    first_revision: float = float(np.radians(1.0))
    last_revision: float = float(np.radians(8.0))
    contradiction: float = 2.0
    min_contradiction_px: float = 0.2


INITIALIZATION = Initialization()


def track_two_view(
    matches: MapMatches,
    prior: PosePrior,
    config: OdometryConfig,
    camera: Camera,
    median_inverse_depth: float,
) -> TrackingResult | None:
    """The motion since a keyframe, without known depths or with few, see :func:`_select_keyframe`."""
    mapped = matches.depth_known.sum() >= config.tracking.min_landmarks
    keyframe, common, features = _select_keyframe(matches, mapped)
    pairs = _ray_pairs(keyframe, features, matches[common])
    threshold = config.two_view.inlier_threshold_px / camera.focal
    motion = estimate_motion(pairs, threshold, config.two_view, config.seed)
    if motion.model is MotionModel.NONE or (mapped and motion.model is not MotionModel.ROTATION_ONLY):
        return None  # landmarks of known depth disagree with every position: no ground for one without them
    assert keyframe.frame is not None
    seconds = (matches.frame.stamp - keyframe.frame.stamp) * 1e-9
    snr = parallax_snr(motion, seconds, config.tracking)
    is_mapless = not matches.local_map.landmarks.depth_known.any()
    at_once = is_mapless and snr > INITIALIZATION.certain_snr
    wide = motion.parallax > np.radians(config.tracking.min_parallax_deg)
    candidate = None
    if at_once or (wide and snr > INITIALIZATION.candidate_snr):
        candidate = keyframe.T[:3, :3] @ motion.T_a_b[:3, 3]
    if candidate is not None and (at_once or is_confirmed(candidate, prior)):
        return _translated(matches[common], keyframe, motion, pairs, median_inverse_depth)
    start = se3.make(keyframe.T[:3, :3] @ motion.T_a_b[:3, :3], prior.last_position)
    tracked = _hold_position(matches, start, motion.model, config, camera)
    if tracked is None:
        return None
    offset = np.zeros(6)
    if motion.model is not MotionModel.ROTATION_ONLY:
        moved = scaled_translation(matches[common], keyframe, motion, pairs, median_inverse_depth)[0]
        offset = se3.log(se3.inverse(tracked.fit.T) @ keyframe.T @ moved)
    is_clear = snr > INITIALIZATION.published_snr
    return replace(
        tracked,
        candidate_translation=candidate,
        held_offset=offset,
        offset_is_clear=is_mapless and is_clear,
    )


def _translated(
    matches: MapMatches,
    keyframe: Keyframe,
    motion: MotionEstimate,
    pairs: RayPairs,
    median_inverse_depth: float,
) -> TrackingResult:
    """An image placed by its motion since a keyframe."""
    T_a_b, units = scaled_translation(matches, keyframe, motion, pairs, median_inverse_depth)
    information = np.asarray(np.linalg.pinv(units @ motion.covariance @ units, hermitian=True))
    fit = replace(evaluate_pose(matches.observations, keyframe.T @ T_a_b), information=information)
    return TrackingResult.make(motion.model, matches, fit, motion.inliers)


def _select_keyframe(matches: MapMatches, mapped: bool) -> tuple[Keyframe, Rows, Rows]:
    """The keyframe with most covisible landmarks; while no depths are known, the oldest that has enough, so
    that parallax grows though the camera turns.

    Returns:
        As :func:`select_reference_keyframe`.
    """
    rows, everything = matches.landmark_idx, np.ones(len(matches), np.bool_)
    if mapped:
        return select_reference_keyframe(matches.local_map, rows, everything)
    ids = matches.local_map.landmarks.ids[rows]
    keyframes = [k for k in matches.local_map.keyframes if k.frame is not None]
    shares = [int(np.isin(ids, k.landmark_ids).sum()) for k in keyframes]
    most = max(shares)
    enough = max(min(INITIALIZATION.min_common, most), INITIALIZATION.oldest_share * most)
    oldest = next(k for k, share in zip(keyframes, shares, strict=True) if share >= enough)
    common, features = _common(oldest, ids)
    return oldest, common, features


def _common(keyframe: Keyframe, ids: Int32) -> tuple[Rows, Rows]:
    """Which landmarks (M,) a keyframe observes too, and as what features: (S,) each."""
    common = np.flatnonzero(np.isin(ids, keyframe.landmark_ids))
    return common, keyframe.feature_idx[np.searchsorted(keyframe.landmark_ids, ids[common])]


@dataclass(frozen=True, eq=False)
class MapStart:
    """How one camera alone began a map: a hypothesis until parallax has grown.

    Attributes:
        keyframe_number: of the first of the two keyframes.
        parallax: since then, up to which the start has been confirmed [rad].
    """

    keyframe_number: int
    parallax: float

    @property
    def is_open(self) -> bool:
        """Whether it may still be revised."""
        return self.parallax < INITIALIZATION.last_revision

    def relative_error(self, camera: Camera, common_noise_px: float) -> float:
        """Standard deviation of translations over their length: what images err in common, over the
        parallax."""
        return common_noise_px / camera.focal / self.parallax


def parallax_since(keyframe: Keyframe, tracked: TrackingResult) -> float | None:
    """Median angle [rad] by which the inliers moved since a keyframe; None if too few are common."""
    matches = tracked.matches[tracked.inliers]
    common, features = _common(keyframe, matches.local_map.landmarks.ids[matches.landmark_idx])
    if len(common) < INITIALIZATION.min_common or keyframe.frame is None:
        return None
    pairs = _ray_pairs(keyframe, features, matches[common])
    R = keyframe.T[:3, :3].T @ tracked.fit.T[:3, :3]
    return pairs.median_parallax(R, np.ones(len(common), np.bool_))


def revise_start(
    local_map: LocalMap,
    tracked: TrackingResult,
    config: OdometryConfig,
    camera: Camera,
    median_inverse_depth: float,
) -> TrackingResult | None:
    """An image placed anew, in a map that holds the first keyframe only, if the two contradict its pose.

    A start from little parallax may be bent: a wrong translation, and depths that make up for it. Then the
    essential matrix of the first keyframe and an image farther away fits what both show far better.

    Returns:
        None if they do not contradict the pose.
    """
    keyframe, frame = local_map.last_keyframe, tracked.matches.frame
    assert keyframe.frame is not None
    squared = squared_distances(keyframe.frame.descriptors, frame.descriptors)
    rows, features = mutual_nearest(squared, config.matching.lowe_ratio)
    matches = MapMatches(local_map, frame, rows, features)
    pairs = _ray_pairs(keyframe, rows, matches)
    threshold = config.two_view.inlier_threshold_px / camera.focal
    motion = estimate_motion(pairs, threshold, config.two_view, config.seed)
    if motion.model not in (MotionModel.ESSENTIAL, MotionModel.HOMOGRAPHY) or motion.ambiguous:
        return None
    if motion.inliers.mean() < config.tracking.min_agreement:
        return None  # views too far apart: their own motion is the one in doubt
    few = pairs[motion.inliers]
    own = _epipolar_miss(motion.T_a_b, few)
    other = _epipolar_miss(se3.inverse(keyframe.T) @ tracked.fit.T, few)
    least = INITIALIZATION.min_contradiction_px / camera.focal
    if other < max(INITIALIZATION.contradiction * own, own + least):
        return None
    return _translated(matches, keyframe, motion, pairs, median_inverse_depth)


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


def _epipolar_miss(T_a_b: Float64, pairs: RayPairs) -> float:
    """Median epipolar error [rad] of a motion (4, 4)."""
    t = T_a_b[:3, 3] / max(float(np.linalg.norm(T_a_b[:3, 3])), 1e-12)
    return float(np.sqrt(np.median(sampson_errors(T_a_b[:3, :3], t, pairs))))


def parallax_snr(motion: MotionEstimate, seconds: float, config: TrackingConfig) -> float:
    """Signal-to-noise ratio of the parallax: over the standard deviation of the rotation, about the axis that
    is known least, all that a translation may make up for included, and what a rolling shutter adds.

    0 where the models disagree with too many matches or with each other.

    Args:
        seconds: from one view to the other.
    """
    if motion.model is MotionModel.ROTATION_ONLY or motion.ambiguous:
        return 0.0
    if motion.inliers.mean() < config.min_agreement:
        return 0.0
    turn = se3.rotation_angle(motion.T_a_b[:3, :3])
    shutter = INITIALIZATION.shutter_share * config.stamp_error_s * turn / seconds
    variance = np.linalg.eigvalsh(motion.covariance[3:, 3:])[-1]
    return float(motion.parallax / np.sqrt(variance + shutter**2))


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
    known = motion.inliers & matches.depth_known & (sine > INITIALIZATION.min_sine)
    if known.sum() >= INITIALIZATION.min_depths:
        points = matches.local_map.points(matches.landmark_idx)
        distance = np.linalg.norm(points - keyframe.T[:3, 3], axis=1)
        length = float(np.median((gap * distance / np.maximum(sine, 1e-9))[known]))
    else:
        gap, sine = gap[motion.inliers], sine[motion.inliers]
        length = float((gap * sine).sum() / max((sine**2).sum(), 1e-12)) / median_inverse_depth
    return se3.make(T[:3, :3], T[:3, 3] * length), np.diag([length] * 3 + [1.0] * 3)
