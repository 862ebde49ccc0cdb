# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Pose optimization: Gauss-Newton on the bearing vectors of landmarks, whatever is known of their depths.

A landmark is a ray from the keyframe that first saw it, with an inverse depth and its standard
deviation (Civera, Davison, Montiel, "Inverse depth parametrization for monocular SLAM", 2008). A depth
that is uncertain blurs the landmark's image along its epipolar line and nowhere else, so that one
least-squares problem holds measured points, triangulated points, and points of which only the direction
is known: the last constrain the rotation and no translation that another depth would explain.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from hybrid_features_ros.core import se3
from hybrid_features_ros.core.types import Bool, Float64, Rows
from hybrid_features_ros.geometry.robust import (
    cauchy_weights,
    information,
    median_scale,
    robust_scale,
    upper_median,
)
from hybrid_features_ros.geometry.tangent import TANGENT_COSINE, cross, dot, tangent_bases


@dataclass(frozen=True, eq=False)
class Observations:
    """Landmarks as one image observes them.

    Attributes:
        origins: (M, 3) where each landmark was seen first, in the world [m].
        directions: (M, 3) unit vectors from there, in the world.
        inverse_depth: (M,) one over the distance from there [1/m]; 0 = infinitely far.
        inverse_depth_sigmas: (M,) its standard deviation [1/m].
        rays: (M, 3) unit vectors in the camera's frame.
        sigmas: (M,) standard deviation of a ray per axis [rad].
    """

    origins: Float64
    directions: Float64
    inverse_depth: Float64
    inverse_depth_sigmas: Float64
    rays: Float64
    sigmas: Float64

    def __len__(self) -> int:
        return len(self.rays)

    @cached_property
    def basis(self) -> Float64:
        """(2, 3, M) orthonormal bases of the rays' tangent planes."""
        return tangent_bases(self.rays)

    @cached_property
    def columns(self) -> tuple[Float64, Float64, Float64]:
        """Origins, directions and rays as (3, M): operations run along memory."""
        a, b, c = (np.ascontiguousarray(m.T) for m in (self.origins, self.directions, self.rays))
        return a, b, c

    def __getitem__(self, rows: Rows | Bool) -> Observations:
        some = Observations(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))
        some.__dict__["basis"] = np.ascontiguousarray(self.basis[:, :, rows])
        return some


@dataclass(frozen=True, eq=False)
class PosePrior:
    """Where the camera is expected.

    Attributes:
        T: (4, 4) ``T_world_camera``.
        last_position: (3,) where it is if it only turned: the last position known [m].
        information: (6, 6) of a right perturbation of ``T``; None = nothing is known.
        candidate_translation: direction (3,) in the world of a translation that the image before showed
            and that is yet to be confirmed.
        is_measured: another source measured the motion; it may be wrong, so images are asked first.
    """

    T: Float64
    last_position: Float64
    information: Float64 | None = None
    candidate_translation: Float64 | None = None
    is_measured: bool = False


@dataclass(frozen=True)
class GaussNewton:
    """When the iteration ends, and how far it steps.

    Attributes:
        max_steps: of the iteration.
        tolerance: step [rad], and over the distance, below which the pose counts as found; what is left
            after the default is a hundredth of a pixel.
        max_scatter: largest scatter [rad] that residuals are taken to have: with less than half of them
            inliers, their median is none of the inliers.
        max_step_scale: by how much a step may be lengthened: far from the optimum most weights are small.
    """

    max_steps: int = 12
    tolerance: float = 1e-4
    max_scatter: float = np.inf
    max_step_scale: float = 1.5


