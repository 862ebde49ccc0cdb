# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Local map: keyframes and landmarks around the camera.

The map never changes in place: every change gives a new :class:`LocalMap`, so that a bundle adjustment in
another thread can read the one it was given.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from hybrid_features_ros.core import se3
from hybrid_features_ros.core.types import Bool, Float64, Int32, Rows
from hybrid_features_ros.geometry.tangent import dot
from hybrid_features_ros.odometry.frame import Frame
from hybrid_features_ros.odometry.landmarks import DEPTH_UNCERTAINTY, Landmarks, new_landmarks
from hybrid_features_ros.odometry.pose_optimizer import Observations


@dataclass(frozen=True, eq=False)
class Keyframe:
    """An image that stays in the map.

    Attributes:
        number: counts up from 0.
        frame: the image; None once it has left the map and only its pose still anchors landmarks.
        T: (4, 4) ``T_world_camera``.
        covariance: (6, 6) of a right perturbation of ``T``.
        landmark_ids: (O,) int32, the landmarks it observes, ascending.
        feature_idx: (O,) the feature that each of them is.
    """

    number: int
    frame: Frame | None
    T: Float64
    covariance: Float64
    landmark_ids: Int32
    feature_idx: Rows

    def with_pose(self, T: Float64) -> Keyframe:
        """The keyframe at another pose (4, 4)."""
        return replace(self, T=se3.orthonormal(T), covariance=se3.symmetric(self.covariance))

    def with_landmarks(self, keep: Bool) -> Keyframe:
        """The keyframe with some of its observations (O,)."""
        if keep.all():
            return self
        return replace(self, landmark_ids=self.landmark_ids[keep], feature_idx=self.feature_idx[keep])

    def without_image(self) -> Keyframe:
        """The keyframe as an anchor of landmarks only."""
        return replace(self, frame=None, landmark_ids=self.landmark_ids[:0], feature_idx=self.feature_idx[:0])


