# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Robust statistics of residuals: scale from the median, Cauchy's M-estimator, information matrices.

Source: Zhang, "Parameter estimation techniques: a tutorial with application to conic fitting" (1997).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hybrid_features_ros.core.types import Float64

CAUCHY_WIDTH = 2.385  # of Cauchy's weights, in standard deviations: 95 % efficient for Gaussian errors
MAD_TO_SIGMA = 1.4826  # standard deviation over the median absolute deviation, of Gaussian errors
TRUNCATION = 4.0  # squared residual, over its variance, from which on none costs more (Torr)
_STEPS = 4  # of iteratively reweighted least squares
CHI2_MEDIAN = {1: 0.4549, 2: 1.3863}  # median of a chi-square variable, by its degrees of freedom


def upper_median(values: Float64) -> float:
    """Median of at least one value (N,), the upper one of two: several times as fast as numpy's."""
    at = len(values) // 2
    return float(np.partition(values, at)[at])


def median_scale(errors: Float64) -> float:
    """Scale of residuals from the median of their squares over the variance (N,), two degrees of freedom."""
    return float(np.sqrt(min(upper_median(errors), 1e12) / CHI2_MEDIAN[2]))


def robust_scale(errors: Float64) -> float:
    """:func:`median_scale`, never below 1: by how much residuals scatter beyond their sigmas."""
    return max(1.0, median_scale(errors)) if len(errors) else 1.0


def best_fit(errors: Sequence[Float64]) -> int:
    """Which of several fits of one model, by the squares of residuals over their variance (M,) of each, costs
    least: the scatter of the best one is the unit, outliers are truncated.
    """
    scale = min(robust_scale(e) for e in errors)
    return int(np.argmin([np.minimum(e / scale**2, TRUNCATION).sum() for e in errors]))


def cauchy_weights(errors: Float64, scale: float) -> Float64:
    """Weights (N,) of Cauchy's M-estimator for squared residuals over their variance; 1 where they are 0."""
    return np.asarray(1 / (1 + errors / (CAUCHY_WIDTH * scale) ** 2))


def gated_cauchy_weights(squared: Float64, sigmas: Float64, gate: float) -> Float64:
    """Cauchy's weights (N,) over the variance, for squared residuals [rad^2]; 0 from ``gate`` [rad] on."""
    return np.asarray((squared < gate**2) / (CAUCHY_WIDTH**2 * sigmas**2 + squared))


def information(weighted: Float64, J: Float64) -> Float64:
    """Information matrix (D, D) of Jacobians (2, D, M) and the same times the weights of the residuals."""
    return np.asarray((weighted @ J.transpose(0, 2, 1)).sum(axis=0))


def robust_normal_matrix(rows: Float64, prior: Float64, prior_vector: Float64) -> Float64:
    """Normal matrix (D + 1, D + 1) of whitened Jacobians and residuals (2, D + 1, M), with Cauchy weights of
    what is left once the unknowns are put right: else what shows an error most would count least.

    Args:
        prior, prior_vector: information (D, D) of the unknowns and, times that, their mean (D,): they weigh
            in the solution, and are not part of the result.
    """
    D = len(prior_vector)
    solution = np.append(np.linalg.pinv(prior, hermitian=True) @ prior_vector, 1.0)
    N = np.zeros((D + 1, D + 1))
    for _ in range(_STEPS):
        errors = (np.einsum("kim,i->km", rows, solution) ** 2).sum(axis=0)
        scale = robust_scale(errors)
        N = information(rows * (cauchy_weights(errors, scale) / scale**2), rows)
        solution[:D] = -np.linalg.pinv(N[:D, :D] + prior, hermitian=True) @ (N[:D, D] - prior_vector)
    return N


def marginal(N: Float64, kept: slice, others: slice) -> tuple[Float64, Float64]:
    """Information (K, K) of some unknowns and, times that, their estimate (K,), the others eliminated by the
    Schur complement, from a normal matrix (D + 1, D + 1).
    """
    gain = N[kept, others] @ np.linalg.pinv(N[others, others], hermitian=True)
    return N[kept, kept] - gain @ N[others, kept], gain @ N[others, -1] - N[kept, -1]