@dataclass(frozen=True, eq=False)
class PoseFit:
    """A fitted pose.

    Attributes:
        T: (4, 4) ``T_world_camera``.
        information: (6, 6) of a right perturbation of ``T``, scatter included, without the prior.
        errors: (M,) squared residuals over their variance (two degrees of freedom each).
        noise: by how much the residuals scatter beyond their sigmas; never below 1.
        jacobian: (2, 6, M) of the residuals over their standard deviations.
    """

    T: Float64
    information: Float64
    errors: Float64
    noise: float
    jacobian: Float64

    def information_of(self, landmarks: Bool) -> Float64:
        """Information (6, 6) of some of the landmarks (M,) alone."""
        weights = cauchy_weights(self.errors, self.noise) * landmarks / self.noise**2
        return information(self.jacobian * weights, self.jacobian)

    @cached_property
    def covariance(self) -> Float64:
        """(6, 6), the inverse of the information; zero where that is."""
        return np.asarray(np.linalg.pinv(self.information, rcond=1e-12, hermitian=True))

    @property
    def scatter(self) -> float:
        """By how much the residuals scatter beyond their sigmas; less than 1 where those are cautious."""
        return median_scale(self.errors) if len(self.errors) else 1.0


def optimize_pose(
    observations: Observations,
    T: Float64,
    *,
    prior: PosePrior | None = None,
    fix_position: bool = False,
    solver: GaussNewton = GaussNewton(),
) -> Float64:
    """Gauss-Newton in the tangent planes of the rays, with Cauchy weights that follow the scatter.

    Args:
        observations: at least three; outliers may be among them.
        T: (4, 4) where to start.
        prior: where the camera is expected, if that has an information.
        fix_position: fit the rotation alone.

    Returns:
        (4, 4) ``T_world_camera``.
    """
    free = slice(3, 6) if fix_position else slice(0, 6)
    near, blur = (
        upper_median(a) if len(observations) else 1.0
        for a in (observations.inverse_depth, observations.sigmas)
    )
    largest = max(1.0, solver.max_scatter / blur)
    for _ in range(solver.max_steps):
        rows, errors = _whiten(observations, T)
        noise = min(robust_scale(errors), largest)
        weights = cauchy_weights(errors, noise)
        N = information(rows * weights, rows) / noise**2
        H, g = N[:6, :6] / _step_scale(weights, solver.max_step_scale), N[:6, 6]
        if prior is not None and prior.information is not None:
            H, g = H + prior.information, g + prior.information @ se3.log(se3.inverse(prior.T) @ T)
        step = np.zeros(6)
        step[free] = np.linalg.solve(_regularised(H[free, free]), -g[free])
        T = T @ se3.exp(step)
        if max(np.abs(step[3:]).max(), np.abs(step[:3]).max() * near) < solver.tolerance:
            break
    return se3.orthonormal(T)


def evaluate_pose(observations: Observations, T: Float64, rows: Bool | None = None) -> PoseFit:
    """The residuals and the information at a pose; ``rows`` (M,) bool limits the latter.

    The noise is that of all: where much disagrees, the pose is less certain.
    """
    whitened, errors = _whiten(observations, T)
    fit = PoseFit(T, np.zeros((6, 6)), errors, robust_scale(errors), whitened[:, :6])
    return replace(
        fit, information=fit.information_of(np.ones(len(observations), np.bool_) if rows is None else rows)
    )


def squared_errors(observations: Observations, T: Float64) -> Float64:
    """(M,) squared residuals over their variance at a pose, as :func:`evaluate_pose` finds them."""
    r, A, front = _project(observations, T, observations.basis)[:3]
    s, v = observations.sigmas**2, observations.inverse_depth_sigmas**2
    along = v * (A[0] * r[0] + A[1] * r[1]) ** 2 / (s + v * (A[0] ** 2 + A[1] ** 2))
    return np.where(front, (r[0] ** 2 + r[1] ** 2 - along) / s, np.inf)


def linearise(observations: Observations, T: Float64, basis: Float64) -> tuple[Float64, Float64, Float64]:
    """Residuals (2, M) [rad], Jacobians (2, 6, M) in the pose and (2, M) in the inverse depth.

    A landmark on the other side of the camera has an infinite residual. Coordinates come before landmarks
    here: every operation runs along memory.
    """
    r, A, front, d, P = _derivatives(observations, T, basis)
    J = np.concatenate([P * -observations.inverse_depth, cross(P, d)], axis=1)
    return np.where(front, r, np.inf), J, A


