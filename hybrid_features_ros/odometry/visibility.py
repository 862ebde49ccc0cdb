# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Visibility: which landmarks of the map an image is likely to show, from where they were found before."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from hybrid_features_ros.core.types import Float32, Float64, Rows
from hybrid_features_ros.odometry.landmarks import Landmarks
from hybrid_features_ros.odometry.local_map import LocalMap


@dataclass(frozen=True)
class Visibility:
    """Which landmarks are compared with an image. Set once, without a sweep; ``new_share`` on 7-Scenes.

    Attributes:
        margin: landmarks this far outside the image are compared as well [rad].
        fade: distance outside the image that makes a landmark's place worth 1 / e [rad].
        hidden: factor on the chance to find a landmark for every image in a row that missed it.
        forget: factor on the number of those images for every image that did not look for it: what hid a
            landmark may have passed.
        memory: images that the found ratio is taken over.
        new_share: share of the places that is kept for landmarks of unknown depth.
        expected_view: share of the half angles of view within which an image must show a landmark.
        expected_blur: uncertainty of its place up to which this holds [rad].
    """

    margin: float = float(np.radians(12.0))
    fade: float = float(np.radians(4.0))
    hidden: float = 0.75
    forget: float = 0.97
    memory: float = 30.0
    new_share: float = 0.25
    expected_view: float = 0.95
    expected_blur: float = 0.05


VISIBILITY = Visibility()


def landmarks_in_view(local_map: LocalMap, T_world_camera: Float64, half_view: Float64, limit: int) -> Rows:
    """Indices of at most ``limit`` landmarks that an image is likely to show.

    Where more lie in its direction, those most likely found come first: what walls hide, what was never
    found again, and all but one of several landmarks at one place lose their places to others. A share
    is for landmarks of unknown depth, the newest first, else nothing new is ever triangulated.

    Args:
        T_world_camera: (4, 4) pose of the image.
        half_view: (2,) half angles of view along x and y [rad].
    """
    rays, blur = local_map.predict_rays(T_world_camera)
    outside = _outside(rays, half_view)
    rows = np.flatnonzero(outside < np.minimum(VISIBILITY.margin + blur, np.pi))
    if len(rows) <= limit:
        return rows
    marks, known = local_map.landmarks, local_map.landmarks.depth_known[rows]
    worth = detection_probability(marks)[rows] * np.exp(-np.maximum(outside[rows], 0) / VISIBILITY.fade)
    new, old = np.flatnonzero(~known), np.flatnonzero(known)
    places = min(len(new), max(int(VISIBILITY.new_share * limit), limit - len(old)))
    newest = new[np.argsort(-marks.last_seen[rows[new]] - worth[new], kind="stable")[:places]]
    likeliest = old[np.argsort(-worth[old], kind="stable")[: limit - places]]
    return np.sort(rows[np.concatenate([newest, likeliest])])


def landmarks_expected(
    local_map: LocalMap, T_world_camera: Float64, half_view: Float64, landmark_idx: Rows
) -> Rows:
    """Those of some landmarks (M,) that the image at a pose (4, 4) must show unless something hides them."""
    rays, blur = local_map.predict_rays(T_world_camera, landmark_idx)
    inside = _outside(rays, VISIBILITY.expected_view * half_view) < 0
    return landmark_idx[inside & (blur < VISIBILITY.expected_blur)]


def with_visibility(local_map: LocalMap, expected: Rows, found: Rows) -> LocalMap:
    """The map after an image that should have shown some landmarks (M,) and showed others (N,), by index."""
    marks = local_map.landmarks
    seen = np.zeros(len(marks), np.bool_)
    seen[found] = True
    counts, hits = marks.expected.copy(), marks.found.copy()
    missed = marks.missed * np.float32(VISIBILITY.forget)
    missed[expected] = marks.missed[expected] + 1
    missed[found] = 0
    counts[expected] += 1
    hits[expected] += seen[expected]
    full = counts > VISIBILITY.memory
    counts[full] /= 2
    hits[full] /= 2
    return replace(local_map, landmarks=replace(marks, expected=counts, found=hits, missed=missed))


def detection_probability(marks: Landmarks) -> Float32:
    """(L,) probability that an image that should show a landmark does: its found ratio (Mur-Artal et al.,
    "ORB-SLAM", 2015), less where the newest images missed it.
    """
    ratio = (marks.found + 1) / (marks.expected + 2)
    return np.asarray(ratio * np.float32(VISIBILITY.hidden) ** marks.missed)


def _outside(rays: Float64, half_view: Float64) -> Float64:
    """(L,) by how much rays (L, 3) point past the edge of an image [rad]; negative inside."""
    return np.asarray((np.abs(np.arctan2(rays[:, :2], rays[:, 2:])) - half_view).max(axis=1))
