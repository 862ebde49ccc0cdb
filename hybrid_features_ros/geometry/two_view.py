"""Two views to a motion: a pure rotation, a plane's homography or an essential matrix.

A camera that only turns fits every essential matrix, so an estimator that knows nothing else invents a
translation; a plane fits two essential matrices and whole families near them. Here the three models are
fitted and compared by Torr's geometric robust information criterion (GRIC; Torr, "An assessment of
information criteria for motion model selection", 1997): a model pays for its residuals, for the dimension
of its manifold and for its parameters, and the cheapest one wins. Unlike Torr's, an outlier costs the same
under every model: else wrong matches would vote for the model that leaves them the most freedom.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from hybrid_features_ros.core import se3
from hybrid_features_ros.core.config import TwoViewConfig
from hybrid_features_ros.core.types import Bool, Float64, MotionEstimate, MotionModel, Scale
from hybrid_features_ros.geometry.five_point import five_point
from hybrid_features_ros.geometry.homography import PlaneMotion, fit_plane
from hybrid_features_ros.odometry.pose_optimizer import CAUCHY, across, cross, dot, middle

HELD_ROTATION = np.pi**2  # variance of an angle that nothing is known about [rad^2]
UNIT_TRANSLATION = 1.0  # variance of a coordinate of a unit vector of unknown direction
_DIMENSION = float(np.log(4))  # lambda_1: cost of a dimension of the manifold, per correspondence
_OUTLIER = 4.0 + 2 * _DIMENSION  # cost of an outlier: Torr's for a model of two dimensions
_LIMIT = _OUTLIER - 3 * _DIMENSION  # squared epipolar error, over its variance, of an outlier
_IRLS_STEPS = 6
_REFINE_STEPS = 20
_CONVERGED = 0.02  # length of a step, in standard deviations, below which a motion counts as found
_MEDIANS = {1: 0.4549, 2: 1.3863}  # of chi-square with as many degrees of freedom
_TWIN = 2.0  # difference of costs below which two motions explain the rays equally well
_LEAST_NOISE = 0.5  # cautious sigmas make a plane or a rotation of what is none: believe half of them ...
_MANY = 100  # ... from so many pairs on: fewer leave an essential matrix residuals smaller than the noise
_OFF = 16.0  # squared error, over its variance, from which a point is off the plane and not just noisy
_TOLD_APART = 6.0  # difference of costs, of points off the plane, that tells a plane's two motions apart
_SAME_WAY = np.cos(np.radians(5.0))  # translations nearer to each other than this need not be told apart


@dataclass(frozen=True)
class Pairs:
    """Corresponding rays with their uncertainty.

    Attributes:
        rays_a, rays_b: (M, 3) unit vectors in the two camera frames.
        sigmas: (M,) standard deviation of the angle between a ray and its partner [rad].
    """

    rays_a: Float64
    rays_b: Float64
    sigmas: Float64

    @cached_property
    def columns(self) -> tuple[Float64, Float64]:
        """Rays as (3, M): operations run along memory."""
        return np.ascontiguousarray(self.rays_a.T), np.ascontiguousarray(self.rays_b.T)


@dataclass(frozen=True)
class Hypothesis:
    """One fitted model: ``rays_a ~ R rays_b``, plus a unit translation of b in a unless it is zero.

    ``errors`` (M,) are squared residuals divided by their variance, ``codimension`` is the number of
    independent constraints that one correspondence puts on the model. A homography comes with its
    ``plane``, and with the other motion that it may stand for, the ``rival``, if nothing tells them apart.
    """

    model: MotionModel
    R: Float64
    t: Float64
    errors: Float64
    parameters: int
    codimension: int
    plane: PlaneMotion | None = None
    rival: PlaneMotion | None = None

    def gric(self, noise: float) -> float:
        """Torr's criterion (lower is better) for residuals inflated by ``noise`` over their sigmas."""
        structure = _DIMENSION * (4 - self.codimension)
        cost = np.minimum(self.errors / noise**2 + structure, _OUTLIER).sum()
        return float(cost + np.log(4 * len(self.errors)) * self.parameters)


