"""Landmarks to a camera pose, whatever is known of their depths.

A landmark is a ray from the keyframe that first saw it, with an inverse distance and its standard
deviation (Civera, Davison, Montiel, "Inverse depth parametrization for monocular SLAM", 2008). A depth
that is uncertain blurs the landmark's image along its epipolar line and nowhere else, so that one
least-squares problem holds measured points, triangulated points, and points of which only the direction
is known: the last say everything about rotation and nothing about a translation that would explain them
by another depth.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from hybrid_features_ros import pose
from hybrid_features_ros.types import Bool, Float64

CAUCHY = 2.385  # width of Cauchy's weights in sigmas: 95 % efficient for Gaussian errors
_MEDIAN = 1.3863  # of chi-square with two degrees of freedom
_CONVERGED = 5e-5  # [rad], and over the distance: a fortieth of a pixel


@dataclass(frozen=True, eq=False)
class Sights:
    """Landmarks as one image sees them.

    Attributes:
        origins: (M, 3) where each landmark was seen first, in the world [m].
        directions: (M, 3) unit vectors from there, in the world.
        inverse: (M,) one over the distance from there [1/m]; 0 = infinitely far.
        inverse_sigmas: (M,) its standard deviation [1/m].
        rays: (M, 3) unit vectors in the camera's frame.
        sigmas: (M,) standard deviation of a ray per axis [rad].
    """

    origins: Float64
    directions: Float64
    inverse: Float64
    inverse_sigmas: Float64
    rays: Float64
    sigmas: Float64

    def __len__(self) -> int:
        return len(self.rays)

    @cached_property
    def basis(self) -> Float64:
        """(2, 3, M) orthonormal directions across the rays."""
        return tangent_basis(self.rays)

    def __getitem__(self, rows: object) -> Sights:
        return Sights(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))


@dataclass(frozen=True, eq=False)
class Fit:
    """A fitted pose.

    Attributes:
        T: (4, 4) ``T_world_camera``.
        information: (6, 6) of a right perturbation of ``T``, scatter included, without the prior.
        errors: (M,) squared residuals over their variance (two degrees of freedom each).
        noise: by how much the residuals scatter beyond their sigmas; never below 1.
    """

    T: Float64
    information: Float64
    errors: Float64
    noise: float

    @property
    def scatter(self) -> float:
        """By how much the residuals scatter beyond their sigmas; less than 1 where those are cautious."""
        return _spread(self.errors) if len(self.errors) else 1.0


def fit_pose(
    sights: Sights,
    T: Float64,
    *,
    prior: Float64 | None = None,
    mean: Float64 | None = None,
    turn_only: bool = False,
    widest: float = np.inf,
) -> Fit:
    """The pose that :func:`approach` finds, judged."""
    return judge(sights, approach(sights, T, prior=prior, mean=mean, turn_only=turn_only, widest=widest))


def approach(
    sights: Sights,
    T: Float64,
    *,
    prior: Float64 | None = None,
    mean: Float64 | None = None,
    turn_only: bool = False,
    widest: float = np.inf,
    steps: int = 12,
    settled: float = _CONVERGED,
) -> Float64:
    """Gauss-Newton on the tangent planes of the rays, with Cauchy weights that follow the scatter.

    Args:
        sights: at least three; outliers may be among them.
        T: (4, 4) where to start.
        prior: (6, 6) information of a right perturbation of ``mean``, where the camera is expected.
        turn_only: keep the position, fit the rotation.
        widest: largest scatter [rad] that residuals are taken to have: with less than half of them sound,
            their median is none of the sound ones.
        settled: step [rad], and over the distance, below which the pose counts as found.
    """
    free = slice(3, 6) if turn_only else slice(0, 6)
    near = float(np.median(sights.inverse)) if len(sights) else 1.0
    largest = max(1.0, widest / float(np.median(sights.sigmas)))
    for _ in range(steps):
        J, r, errors = _whitened(sights, T)
        weighted = J * _weights(errors, min(scatter(errors), largest))
        H, g = information(weighted, J), (weighted * r[:, None]).sum(axis=(0, 2))
        if prior is not None and mean is not None:
            H, g = H + prior, g + prior @ pose.log(pose.inverse(mean) @ T)
        step = np.zeros(6)
        step[free] = -np.linalg.lstsq(H[free, free], g[free], rcond=1e-12)[0]
        T = pose.orthonormal(T @ pose.exp(step))
        if np.abs(step[3:]).max() < settled and np.abs(step[:3]).max() * near < settled:
            break
    return T


def judge(sights: Sights, T: Float64, rows: Bool | None = None) -> Fit:
    """The residuals and the information at a pose; ``rows`` (M,) bool limits the latter.

    The noise is that of all: where much disagrees, the pose is less sure.
    """
    J, _, errors = _whitened(sights, T)
    noise = scatter(errors)
    weights = _weights(errors, noise) if rows is None else _weights(errors, noise) * rows
    return Fit(T, information(J * weights, J), errors, noise)


def information(weighted: Float64, J: Float64) -> Float64:
    """(D, D) of Jacobians (2, D, M) and the same times the weights of the residuals."""
    return np.asarray((weighted @ J.transpose(0, 2, 1)).sum(axis=0))


def linearise(sights: Sights, T: Float64, basis: Float64) -> tuple[Float64, Float64, Float64]:
    """Residuals (2, M) [rad], Jacobians (2, 6, M) in the pose and (2, M) in the inverse distance.

    A landmark on the other side of the camera has an infinite residual. Coordinates come before landmarks
    here: every operation runs along memory.
    """
    into = T[:3, :3].T
    away = into @ (sights.origins.T - T[:3, 3:])
    d = into @ sights.directions.T + sights.inverse * away
    scale = 1 / np.maximum(np.sqrt(dot(d, d)), 1e-12)
    u = d * scale
    r = dot(basis, u)
    P = (basis - r[:, None] * u) * scale  # of the normalisation, in the tangent plane
    J = np.concatenate([P * -sights.inverse, cross(P, d)], axis=1)
    r[:, dot(u, sights.rays.T) < 0.2] = np.inf
    return r, J, dot(P, away)


def dot(a: Float64, b: Float64) -> Float64:
    """Scalar products of vectors (..., 3, M)."""
    return np.asarray(a[..., 0, :] * b[..., 0, :] + a[..., 1, :] * b[..., 1, :] + a[..., 2, :] * b[..., 2, :])


def cross(a: Float64, b: Float64) -> Float64:
    """Cross products of vectors (..., 3, M): numpy's own, without its overhead."""
    a0, a1, a2 = a[..., 0, :], a[..., 1, :], a[..., 2, :]
    b0, b1, b2 = b[..., 0, :], b[..., 1, :], b[..., 2, :]
    return np.stack([a1 * b2 - a2 * b1, a2 * b0 - a0 * b2, a0 * b1 - a1 * b0], axis=-2)


