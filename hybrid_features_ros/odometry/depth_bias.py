# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Common error of measured depths, estimated where it is observable: against the motion of tracked points.

A stereo pair that is not rectified as its calibration says, or a depth camera with a wrong baseline, errs by
an inverse depth that varies smoothly over the image: here ``c0 + c1 x^2`` [1/m], with ``x`` on the plane
z = 1. The first is a shift of the principal point, the second comes with a yaw of the right camera. The rows
of a pair hardly show them; but a wrong inverse depth moves a point along its epipolar line as soon as the
camera moves, as no motion of the camera does. The pose is eliminated by the Schur complement.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from hybrid_features_ros.core.types import Float64
from hybrid_features_ros.geometry.robust import marginal, robust_normal_matrix
from hybrid_features_ros.odometry.frame import Frame
from hybrid_features_ros.odometry.local_map import LocalMap
from hybrid_features_ros.odometry.pose_optimizer import Observations, linearise, whitened
from hybrid_features_ros.odometry.tracking_result import TrackingResult

_KEEP = 0.5  # share of the evidence below which an estimate is no longer used
_POSE, _BIAS = slice(0, 6), slice(6, 8)


@dataclass(frozen=True)
class BiasPrior:
    """What is known before any evidence; shift and curve were chosen on rendered streets and corridors with
    yawed, pitched and shifted right cameras (the worst row decided). ``evidence_each`` was set after looking
    at TartanAir and KITTI, too, so that their figures are not independent of it; the others were set once.

    Attributes:
        shift, curve: standard deviations of ``c0`` and ``c1``, in those of a measured inverse depth.
        new: share of a keyframe's information that is new: noise of depths is met again and again.
        evidence, evidence_each: Wald statistic from which the estimate is used, chi-square of two degrees of
            freedom if depths are right but for noise; and so much of it for each keyframe, since sampling
            depths at edges errs in common, too. Rendered streets and corridors show 0.2 each if exact, 0.9
            with a pitch of 3 mrad, 6.4 or more with a shift of a third of a pixel; TartanAir's depths show 1.
        min_points: points that an image must tell of.
    """

    shift: float = 1.0
    curve: float = 1.0
    new: float = 0.5
    evidence: float = 16.0
    evidence_each: float = 4.0
    min_points: int = 50


class DepthBias:
    """Estimate of ``c0, c1`` from keyframes, and its information."""

    def __init__(self, prior: BiasPrior = BiasPrior()) -> None:
        self._prior = prior
        self._information, self._vector = np.zeros((2, 2)), np.zeros(2)
        self._is_begun = self._is_significant = False
        self._learnt = 0  # keyframes
        self._used: dict[int, Float64] = {}  # by number of a keyframe's image
        self._in_map = np.zeros(2)

    @property
    def value(self) -> Float64:
        """(2,) what is taken out of depths [1/m]: the best estimate; zero before there is evidence."""
        return self._estimate if self._is_significant else np.zeros(2)

    @property
    def shift_sigma(self) -> float:
        """Standard deviation [1/m] of what ``c0`` still errs; 0 without measured depths."""
        if not self._is_begun:
            return 0.0
        unused = 0.0 if self._is_significant else float(self._estimate[0])
        return float(np.hypot(np.sqrt(np.linalg.inv(self._information)[0, 0]), unused))

    @property
    def _estimate(self) -> Float64:
        return np.asarray(np.linalg.solve(self._information, self._vector))

    def corrected(self, frame: Frame) -> Frame:
        """The image with the error of its measured depths taken out."""
        if not self._is_significant:
            return frame
        inverse_depth = frame.inverse_depth - _shape(frame.rays) @ self.value
        with np.errstate(invalid="ignore"):
            return replace(frame, inverse_depth=np.where(inverse_depth > 0, inverse_depth, np.nan))

    def add_keyframe(self, frame: Frame, tracked: TrackingResult | None = None) -> None:
        """Use an image that became a keyframe: as evidence if it was tracked, and later as a reference."""
        measured = np.isfinite(frame.inverse_depth)
        if measured.sum() < self._prior.min_points:
            return
        if not self._is_begun:
            noise = float(np.median(frame.inverse_depth_sigmas[measured]))
            self._information = np.diag(1 / (np.array([self._prior.shift, self._prior.curve]) * noise) ** 2)
            self._is_begun = True
        self._used[frame.number] = self.value
        if tracked is not None:
            self._learn(tracked)

    def corrected_map(self, local_map: LocalMap) -> LocalMap:
        """The map whose measured depths follow the estimate, by what it changed since it was asked last."""
        change, self._in_map = self.value - self._in_map, self.value
        return local_map.with_changed_priors(-_shape(local_map.landmarks.rays) @ change)

    def _learn(self, tracked: TrackingResult) -> None:
        """Add what the depths that the reference keyframe measured say with where its points are now."""
        keyframe, common = tracked.reference_keyframe, tracked.common
        if keyframe.frame is None or keyframe.frame.number not in self._used:
            return
        there = keyframe.frame.inverse_depth[tracked.reference_features]
        told = np.isfinite(there) & (there > 0)
        if told.sum() < self._prior.min_points:
            return
        features, now = tracked.reference_features[told], tracked.matches.feature_idx[common[told]]
        rays, frame = keyframe.frame.rays[features], tracked.matches.frame
        observations = Observations(
            origins=np.broadcast_to(keyframe.T[:3, 3], rays.shape),
            directions=rays @ keyframe.T[:3, :3].T,
            inverse_depth=keyframe.frame.inverse_depth[features],
            inverse_depth_sigmas=keyframe.frame.inverse_depth_sigmas[features],
            rays=frame.rays[now],
            sigmas=np.hypot(frame.sigmas[now], keyframe.frame.sigmas[features]),
        )
        r, J, A = linearise(observations, tracked.fit.T, observations.basis)
        shape = _shape(rays)
        r = r + A * (shape @ self._used[keyframe.frame.number])  # as if nothing had been corrected
        rows = np.concatenate([J, -A[:, None] * shape.T, r[:, None]], axis=1)
        in_front = np.isfinite(r).all(axis=0)
        prior, prior_vector = np.zeros((8, 8)), np.zeros(8)
        prior[_BIAS, _BIAS], prior_vector[_BIAS] = self._information, self._vector
        N = robust_normal_matrix(whitened(rows, A, observations)[:, :, in_front], prior, prior_vector)
        information, vector = marginal(N, _BIAS, _POSE)
        self._information = self._information + self._prior.new * information
        self._vector = self._vector + self._prior.new * vector
        self._learnt += 1
        enough = max(self._prior.evidence, self._learnt * self._prior.evidence_each)
        evidence = float(self._estimate @ self._vector)
        self._is_significant = evidence > enough * (_KEEP if self._is_significant else 1.0)


def _shape(rays: Float64) -> Float64:
    """(N, 2) what ``c0`` and ``c1`` add to inverse depths along rays (N, 3)."""
    z = rays[:, 2]
    return np.stack([z, rays[:, 0] ** 2 / np.maximum(z, 0.1)], axis=1)
