# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Tracking an image against the local map: matching, robust pose, and the choice of a motion model.

The rival models are, in this order:

* PNP, where landmarks of known depth alone determine the position to a small share of the scene's depth;
* otherwise a two-view model between the image and a keyframe (rotation only, homography, essential), see
  :mod:`initializer`; a rotation alone where many landmarks have depths, which would show a translation.

With PnP and with a position that is held, the pose comes from the same least-squares problem over all
landmarks, of known depth or not (:mod:`pose_optimizer`); a translation that begins the map is that of the
two views.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from hybrid_features_ros.core import se3
from hybrid_features_ros.core.camera import Camera
from hybrid_features_ros.core.config import OdometryConfig
from hybrid_features_ros.core.types import Bool, Float32, Float64, MotionModel, Rows
from hybrid_features_ros.geometry.pnp import estimate_pnp
from hybrid_features_ros.geometry.ray_pairs import RayPairs
from hybrid_features_ros.geometry.robust import robust_scale, upper_median
from hybrid_features_ros.geometry.rotation import fit_rotation
from hybrid_features_ros.matching.descriptors import squared_distances
from hybrid_features_ros.matching.mutual import mutual_among, mutual_nearest
from hybrid_features_ros.odometry.frame import Frame
from hybrid_features_ros.odometry.health import HEALTH, rotation_jump, weakness
from hybrid_features_ros.odometry.initializer import track_two_view
from hybrid_features_ros.odometry.local_map import LocalMap, MapMatches
from hybrid_features_ros.odometry.pose_optimizer import (
    GaussNewton,
    Observations,
    PoseFit,
    PosePrior,
    evaluate_pose,
    optimize_pose,
    squared_errors,
)
from hybrid_features_ros.odometry.tracking_result import LENIENT, TrackingResult, inlier_mask
from hybrid_features_ros.odometry.tracks import followed_matches
from hybrid_features_ros.odometry.visibility import landmarks_expected, landmarks_in_view


@dataclass(frozen=True)
class Search:
    """Search for landmarks and for a first pose; chosen on rendered rooms with exact truth.

    Attributes:
        radius_px: how far from its projection a landmark is searched once the pose is known [px].
        ratio: Lowe's ratio there: the place separates landmarks already.
        first_matches: matches that a first pose is fitted to; more make it slower, hardly better.
        first_reach: scatter of residuals that a first pose is searched with, in inlier thresholds.
        first_tolerance: step of the optimizer below which a first pose counts as found [rad].
        rotation_threshold: largest residual of a rotation that stands for a motion with parallax [rad].
        enough_inliers: share of inliers below which another start is tried.
        prior_trust: by how much less certain than usual a position may be where the constant-velocity
            model supports it.
        nearby: how far landmarks of an image in doubt are searched around where they are expected [rad] ...
        nearby_share: ... and share of the inliers of the pose in doubt from which that place is believed
            instead. Both were set on a rendered corridor of repeated texture; .05 and .1 gave the same.
        contradiction: squared distance of a measured motion from what landmarks say, over their variance,
            from which it is not used; one in ten thousand sound ones lies beyond (chi-square, 6 degrees of
            freedom).
        common_px: what the landmarks of an image err in common, as a rolling shutter and the lens make them:
            standard deviation of the rotation [px], and of the position in it and the scene's depth.
    """

    radius_px: float = 9.0
    ratio: float = 0.9
    first_matches: int = 250
    first_reach: float = 8.0
    first_tolerance: float = 5e-4
    rotation_threshold: float = float(np.radians(3.0))
    enough_inliers: float = 0.5
    prior_trust: float = 3.0
    nearby: float = 0.05
    nearby_share: float = 0.5
    contradiction: float = 28.0
    common_px: float = 2.0


SEARCH = Search()


