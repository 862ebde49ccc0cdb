# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Tracking between detections: features of the last detected image, followed by optical flow.

Pyramidal Lucas-Kanade (Bouguet, 2001) needs patches that look alike and a start that is near; a turning
camera offers neither. So the detected image is turned with the camera first, by the rotation that the
odometry or its gyroscope predicts. Points are followed from the detected image, not from image to image, so
that they do not drift, and back again, which finds out what is hidden by now (Kalal, Mikolajczyk and Matas,
"Forward-backward error", ICPR 2010).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from hybrid_features_ros.core import se3
from hybrid_features_ros.core.camera import Camera
from hybrid_features_ros.core.config import FeatureConfig
from hybrid_features_ros.core.expectation import Expectation
from hybrid_features_ros.core.types import Bool, Extractor, Features, Float32, Float64, Rows, UInt8
from hybrid_features_ros.features.image import to_gray
from hybrid_features_ros.geometry.rotation import kabsch

Expect = Callable[[int, int], Expectation | None]  # of the image at the second stamp, after the first [ns]


@dataclass(frozen=True)
class Flow:
    """Optical flow, and when to detect anew: ``min_share`` swept on rendered rooms (docs/tuning.md), where
    ``max_images``, ``back_px`` and ``min_coverage`` made no clear difference; the window chosen by its cost.

    Attributes:
        window: side of the patches [px]; multiples of 8 are fastest.
        levels: of the pyramid above the image.
        steps: most iterations on each of them.
        back_px: how far from where it started a point may come out that was followed there and back [px].
        min_turn: rotation since the detection below which patches need not be turned [rad].
        max_images: that follow one detection.
        min_points: below which detecting costs little and is done with every image.
        min_share: of the detected keypoints that must still be there.
        trial: in the first image after a detection every so many points are tried first ...
        doubt: ... and the others not if fewer come back than this share of what is needed.
        cells: along each side of the image.
        min_coverage: of the cells that had keypoints, must still have some.
    """

    window: int = 16
    levels: int = 2
    steps: int = 10
    back_px: float = 0.7
    min_turn: float = float(np.radians(0.5))
    max_images: int = 5
    min_points: int = 100
    min_share: float = 0.75
    trial: int = 10
    doubt: float = 0.8
    cells: int = 8
    min_coverage: float = 0.75


FLOW = Flow()
_GRID = 16  # pixels between the points at which the map of a turned image is computed, linear between them


@dataclass(frozen=True, eq=False)
class View:
    """Keypoints as a camera's rays.

    Attributes:
        camera: that took the images.
        detected: (N, 3) rays of the detected keypoints.
        newest: (M, 3) rays of those still followed, in the newest image.
        R: (3, 3) rotation between the two, ``R_detected_newest``.
    """

    camera: Camera
    detected: Float64
    newest: Float64
    R: Float64


@dataclass(frozen=True, eq=False)
class Followed:
    """A detected image, and where its keypoints are in the newest one.

    Attributes:
        image: (H, W), the detected one.
        features: N, of that image.
        rows: (M,) which of them are still followed.
        points: (M, 2) float32, where they are in the newest image [px].
        view: None while the camera is not known.
        age: images since the detection.
    """

    image: UInt8
    features: Features
    rows: Rows
    points: Float32
    view: View | None = None
    age: int = 0

    @staticmethod
    def begin(image: UInt8, features: Features) -> Followed:
        """A detected image (H, W), which is the newest one."""
        return Followed(image, features, np.arange(len(features)), features.points)

    def seen_by(self, camera: Camera) -> View:
        """The keypoints as rays of a camera; without rotation where that one was not known before."""
        if self.view is not None and self.view.camera == camera:
            return self.view
        detected = camera.bearings(self.features.points)
        newest = camera.bearings(self.points) if self.age else detected
        return View(camera, detected, newest, np.eye(3))

    def carried(self) -> Features:
        """The features of the detected image that are still followed, where they are now.

        Orientation and scale turn with the camera, as a pinhole shows it.
        """
        f, rows = self.features, self.rows
        angles, scales = f.angles[rows], f.scales[rows]
        if self.view is not None:
            angles, scales = _turned_keypoints(angles, scales, self.view.detected[rows], self.view.R)
        assert f.track_ids is not None
        return replace(
            f,
            points=self.points,
            scores=f.scores[rows],
            scales=scales,
            angles=angles,
            sigmas=f.sigmas[rows],
            descriptors=f.descriptors[rows],
            track_ids=f.track_ids[rows],
        )


