"""Landmarks and keyframes around the camera.

The map never changes in place: every change gives a new :class:`LocalMap`, so that a bundle adjustment in
another thread can read the one it was given.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from hybrid_features_ros.core import se3
from hybrid_features_ros.core.types import Float32, Float64, Int32, Rows
from hybrid_features_ros.odometry.frame import View
from hybrid_features_ros.odometry.pose_optimizer import Sights, dot

ALL = slice(None)
PRIOR_SPREAD = 1.0  # standard deviation of an unknown inverse distance as a share of the scene's usual one
_ANY = 3.0  # relative standard deviation of a distance that may be any
_MEASURED = 0.5  # relative standard deviation of a prior distance below which something measured it
KNOWN = 0.25  # largest relative standard deviation of a distance that counts as known


@dataclass(frozen=True, eq=False)
class Keyframe:
    """An image that stays in the map.

    Attributes:
        number: counts up from 0.
        view: the image; None once it has left the map and only its pose still serves landmarks.
        T: (4, 4) ``T_world_camera``.
        covariance: (6, 6) of a right perturbation of ``T``.
        ids: (O,) int32, the landmarks it sees, ascending.
        columns: (O,) the feature that each of them is.
    """

    number: int
    view: View | None
    T: Float64
    covariance: Float64
    ids: Int32
    columns: Rows


@dataclass(frozen=True, eq=False)
class Landmarks:
    """L points, each on a ray of the keyframe that saw it first.

    Attributes:
        ids: (L,) int32, ascending, never reused.
        anchors: (L,) int32, number of that keyframe.
        rays: (L, 3) unit vectors in its frame.
        ray_sigmas: (L,) standard deviation of the rays per axis [rad].
        inverse, inverse_sigmas: (L,) one over the distance along the ray, as known now [1/m].
        prior, prior_sigmas: (L,) the same before any triangulation [1/m].
        values: (L, D) float32, newest descriptors.
        views: (L,) int32, how many keyframes have found it, without those where that was wrong.
        last: (L,) int32, number of the newest of them.
    """

    ids: Int32
    anchors: Int32
    rays: Float64
    ray_sigmas: Float64
    inverse: Float64
    inverse_sigmas: Float64
    prior: Float64
    prior_sigmas: Float64
    values: Float32
    views: Int32
    last: Int32

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, rows: object) -> Landmarks:
        return Landmarks(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))

    def joined(self, other: Landmarks) -> Landmarks:
        """These and then the others, whose ids must be larger."""
        names = self.__dataclass_fields__
        return Landmarks(*(np.concatenate([getattr(self, n), getattr(other, n)]) for n in names))

    @cached_property
    def known(self) -> NDArray[np.bool_]:
        """(L,) bool, whose distance is determined."""
        return np.asarray(self.inverse_sigmas < KNOWN * self.inverse)

    @cached_property
    def measured(self) -> NDArray[np.bool_]:
        """(L,) bool, see :func:`is_measured`."""
        return is_measured(self.prior, self.prior_sigmas)

    @cached_property
    def tested(self) -> NDArray[np.bool_]:
        """(L,) bool, whether a keyframe more than a depth needs has found the landmark where it should be:
        in its direction, and, where the camera had moved, at its depth.
        """
        return np.asarray(self.views > np.where(self.measured, 1, 2))


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
    def made_of(keyframes: Sequence[Keyframe], landmarks: Landmarks, next_id: int) -> LocalMap:
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
    def sightings(self) -> tuple[Int32, Rows]:
        """Ids of the landmarks that keyframes see (O,), and which of the keyframes do (O,): of those with an
        image, the others see none any more.
        """
        counts = [len(k.ids) for k in self.keyframes]
        return np.concatenate([k.ids for k in self.keyframes]), np.repeat(np.arange(len(counts)), counts)

    @property
    def reference(self) -> Keyframe:
        """The newest keyframe."""
        return self.keyframes[-1]

    def places(self, T_world_camera: Float64, rows: Rows | slice = ALL) -> tuple[Float64, Float64]:
        """Unit rays (L, 3) of the landmarks in a camera, and by how far [rad] (L,) their unknown
        distances may move them.
        """
        marks = self.landmarks
        origins, directions = (np.ascontiguousarray(column[:, rows]) for column in self.columns)
        away = origins - T_world_camera[:3, 3:]
        d = T_world_camera[:3, :3].T @ (directions + marks.inverse[rows] * away)
        length = np.maximum(np.sqrt(dot(d, d)), 1e-12)
        blur = marks.inverse_sigmas[rows] * np.sqrt(dot(away, away)) / length
        return (d / length).T, np.minimum(blur, 1.0)

    def in_view(self, T_world_camera: Float64, half_angle: float, limit: int) -> Rows:
        """Rows of at most ``limit`` landmarks within ``half_angle`` [rad] of the optical axis.

        Where there are more, the known ones that most keyframes saw come first: they keep the pose from
        drifting where the camera comes back. Then come those of unknown depth, the newest first.
        """
        rays, blur = self.places(T_world_camera)
        rows = np.flatnonzero(rays[:, 2] > np.cos(np.minimum(half_angle + blur, np.pi)))
        if len(rows) > limit:
            marks = self.landmarks
            rank = (marks.views * marks.known)[rows] * (marks.last.max() + 1.0) + marks.last[rows]
            order = np.arange(len(rows)) - rank * len(rows)  # of equals the first, which scored highest
            rows = np.sort(rows[np.argpartition(order, limit)[:limit]])
        return rows

    def seen_by(self, keyframe: Keyframe) -> Rows:
        """Rows of the landmarks that a keyframe sees."""
        return np.flatnonzero(np.isin(self.landmarks.ids, keyframe.ids, assume_unique=True))

    def sights(self, rows: Rows, view: View, columns: Rows) -> Sights:
        """Landmarks as an image sees them.

        Of those whose distance is not known the usual one says nothing about a translation's length: the
        scene is no Gaussian around it.
        """
        marks = self.landmarks
        inverse, spread = marks.inverse[rows], marks.inverse_sigmas[rows]
        return Sights(
            self.origins[rows],
            self.directions[rows],
            inverse,
            np.where(spread < KNOWN * inverse, spread, _ANY * inverse),
            view.rays[columns],
            np.hypot(view.sigmas[columns], marks.ray_sigmas[rows]),
        )

    def grown(
        self, view: View, T: Float64, covariance: Float64, rows: Rows, columns: Rows, usual: float
    ) -> LocalMap:
        """With a keyframe more, which sees the landmarks ``rows`` as its features ``columns``.

        Its other features become landmarks at their measured distance, or at the scene's usual one
        (1 / ``usual`` [1/m]) with a standard deviation as large.
        """
        number = self.reference.number + 1 if self.keyframes else 0
        old = self.landmarks
        values, views, last = old.values.copy(), old.views.copy(), old.last.copy()
        values[rows], last[rows] = view.values[columns], number
        views[rows] += 1
        rest = np.setdiff1d(np.arange(len(view)), columns)
        new = _new_landmarks(view, rest, number, self.next_id, usual)
        ids = np.concatenate([old.ids[rows], new.ids])
        order = np.argsort(ids)
        keyframe = Keyframe(number, view, T, covariance, ids[order], np.concatenate([columns, rest])[order])
        landmarks = replace(old, values=values, views=views, last=last).joined(new)
        return LocalMap.made_of((*self.keyframes, keyframe), landmarks, self.next_id + len(rest))

    def culled(self, keep: int, patience: int, usual_distance: float) -> LocalMap:
        """With at most ``keep`` keyframes with images, and without landmarks that proved useless.

        The keyframe most like another one goes first; the ``patience`` newest stay. A landmark goes when
        ``patience`` keyframes have passed and only one had seen it, or when none sees it any more.
        """
        keyframes = list(self.keyframes)
        while sum(k.view is not None for k in keyframes) > keep:
            i = _most_redundant(keyframes, patience, usual_distance)
            keyframes[i] = replace(
                keyframes[i], view=None, ids=keyframes[i].ids[:0], columns=keyframes[i].columns[:0]
            )
        marks, newest = self.landmarks, self.reference.number
        alive = (marks.views > 1) | (marks.last > newest - patience)
        if len(keyframes) and any(k.view is None for k in keyframes):
            seen = np.unique(np.concatenate([k.ids for k in keyframes]))
            alive &= np.isin(marks.ids, seen, assume_unique=True)
        marks = marks[alive]
        keyframes = [
            _without(k, marks.ids)
            for k in keyframes
            if k.view is not None or (marks.anchors == k.number).any()
        ]
        return LocalMap.made_of(keyframes, marks, self.next_id)


def is_measured(prior: Float64, sigmas: Float64) -> NDArray[np.bool_]:
    """(L,) bool, whose distance was measured, not triangulated: from the inverse distances (L,) before any
    triangulation and their standard deviations.
    """
    return np.asarray(sigmas < _MEASURED * prior)


def empty_map(dimension: int, next_id: int = 0) -> LocalMap:
    """A map without anything, for descriptors of a dimension."""
    none, whole = np.zeros(0), np.zeros(0, np.int32)
    rays = np.zeros((0, 3))
    values = np.zeros((0, dimension), np.float32)
    marks = Landmarks(whole, whole, rays, none, none, none, none, none, values, whole, whole)
    return LocalMap((), marks, rays, rays, next_id)


def _new_landmarks(view: View, rest: Rows, number: int, next_id: int, usual: float) -> Landmarks:
    measured = np.isfinite(view.inverse[rest])
    inverse = np.where(measured, view.inverse[rest], usual)
    spread = np.where(measured, view.inverse_sigmas[rest], PRIOR_SPREAD * usual)
    n = len(rest)
    return Landmarks(
        ids=np.arange(next_id, next_id + n, dtype=np.int32),
        anchors=np.full(n, number, np.int32),
        rays=view.rays[rest],
        ray_sigmas=view.sigmas[rest],
        inverse=inverse,
        inverse_sigmas=spread,
        prior=inverse,
        prior_sigmas=spread,
        values=view.values[rest],
        views=np.ones(n, np.int32),
        last=np.full(n, number, np.int32),
    )


def _most_redundant(keyframes: Sequence[Keyframe], patience: int, usual_distance: float) -> int:
    """Index of the keyframe nearest to another in angle and in position over the scene's distance."""
    candidates = [i for i, k in enumerate(keyframes) if k.view is not None]
    old = candidates[: max(len(candidates) - patience, 1)]
    poses = np.array([keyframes[i].T for i in candidates])
    cos = (np.einsum("aij,bij->ab", poses[:, :3, :3], poses[:, :3, :3]) - 1) / 2
    away = np.linalg.norm(poses[:, None, :3, 3] - poses[None, :, :3, 3], axis=2) / usual_distance
    gap = np.hypot(np.arccos(np.clip(cos, -1, 1)), away) + np.diag(np.full(len(poses), np.inf))
    return old[int(gap[: len(old)].min(axis=1).argmin())]


def _without(keyframe: Keyframe, alive: Int32) -> Keyframe:
    stay = np.isin(keyframe.ids, alive, assume_unique=True)
    return replace(keyframe, ids=keyframe.ids[stay], columns=keyframe.columns[stay])


def moved(keyframe: Keyframe, T: Float64, covariance: Float64) -> Keyframe:
    """The keyframe at another pose (4, 4) with its covariance (6, 6)."""
    return replace(keyframe, T=se3.orthonormal(T), covariance=se3.symmetric(covariance))