@dataclass(frozen=True, eq=False)
class Tracker:
    """Places images of a camera in a map.

    Attributes:
        config: of the odometry.
        camera: of the images.
        median_inverse_depth: one over the scene's median depth [1/m].
    """

    config: OdometryConfig
    camera: Camera
    median_inverse_depth: float

    @property
    def threshold(self) -> float:
        """Largest reprojection error of an inlier [rad]."""
        return self.config.tracking.threshold_px / self.camera.focal

    @property
    def _common_error(self) -> Float64:
        """(6, 6) covariance of a pose by what all landmarks of an image err in common."""
        angle = SEARCH.common_px / self.camera.focal
        return np.diag([(angle / self.median_inverse_depth) ** 2] * 3 + [angle**2] * 3)

    def track_local_map(self, local_map: LocalMap, frame: Frame, prior: PosePrior) -> TrackingResult | None:
        """Place an image near where it is expected; None if too few landmarks agree."""
        half_view, limit = self.camera.half_view, self.config.tracking.max_landmarks
        if frame.is_followed:
            followed = followed_matches(local_map, frame)
            candidates, tracked = followed.landmark_idx, self._track_followed(followed, prior)
        else:
            candidates = landmarks_in_view(local_map, prior.T, half_view, limit)
            tracked = self.track_landmarks(local_map, candidates, frame, prior)
        tracked = self._judged(tracked, candidates, prior)
        if not frame.is_followed and (tracked is None or is_doubtful(tracked, prior)):
            nearby = self._judged(self._track_nearby(local_map, candidates, frame, prior), candidates, prior)
            if nearby is not None and is_better(nearby, tracked):
                return nearby
        return tracked

    def _judged(
        self, tracked: TrackingResult | None, candidates: Rows, prior: PosePrior
    ) -> TrackingResult | None:
        """An image's pose with what should be in the image, and why it is in doubt."""
        if tracked is None:
            return None
        matches, half_view = tracked.matches, self.camera.half_view
        expected = landmarks_expected(matches.local_map, tracked.fit.T, half_view, candidates)
        tracked = replace(tracked, expected=expected)
        return replace(tracked, weakness=weakness(tracked, self.camera, prior))

    def track_landmarks(
        self, local_map: LocalMap, candidates: Rows, frame: Frame, prior: PosePrior
    ) -> TrackingResult | None:
        """Match some landmarks, find a pose robustly, search by projection, refine; else two-view models."""
        config = self.config
        squared = squared_distances(local_map.landmarks.descriptors[candidates], frame.descriptors)
        at, features = mutual_nearest(squared, config.matching.lowe_ratio)
        if len(at) < config.two_view.min_inliers:
            return None
        matches = MapMatches(local_map, frame, candidates[at], features)
        tracked = self._track_matched(squared, candidates, (at, matches), prior)
        if tracked is not None:
            return tracked
        return track_two_view(matches, prior, config, self.camera, self.median_inverse_depth)

    def _track_nearby(
        self, local_map: LocalMap, candidates: Rows, frame: Frame, prior: PosePrior
    ) -> TrackingResult | None:
        """As :meth:`track_landmarks`, by landmarks near where they are expected: the place tells those apart
        that look alike.
        """
        if prior.information is None:
            return None
        squared = squared_distances(local_map.landmarks.descriptors[candidates], frame.descriptors)
        none = np.zeros(0, np.intp)
        nothing = none, MapMatches(local_map, frame, none, none)
        at, features = self._search_by_projection(squared, candidates, prior.T, nothing, SEARCH.nearby)
        matches = MapMatches(local_map, frame, candidates[at], features)
        return self._track_matched(squared, candidates, (at, matches), prior, thorough=True)

    def _track_matched(
        self,
        squared: Float32,
        candidates: Rows,
        matched: tuple[Rows, MapMatches],
        prior: PosePrior,
        thorough: bool = False,
    ) -> TrackingResult | None:
        """Find a pose robustly, search by projection, refine; ``matched`` as in
        :meth:`_search_by_projection`, ``thorough`` as in :meth:`_robust_pose`.
        """
        at, matches = matched
        T, agree = self._find_pose(matches, prior, thorough)
        if T is None:
            return None
        more, others = self._search_by_projection(squared, candidates, T, (at[agree], matches[agree]))
        rows = candidates[np.concatenate([at[agree], more])]
        features = np.concatenate([matches.feature_idx[agree], others])
        return self._refine(MapMatches(matches.local_map, matches.frame, rows, features), T, prior)

    def _track_followed(self, matches: MapMatches, prior: PosePrior) -> TrackingResult | None:
        """As :meth:`track_landmarks`, of an image whose features were followed: the matches are known."""
        if len(matches) < self.config.two_view.min_inliers:
            return None
        T, agree = self._find_pose(matches, prior)
        tracked = None if T is None else self._refine(matches[agree], T, prior)
        if tracked is not None:
            return tracked
        return track_two_view(matches, prior, self.config, self.camera, self.median_inverse_depth)

    def _refine(self, matches: MapMatches, T: Float64, prior: PosePrior) -> TrackingResult | None:
        """The pose from all matches; None if those of known depth do not determine the position."""
        observations, threshold = matches.observations, self.threshold
        chosen = self._select_for_refinement(matches, squared_errors(observations, T))
        solver = GaussNewton(max_scatter=2 * threshold)
        is_contradicted = prior.is_measured and contradicts(
            observations[chosen], T, prior, solver, self._common_error
        )
        if is_contradicted:
            prior = replace(prior, information=None)
        T = optimize_pose(observations[chosen], T, prior=prior, solver=solver)
        fit = evaluate_pose(observations, T, chosen)
        blur = 3 * fit.noise * upper_median(observations.sigmas)
        limit = min(max(threshold, blur), LENIENT * threshold)
        known = inlier_mask(fit.errors, observations, limit) & chosen & matches.depth_known
        trust = 1.0 if prior.information is None else SEARCH.prior_trust
        sigma = self.config.tracking.max_position_sigma * trust / self.median_inverse_depth
        if not is_well_constrained(fit, known, self.config.tracking.min_landmarks, sigma):
            return None
        inliers = inlier_mask(fit.errors, observations, threshold)
        tracked = TrackingResult.make(MotionModel.PNP, matches, fit, inliers)
        return replace(tracked, prior_rejected=is_contradicted)

    def _find_pose(
        self, matches: MapMatches, prior: PosePrior, thorough: bool = False
    ) -> tuple[Float64 | None, Bool]:
        """A pose that most landmarks of known depth agree with, and which of all matches agree with it.

        Verified landmarks decide: what only the newest keyframes observed may lie on something that moves.
        Where those are few or a minority, and agree on nothing, all of known depth are asked.
        """
        known = np.flatnonzero(matches.depth_known)
        verified = known[matches.verified[known]]
        T, agree = self._robust_pose(matches, verified, prior, thorough)
        if T is None and len(verified) < max(self.config.tracking.min_landmarks, len(known) / 2):
            return self._robust_pose(matches, known, prior, thorough)
        return T, agree

    def _robust_pose(
        self, matches: MapMatches, known: Rows, prior: PosePrior, thorough: bool = False
    ) -> tuple[Float64 | None, Bool]:
        """From the prior, from a rotation, and by RANSAC, until enough of the known landmarks roughly agree.

        Args:
            thorough: try all three and count only what agrees well: what moves may pull a pose, from which
                most landmarks are not far, between its own and that of the scene.
        """
        observations, threshold, config = matches.observations, self.threshold, self.config
        no_inliers = np.zeros(len(matches), np.bool_)
        if len(known) < config.tracking.min_landmarks:
            return None, no_inliers
        few = observations[known[:: max(1, len(known) // SEARCH.first_matches)]]
        required = max(config.tracking.min_landmarks, config.two_view.min_inlier_share * len(known))
        enough = np.inf if thorough else SEARCH.enough_inliers * len(known)
        best, agreed, count = None, no_inliers, 0
        for start in self._initial_poses(few, prior.T):
            T = optimize_pose(few, start, solver=_first(SEARCH.first_reach * threshold))
            if robust_scale(squared_errors(few, T)) * upper_median(few.sigmas) > 2 * threshold:
                T = optimize_pose(few, T, solver=_first(2 * threshold))
            errors = squared_errors(observations, T)
            agree = inlier_mask(errors, observations, LENIENT * threshold)
            counted = inlier_mask(errors, observations, threshold) if thorough else agree
            if counted[known].sum() > count:
                best, agreed, count = T, agree, int(counted[known].sum())
            if count >= enough:
                break
        if best is None or count < required:
            return None, no_inliers
        return best, agreed

    def _initial_poses(self, observations: Observations, T: Float64) -> Iterator[Float64]:
        """Poses to start from, cheap ones first: the prior, a rotation, PnP with RANSAC."""
        yield T
        config, inverse_depth = self.config, observations.inverse_depth[:, None]
        d = observations.directions + inverse_depth * (observations.origins - T[:3, 3])
        d /= np.maximum(np.linalg.norm(d, axis=1, keepdims=True), 1e-12)
        pairs = RayPairs(d, observations.rays, observations.sigmas)
        rotation = fit_rotation(pairs, SEARCH.rotation_threshold, config.two_view, config.seed)
        yield se3.make(rotation.R, T[:3, 3])
        points = observations.origins + observations.directions / inverse_depth
        found = estimate_pnp(points, observations.rays, self.threshold)
        if found is not None:
            yield found[0]

    def _select_for_refinement(self, matches: MapMatches, errors: Float64) -> Bool:
        """Which matches refine a pose (M,): all that roughly agree, but of the unverified, while there are
        enough others, only those that agree well.
        """
        rough = inlier_mask(errors, matches.observations, LENIENT * self.threshold)
        verified = matches.verified
        if (rough & verified & matches.depth_known).sum() < self.config.tracking.min_landmarks:
            return rough
        return rough & (verified | inlier_mask(errors, matches.observations, self.threshold))

    def _search_by_projection(
        self,
        squared: Float32,
        candidates: Rows,
        T: Float64,
        taken: tuple[Rows, MapMatches],
        reach: float = 0.0,
    ) -> tuple[Rows, Rows]:
        """More matches, among what is left, near where the pose projects the landmarks.

        Args:
            squared: (C, N) squared distances of descriptors, candidates to features.
            taken: candidates (M,) that are matched already, and their matches.
            reach: how far besides the pose may be off [rad].
        """
        rows, matches = taken
        frame = matches.frame
        rows, features = _others(len(candidates), rows), _others(len(frame), matches.feature_idx)
        rays, blur = matches.local_map.predict_rays(T, candidates[rows])
        inside = rays[:, 2] > np.cos(self.camera.half_angle)
        rows, rays, blur = rows[inside], rays[inside], blur[inside]
        apart = rays.astype(np.float32) @ frame.rays[features].T.astype(np.float32)
        radius = np.minimum(SEARCH.radius_px / self.camera.focal + 2 * blur + reach, 1.0)
        limit = np.cos(radius).astype(np.float32)
        i, j = np.divmod(np.flatnonzero(apart >= limit[:, None]), max(len(features), 1))
        best = mutual_among(squared[rows[i], features[j]], i, j, apart.shape, SEARCH.ratio)
        return rows[i[best]], features[j[best]]


def is_doubtful(tracked: TrackingResult, prior: PosePrior) -> bool:
    """Whether another place, nearer to where the camera is expected, is worth a search."""
    return bool(tracked.weakness) or rotation_jump(tracked.fit.T, prior) > HEALTH.max_jump


def is_better(nearby: TrackingResult, tracked: TrackingResult | None) -> bool:
    """Whether a place near the expected one is believed instead of the one that appearance alone told."""
    if nearby.weakness or tracked is None:
        return not nearby.weakness
    return bool(nearby.known_inliers.sum() >= SEARCH.nearby_share * tracked.known_inliers.sum())


def contradicts(
    observations: Observations, T: Float64, prior: PosePrior, solver: GaussNewton, floor: Float64
) -> bool:
    """Whether landmarks alone, from a pose (4, 4) on, contradict a measured motion whose noise is known.

    Args:
        floor: (6, 6) covariance of what all landmarks of an image err in common.
    """
    if prior.information is None:
        return False
    T = optimize_pose(observations, T, solver=solver)
    information = evaluate_pose(observations, T).information + 1e-6 * np.eye(6)
    C = np.linalg.inv(information) + floor + np.linalg.inv(prior.information)
    away = se3.log(se3.inverse(prior.T) @ T)
    return bool(away @ np.linalg.solve(C, away) > SEARCH.contradiction)


def is_well_constrained(fit: PoseFit, known: Bool, min_landmarks: int, sigma: float) -> bool:
    """Whether landmarks of known depth (N,) alone determine the position, to ``sigma`` [m]."""
    if known.sum() < min_landmarks:
        return False
    information = fit.information_of(known)
    if np.linalg.matrix_rank(information) < 6:
        return False
    return bool(np.linalg.eigvalsh(np.linalg.inv(information)[:3, :3])[-1] < sigma**2)


def _first(max_scatter: float) -> GaussNewton:
    return GaussNewton(max_steps=6, tolerance=SEARCH.first_tolerance, max_scatter=max_scatter)


def _others(count: int, taken: Rows) -> Rows:
    """The numbers up to ``count`` that are not taken."""
    free = np.ones(count, np.bool_)
    free[taken] = False
    return np.flatnonzero(free)