def tangent_basis(rays: Float64) -> Float64:
    """(2, 3, M) orthonormal directions across unit rays (M, 3)."""
    x, y, z = rays.T
    level = np.abs(z) < 0.9
    zero = np.zeros_like(z)
    first = np.where(level, [y, -x, zero], [zero, z, -y])  # across the z axis, or across the x axis
    first /= np.sqrt(dot(first, first))
    return np.stack([first, cross(np.ascontiguousarray(rays.T), first)])


def scatter(errors: Float64) -> float:
    """Noise of the better half of residuals (N,) over their sigmas, never below 1."""
    return max(1.0, _spread(errors)) if len(errors) else 1.0


def _spread(errors: Float64) -> float:
    """From the median of squared residuals (N,), the larger of two: several times as fast as numpy's."""
    middle = len(errors) // 2
    return float(np.sqrt(min(np.partition(errors, middle)[middle], 1e12) / _MEDIAN))


def _whitened(sights: Sights, T: Float64) -> tuple[Float64, Float64, Float64]:
    """Jacobian (2, 6, M) and residuals (2, M) over their standard deviation, and squared residuals (M,).

    The covariance of a residual is ``s^2 I + v A A^T``; its inverse root is
    ``(I - (1 - s / sqrt(s^2 + v |A|^2)) a a^T) / s`` with ``a = A / |A|``.
    """
    r, J, A = linearise(sights, T, sights.basis)
    finite, s = np.isfinite(r[0]), sights.sigmas
    r[:, ~finite] = 0.0
    size = np.maximum(np.sqrt(A[0] ** 2 + A[1] ** 2), 1e-15)
    a = A / size
    shrink = (1 - s / np.sqrt(s**2 + (sights.inverse_sigmas * size) ** 2)) * a
    over = finite / s
    r = (r - shrink * (a[0] * r[0] + a[1] * r[1])) * over
    along = a[0] * J[0] + a[1] * J[1]
    J = (J - shrink[:, None] * along) * over
    return J, r, np.where(finite, r[0] ** 2 + r[1] ** 2, np.inf)


def _weights(errors: Float64, noise: float) -> Float64:
    """Cauchy's, over the variance of the scatter."""
    return np.asarray(1 / (1 + errors / (CAUCHY * noise) ** 2) / noise**2)