def estimate_motion(pairs: Pairs, threshold: float, config: TwoViewConfig, seed: int) -> MotionEstimate:
    """Explain correspondences by a rotation alone, by a homography or by an essential matrix.

    Args:
        pairs: at least ``config.min_inliers`` corresponding rays, outliers among them.
        threshold: largest residual of an inlier [rad].
        seed: of the random sampling; the homography's, by OpenCV, always starts from the same seed.

    Returns:
        The best model with its covariance; NONE if it has not enough inliers. ``ambiguous`` if a plane
        allows a second motion: then that lies within the covariance, too.
    """
    if len(pairs.sigmas) < config.min_inliers:
        return no_motion(len(pairs.sigmas))
    rotation = fit_rotation(pairs, threshold, config, seed)
    planes = fit_plane(pairs.rays_a, pairs.rays_b, pairs.sigmas, threshold, config)
    rivals = [rotation, fit_essential(pairs, threshold, rotation.R, seed, planes)]
    if planes:
        rivals.append(_homography(planes, pairs))
    least = _LEAST_NOISE if len(pairs.sigmas) >= _MANY else 1.0
    noise = min(_noise(h, least) for h in rivals)
    chosen = min(rivals, key=lambda h: h.gric(noise))
    inliers = chosen.errors * pairs.sigmas**2 < threshold**2
    if inliers.sum() < max(config.min_inliers, config.min_inlier_share * len(inliers)):
        return no_motion(len(inliers))
    return MotionEstimate(
        model=chosen.model,
        T_a_b=se3.make(chosen.R, chosen.t),
        covariance=_covariance(chosen, pairs, inliers),
        scale=Scale.UNKNOWN,
        inliers=inliers,
        parallax=median_parallax(pairs, chosen.R, inliers),
        ambiguous=chosen.rival is not None and bool(chosen.t @ _unit(chosen.rival.shift) < _SAME_WAY),
    )


def no_motion(matches: int) -> MotionEstimate:
    """The estimate that says that nothing is known."""
    variances = [UNIT_TRANSLATION] * 3 + [HELD_ROTATION] * 3
    return MotionEstimate(
        MotionModel.NONE, np.eye(4), np.diag(variances), Scale.UNKNOWN, np.zeros(matches, np.bool_), 0.0
    )


def fit_rotation(pairs: Pairs, threshold: float, config: TwoViewConfig, seed: int) -> Hypothesis:
    """Rotation of the rays alone: two-point RANSAC, all samples at once, then reweighted Kabsch."""
    a, b = pairs.rays_a, pairs.rays_b
    draws = np.random.default_rng(seed).integers(len(a), size=(min(config.max_iterations, 200), 2))
    hypotheses = _triad(a[draws]) @ _triad(b[draws]).transpose(0, 2, 1)
    sound = np.linalg.det(hypotheses) > 0.5  # else the two rays of a sample are one
    if not sound.any():
        return Hypothesis(MotionModel.ROTATION_ONLY, np.eye(3), np.zeros(3), np.full(len(a), np.inf), 3, 2)
    hypotheses = hypotheses[sound]
    products = (pairs.columns[0][:, None] * pairs.columns[1]).reshape(9, -1)
    squared = 2 - 2 * hypotheses.reshape(-1, 9) @ products  # a . R b is linear in R
    R = hypotheses[np.minimum(squared, threshold**2).sum(axis=1).argmin()]
    for _ in range(_IRLS_STEPS):
        errors = _gaps(R, pairs)
        weights = (errors < threshold**2) / (CAUCHY**2 * pairs.sigmas**2 + errors)
        if np.count_nonzero(weights) < 2:
            break
        U, _, Vt = np.linalg.svd((products @ weights).reshape(3, 3))
        R = np.asarray(U * [1, 1, np.linalg.det(U @ Vt)] @ Vt)
    errors = _gaps(R, pairs) / pairs.sigmas**2
    return Hypothesis(MotionModel.ROTATION_ONLY, R, np.zeros(3), errors, parameters=3, codimension=2)


def _gaps(R: Float64, pairs: Pairs) -> Float64:
    """Squared distances (M,) between the rays once the rotation is undone."""
    gap = pairs.columns[0] - R @ pairs.columns[1]
    return dot(gap, gap)


def _homography(planes: list[PlaneMotion], pairs: Pairs) -> Hypothesis:
    """The motion of a plane; of its two the one that the points off the plane speak for, if enough do."""
    errors = planes[0].errors(pairs.rays_a, pairs.rays_b) / pairs.sigmas**2
    noise = max(1.0, float(np.sqrt(np.median(errors) / _MEDIANS[2])))
    off = errors > _OFF * noise**2

    def cost(plane: PlaneMotion) -> float:
        epipolar = sampson(plane.R, _unit(plane.shift), pairs)[off] / pairs.sigmas[off] ** 2
        return float(np.minimum(epipolar / noise**2, _LIMIT).sum())

    best, *others = sorted(planes, key=cost)
    t = _unit(best.shift)
    rival = next((p for p in others if cost(p) - cost(best) < _TOLD_APART), None)
    errors = best.errors(pairs.rays_a, pairs.rays_b) / pairs.sigmas**2
    return Hypothesis(MotionModel.HOMOGRAPHY, best.R, t, errors, 8, 2, best, rival)


