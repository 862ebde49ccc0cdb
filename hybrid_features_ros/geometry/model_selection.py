# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Model selection between two views by GRIC: pure rotation, homography of a plane, or essential matrix.

A camera that only turns fits every essential matrix, so an estimator without another model invents a
translation; a plane fits two essential matrices and whole families near them. Here the three models are
fitted and compared by Torr's geometric robust information criterion (GRIC; Torr, "An assessment of
information criteria for motion model selection", 1997): a model pays for its residuals, for the dimension of
its manifold and for its parameters, and the cheapest one wins. Where that is a plane, the essential matrix is
taken all the same if it explains points off the plane and its rotation is known better: it has fewer
parameters. Unlike Torr's, an outlier costs the same under every model: else wrong matches would vote for the
model that leaves them the most freedom.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hybrid_features_ros.core import se3
from hybrid_features_ros.core.config import TwoViewConfig
from hybrid_features_ros.core.types import Bool, Float64, MotionEstimate, MotionModel, Scale
from hybrid_features_ros.geometry.essential import (
    epipolar_jacobian,
    epipolar_residuals,
    fit_essential,
    sampson_errors,
)
from hybrid_features_ros.geometry.homography import PlaneMotion, fit_homography
from hybrid_features_ros.geometry.hypothesis import EPIPOLAR_LIMIT, Hypothesis
from hybrid_features_ros.geometry.ray_pairs import RayPairs
from hybrid_features_ros.geometry.robust import robust_scale
from hybrid_features_ros.geometry.rotation import fit_rotation
from hybrid_features_ros.geometry.tangent import unit

UNKNOWN_ROTATION = np.pi**2  # variance of an angle that nothing is known about [rad^2]
UNKNOWN_DIRECTION = 1.0  # variance of a coordinate of a unit vector of unknown direction


@dataclass(frozen=True)
class Selection:
    """What GRIC leaves open; chosen on rendered corners, planes and turns (test/geometry).

    Attributes:
        least_scale: smallest scale of residuals that is accepted, over the sigmas: cautious sigmas make a
            plane or a rotation of what is none.
        many: pairs from which on that scale is accepted: fewer leave an essential matrix residuals smaller
            than the noise.
        off_plane: squared error, over its variance, from which a point is off the plane and not just noisy.
        structure: share of the points off the plane from which an essential matrix explains them; of wrong
            matches 0 to .05 fit one by chance.
        decided: difference of costs, of points off the plane, that rules out a plane's second motion.
        same_direction: cosine of translations so near to each other that both may stand.
    """

    least_scale: float = 0.5
    many: int = 100
    off_plane: float = 16.0
    structure: float = 0.1
    decided: float = 6.0
    same_direction: float = float(np.cos(np.radians(5.0)))


SELECTION = Selection()


def estimate_motion(pairs: RayPairs, threshold: float, config: TwoViewConfig, seed: int) -> MotionEstimate:
    """Explain correspondences by a rotation alone, by a homography or by an essential matrix (GRIC).

    Args:
        pairs: at least ``config.min_inliers`` corresponding rays, outliers among them.
        threshold: largest residual of an inlier [rad].
        seed: of the random samples.

    Returns:
        The best model with its covariance; NONE if it has not enough inliers. ``ambiguous`` if a plane
        allows a second motion: then that lies within the covariance, too.
    """
    if len(pairs) < config.min_inliers:
        return no_motion(len(pairs))
    rotation = fit_rotation(pairs, threshold, config, seed)
    planes = fit_homography(pairs, threshold, config, seed)
    essential = fit_essential(pairs, threshold, rotation.R, seed, planes)
    hypotheses = [rotation, essential]
    if planes:
        hypotheses.append(_choose_plane_motion(planes, pairs))
    least = SELECTION.least_scale if len(pairs) >= SELECTION.many else 1.0
    scale = min(h.scale(least) for h in hypotheses)
    chosen = min(hypotheses, key=lambda h: h.gric(scale))
    if chosen.plane is not None and _explains_off_plane(essential, chosen, config.min_inliers):
        chosen = min(chosen, essential, key=lambda h: _rotation_variance(h, pairs, threshold))
    inliers = chosen.errors * pairs.sigmas**2 < threshold**2
    if inliers.sum() < max(config.min_inliers, config.min_inlier_share * len(inliers)):
        return no_motion(len(inliers))
    rival = chosen.rival
    return MotionEstimate(
        model=chosen.model,
        T_a_b=se3.make(chosen.R, chosen.t),
        covariance=_covariance(chosen, pairs, inliers),
        scale=Scale.UNKNOWN,
        inliers=inliers,
        parallax=pairs.median_parallax(chosen.R, inliers),
        ambiguous=rival is not None and bool(chosen.t @ unit(rival.shift) < SELECTION.same_direction),
    )


