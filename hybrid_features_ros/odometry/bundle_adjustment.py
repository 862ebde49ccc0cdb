# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Windowed bundle adjustment of keyframe poses and inverse depths, by Levenberg-Marquardt.

Every landmark has one unknown, its inverse depth along the ray of the keyframe that saw it first, so
that eliminating the landmarks (Schur complement; Triggs et al., "Bundle adjustment - a modern
synthesis", 2000) divides by numbers, not by matrices. Points without parallax and measured depths need
no special case: the first have a wide prior on that number, the second a narrow one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

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
        order, begins: (2 O,) residuals by landmark, and (L + 1,) where each landmark's begin among them.
    """

    basis: Float64
    rays: Float64
    anchor_rays: Float64
    anchor: Int32
    place: Rows
    moving: Rows
    anchored: Rows
    order: Rows
    begins: Rows

    @staticmethod
    def of(p: Problem) -> _Views:
        """Of a problem."""
        place = np.where(p.free, np.cumsum(p.free) - 1, -1)
        anchor = p.anchors[p.landmark]
        rays, anchor_rays = (np.ascontiguousarray(r.T) for r in (p.rays, p.anchor_rays))
        moving, anchored = (np.flatnonzero(p.free[k]) for k in (p.keyframe, anchor))
        order = np.argsort(np.repeat(p.landmark, 2), kind="stable")
        begins = np.concatenate([[0], np.cumsum(2 * np.bincount(p.landmark, minlength=len(p.anchors)))])
        return _Views(
            tangent_bases(p.rays), rays, anchor_rays, anchor, place, moving, anchored, order, begins
        )


@dataclass(frozen=True, eq=False)
class _State:
    """Poses (K, 4, 4) and inverse depths (L,) of a problem, and what follows from them."""

    problem: Problem
    views: _Views
    poses: Float64
    inverse_depth: Float64

    @cached_property
    def rotations(self) -> Float64:
        """(3, 3, K)."""
        return np.ascontiguousarray(self.poses[:, :3, :3].transpose(1, 2, 0))

    @cached_property
    def projection(self) -> _Projection:
        """The landmarks as the keyframes see them."""
        p, views, positions = self.problem, self.views, self.poses[:, :3, 3].T
        R = np.take(self.rotations, p.keyframe, axis=2)
        anchors = np.take(self.rotations, p.anchors, axis=2)
        rays = np.einsum("ijl,jl->il", anchors, views.anchor_rays)  # in the world
        away = np.take(positions, views.anchor, axis=1) - np.take(positions, p.keyframe, axis=1)
        towards = np.take(rays, p.landmark, axis=1) + self.inverse_depth[p.landmark] * away
        d = np.einsum("ijo,io->jo", R, towards)
        length = np.maximum(np.sqrt(dot(d, d)), 1e-12)
        u = d / length
        return _Projection(dot(views.basis, u), R, d, away, u, length)

    @cached_property
    def errors(self) -> Float64:
        """Squared residuals over their variance (O,); infinite on the other side of a camera."""
        r, u = self.projection.residuals, self.projection.u
        front = dot(u, self.views.rays) > TANGENT_COSINE
        return np.where(front, (r[0] ** 2 + r[1] ** 2) / self.problem.sigmas**2, np.inf)


@dataclass(frozen=True, eq=False)
class _Projection:
    """Landmarks as keyframes see them.

    Attributes:
        residuals: (2, O) [rad].
        R: (3, 3, O) rotations of the observing poses.
        d, away: (3, O) the points times their inverse depths in the axes of those poses, and the way to the
            anchors in those of the world.
        u, length: (3, O), (O,) the points' directions, and the lengths of ``d``.
    """

    residuals: Float64
    R: Float64
    d: Float64
    away: Float64
    u: Float64
    length: Float64


def adjust(problem: Problem, iterations: int) -> Solution:
    """Levenberg-Marquardt with Cauchy weights that follow the scatter of the residuals."""
    state = _State(problem, _Views.of(problem), problem.poses.copy(), problem.inverse_depth.copy())
    damping, best = DAMPING.initial, np.inf
    noise = robust_scale(state.errors)
    for _ in range(iterations):
        S, g, E, V, w = _normal_equations(state, noise)
        step = np.linalg.solve(S + damping * np.diag(np.diag(S)) + 1e-12 * np.eye(len(S)), -g)
        trial = _moved(state, np.asarray(step), -(w + E @ step) / V)
        cost = float(np.log1p(np.minimum(trial.errors, 1e12) / (CAUCHY_WIDTH * noise) ** 2).sum())
        if cost < best:
            state, damping = trial, damping * DAMPING.success
            converged, best = best - cost < DAMPING.converged * best, cost
            if converged:
                break
        else:
            damping *= DAMPING.failure
    return _solution(state)


def _moved(state: _State, step: Float64, change: Float64) -> _State:
    """The state after steps (6F,) of the free poses and changes (L,) of the inverse depths."""
    p, poses = state.problem, state.poses.copy()
    for k, s in zip(np.flatnonzero(p.free), step.reshape(-1, 6), strict=True):
        poses[k] = se3.orthonormal(poses[k] @ se3.exp(s))
    inverse_depth = np.clip(state.inverse_depth + change, 1e-3 * p.prior, None)
    return replace(state, poses=poses, inverse_depth=inverse_depth)


def _solution(state: _State) -> Solution:
    noise = robust_scale(state.errors)
    S, _, _, V, _ = _normal_equations(state, noise)
    C = np.linalg.pinv(S, rcond=1e-12, hermitian=True)
    covariance = np.zeros((len(state.poses), 6, 6))
    for i, k in enumerate(np.flatnonzero(state.problem.free)):
        covariance[k] = C[6 * i : 6 * i + 6, 6 * i : 6 * i + 6]
    outliers = state.errors > DAMPING.outlier_sigmas**2 * noise**2
    return Solution(state.poses, state.inverse_depth, 1 / np.sqrt(V), covariance, outliers)


def _normal_equations(state: _State, noise: float) -> tuple[Float64, Float64, Float64, Float64, Float64]:
    """Reduced system ``S`` (6F, 6F), ``g``; the landmarks' ``E`` (L, 6F), ``V`` (L,) and ``w`` (L,)."""
    p, views, r = state.problem, state.views, state.projection.residuals
    J, A = _jacobians(state)
    root = np.sqrt(cauchy_weights(state.errors, noise)) / (p.sigmas * noise)
    r, A = ((np.where(np.isfinite(m), m, 0) * root).T.ravel() for m in (r, A))
    J = (J * root[:, None, None]).reshape(len(r), -1)
    L, rows = len(state.inverse_depth), np.repeat(p.landmark, 2)
    V = np.bincount(rows, A * A, L) + 1 / p.prior_sigmas**2
    w = np.bincount(rows, A * r, L) + (state.inverse_depth - p.prior) / p.prior_sigmas**2
    E = csr_matrix((A[views.order], views.order, views.begins), (L, len(A))) @ J
    scaled = E / V[:, None]
    return J.T @ J - E.T @ scaled, J.T @ r - scaled.T @ w, E, V, w


def _jacobians(state: _State) -> tuple[Float64, Float64]:
    """Jacobians of the residuals (O, 2, 6F) in the free poses, and (2, O) in the inverse depth."""
    p, views, seen = state.problem, state.views, state.projection
    rho = state.inverse_depth[p.landmark]
    P = (views.basis - seen.residuals[:, None] * seen.u) / seen.length  # derivatives in d
    P_world = np.einsum("ijo,kjo->kio", seen.R, P)
    J = np.zeros((len(rho), 2, int(p.free.sum()), 6))
    o = views.moving
    P, d = np.take(P, o, axis=2), np.take(seen.d, o, axis=1)
    moved = np.concatenate([-rho[o] * P, cross(P, d)], axis=1)
    J[o, :, views.place[p.keyframe[o]]] = moved.transpose(2, 0, 1)
    o = views.anchored
    rotations, rays = np.take(state.rotations, views.anchor[o], axis=2), views.anchor_rays[:, p.landmark[o]]
    Q = np.einsum("ijo,kio->kjo", rotations, np.take(P_world, o, axis=2))
    moved = np.concatenate([rho[o] * Q, cross(rays, Q)], axis=1)
    J[o, :, views.place[views.anchor[o]]] = moved.transpose(2, 0, 1)
    return J.reshape(len(rho), 2, -1), dot(P_world, seen.away)