@dataclass(frozen=True, eq=False)
class LocalMap:
    """Keyframes (oldest first) and landmarks (by id), with the landmarks' place in the world.

    Attributes:
        origins, directions: (L, 3) anchors' positions [m] and the rays from them, in the world.
    """

    keyframes: tuple[Keyframe, ...]
    landmarks: Landmarks
    origins: Float64
    directions: Float64
    next_id: int

    @staticmethod
    def build(keyframes: Sequence[Keyframe], landmarks: Landmarks, next_id: int) -> LocalMap:
        """Compute the landmarks' places."""
        numbers = np.array([k.number for k in keyframes])
        poses = np.array([k.T for k in keyframes]).reshape(-1, 4, 4)
        at = np.searchsorted(numbers, landmarks.anchors)
        directions = np.einsum("lij,lj->li", poses[at, :3, :3], landmarks.rays)
        return LocalMap(tuple(keyframes), landmarks, poses[at, :3, 3], directions, next_id)

    @cached_property
    def columns(self) -> tuple[Float64, Float64]:
        """Origins and directions as (3, L): operations run along memory."""
        return np.ascontiguousarray(self.origins.T), np.ascontiguousarray(self.directions.T)

    @cached_property
    def covisibility(self) -> tuple[Int32, Rows]:
        """All observations: ids of the landmarks (O,) and the index (O,) of the keyframe that observes
        each; keyframes without an image have none.
        """
        counts = [len(k.landmark_ids) for k in self.keyframes]
        ids = np.concatenate([k.landmark_ids for k in self.keyframes])
        return ids, np.repeat(np.arange(len(counts)), counts)

    @property
    def last_keyframe(self) -> Keyframe:
        """The newest keyframe."""
        return self.keyframes[-1]

    def points(self, landmark_idx: Rows) -> Float64:
        """Positions (M, 3) of landmarks in the world [m]."""
        inverse_depth = self.landmarks.inverse_depth[landmark_idx][:, None]
        return np.asarray(self.origins[landmark_idx] + self.directions[landmark_idx] / inverse_depth)

    def predict_rays(
        self, T_world_camera: Float64, landmark_idx: Rows | None = None
    ) -> tuple[Float64, Float64]:
        """Unit rays (L, 3) of the landmarks in a camera, and by how far [rad] (L,) their unknown depths
        may move them.
        """
        rows = slice(None) if landmark_idx is None else landmark_idx
        marks = self.landmarks
        origins, directions = (np.ascontiguousarray(column[:, rows]) for column in self.columns)
        away = origins - T_world_camera[:3, 3:]
        d = T_world_camera[:3, :3].T @ (directions + marks.inverse_depth[rows] * away)
        length = np.maximum(np.sqrt(dot(d, d)), 1e-12)
        blur = marks.inverse_depth_sigmas[rows] * np.sqrt(dot(away, away)) / length
        return (d / length).T, np.minimum(blur, 1.0)

    def landmark_ids(self, stamp: int) -> Int32 | None:
        """Id of the landmark that each feature (N,) of a keyframe shows, -1 = none; None: no such keyframe.

        Args:
            stamp: of the keyframe [ns].
        """
        for keyframe in reversed(self.keyframes):
            if keyframe.frame is not None and keyframe.frame.stamp == stamp:
                ids = np.full(len(keyframe.frame), -1, np.int32)
                ids[keyframe.feature_idx] = keyframe.landmark_ids
                return ids
        return None

    def landmarks_of(self, keyframe: Keyframe) -> Rows:
        """Indices of the landmarks that a keyframe observes."""
        return np.flatnonzero(np.isin(self.landmarks.ids, keyframe.landmark_ids, assume_unique=True))

    def among(self, ids: Int32, asked: Int32) -> Bool:
        """(N,) bool, which ids ``asked`` (N,) are among some ``ids`` (M,), all of landmarks of this map."""
        first = self.landmarks.ids[0] if len(self.landmarks) else 0
        flags = np.zeros(self.next_id - first, np.bool_)
        flags[ids - first] = True
        return flags[asked - first]

    def observe(self, landmark_idx: Rows, frame: Frame, feature_idx: Rows) -> Observations:
        """Landmarks as an image observes them.

        Where the depth is unknown, the scene's median one does not constrain a translation's length: the
        depths of a scene are not Gaussian around it.
        """
        marks = self.landmarks
        inverse_depth, spread = marks.inverse_depth[landmark_idx], marks.inverse_depth_sigmas[landmark_idx]
        known = spread < DEPTH_UNCERTAINTY.known * inverse_depth
        return Observations(
            self.origins[landmark_idx],
            self.directions[landmark_idx],
            inverse_depth,
            np.where(known, spread, DEPTH_UNCERTAINTY.unknown * inverse_depth),
            frame.rays[feature_idx],
            np.hypot(frame.sigmas[feature_idx], marks.ray_sigmas[landmark_idx]),
        )

    def with_keyframe(
        self,
        matches: MapMatches,
        T: Float64,
        covariance: Float64,
        median_inverse_depth: float,
        first_number: int = 0,
    ) -> LocalMap:
        """The map with one more keyframe, at ``T`` (4, 4), that observes landmarks as its features.

        Its other features become landmarks at their measured depth, or at the scene's median one
        (1 / ``median_inverse_depth`` [1/m]) with a standard deviation as large. The first keyframe of a map
        has the number ``first_number``.
        """
        frame, rows, features = matches.frame, matches.landmark_idx, matches.feature_idx
        number = self.last_keyframe.number + 1 if self.keyframes else first_number
        rest = np.setdiff1d(np.arange(len(frame)), features)
        new = new_landmarks(frame, rest, number, self.next_id, median_inverse_depth)
        ids = np.concatenate([self.landmarks.ids[rows], new.ids])
        order = np.argsort(ids)
        keyframe = Keyframe(number, frame, T, covariance, ids[order], np.concatenate([features, rest])[order])
        marks = self.landmarks.joined(new)  # new arrays, which nobody else has yet
        marks.descriptors[rows], marks.last_seen[rows] = frame.descriptors[features], number
        marks.n_observations[rows] += 1
        return LocalMap.build((*self.keyframes, keyframe), marks, self.next_id + len(rest))

    def stretched(self, factor: float, centre: Float64, doubt: Float64) -> LocalMap:
        """The map with all lengths ``factor`` times as long, about a point (3,) of the world that stays.

        Args:
            doubt: (3, 3) covariance of that point, in the world's axes, which comes in addition.
        """
        units, keyframes = np.diag([factor] * 3 + [1.0] * 3), []
        for k in self.keyframes:
            C, R = units @ k.covariance @ units, k.T[:3, :3]
            C[:3, :3] += R.T @ doubt @ R
            keyframes.append(replace(k, T=se3.make(R, centre + factor * (k.T[:3, 3] - centre)), covariance=C))
        names = (
            "inverse_depth", "inverse_depth_sigmas", "prior_inverse_depth", "prior_inverse_depth_sigmas"
        )  # fmt: skip
        shorter = {name: getattr(self.landmarks, name) / factor for name in names}
        return LocalMap.build(keyframes, replace(self.landmarks, **shorter), self.next_id)

    def with_changed_priors(self, change: Float64) -> LocalMap:
        """The map after measured depths turned out to be wrong: an estimate follows its prior by the share
        of its information that comes from it.

        Args:
            change: (L,) of the inverse depths before any triangulation [1/m].
        """
        marks = self.landmarks
        change = np.where(marks.measured, change, 0.0)
        share = (marks.inverse_depth_sigmas / marks.prior_inverse_depth_sigmas) ** 2
        prior, found = marks.prior_inverse_depth + change, marks.inverse_depth + share * change
        ahead = (prior > 0) & (found > 0)
        marks = replace(
            marks,
            prior_inverse_depth=np.where(ahead, prior, marks.prior_inverse_depth),
            inverse_depth=np.where(ahead, found, marks.inverse_depth),
        )
        return replace(self, landmarks=marks)

    def culled(self, max_keyframes: int, cull_after: int, median_depth: float) -> LocalMap:
        """The map with at most ``max_keyframes`` with images, and without landmarks that proved useless.

        The most redundant keyframe goes first; the ``cull_after`` newest stay. A landmark goes when
        ``cull_after`` keyframes have passed and only one has observed it, or when none does any more.
        """
        keyframes = list(self.keyframes)
        while sum(k.frame is not None for k in keyframes) > max_keyframes:
            i = _most_redundant(keyframes, cull_after, median_depth)
            keyframes[i] = keyframes[i].without_image()
        marks, newest = self.landmarks, self.last_keyframe.number
        alive = (marks.n_observations > 1) | (marks.last_seen > newest - cull_after)
        observed = np.concatenate([k.landmark_ids for k in keyframes])
        if any(k.frame is None for k in keyframes):
            alive &= self.among(observed, marks.ids)
        marks = marks[alive]
        ends = np.cumsum([len(k.landmark_ids) for k in keyframes])
        kept = np.split(self.among(marks.ids, observed), ends[:-1])
        keyframes = [
            k.with_landmarks(keep)
            for k, keep in zip(keyframes, kept, strict=True)
            if k.frame is not None or (marks.anchors == k.number).any()
        ]
        return LocalMap.build(keyframes, marks, self.next_id)


