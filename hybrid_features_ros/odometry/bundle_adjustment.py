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
from hybrid_features_ros.core.types import Bool, Float64, Int32
from hybrid_features_ros.geometry.robust import CAUCHY_WIDTH, cauchy_weights, robust_scale
from hybrid_features_ros.geometry.tangent import tangent_bases


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
class _State:
    """Poses (K, 4, 4) and inverse depths (L,), with the bases (O, 2, 3) of the rays' tangent planes."""

    poses: Float64
    inverse_depth: Float64
    basis: Float64


def adjust(problem: Problem, iterations: int) -> Solution:
    """Levenberg-Marquardt with Cauchy weights that follow the scatter of the residuals."""
    p = problem
    basis = np.ascontiguousarray(tangent_bases(p.rays).transpose(2, 0, 1))
    state = _State(p.poses.copy(), p.inverse_depth.copy(), basis)
    damping, best = DAMPING.initial, np.inf
    noise = robust_scale(_errors(p, state))
    for _ in range(iterations):
        S, g, E, V, w = _normal_equations(p, state, noise)
        step = np.linalg.solve(S + damping * np.diag(np.diag(S)) + 1e-12 * np.eye(len(S)), -g)
        trial = _moved(p, state, np.asarray(step), -(w + E @ step) / V)
        errors = _errors(p, trial)
        cost = float(np.log1p(np.minimum(errors, 1e12) / (CAUCHY_WIDTH * noise) ** 2).sum())
        if cost < best:
            state, damping = trial, damping * DAMPING.success
            converged, best = best - cost < DAMPING.converged * best, cost
            if converged:
                break
        else:
            damping *= DAMPING.failure
    return _solution(p, state)


def _moved(p: Problem, state: _State, step: Float64, change: Float64) -> _State:
    """The state after steps (6F,) of the free poses and changes (L,) of the inverse depths."""
    full = np.zeros((len(p.free), 6))
    full[p.free] = step.reshape(-1, 6)
    poses = np.array([se3.orthonormal(T @ se3.exp(s)) for T, s in zip(state.poses, full, strict=True)])
    return _State(poses, np.clip(state.inverse_depth + change, 1e-3 * p.prior, None), state.basis)


def _solution(p: Problem, state: _State) -> Solution:
    errors = _errors(p, state)
    noise = robust_scale(errors)
    S, _, _, V, _ = _normal_equations(p, state, noise)
    C = np.linalg.pinv(S, rcond=1e-12, hermitian=True)
    covariance = np.zeros((len(state.poses), 6, 6))
    for i, k in enumerate(np.flatnonzero(p.free)):
        covariance[k] = C[6 * i : 6 * i + 6, 6 * i : 6 * i + 6]
    outliers = errors > DAMPING.outlier_sigmas**2 * noise**2
    return Solution(state.poses, state.inverse_depth, 1 / np.sqrt(V), covariance, outliers)


def _normal_equations(
    p: Problem, state: _State, noise: float
) -> tuple[Float64, Float64, Float64, Float64, Float64]:
    """Reduced system ``S`` (6F, 6F), ``g``; the landmarks' ``E`` (L, 6F), ``V`` (L,) and ``w`` (L,)."""
    r, J, J_anchor, A = _linearise(p, state)
    errors = (r**2).sum(axis=1) / p.sigmas**2
    weights = cauchy_weights(errors, noise) / (p.sigmas * noise) ** 2
    r = np.where(np.isfinite(r), r, 0)
    F = int(p.free.sum())
    place = np.where(p.free, np.cumsum(p.free) - 1, F)  # fixed poses share a place that is cut away
    rows, columns = place[p.keyframe], place[p.anchors[p.landmark]]
    L = len(state.inverse_depth)
    V = np.bincount(p.landmark, weights * (A**2).sum(1), L) + 1 / p.prior_sigmas**2
    w = (
        np.bincount(p.landmark, weights * (A * r).sum(1), L)
        + (state.inverse_depth - p.prior) / p.prior_sigmas**2
    )
    Jw, Jw_anchor = J * weights[:, None, None], J_anchor * weights[:, None, None]
    pull = np.concatenate([np.einsum("oki,ok->oi", j, A) for j in (Jw, Jw_anchor)])
    force = np.concatenate([np.einsum("oki,ok->oi", j, r) for j in (Jw, Jw_anchor)])
    both, twice = np.concatenate([rows, columns]), np.concatenate([p.landmark, p.landmark])
    couple = _total(pull, twice * (F + 1) + both, L * (F + 1)).reshape(L, F + 1, 6)
    g = _total(force, both, F + 1)
    cross = np.einsum("oki,okj->oij", Jw, J_anchor)
    blocks = np.concatenate([
        np.einsum("oki,okj->oij", Jw, J), cross, cross.transpose(0, 2, 1),
        np.einsum("oki,okj->oij", Jw_anchor, J_anchor),
    ])  # fmt: skip
    pairs = np.concatenate([rows, rows, columns, columns]) * (F + 1) + np.concatenate(
        [rows, columns, rows, columns]
    )
    H = _total(blocks.reshape(-1, 36), pairs, (F + 1) ** 2).reshape(F + 1, F + 1, 6, 6)
    n = 6 * F
    E = couple[:, :F].reshape(L, n)
    full = H[:F, :F].transpose(0, 2, 1, 3).reshape(n, n)
    scaled = E / V[:, None]
    return full - E.T @ scaled, g[:F].ravel() - scaled.T @ w, E, V, w


def _linearise(p: Problem, state: _State) -> tuple[Float64, Float64, Float64, Float64]:
    """Residuals (O, 2), Jacobians (O, 2, 6) in the observing and the anchoring pose, (O, 2) in the inverse
    depth.
    """
    poses, basis = state.poses, state.basis
    anchor = p.anchors[p.landmark]
    R, R_a = poses[p.keyframe, :3, :3], poses[anchor, :3, :3]
    away = poses[anchor, :3, 3] - poses[p.keyframe, :3, 3]
    rho = state.inverse_depth[p.landmark][:, None]
    rays = p.anchor_rays[p.landmark]
    into = R.transpose(0, 2, 1)
    turn = into @ R_a
    t = np.einsum("oij,oj->oi", into, away)
    d = np.einsum("oij,oj->oi", turn, rays) + rho * t
    length = np.maximum(np.linalg.norm(d, axis=1), 1e-12)[:, None]
    u = d / length
    r = np.einsum("oki,oi->ok", basis, u)
    P = (basis - r[..., None] * u[:, None]) / length[..., None]
    J = np.concatenate([-rho[..., None] * P, -np.cross(d[:, None], P)], axis=2)
    Q = P @ turn
    J_anchor = np.concatenate([rho[..., None] * Q, np.cross(rays[:, None], Q)], axis=2)
    front = (u * p.rays).sum(axis=1) > 0.2
    return np.where(front[:, None], r, np.inf), J, J_anchor, np.einsum("oki,oi->ok", P, t)


def _errors(p: Problem, state: _State) -> Float64:
    r = _linearise(p, state)[0]
    return np.asarray((r**2).sum(axis=1) / p.sigmas**2)


def _total(rows: Float64, index: Int32, size: int) -> Float64:
    """Sums (size, D) of the rows (O, D) that share an index (O,)."""
    chosen = csr_matrix((np.ones(len(index)), (index, np.arange(len(index)))), (size, len(index)))
    return np.asarray(chosen @ rows)
