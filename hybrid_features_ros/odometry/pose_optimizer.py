"""Landmarks to a camera pose, whatever is known of their depths.

A landmark is a ray from the keyframe that first saw it, with an inverse distance and its standard
deviation (Civera, Davison, Montiel, "Inverse depth parametrization for monocular SLAM", 2008). A depth
that is uncertain blurs the landmark's image along its epipolar line and nowhere else, so that one
least-squares problem holds measured points, triangulated points, and points of which only the direction
is known: the last say everything about rotation and nothing about a translation that would explain them
by another depth.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from math import copysign

import numpy as np

from hybrid_features_ros.core import se3
from hybrid_features_ros.core.types import Bool, Float64, Rows

CAUCHY = 2.385  # width of Cauchy's weights in sigmas: 95 % efficient for Gaussian errors
_MEDIAN = 1.3863  # of chi-square with two degrees of freedom
_CONVERGED = 1e-4  # step [rad], and over the distance, after which what is left is a hundredth of a pixel
_HASTE = 1.5  # by how much a step may be lengthened: far from the optimum most weights say little


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

    @cached_property
    def columns(self) -> tuple[Float64, Float64, Float64]:
        """Origins, directions and rays as (3, M): operations run along memory."""
        a, b, c = (np.ascontiguousarray(m.T) for m in (self.origins, self.directions, self.rays))
        return a, b, c

    def __getitem__(self, rows: Rows | Bool) -> Sights:
        some = Sights(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))
        some.__dict__["basis"] = np.ascontiguousarray(self.basis[:, :, rows])
        return some


@dataclass(frozen=True, eq=False)
class Fit:
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

    def told_by(self, landmarks: Bool) -> Float64:
        """What some of the landmarks (M,) alone tell: information (6, 6)."""
        weights = _weights(self.errors, self.noise) * landmarks / self.noise**2
        return information(self.jacobian * weights, self.jacobian)

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
    near, blur = (middle(a) if len(sights) else 1.0 for a in (sights.inverse, sights.sigmas))
    largest = max(1.0, widest / blur)
    for _ in range(steps):
        rows, errors = _whitened(sights, T)
        noise = min(scatter(errors), largest)
        weights = _weights(errors, noise)
        N = information(rows * weights, rows) / noise**2
        H, g = N[:6, :6] / _haste(weights), N[:6, 6]
        if prior is not None and mean is not None:
            H, g = H + prior, g + prior @ se3.log(se3.inverse(mean) @ T)
        step = np.zeros(6)
        step[free] = np.linalg.solve(_regular(H[free, free]), -g[free])
        T = T @ se3.exp(step)
        if np.abs(step[3:]).max() < settled and np.abs(step[:3]).max() * near < settled:
            break
    return se3.orthonormal(T)


def _haste(weights: Float64) -> float:
    """By how much longer Newton's step is than that of fixed Cauchy weights (M,), were there no prior.

    The Hessian of a residual's cost, averaged over the residual's directions in the plane, is ``w^2 J^T J``
    where fixed weights take ``w J^T J``; the Jacobians are taken to be alike.
    """
    return min(max(float(weights.sum() / max(weights @ weights, 1e-300)), 1.0), _HASTE)


def _regular(H: Float64) -> Float64:
    """A normal matrix (D, D) made regular: what it says nothing about does not move."""
    return H + max(1e-12 * float(H.trace()), 1e-300) * np.eye(len(H))


def judge(sights: Sights, T: Float64, rows: Bool | None = None) -> Fit:
    """The residuals and the information at a pose; ``rows`` (M,) bool limits the latter.

    The noise is that of all: where much disagrees, the pose is less sure.
    """
    whitened, errors = _whitened(sights, T)
    fit = Fit(T, np.zeros((6, 6)), errors, scatter(errors), whitened[:, :6])
    return replace(fit, information=fit.told_by(np.ones(len(sights), np.bool_) if rows is None else rows))


def squared_errors(sights: Sights, T: Float64) -> Float64:
    """(M,) squared residuals over their variance at a pose, as :func:`judge` finds them."""
    r, A, front = _seen(sights, T, sights.basis)[:3]
    s, v = sights.sigmas**2, sights.inverse_sigmas**2
    along = v * (A[0] * r[0] + A[1] * r[1]) ** 2 / (s + v * (A[0] ** 2 + A[1] ** 2))
    return np.where(front, (r[0] ** 2 + r[1] ** 2 - along) / s, np.inf)


def information(weighted: Float64, J: Float64) -> Float64:
    """(D, D) of Jacobians (2, D, M) and the same times the weights of the residuals."""
    return np.asarray((weighted @ J.transpose(0, 2, 1)).sum(axis=0))


def linearise(sights: Sights, T: Float64, basis: Float64) -> tuple[Float64, Float64, Float64]:
    """Residuals (2, M) [rad], Jacobians (2, 6, M) in the pose and (2, M) in the inverse distance.

    A landmark on the other side of the camera has an infinite residual. Coordinates come before landmarks
    here: every operation runs along memory.
    """
    r, A, front, d, P = _derivatives(sights, T, basis)
    return np.where(front, r, np.inf), np.concatenate([P * -sights.inverse, cross(P, d)], axis=1), A


def _derivatives(
    sights: Sights, T: Float64, basis: Float64
) -> tuple[Float64, Float64, Bool, Float64, Float64]:
    """Residuals, ``A``, front and ``d`` of :func:`_seen`; the residuals' derivatives (2, 3, M) in ``d``."""
    r, A, front, d, u, scale = _seen(sights, T, basis)
    return r, A, front, d, (basis - r[:, None] * u) * scale


