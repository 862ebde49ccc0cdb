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

import numpy as np

from hybrid_features_ros import pose
from hybrid_features_ros.types import Bool, Float64

CAUCHY = 2.385  # width of Cauchy's weights in sigmas: 95 % efficient for Gaussian errors
_MEDIAN = 1.3863  # of chi-square with two degrees of freedom
_CONVERGED = 1e-5


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
        return float(np.sqrt(min(np.median(self.errors), 1e12) / _MEDIAN)) if len(self.errors) else 1.0


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
    basis = tangent_basis(sights.rays)
    near = float(np.median(sights.inverse)) if len(sights) else 1.0
    largest = max(1.0, widest / float(np.median(sights.sigmas)))
    for _ in range(steps):
        J, r, errors = _whitened(sights, T, basis)
        noise = min(scatter(errors), largest)
        weighted = J * np.tile(_weights(errors, noise), 2)[:, None]
        H, g = weighted.T @ J, weighted.T @ r
        if prior is not None and mean is not None:
            H, g = H + prior, g + prior @ pose.log(pose.inverse(mean) @ T)
        step = np.zeros(6)
        step[free] = -np.linalg.lstsq(H[free, free], g[free], rcond=1e-12)[0]
        T = pose.orthonormal(T @ pose.exp(step))
        if np.abs(step[3:]).max() < settled and np.abs(step[:3]).max() * near < settled:
            break
    return T


def judge(sights: Sights, T: Float64, rows: Bool | None = None) -> Fit:
    """The residuals and the information at a pose; ``rows`` (M,) bool limits the latter."""
    J, _, errors = _whitened(sights, T, tangent_basis(sights.rays))
    noise = scatter(errors)
    weights = _weights(errors, noise) if rows is None else _weights(errors, noise) * rows
    return Fit(T, (J * np.tile(weights, 2)[:, None]).T @ J, errors, noise)


def linearise(sights: Sights, T: Float64, basis: Float64) -> tuple[Float64, Float64, Float64]:
    """Residuals (2, M) [rad], Jacobians (2, M, 6) in the pose and (2, M) in the inverse distance.

    A landmark on the other side of the camera has an infinite residual.
    """
    R, away = T[:3, :3], sights.origins - T[:3, 3]
    d = (sights.directions + sights.inverse[:, None] * away) @ R
    scale = 1 / np.maximum(np.sqrt(_dot(d, d)), 1e-12)
    u = d * scale[:, None]
    r = _dot(basis, u)
    r[:, _dot(u, sights.rays) < 0.2] = np.inf
    P = (basis - _dot(basis, u)[..., None] * u) * scale[:, None]  # of the normalisation, in the tangent plane
    J = np.empty((2, len(d), 6))
    np.multiply(P, -sights.inverse[:, None], out=J[..., :3])
    J[..., 3:] = cross(P, d)
    return r, J, _dot(P, away @ R)


def _dot(a: Float64, b: Float64) -> Float64:
    """Scalar products of vectors (..., 3)."""
    return np.asarray(a[..., 0] * b[..., 0] + a[..., 1] * b[..., 1] + a[..., 2] * b[..., 2])


def cross(a: Float64, b: Float64) -> Float64:
    """Cross products of vectors (..., 3): numpy's own, without its overhead."""
    a0, a1, a2 = a[..., 0], a[..., 1], a[..., 2]
    b0, b1, b2 = b[..., 0], b[..., 1], b[..., 2]
    result = np.empty(np.broadcast_shapes(a.shape, b.shape))
    result[..., 0] = a1 * b2 - a2 * b1
    result[..., 1] = a2 * b0 - a0 * b2
    result[..., 2] = a0 * b1 - a1 * b0
    return result


def tangent_basis(rays: Float64) -> Float64:
    """(2, M, 3) orthonormal directions across unit rays (M, 3)."""
    axis = np.where(np.abs(rays[:, 2:]) < 0.9, [[0.0, 0.0, 1.0]], [[1.0, 0.0, 0.0]])
    first = cross(rays, axis)
    first /= np.sqrt((first**2).sum(axis=1, keepdims=True))
    return np.stack([first, cross(rays, first)])


def scatter(errors: Float64) -> float:
    """Noise of the better half of residuals (N,) over their sigmas, never below 1."""
    return max(1.0, float(np.sqrt(min(np.median(errors), 1e12) / _MEDIAN))) if len(errors) else 1.0


def _whitened(sights: Sights, T: Float64, basis: Float64) -> tuple[Float64, Float64, Float64]:
    """Jacobian (2M, 6) and residuals (2M,) over their standard deviation, and squared residuals (M,).

    The covariance of a residual is ``s^2 I + v A A^T``; its inverse root is
    ``(I - (1 - s / sqrt(s^2 + v |A|^2)) a a^T) / s`` with ``a = A / |A|``. First come all residuals along
    the first direction of the basis, then all along the second.
    """
    r, J, A = linearise(sights, T, basis)
    finite, s = np.isfinite(r[0]), sights.sigmas
    r[:, ~finite] = 0.0
    size = np.maximum(np.sqrt(A[0] ** 2 + A[1] ** 2), 1e-15)
    a = A / size
    shrink = (1 - s / np.sqrt(s**2 + (sights.inverse_sigmas * size) ** 2)) * a
    over = finite / s
    r = (r - shrink * (a[0] * r[0] + a[1] * r[1])) * over
    along = a[0, :, None] * J[0] + a[1, :, None] * J[1]
    J = (J - shrink[..., None] * along) * over[:, None]
    return J.reshape(-1, 6), r.ravel(), np.where(finite, r[0] ** 2 + r[1] ** 2, np.inf)


def _weights(errors: Float64, noise: float) -> Float64:
    """Cauchy's, over the variance of the scatter."""
    return np.asarray(1 / (1 + errors / (CAUCHY * noise) ** 2) / noise**2)