@dataclass(frozen=True, eq=False)
class MapMatches:
    """Features of an image matched to landmarks of the map: M correspondences.

    Attributes:
        landmark_idx: (M,) rows of ``local_map.landmarks``.
        feature_idx: (M,) rows of ``frame``.
    """

    local_map: LocalMap
    frame: Frame
    landmark_idx: Rows
    feature_idx: Rows

    def __len__(self) -> int:
        return len(self.landmark_idx)

    def __getitem__(self, rows: Rows | Bool) -> MapMatches:
        return replace(self, landmark_idx=self.landmark_idx[rows], feature_idx=self.feature_idx[rows])

    @cached_property
    def observations(self) -> Observations:
        """The landmarks as the image observes them."""
        return self.local_map.observe(self.landmark_idx, self.frame, self.feature_idx)

    @property
    def depth_known(self) -> Bool:
        """(M,) bool, which landmarks have a known depth."""
        return self.local_map.landmarks.depth_known[self.landmark_idx]

    @property
    def verified(self) -> Bool:
        """(M,) bool, which landmarks are verified."""
        return self.local_map.landmarks.verified[self.landmark_idx]


def empty_map(dimension: int, next_id: int = 0) -> LocalMap:
    """A map without anything, for descriptors of a dimension."""
    none, whole = np.zeros(0), np.zeros(0, np.int32)
    rays = np.zeros((0, 3))
    descriptors = np.zeros((0, dimension), np.float32)
    counts = np.zeros(0, np.float32)
    marks = Landmarks(
        whole, whole, rays, none, none, none, none, none, descriptors, whole, whole, counts, counts, counts
    )
    return LocalMap((), marks, rays, rays, next_id)


def map_of(
    frame: Frame, T: Float64, covariance: Float64, median_inverse_depth: float, next_id: int, number: int = 0
) -> LocalMap:
    """A map that begins with one image at ``T`` (4, 4), see :meth:`LocalMap.with_keyframe`."""
    none = np.zeros(0, np.intp)
    start = empty_map(frame.descriptors.shape[1], next_id)
    matches = MapMatches(start, frame, none, none)
    return start.with_keyframe(matches, T, covariance, median_inverse_depth, number)


def select_reference_keyframe(
    local_map: LocalMap, landmark_idx: Rows, inliers: Bool
) -> tuple[Keyframe, Rows, Rows]:
    """The keyframe with most covisible landmarks among the inliers; of equals the newest.

    Returns:
        The keyframe; which of the matches ``landmark_idx`` (M,) it observes too, and as what features:
        (S,) each.
    """
    ids = local_map.landmarks.ids[landmark_idx]
    first = local_map.landmarks.ids[0]
    agrees = np.zeros(local_map.next_id - first, np.bool_)
    agrees[ids[inliers] - first] = True
    observed, observers = local_map.covisibility
    counts = np.bincount(observers[agrees[observed - first]], minlength=len(local_map.keyframes))
    best = local_map.keyframes[int(np.flatnonzero(counts == counts.max())[-1])]
    agrees[:] = False
    agrees[best.landmark_ids - first] = True
    common = np.flatnonzero(agrees[ids - first])
    return best, common, best.feature_idx[np.searchsorted(best.landmark_ids, ids[common])]


def _most_redundant(keyframes: Sequence[Keyframe], keep_newest: int, median_depth: float) -> int:
    """Index of the keyframe nearest to another in angle and in position over the scene's depth."""
    candidates = [i for i, k in enumerate(keyframes) if k.frame is not None]
    old = candidates[: max(len(candidates) - keep_newest, 1)]
    poses = np.array([keyframes[i].T for i in candidates])
    cos = (np.einsum("aij,bij->ab", poses[:, :3, :3], poses[:, :3, :3]) - 1) / 2
    away = np.linalg.norm(poses[:, None, :3, 3] - poses[None, :, :3, 3], axis=2) / median_depth
    gap = np.hypot(np.arccos(np.clip(cos, -1, 1)), away) + np.diag(np.full(len(poses), np.inf))
    return old[int(gap[: len(old)].min(axis=1).argmin())]