def _unit(v: Float64) -> Float64:
    return np.asarray(v / np.linalg.norm(v))


def fit_essential(
    pairs: Pairs, threshold: float, R0: Float64, seed: int, planes: Sequence[PlaneMotion] = ()
) -> Hypothesis:
    """Essential matrix from several starts, each refined: samples of five, the best pure rotation (3, 3),
    and the motions of a plane, should one fill most of the image.

    An essential matrix has two rotations, half a turn about the baseline apart, with the same errors.
    Points in front of both cameras tell them apart, but not while the baseline is tiny: of two
    motions that explain the rays about equally, the one with less parallax is taken.
    """
    starts = [(R0, _baseline(R0, pairs, threshold))]
    starts += five_point(pairs.rays_a, pairs.rays_b, R0, threshold, seed)
    starts += [(p.R, _unit(p.shift)) for p in planes]
    hypotheses = []
    for start in starts:
        R, t = _untwisted(*_refine_essential(*start, pairs, threshold), pairs)
        errors = sampson(R, t, pairs) / pairs.sigmas**2
        hypotheses.append(Hypothesis(MotionModel.ESSENTIAL, R, _forward(R, t, pairs), errors, 5, 1))
    noise = min(map(_noise, hypotheses))
    costs = [h.gric(noise) for h in hypotheses]
    rivals = [h for h, cost in zip(hypotheses, costs, strict=True) if cost <= min(costs) + _TWIN]
    return min(rivals, key=lambda h: median_parallax(pairs, h.R, h.errors < _LIMIT * noise**2))


def _untwisted(R: Float64, t: Float64, pairs: Pairs) -> tuple[Float64, Float64]:
    """The rotation or its twin, half a turn about the baseline away, under which the rays move less."""
    twin = (2 * np.outer(t, t) - np.eye(3)) @ R
    everything = np.ones(len(pairs.sigmas), np.bool_)
    return min(((R, t), (twin, t)), key=lambda m: median_parallax(pairs, m[0], everything))


def _baseline(R: Float64, pairs: Pairs, threshold: float) -> Float64:
    """Unit translation that the rays support best once the rotation is undone, robustly reweighted."""
    normals = np.cross(pairs.rays_b @ R.T, pairs.rays_a)
    weights = 1 / (threshold**2 + (normals**2).sum(axis=1))
    for _ in range(2):
        t = np.linalg.eigh((normals * weights[:, None]).T @ normals)[1][:, 0]
        weights = 1 / (threshold**2 + (normals @ t) ** 2)
    return np.asarray(t)


def _forward(R: Float64, t: Float64, pairs: Pairs) -> Float64:
    """``t`` or ``-t``, whichever puts more of the points in front of the cameras."""
    a, c = pairs.rays_a, pairs.rays_b @ R.T
    cos = (a * c).sum(axis=1)
    along = a @ t - cos * (c @ t)
    return t if (along > 0).sum() * 2 >= len(along) else -t


def sampson(R: Float64, t: Float64, pairs: Pairs) -> Float64:
    """Squared epipolar errors (M,) [rad^2] on the unit sphere, to first order.

    Of ``e = a . (t x R b)``: e^2 over its squared gradient along both spheres.
    """
    e, gradient = _epipolar(R, t, pairs)[:2]
    return np.asarray(2 * e**2 / gradient)


def median_parallax(pairs: Pairs, R: Float64, inliers: Bool) -> float:
    """Median angle [rad] between the rays of an inlier (N,) once the rotation (3, 3) is undone."""
    if not inliers.any():
        return 0.0
    gap = np.sqrt(middle(_gaps(R, pairs)[inliers]))
    return float(2 * np.arcsin(min(gap / 2, 1.0)))


def _noise(h: Hypothesis, least: float = 1.0) -> float:
    """By how much the inliers of a model scatter beyond their sigmas, robustly; never below ``least``."""
    return max(least, float(np.sqrt(np.median(h.errors) / _MEDIANS[h.codimension])))


def _triad(rays: Float64) -> Float64:
    """(H, 3, 3) orthonormal frames spanned by pairs of rays (H, 2, 3)."""
    along = rays[:, 0] + rays[:, 1]
    normal = np.cross(rays[:, 0], rays[:, 1])
    along, normal = (v / np.maximum(np.linalg.norm(v, axis=1, keepdims=True), 1e-12) for v in (along, normal))
    return np.stack([along, normal, np.cross(along, normal)], axis=2)


