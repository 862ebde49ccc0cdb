"""What is looked for in an image, and what was found: an image placed in the map."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from hybrid_features_ros.core.camera import Camera
from hybrid_features_ros.core.types import Bool, Float64, MotionModel, Rows
from hybrid_features_ros.geometry.two_view import Pairs, median_parallax
from hybrid_features_ros.odometry.frame import View
from hybrid_features_ros.odometry.local_map import Keyframe, LocalMap
from hybrid_features_ros.odometry.pose_optimizer import Fit, Sights

LENIENT = 3.0  # how much larger an inlier's error may be while the position is held


@dataclass(frozen=True, eq=False)
class Lens:
    """What matters of the camera here: pixels per radian, and its half angle of view [rad]."""

    focal: float
    half_angle: float

    @staticmethod
    def of(camera: Camera) -> Lens:
        """The angle is that of the farthest corner."""
        w, h = camera.width - 1.0, camera.height - 1.0
        corners = camera.bearings(np.array([[0, 0], [w, 0], [0, h], [w, h]]))
        return Lens(camera.focal, float(np.arccos(np.clip(corners[:, 2], -1, 1)).max()))


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

    @staticmethod
    def made_of(
        model: MotionModel,
        local_map: LocalMap,
        view: View,
        fit: Fit,
        rows: Rows,
        columns: Rows,
        inliers: Bool,
    ) -> Tracked:
        """Find the partner and the parallax that go with a pose."""
        partner, shared, theirs = shared_most(local_map, rows, inliers)
        assert partner.view is not None
        pairs = Pairs(partner.view.rays[theirs], view.rays[columns[shared]], np.zeros(len(shared)))
        parallax = median_parallax(pairs, partner.T[:3, :3].T @ fit.T[:3, :3], inliers[shared])
        known = inliers & local_map.landmarks.known[rows]
        return Tracked(model, fit, rows, columns, inliers, known, partner, shared, theirs, parallax)


def agreeing(errors: Float64, sights: Sights, threshold: float) -> Bool:
    """(M,) bool: residuals, given as squares over their variance, below ``threshold`` [rad]; uncertain depths
    are forgiven.
    """
    return np.asarray(errors * sights.sigmas**2 < threshold**2)


def shared_most(local_map: LocalMap, rows: Rows, inliers: Bool) -> tuple[Keyframe, Rows, Rows]:
    """The keyframe that sees most of the inliers, which of the matches ``rows`` (M,) it shares, and as what
    features: (S,) each. Of equals the newest.
    """
    ids = local_map.landmarks.ids[rows]
    first = local_map.landmarks.ids[0]
    agrees = np.zeros(local_map.next_id - first, np.bool_)
    agrees[ids[inliers] - first] = True
    seen, places = local_map.sightings
    share = np.bincount(places[agrees[seen - first]], minlength=len(local_map.keyframes))
    best = local_map.keyframes[int(np.flatnonzero(share == share.max())[-1])]
    agrees[:] = False
    agrees[best.ids - first] = True
    shared = np.flatnonzero(agrees[ids - first])
    return best, shared, best.columns[np.searchsorted(best.ids, ids[shared])]
