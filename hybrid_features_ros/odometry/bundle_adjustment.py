# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Windowed bundle adjustment of keyframe poses and inverse depths, by Levenberg-Marquardt.

Every landmark has one unknown, its inverse depth along the ray of the keyframe that saw it first, so
that eliminating the landmarks (Schur complement; Triggs et al., "Bundle adjustment - a modern
synthesis", 2000) divides by numbers, not by matrices. Points without parallax and measured depths need
no special case: the first have a wide prior on that number, the second a narrow one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix

from hybrid_features_ros.core import se3
from hybrid_features_ros.core.types import Bool, Float64, Int32, Rows
from hybrid_features_ros.geometry.robust import CAUCHY_WIDTH, cauchy_weights, robust_scale
from hybrid_features_ros.geometry.tangent import TANGENT_COSINE, cross, dot, tangent_bases


@dataclass(frozen=True)
class Damping:
    """Levenberg-Marquardt's, and what an outlier is; the usual values, results hardly depend on them.

    Attributes:
        initial: share of the diagonal that is added to the reduced system.
        success, failure: its factors after a step that lowers the cost, and after one that does not.
        converged: relative decrease of the cost below which the adjustment ends.
        outlier_sigmas: residual, over its scatter, of an outlier.
    """

    initial: float = 1e-4
    success: float = 0.3
    failure: float = 30.0
    converged: float = 1e-4
    outlier_sigmas: float = 5.0


DAMPING = Damping()


@dataclass(frozen=True, eq=False)
class Problem:
    """K keyframes, L landmarks and O observations of them.

    Attributes:
        poses: (K, 4, 4) ``T_world_camera``.
        free: (K,) bool, which poses may move.
        anchors: (L,) int32, the keyframe whose ray a landmark lies on.
        anchor_rays: (L, 3) those rays, in the anchor's frame.
        inverse_depth: (L,) along those rays [1/m].
        prior: (L,) their mean before anything was triangulated [1/m].
        prior_sigmas: (L,) standard deviation of that [1/m].
        keyframe, landmark: (O,) int32, which keyframe observes which landmark; never the anchor its own.
        rays: (O, 3) observed unit rays in the frame of that keyframe.
        sigmas: (O,) standard deviation of the rays per axis [rad].
    """

    poses: Float64
    free: Bool
    anchors: Int32
    anchor_rays: Float64
    inverse_depth: Float64
    prior: Float64
    prior_sigmas: Float64
    keyframe: Int32
    landmark: Int32
    rays: Float64
    sigmas: Float64


@dataclass(frozen=True, eq=False)
class Solution:
    """Poses (K, 4, 4), inverse depths (L,) with standard deviations (L,), covariance of the poses.

    ``covariance`` (K, 6, 6) is of right perturbations, relative to the fixed poses; ``outliers``
    (O,) bool are the observations that nothing explains.
    """

    poses: Float64
    inverse_depth: Float64
    inverse_depth_sigmas: Float64
    covariance: Float64
    outliers: Bool


@dataclass(frozen=True, eq=False)
class _Views:
    """What stays as it is during an adjustment, as columns: operations run along memory.

    Attributes:
        basis: (2, 3, O) of the tangent planes of the observed rays.
        rays: (3, O) those rays.
        anchor_rays: (3, L) of the landmarks.
        anchor: (O,) the keyframe that each observation's landmark is anchored in.
        place: (K,) number of a pose among the free ones; -1 = fixed.
        moving, anchored: (M,), (N,) observations by a free pose, and of landmarks with a free anchor.
    """

    basis: Float64
    rays: Float64
    anchor_rays: Float64
    anchor: Int32
    place: Rows
    moving: Rows
    anchored: Rows

    @staticmethod
    def of(p: Problem) -> _Views:
        """Of a problem."""
        place = np.where(p.free, np.cumsum(p.free) - 1, -1)
        anchor = p.anchors[p.landmark]
        rays, anchor_rays = (np.ascontiguousarray(r.T) for r in (p.rays, p.anchor_rays))
        moving, anchored = (np.flatnonzero(p.free[k]) for k in (p.keyframe, anchor))
        return _Views(tangent_bases(p.rays), rays, anchor_rays, anchor, place, moving, anchored)


@dataclass(frozen=True, eq=False)
class _State:
    """Poses (K, 4, 4) and inverse depths (L,)."""

    poses: Float64
    inverse_depth: Float64

    @property
    def rotations(self) -> Float64:
        """(3, 3, K)."""
        return self.poses[:, :3, :3].transpose(1, 2, 0)

    @property
    def positions(self) -> Float64:
        """(3, K)."""
        return self.poses[:, :3, 3].T


def adjust(problem: Problem, iterations: int) -> Solution:
    """Levenberg-Marquardt with Cauchy weights that follow the scatter of the residuals."""
    p, views = problem, _Views.of(problem)
    state = _State(p.poses.copy(), p.inverse_depth.copy())
    damping, best = DAMPING.initial, np.inf
    noise = robust_scale(_errors(p, views, state))
    for _ in range(iterations):
        S, g, E, V, w = _normal_equations(p, views, state, noise)
        step = np.linalg.solve(S + damping * np.diag(np.diag(S)) + 1e-12 * np.eye(len(S)), -g)
        trial = _moved(p, state, np.asarray(step), -(w + E @ step) / V)
        errors = _errors(p, views, trial)
        cost = float(np.log1p(np.minimum(errors, 1e12) / (CAUCHY_WIDTH * noise) ** 2).sum())
        if cost < best:
            state, damping = trial, damping * DAMPING.success
            converged, best = best - cost < DAMPING.converged * best, cost
            if converged:
                break
        else:
            damping *= DAMPING.failure
    return _solution(p, views, state)


def _moved(p: Problem, state: _State, step: Float64, change: Float64) -> _State:
    """The state after steps (6F,) of the free poses and changes (L,) of the inverse depths."""
    poses = state.poses.copy()
    for k, s in zip(np.flatnonzero(p.free), step.reshape(-1, 6), strict=True):
        poses[k] = se3.orthonormal(poses[k] @ se3.exp(s))
    return _State(poses, np.clip(state.inverse_depth + change, 1e-3 * p.prior, None))


def _solution(p: Problem, views: _Views, state: _State) -> Solution:
    errors = _errors(p, views, state)
    noise = robust_scale(errors)
    S, _, _, V, _ = _normal_equations(p, views, state, noise)
    C = np.linalg.pinv(S, rcond=1e-12, hermitian=True)
    covariance = np.zeros((len(state.poses), 6, 6))
    for i, k in enumerate(np.flatnonzero(p.free)):
        covariance[k] = C[6 * i : 6 * i + 6, 6 * i : 6 * i + 6]
    outliers = errors > DAMPING.outlier_sigmas**2 * noise**2
    return Solution(state.poses, state.inverse_depth, 1 / np.sqrt(V), covariance, outliers)


def _normal_equations(
    p: Problem, views: _Views, state: _State, noise: float
) -> tuple[Float64, Float64, Float64, Float64, Float64]:
    """Reduced system ``S`` (6F, 6F), ``g``; the landmarks' ``E`` (L, 6F), ``V`` (L,) and ``w`` (L,)."""
    r, errors, J, A = _linearise(p, views, state)
    root = np.sqrt(cauchy_weights(errors, noise)) / (p.sigmas * noise)
    r = (np.where(np.isfinite(r), r, 0) * root).T.ravel()
    A = (A * root).T.ravel()
    J = (J * root[:, None, None]).reshape(len(r), -1)
    L, rows = len(state.inverse_depth), np.repeat(p.landmark, 2)
    V = np.bincount(rows, A * A, L) + 1 / p.prior_sigmas**2
    w = np.bincount(rows, A * r, L) + (state.inverse_depth - p.prior) / p.prior_sigmas**2
    E = csr_matrix((A, (rows, np.arange(len(A)))), (L, len(A))) @ J
    scaled = E / V[:, None]
    return J.T @ J - E.T @ scaled, J.T @ r - scaled.T @ w, E, V, w


def _linearise(p: Problem, views: _Views, state: _State) -> tuple[Float64, Float64, Float64, Float64]:
    """Residuals (2, O) and their squares over the variance (O,), Jacobians (O, 2, 6F) in the free poses,
    and (2, O) in the inverse depth.
    """
    r, R, d, away, u, length = _project(p, views, state)
    rho = state.inverse_depth[p.landmark]
    P = (views.basis - r[:, None] * u) / length  # derivatives in d
    P_world = (R * P[:, None]).sum(axis=2)
    J = np.zeros((len(rho), 2, int(p.free.sum()), 6))
    o = views.moving
    moved = np.concatenate([-rho[o] * P[:, :, o], cross(P[:, :, o], d[:, o])], axis=1)
    J[o, :, views.place[p.keyframe[o]]] = moved.transpose(2, 0, 1)
    o = views.anchored
    Q = (state.rotations[:, :, views.anchor[o]] * P_world[:, :, None, o]).sum(axis=1)
    moved = np.concatenate([rho[o] * Q, cross(views.anchor_rays[:, p.landmark[o]], Q)], axis=1)
    J[o, :, views.place[views.anchor[o]]] = moved.transpose(2, 0, 1)
    return r, _squared(p, views, r, u), J.reshape(len(rho), 2, -1), dot(P_world, away)


def _project(
    p: Problem, views: _Views, state: _State
) -> tuple[Float64, Float64, Float64, Float64, Float64, Float64]:
    """Residuals (2, O); rotations (3, 3, O) of the observing poses; the points times their inverse depths
    (3, O) and the way to the anchors (3, O), in the axes of those poses and of the world; the points'
    directions (3, O) and lengths (O,).
    """
    rotations, positions = state.rotations, state.positions
    R = rotations[:, :, p.keyframe]
    rays = (rotations[:, :, p.anchors] * views.anchor_rays).sum(axis=1)  # in the world
    away = positions[:, views.anchor] - positions[:, p.keyframe]
    towards = rays[:, p.landmark] + state.inverse_depth[p.landmark] * away
    d = (R * towards[:, None]).sum(axis=0)
    length = np.maximum(np.sqrt(dot(d, d)), 1e-12)
    u = d / length
    return dot(views.basis, u), R, d, away, u, length


def _squared(p: Problem, views: _Views, r: Float64, u: Float64) -> Float64:
    """Squared residuals over their variance (O,); infinite on the other side of a camera."""
    front = dot(u, views.rays) > TANGENT_COSINE
    return np.where(front, (r[0] ** 2 + r[1] ** 2) / p.sigmas**2, np.inf)


def _errors(p: Problem, views: _Views, state: _State) -> Float64:
    r, _, _, _, u, _ = _project(p, views, state)
    return _squared(p, views, r, u)