def _explains_off_plane(essential: Hypothesis, plane: Hypothesis, min_points: int) -> bool:
    """Whether the essential matrix fits points off the plane: on a plane alone it is not determined."""
    off, scale = _off_plane(plane.errors)
    fits = essential.errors[off] < EPIPOLAR_LIMIT * scale**2
    return bool(fits.sum() >= max(min_points, SELECTION.structure * len(fits)))


def _off_plane(errors: Float64) -> tuple[Bool, float]:
    """Points (M,) off the plane, by their squared errors over the variance, and the scale of these."""
    scale = robust_scale(errors)
    return errors > SELECTION.off_plane * scale**2, scale


def _rotation_variance(h: Hypothesis, pairs: RayPairs, threshold: float) -> float:
    """About the axis that is known least [rad^2]."""
    inliers = h.errors * pairs.sigmas**2 < threshold**2
    return float(np.linalg.eigvalsh(_covariance(h, pairs, inliers)[3:, 3:])[-1])


def no_motion(matches: int) -> MotionEstimate:
    """The estimate that says that nothing is known."""
    variances = [UNKNOWN_DIRECTION] * 3 + [UNKNOWN_ROTATION] * 3
    return MotionEstimate(
        MotionModel.NONE, np.eye(4), np.diag(variances), Scale.UNKNOWN, np.zeros(matches, np.bool_), 0.0
    )


def _choose_plane_motion(planes: list[PlaneMotion], pairs: RayPairs) -> Hypothesis:
    """Of the motions of a homography the one with least epipolar errors of the points off the plane."""
    off, scale = _off_plane(planes[0].errors(pairs) / pairs.sigmas**2)

    def cost(plane: PlaneMotion) -> float:
        epipolar = sampson_errors(plane.R, unit(plane.shift), pairs)[off] / pairs.sigmas[off] ** 2
        return float(np.minimum(epipolar / scale**2, EPIPOLAR_LIMIT).sum())

    best, *others = sorted(planes, key=cost)
    t = unit(best.shift)
    rival = next((p for p in others if cost(p) - cost(best) < SELECTION.decided), None)
    errors = best.errors(pairs) / pairs.sigmas**2
    return Hypothesis(MotionModel.HOMOGRAPHY, best.R, t, errors, 8, 2, best, rival)


def _covariance(h: Hypothesis, pairs: RayPairs, inliers: Bool) -> Float64:
    """(6, 6) of a right perturbation, from the information of the inliers, scaled by their scatter.

    What two views cannot tell has the variance of a unit vector of unknown direction: the whole
    translation of a pure rotation, the length of an essential matrix's.
    """
    variance = h.scale() ** 2
    weights = inliers / pairs.sigmas**2
    C = np.zeros((6, 6))
    if h.model is MotionModel.ROTATION_ONLY:
        a = pairs.rays_a
        information = weights.sum() * np.eye(3) - (a * weights[:, None]).T @ a
        C[3:, 3:] = np.linalg.pinv(information, hermitian=True) * variance
        C[:3, :3] = UNKNOWN_DIRECTION * np.eye(3)
    elif h.plane is not None:
        C = _plane_covariance(h.plane, h.rival, pairs, weights) * variance
        C[:3, :3] += UNKNOWN_DIRECTION * np.outer(h.t, h.t)
    else:
        _, gradient, c, normal_c = epipolar_residuals(h.R, h.t, pairs)
        J, basis = epipolar_jacobian(c, normal_c, h.t, pairs)
        C = basis @ np.linalg.pinv(J * (2 * weights / gradient) @ J.T, hermitian=True) @ basis.T * variance
        C[:3, :3] += UNKNOWN_DIRECTION * np.outer(h.t, h.t)
    into_b = np.kron(np.eye(2), h.R.T)  # perturbations above are in the axes of a
    C = into_b @ C @ into_b.T
    return np.asarray((C + C.T) / 2)


def _plane_covariance(
    plane: PlaneMotion, rival: PlaneMotion | None, pairs: RayPairs, weights: Float64
) -> Float64:
    """(6, 6) of the unit translation and the rotation, in the axes of a; a rival lies one sigma away."""
    information = plane.information(pairs, weights)
    t, length = unit(plane.shift), np.linalg.norm(plane.shift)
    projection = np.eye(6)
    projection[:3, :3] = (np.eye(3) - np.outer(t, t)) / length
    C = projection @ np.linalg.pinv(information, hermitian=True)[:6, :6] @ projection.T
    if rival is not None:
        apart = np.zeros(6)
        apart[:3] = unit(rival.shift) - t
        apart[3:] = se3.rotation_vector(rival.R @ plane.R.T)
        C += np.outer(apart, apart)
    return np.asarray(C)