def _epipolar(R: Float64, t: Float64, pairs: Pairs) -> tuple[Float64, Float64, Float64, Float64]:
    """Residual ``a . (t x R b)`` (M,) and its squared gradient in the rays; ``R b`` and ``a x t`` (3, M)."""
    a, c = pairs.columns[0], R @ pairs.columns[1]
    K = se3.skew(t)
    normal_a, normal_c = K @ c, -K @ a
    e = dot(a, normal_a)
    gradient = dot(normal_a, normal_a) + dot(normal_c, normal_c) - 2 * e**2
    return e, np.maximum(gradient, 1e-12), c, normal_c


def _jacobian(c: Float64, normal_c: Float64, t: Float64, pairs: Pairs) -> tuple[Float64, Float64]:
    """Of the epipolar residual in two directions across t and a left rotation (5, M); the basis (6, 5)."""
    basis = np.zeros((6, 5))
    basis[:3, :2] = across(t).T
    basis[[3, 4, 5], [2, 3, 4]] = 1.0
    return np.concatenate([basis[:3, :2].T @ cross(c, pairs.columns[0]), cross(c, normal_c)]), basis


def _refine_essential(R: Float64, t: Float64, pairs: Pairs, threshold: float) -> tuple[Float64, Float64]:
    """Gauss-Newton on Sampson errors with Cauchy weights, on the product of rotations and directions.

    A plane that fills the image makes the valley long: hence many steps, most of them rarely needed.
    """
    for _ in range(_REFINE_STEPS):
        e, gradient, c, normal_c = _epipolar(R, t, pairs)
        squared = 2 * e**2 / gradient
        weights = (squared < 4 * threshold**2) * 2 / (gradient * (CAUCHY**2 * pairs.sigmas**2 + squared))
        J, basis = _jacobian(c, normal_c, t, pairs)
        weighted = J * weights
        size, axes = np.linalg.eigh(weighted @ J.T)
        g = axes.T @ (weighted @ e)
        move = np.where(size > 1e-9 * size[-1], g / np.maximum(size, 1e-300), 0.0)
        step = -basis @ (axes @ move)
        t = t + step[:3]
        t, R = t / np.sqrt(t @ t), se3.exp([0, 0, 0, *step[3:]])[:3, :3] @ R
        if CAUCHY**2 * (g @ move) < _CONVERGED**2:
            break
    return R, t


def _covariance(h: Hypothesis, pairs: Pairs, inliers: Bool) -> Float64:
    """(6, 6) of a right perturbation, from the information of the inliers, scaled by their scatter.

    What two views cannot tell has the variance of a unit vector of unknown direction: the whole
    translation of a pure rotation, the length of an essential matrix's.
    """
    noise = _noise(h) ** 2
    weights = inliers / pairs.sigmas**2
    C = np.zeros((6, 6))
    if h.model is MotionModel.ROTATION_ONLY:
        a = pairs.rays_a
        information = weights.sum() * np.eye(3) - (a * weights[:, None]).T @ a
        C[3:, 3:] = np.linalg.pinv(information, hermitian=True) * noise
        C[:3, :3] = UNIT_TRANSLATION * np.eye(3)
    elif h.plane is not None:
        C = _plane_covariance(h.plane, h.rival, pairs, weights) * noise
        C[:3, :3] += UNIT_TRANSLATION * np.outer(h.t, h.t)
    else:
        _, gradient, c, normal_c = _epipolar(h.R, h.t, pairs)
        J, basis = _jacobian(c, normal_c, h.t, pairs)
        C = basis @ np.linalg.pinv(J * (2 * weights / gradient) @ J.T, hermitian=True) @ basis.T * noise
        C[:3, :3] += UNIT_TRANSLATION * np.outer(h.t, h.t)
    into_b = np.kron(np.eye(2), h.R.T)  # perturbations above are in the axes of a
    C = into_b @ C @ into_b.T
    return np.asarray((C + C.T) / 2)


def _plane_covariance(
    plane: PlaneMotion, rival: PlaneMotion | None, pairs: Pairs, weights: Float64
) -> Float64:
    """(6, 6) of the unit translation and the rotation, in the axes of a; a rival lies one sigma away."""
    information = plane.information(pairs.rays_a, pairs.rays_b, weights)
    t, length = _unit(plane.shift), np.linalg.norm(plane.shift)
    unit = np.eye(6)
    unit[:3, :3] = (np.eye(3) - np.outer(t, t)) / length
    C = unit @ np.linalg.pinv(information, hermitian=True)[:6, :6] @ unit.T
    if rival is not None:
        apart = np.zeros(6)
        apart[:3] = _unit(rival.shift) - t
        apart[3:] = se3.rotation_vector(rival.R @ plane.R.T)
        C += np.outer(apart, apart)
    return np.asarray(C)