class FeatureTracker:
    """Features of every image: detected in all of them, or in some and followed in those between.

    Example:
        >>> tracker = FeatureTracker(extractor, "between_keyframes", odometry.expectation)
        >>> features = tracker.extract(image, stamp)

    Args:
        extractor: of the images in which keypoints are detected.
        tracking: as ``features.tracking``.
        expect: what is expected of an image, from the stamps of the one before and its own [ns]; where it
            tells nothing, points are looked for where they were.

    Attributes:
        detected: whether the newest image was detected.
    """

    def __init__(
        self,
        extractor: Extractor,
        tracking: str = FeatureConfig.tracking,
        expect: Expect | None = None,
        flow: Flow = FLOW,
    ) -> None:
        self.extractor, self._expect, self._flow = extractor, expect, flow
        self._follows = tracking == "between_keyframes"
        self._followed: Followed | None = None
        self._stamp, self._next_id = 0, 0
        self.detected = True

    def extract(self, image: NDArray[Any], stamp: int) -> Features:
        """The features of an image.

        Between keyframes they have ``track_ids``: all new ones where they were detected; the same as before
        where they were followed, with the descriptors and scores of the detected image.

        Args:
            image: (H, W) or (H, W, 3) uint8, grey or BGR.
            stamp: of the image [ns].

        Raises:
            InputError: as the extractor.
        """
        if not self._follows:
            return self.extractor.extract(image)
        gray, last = to_gray(image), self._followed
        expected = None if self._expect is None or last is None else self._expect(self._stamp, stamp)
        self._stamp, self._followed = stamp, None
        found = None
        if last is not None and not (expected and expected.detect):
            found = follow(last, gray, expected, self._flow)
        self.detected = found is None
        if found is None:
            features = self.extractor.extract(image)
            ids = np.arange(len(features), dtype=np.int32) + np.int32(self._next_id)
            self._next_id = (self._next_id + len(features)) % 2**30
            features = replace(features, track_ids=ids)
            self._followed = Followed.begin(gray, features)
            return features
        self._followed = found
        return found.carried()


def follow(
    last: Followed, image: UInt8, expected: Expectation | None = None, flow: Flow = FLOW
) -> Followed | None:
    """Follow keypoints into another image (H, W); None if too few are left, too little of the image has any,
    or the detection is too long ago.
    """
    if image.shape != last.image.shape or last.age >= flow.max_images:
        return None
    before, source, start, view = last.image, last.features.points[last.rows], last.points, last.view
    if expected is not None:
        view = last.seen_by(expected.camera)
        camera, R = expected.camera, view.R @ expected.R_before_now
        start = camera.project(view.newest @ expected.R_before_now).astype(np.float32)
        view = replace(view, R=R)
        if se3.rotation_angle(R) > flow.min_turn:
            before = turned(last.image, camera, R)
            source = camera.project(view.detected[last.rows] @ R).astype(np.float32)
    inside = _inside(start, image) & _inside(source, image)
    rows, source, start = last.rows[inside], source[inside], start[inside]
    if not _is_enough(last.features, rows, start, flow):
        return None
    if not last.age:
        tried = optical_flow(before, image, source[:: flow.trial], start[:: flow.trial], flow)[1]
        if tried.mean() * len(rows) < flow.doubt * flow.min_share * len(last.features):
            return None
    points, found = optical_flow(before, image, source, start, flow)
    found &= _inside(points, image)
    rows, points = rows[found], points[found]
    if not _is_enough(last.features, rows, points, flow):
        return None
    if view is not None:
        newest = view.camera.bearings(points)
        view = replace(view, newest=newest, R=refined_rotation(view.R, view.detected[rows], newest))
    return replace(last, rows=rows, points=points, view=view, age=last.age + 1)