def whitened(rows: Float64, A: Float64, observations: Observations) -> Float64:
    """Rows (2, D, M) of residuals and Jacobians over the standard deviation of rays and depths, see
    :func:`_whiten`.

    Args:
        A: (2, M) derivative of the residuals in the inverse depth.
    """
    ratio = (observations.inverse_depth_sigmas / observations.sigmas) ** 2
    q = np.sqrt(1 + ratio * (A**2).sum(axis=0))
    k = ratio / (q * (q + 1))
    with np.errstate(invalid="ignore"):  # points behind the camera
        along = (A[:, None] * rows).sum(axis=0)
        return np.asarray((rows - k * A[:, None] * along) / observations.sigmas)


def _step_scale(weights: Float64, most: float) -> float:
    """By how much longer Newton's step is than that of fixed Cauchy weights (M,), were there no prior.

    The Hessian of a residual's cost, averaged over the residual's directions in the plane, is ``w^2 J^T J``
    where fixed weights take ``w J^T J``; the Jacobians are taken to be alike.
    """
    return min(max(float(weights.sum() / max(weights @ weights, 1e-300)), 1.0), most)


def _regularised(H: Float64) -> Float64:
    """A normal matrix (D, D) made regular: what it does not constrain does not move."""
    regular = H.copy()
    np.fill_diagonal(regular, H.diagonal() + max(1e-12 * float(H.trace()), 1e-300))
    return regular


def _derivatives(
    observations: Observations, T: Float64, basis: Float64
) -> tuple[Float64, Float64, Bool, Float64, Float64]:
    """Residuals, ``A``, front and ``d`` of :func:`_project`; the residuals' derivatives (2, 3, M) in
    ``d``.
    """
    r, A, front, d, u, scale = _project(observations, T, basis)
    return r, A, front, d, (basis - r[:, None] * u) * scale


def _project(
    observations: Observations, T: Float64, basis: Float64
) -> tuple[Float64, Float64, Bool, Float64, Float64, Float64]:
    """Residuals (2, M), their derivatives ``A`` (2, M) in the inverse depth, which landmarks lie in
    front; the points times the inverse depth ``d`` (3, M), their direction (3, M), and one over their
    length (M,).
    """
    into, (origins, directions, rays) = T[:3, :3].T, observations.columns
    away = into @ (origins - T[:3, 3:])
    d = into @ directions + observations.inverse_depth * away
    scale = 1 / np.maximum(np.sqrt(dot(d, d)), 1e-12)
    u = d * scale
    r = dot(basis, u)
    A = (dot(basis, away) - r * dot(u, away)) * scale
    return r, A, dot(u, rays) > TANGENT_COSINE, d, u, scale


def _whiten(observations: Observations, T: Float64) -> tuple[Float64, Float64]:
    """Jacobian and residuals (2, 6 + 1, M) over their standard deviation, and squared residuals (M,).

    The covariance of a residual is ``s^2 I + v^2 A A^T``, where ``A`` is the derivative in the inverse
    depth and ``v`` its standard deviation; the inverse root of that is ``(I - k A A^T) / s`` with
    ``k = (v / s)^2 / (q (q + 1))`` and ``q^2 = 1 + (v / s)^2 |A|^2``.
    """
    r, A, front, d, P = _derivatives(observations, T, observations.basis)
    over = front / observations.sigmas
    blur = (observations.inverse_depth_sigmas / observations.sigmas) ** 2
    q = np.sqrt(1 + blur * (A[0] ** 2 + A[1] ** 2))
    kA = blur / (q * (q + 1)) * A
    P = (P - kA[:, None] * (A[0] * P[0] + A[1] * P[1])) * over
    r = (r - kA * (A[0] * r[0] + A[1] * r[1])) * over
    rows = np.concatenate([P * -observations.inverse_depth, cross(P, d), r[:, None]], axis=1)
    return rows, np.where(front, r[0] ** 2 + r[1] ** 2, np.inf)