def _seen(
    sights: Sights, T: Float64, basis: Float64
) -> tuple[Float64, Float64, Bool, Float64, Float64, Float64]:
    """Residuals (2, M), their derivatives ``A`` (2, M) in the inverse distance, which landmarks lie in
    front; the points times the inverse distance ``d`` (3, M), their direction (3, M), and one over their
    length (M,).
    """
    into, (origins, directions, rays) = T[:3, :3].T, sights.columns
    away = into @ (origins - T[:3, 3:])
    d = into @ directions + sights.inverse * away
    scale = 1 / np.maximum(np.sqrt(dot(d, d)), 1e-12)
    u = d * scale
    r = dot(basis, u)
    A = (dot(basis, away) - r * dot(u, away)) * scale
    return r, A, dot(u, rays) > 0.2, d, u, scale


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


def across(ray: Float64) -> Float64:
    """(2, 3) orthonormal directions across one unit vector (3,).

    Duff et al., "Building an orthonormal basis, revisited" (2017).
    """
    x, y, z = ray.tolist()
    sign = copysign(1.0, z)
    a = -1 / (sign + z)
    return np.array([[1 + sign * x * x * a, sign * x * y * a, -sign * x], [x * y * a, sign + y * y * a, -y]])


def scatter(errors: Float64) -> float:
    """Noise of the better half of residuals (N,) over their sigmas, never below 1."""
    return max(1.0, _spread(errors)) if len(errors) else 1.0


def _spread(errors: Float64) -> float:
    return float(np.sqrt(min(middle(errors), 1e12) / _MEDIAN))


def middle(values: Float64) -> float:
    """The median of at least one value (N,), the larger of two: several times as fast as numpy's."""
    at = len(values) // 2
    return float(np.partition(values, at)[at])


def _whitened(sights: Sights, T: Float64) -> tuple[Float64, Float64]:
    """Jacobian and residuals (2, 6 + 1, M) over their standard deviation, and squared residuals (M,).

    The covariance of a residual is ``s^2 I + v^2 A A^T``, where ``A`` is the derivative in the inverse
    distance and ``v`` its standard deviation; the inverse root of that is ``(I - k A A^T) / s`` with
    ``k = (v / s)^2 / (q (q + 1))`` and ``q^2 = 1 + (v / s)^2 |A|^2``.
    """
    r, A, front, d, P = _derivatives(sights, T, sights.basis)
    over = front / sights.sigmas
    blur = (sights.inverse_sigmas / sights.sigmas) ** 2
    q = np.sqrt(1 + blur * (A[0] ** 2 + A[1] ** 2))
    kA = blur / (q * (q + 1)) * A
    P = (P - kA[:, None] * (A[0] * P[0] + A[1] * P[1])) * over
    r = (r - kA * (A[0] * r[0] + A[1] * r[1])) * over
    rows = np.concatenate([P * -sights.inverse, cross(P, d), r[:, None]], axis=1)
    return rows, np.where(front, r[0] ** 2 + r[1] ** 2, np.inf)


def _weights(errors: Float64, noise: float) -> Float64:
    """Cauchy's, 1 where the squared residual is 0."""
    return np.asarray(1 / (1 + errors / (CAUCHY * noise) ** 2))
