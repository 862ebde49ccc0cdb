# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Essential matrix between two views: samples of five points, and refinement of the Sampson error."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hybrid_features_ros.core import se3
from hybrid_features_ros.core.types import Float64, MotionModel
from hybrid_features_ros.geometry.five_point import five_point
from hybrid_features_ros.geometry.homography import PlaneMotion
from hybrid_features_ros.geometry.hypothesis import EPIPOLAR_LIMIT, Hypothesis
from hybrid_features_ros.geometry.ray_pairs import RayPairs
from hybrid_features_ros.geometry.robust import CAUCHY_WIDTH
from hybrid_features_ros.geometry.tangent import cross, dot, tangent_basis, unit


@dataclass(frozen=True)
class Refinement:
    """Gauss-Newton on Sampson errors, and the choice among its results; no sweep is on record.

    Attributes:
        rough_steps: of every start, at most.
        best: starts that are refined further.
        steps: of those, at most.
        tolerance: length of a step, in standard deviations, below which a motion counts as found.
        equal_gric: difference of GRIC costs below which two motions explain the rays equally well.
    """

    rough_steps: int = 6
    best: int = 4
    steps: int = 20
    tolerance: float = 0.02
    equal_gric: float = 2.0


REFINEMENT = Refinement()


def fit_essential(
    pairs: RayPairs,
    threshold: float,
    R0: Float64,
    seed: int,
    planes: Sequence[PlaneMotion] = (),
) -> Hypothesis:
    """Essential matrix from several starts, the best of them refined: samples of five points, the best pure
    rotation (3, 3), and the motions of a plane, should one fill most of the image.

    An essential matrix has two rotations, half a turn about the baseline apart, with the same errors.
    Points in front of both cameras tell them apart (chirality), but not while the baseline is tiny: of two
    motions that explain the rays about equally, the one with less parallax is taken.
    """
    starts = [(R0, _fit_baseline(R0, pairs, threshold)), *five_point(pairs, R0, threshold, seed)]
    starts += [(p.R, unit(p.shift)) for p in planes]
    rough = [_refine(*start, pairs, threshold, REFINEMENT.rough_steps) for start in starts]
    rough.sort(key=lambda m: float(np.minimum(sampson_errors(m[0], m[1], pairs), threshold**2).sum()))
    hypotheses = []
    for start in rough[: REFINEMENT.best]:
        R, t = _choose_twin(*_refine(*start, pairs, threshold, REFINEMENT.steps), pairs)
        errors = sampson_errors(R, t, pairs) / pairs.sigmas**2
        hypotheses.append(Hypothesis(MotionModel.ESSENTIAL, R, _choose_sign(R, t, pairs), errors, 5, 1))
    scale = min(h.scale() for h in hypotheses)
    costs = [h.gric(scale) for h in hypotheses]
    equal = [
        h for h, cost in zip(hypotheses, costs, strict=True) if cost <= min(costs) + REFINEMENT.equal_gric
    ]
    return min(equal, key=lambda h: pairs.median_parallax(h.R, h.errors < EPIPOLAR_LIMIT * scale**2))


def sampson_errors(R: Float64, t: Float64, pairs: RayPairs) -> Float64:
    """Squared Sampson errors (M,) [rad^2]: epipolar errors on the unit sphere, to first order.

    Of ``e = a . (t x R b)``: e^2 over its squared gradient along both spheres.
    """
    e, gradient = epipolar_residuals(R, t, pairs)[:2]
    return np.asarray(2 * e**2 / gradient)


def epipolar_residuals(R: Float64, t: Float64, pairs: RayPairs) -> tuple[Float64, Float64, Float64, Float64]:
    """Residual ``a . (t x R b)`` (M,) and its squared gradient in the rays; ``R b`` and ``a x t`` (3, M)."""
    a, c = pairs.columns[0], R @ pairs.columns[1]
    K = se3.skew(t)
    normal_a, normal_c = K @ c, -K @ a
    e = dot(a, normal_a)
    gradient = dot(normal_a, normal_a) + dot(normal_c, normal_c) - 2 * e**2
    return e, np.maximum(gradient, 1e-12), c, normal_c


def epipolar_jacobian(c: Float64, normal_c: Float64, t: Float64, pairs: RayPairs) -> tuple[Float64, Float64]:
    """Of the epipolar residual in the tangent plane of t and a left rotation (5, M); the basis (6, 5)."""
    basis = np.zeros((6, 5))
    basis[:3, :2] = tangent_basis(t).T
    basis[[3, 4, 5], [2, 3, 4]] = 1.0
    return np.concatenate([basis[:3, :2].T @ cross(c, pairs.columns[0]), cross(c, normal_c)]), basis


def _fit_baseline(R: Float64, pairs: RayPairs, threshold: float) -> Float64:
    """Unit translation that the rays support best once the rotation is undone, robustly reweighted."""
    normals = np.cross(pairs.rays_b @ R.T, pairs.rays_a)
    weights = 1 / (threshold**2 + (normals**2).sum(axis=1))
    for _ in range(2):
        t = np.linalg.eigh((normals * weights[:, None]).T @ normals)[1][:, 0]
        weights = 1 / (threshold**2 + (normals @ t) ** 2)
    return np.asarray(t)


def _choose_twin(R: Float64, t: Float64, pairs: RayPairs) -> tuple[Float64, Float64]:
    """The rotation or its twin, half a turn about the baseline away, under which the rays move less."""
    twin = (2 * np.outer(t, t) - np.eye(3)) @ R
    everything = np.ones(len(pairs), np.bool_)
    return min(((R, t), (twin, t)), key=lambda m: pairs.median_parallax(m[0], everything))


def _choose_sign(R: Float64, t: Float64, pairs: RayPairs) -> Float64:
    """``t`` or ``-t``, whichever puts more of the points in front of the cameras (chirality)."""
    a, c = pairs.rays_a, pairs.rays_b @ R.T
    cos = (a * c).sum(axis=1)
    along = a @ t - cos * (c @ t)
    return t if (along > 0).sum() * 2 >= len(along) else -t


def _refine(R: Float64, t: Float64, pairs: RayPairs, threshold: float, steps: int) -> tuple[Float64, Float64]:
    """Gauss-Newton on Sampson errors with Cauchy weights, on the product of rotations and directions.

    A plane that fills the image makes the valley long: hence many steps, most of them rarely needed.
    """
    for _ in range(steps):
        e, gradient, c, normal_c = epipolar_residuals(R, t, pairs)
        squared = 2 * e**2 / gradient
        variance = CAUCHY_WIDTH**2 * pairs.sigmas**2 + squared
        weights = (squared < 4 * threshold**2) * 2 / (gradient * variance)
        J, basis = epipolar_jacobian(c, normal_c, t, pairs)
        weighted = J * weights
        size, axes = np.linalg.eigh(weighted @ J.T)
        g = axes.T @ (weighted @ e)
        move = np.where(size > 1e-9 * size[-1], g / np.maximum(size, 1e-300), 0.0)
        step = -basis @ (axes @ move)
        t = t + step[:3]
        t, R = t / np.sqrt(t @ t), se3.exp([0, 0, 0, *step[3:]])[:3, :3] @ R
        if CAUCHY_WIDTH**2 * (g @ move) < REFINEMENT.tolerance**2:
            break
    return R, t
