"""Windowed bundle adjustment of keyframe poses and inverse distances.

Every landmark has one unknown, its inverse distance along the ray of the keyframe that saw it first, so
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
from hybrid_features_ros.odometry.pose_optimizer import CAUCHY, scatter, tangent_basis

_DAMPING = 1e-4


@dataclass(frozen=True, eq=False)
class Problem:
    """K keyframes, L landmarks and O observations of them.

    Attributes:
        poses: (K, 4, 4) ``T_world_camera``.
        free: (K,) bool, which poses may move.
        anchors: (L,) int32, the keyframe whose ray a landmark lies on.
        rays: (L, 3) those rays, in the anchor's frame.
        inverse: (L,) inverse distances [1/m].
        prior: (L,) their mean before anything was triangulated [1/m].
        prior_sigmas: (L,) standard deviation of that [1/m].
        frame, landmark: (O,) int32, who sees what; never an anchor its own landmark.
        seen: (O, 3) unit rays in the frame of the keyframe that sees.
        sigmas: (O,) standard deviation of the rays per axis [rad].
    """

    poses: Float64
    free: Bool
    anchors: Int32
    rays: Float64
    inverse: Float64
    prior: Float64
    prior_sigmas: Float64
    frame: Int32
    landmark: Int32
    seen: Float64
    sigmas: Float64


@dataclass(frozen=True, eq=False)
class Solution:
    """Poses (K, 4, 4), inverse distances (L,) with standard deviations (L,), covariance of the poses.

    ``covariance`` (K, 6, 6) is of right perturbations, relative to the poses that were kept; ``outliers``
    (O,) bool are the observations that nothing explains.
    """

    poses: Float64
    inverse: Float64
    inverse_sigmas: Float64
    covariance: Float64
    outliers: Bool


def adjust(problem: Problem, iterations: int) -> Solution:
    """Damped Gauss-Newton with Cauchy weights that follow the scatter of the residuals."""
    p = problem
    poses, inverse = p.poses.copy(), p.inverse.copy()
    damping, best = _DAMPING, np.inf
    basis = np.ascontiguousarray(tangent_basis(p.seen).transpose(2, 0, 1))
    noise = scatter(_errors(p, poses, inverse, basis))
    for _ in range(iterations):
        S, g, E, V, w = _normal_equations(p, poses, inverse, basis, noise)
        step = np.linalg.solve(S + damping * np.diag(np.diag(S)) + 1e-12 * np.eye(len(S)), -g)
        change = -(w + E @ step) / V
        trial = np.array(
            [
                se3.orthonormal(T @ se3.exp(s))
                for T, s in zip(poses, _spread(np.asarray(step), p.free), strict=True)
            ]
        )
        trial_inverse = np.clip(inverse + change, 1e-3 * p.prior, None)
        errors = _errors(p, trial, trial_inverse, basis)
        cost = float(np.log1p(np.minimum(errors, 1e12) / (CAUCHY * noise) ** 2).sum())
        if cost < best:
            poses, inverse, damping = trial, trial_inverse, damping * 0.3
            settled, best = best - cost < 1e-4 * best, cost
            if settled:
                break
        else:
            damping *= 30
    return _solution(p, poses, inverse, basis)


def _solution(p: Problem, poses: Float64, inverse: Float64, basis: Float64) -> Solution:
    errors = _errors(p, poses, inverse, basis)
    noise = scatter(errors)
    S, _, _, V, _ = _normal_equations(p, poses, inverse, basis, noise)
    C = np.linalg.pinv(S, rcond=1e-12, hermitian=True)
    covariance = np.zeros((len(poses), 6, 6))
    for i, k in enumerate(np.flatnonzero(p.free)):
        covariance[k] = C[6 * i : 6 * i + 6, 6 * i : 6 * i + 6]
    return Solution(poses, inverse, 1 / np.sqrt(V), covariance, errors > 25 * noise**2)


def _normal_equations(
    p: Problem, poses: Float64, inverse: Float64, basis: Float64, noise: float
) -> tuple[Float64, Float64, Float64, Float64, Float64]:
    """Reduced system ``S`` (6F, 6F), ``g``; the landmarks' ``E`` (L, 6F), ``V`` (L,) and ``w`` (L,)."""
    r, J, J_anchor, A = _linearise(p, poses, inverse, basis)
    errors = (r**2).sum(axis=1) / p.sigmas**2
    weights = (errors < np.inf) / (1 + errors / (CAUCHY * noise) ** 2) / (p.sigmas * noise) ** 2
    r = np.where(np.isfinite(r), r, 0)
    F = int(p.free.sum())
    place = np.where(p.free, np.cumsum(p.free) - 1, F)  # fixed poses share a place that is cut away
    rows, columns = place[p.frame], place[p.anchors[p.landmark]]
    L = len(inverse)
    V = np.bincount(p.landmark, weights * (A**2).sum(1), L) + 1 / p.prior_sigmas**2
    w = np.bincount(p.landmark, weights * (A * r).sum(1), L) + (inverse - p.prior) / p.prior_sigmas**2
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


def _linearise(
    p: Problem, poses: Float64, inverse: Float64, basis: Float64
) -> tuple[Float64, Float64, Float64, Float64]:
    """Residuals (O, 2), Jacobians (O, 2, 6) in the seeing and the anchoring pose, (O, 2) in the inverse."""
    anchor = p.anchors[p.landmark]
    R, R_a = poses[p.frame, :3, :3], poses[anchor, :3, :3]
    away = poses[anchor, :3, 3] - poses[p.frame, :3, 3]
    rho = inverse[p.landmark][:, None]
    rays = p.rays[p.landmark]
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
    front = (u * p.seen).sum(axis=1) > 0.2
    return np.where(front[:, None], r, np.inf), J, J_anchor, np.einsum("oki,oi->ok", P, t)


def _errors(p: Problem, poses: Float64, inverse: Float64, basis: Float64) -> Float64:
    r = _linearise(p, poses, inverse, basis)[0]
    return np.asarray((r**2).sum(axis=1) / p.sigmas**2)


def _total(rows: Float64, index: Int32, size: int) -> Float64:
    """Sums (size, D) of the rows (O, D) that share an index (O,)."""
    chosen = csr_matrix((np.ones(len(index)), (index, np.arange(len(index)))), (size, len(index)))
    return np.asarray(chosen @ rows)


def _spread(step: Float64, free: Bool) -> Float64:
    full = np.zeros((len(free), 6))
    full[free] = step.reshape(-1, 6)
    return full