def optical_flow(
    before: UInt8, now: UInt8, source: Float32, start: Float32, flow: Flow = FLOW
) -> tuple[Float32, Bool]:
    """Where points (N, 2) of one image (H, W) are in another, and which of them came back when they were
    followed back.

    Args:
        start: (N, 2) about where they are [px].
    """
    points, there = _lucas_kanade(before, now, source, start, flow, flow.levels)
    returned, back = _lucas_kanade(now, before, points, points + (source - start), flow, 0)
    return points, there & back & (((returned - source) ** 2).sum(axis=1) < flow.back_px**2)


def turned(image: UInt8, camera: Camera, R: Float64) -> UInt8:
    """The image (H, W) that the camera would have taken from the same place, turned by ``R_image_turned``."""
    height, width = image.shape
    rays, shape = _grid(camera)
    where = camera.project(rays @ R.T).astype(np.float32).reshape(*shape, 2)
    where = np.nan_to_num(where, nan=-1.0).clip(-1e4, 1e4)
    whole = cv2.resize(where, (shape[1] * _GRID, shape[0] * _GRID), interpolation=cv2.INTER_LINEAR)
    whole = whole[_GRID : _GRID + height, _GRID : _GRID + width]
    return np.asarray(
        cv2.remap(image, whole, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.uint8
    )


def refined_rotation(R: Float64, before: Float64, now: Float64) -> Float64:
    """The rotation ``R_before_now`` (3, 3) that rays (M, 3) show, from a first one: Kabsch's algorithm with
    Cauchy weights, two steps.
    """
    for _ in range(2):
        squared = ((before - now @ R.T) ** 2).sum(axis=1)
        weights = 1 / (squared + max(float(np.median(squared)), 1e-12))
        R = kabsch((before * weights[:, None]).T @ now)
    return R


@lru_cache(maxsize=2)
def _grid(camera: Camera) -> tuple[Float64, tuple[int, int]]:
    """Rays (H * W, 3) of a coarse grid of pixels that reaches one step past the image, and its shape."""
    x, y = (np.arange(-0.5, size / _GRID + 1.5) * _GRID - 0.5 for size in (camera.width, camera.height))
    grid = np.stack(np.meshgrid(x, y), axis=2)
    return camera.bearings(grid.reshape(-1, 2)), grid.shape[:2]


def _turned_keypoints(angles: Float32, scales: Float32, rays: Float64, R: Float64) -> tuple[Float32, Float32]:
    """Orientations and scales (M,) of keypoints with these rays (M, 3) once the camera has turned by ``R``.

    The derivative of where a pinhole shows a point: ``d(u, v) = (d(X, Y) - (u, v) dZ) / Z``.
    """
    X = rays / rays[:, 2:] @ R
    step = np.stack([np.cos(angles), np.sin(angles)], axis=1) @ R[:2]
    dx, dy = (step[:, :2] - X[:, :2] / X[:, 2:] * step[:, 2:]).T
    return np.arctan2(dy, dx).astype(np.float32), (scales * np.abs(X[:, 2]) ** -1.5).astype(np.float32)


def _lucas_kanade(
    before: UInt8, now: UInt8, source: Float32, start: Float32, flow: Flow, levels: int
) -> tuple[Float32, Bool]:
    points, found, _ = cv2.calcOpticalFlowPyrLK(
        before,
        now,
        source[:, None],
        start[:, None].copy(),
        winSize=(flow.window, flow.window),
        maxLevel=levels,
        criteria=(cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, flow.steps, 0.02),
        flags=cv2.OPTFLOW_USE_INITIAL_FLOW,
    )
    return np.asarray(points[:, 0], np.float32), np.asarray(found[:, 0] > 0)


def _is_enough(features: Features, rows: Rows, points: Float32, flow: Flow) -> bool:
    """Whether keypoints ``rows`` (M,), now at ``points`` (M, 2), are enough of a detected image's."""
    if len(rows) < max(flow.min_points, flow.min_share * len(features)):
        return False
    size = (features.width, features.height)
    before, now = (_occupied(p, size, flow.cells) for p in (features.points, points))
    return now >= flow.min_coverage * before


def _occupied(points: Float32, size: tuple[int, int], cells: int) -> int:
    x, y = (points / size * cells).astype(np.intp).clip(0, cells - 1).T
    return int(np.count_nonzero(np.bincount(y * cells + x)))


def _inside(points: Float32, image: UInt8) -> Bool:
    height, width = image.shape
    return np.asarray(((points >= 0) & (points <= (width - 1, height - 1))).all(axis=1))
