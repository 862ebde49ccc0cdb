# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The detector's network computed with OpenCV: one blur, small stencils, and a product of energies.

The network (see :mod:`hybrid_features_ros.training.network`) has filters ``w(r) cos(m phi)`` and
``w(r) sin(m phi)`` of orders m = 0 to 3 and sums of their squares, ``q = s_1 |z_1|^2 + s_2 |z_2|^2 + ...``.
Three facts make that cheap without another result:

*A quadratic form has principal axes.* Filters of one order that differ in their radial profile only are
replaced by the few combinations that carry the form: one of each order in the weights shipped, seven real
responses instead of sixteen.

*Levels are smooth.* Every level of the pyramid is blurred by 2 px, so that a filter's response to low
frequencies is all that matters. A 7x7 kernel becomes a 3x3 or 5x5 stencil after one common blur, as a
derivative of a Gaussian is a difference of a blurred image: the stencil's weights are those of least mean
square error over levels with the spectrum of natural images (Field, 1987: 1 / frequency^2) and camera noise.
Stencils that are the product of a row and a column are applied as such.

*Memory is reused*, see :class:`.Workspace`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from hybrid_features_ros.core.types import Float32, Float64
from hybrid_features_ros.features.detector import Heat
from hybrid_features_ros.features.pyramid import BLUR, gauss
from hybrid_features_ros.features.weights import Weights
from hybrid_features_ros.features.workspace import Workspace

RADIUS = 3  # of a filter [px]
WIDTHS = (1.0, 1.4, 1.9)  # of the Gaussian windows of the radial profiles [px]
SMOOTH_RADIUS, SMOOTH_SIGMA = 2, 0.7  # of the blur that makes the logits fit for sub-pixel maxima [px]
_BLUR_RADIUS, _BLUR_SIGMA = 2, 1.0  # of the common blur before the stencils [px]
_LEAST_EIGENVALUE = 1e-3  # of a form, as a share of its factor's largest: below, the axis is left out
_MOST_ERROR = 0.01  # of a stencil, as a share of its factor's strongest response
_RANK_ONE = 1e-4  # second singular value of a kernel over its first, up to which it is of rank one
_DECIMALS = 6  # of a stencil's weights
_IMAGE_SIGMA, _NOISE, _ROUNDING = 0.2, 2 / 255, 1e-4  # of the levels that stencils are fitted to
_BORDER = cv2.BORDER_REFLECT_101


def harmonics(order: int) -> Float64:
    """(3, 2, 7, 7): profiles x (cosine, sine) of an order, each with zero mean.

    Scaled so that a response of order m is a derivative of that order: of equal strength, whatever m, for
    the blob or wave that the width fits.
    """
    y, x = np.mgrid[-RADIUS : RADIUS + 1, -RADIUS : RADIUS + 1].astype(float)
    r2, phi = x**2 + y**2, np.arctan2(y, x)
    inside = np.clip(1 - r2 / (RADIUS + 1) ** 2, 0, None)  # ends softly, as a circle
    found = []
    for width in WIDTHS:
        window = np.exp(-r2 / (2 * width**2)) * inside
        window = window / window.sum()
        profile = r2 ** (order / 2) / width**order * window
        if order == 0:  # a Laplacian of a Gaussian on this grid
            profile = (r2 - (r2 * window).sum()) / width**2 * window
        found.append([profile * np.cos(order * phi), profile * np.sin(order * phi)])
    return np.array(found)


@dataclass(frozen=True, eq=False)
class Stencil:
    """A small kernel (2r+1, 2r+1) float32; where it is of rank one, the ``column`` and the ``row`` (2r+1,)
    whose product it is.
    """

    kernel: Float32
    column: Float32 | None = None
    row: Float32 | None = None

    def apply(self, image: Float32, out: Float32) -> None:
        """Write the responses (H, W) to an image (H, W)."""
        if self.row is None or self.column is None:
            cv2.filter2D(image, -1, self.kernel, dst=out, borderType=_BORDER)
        else:
            cv2.sepFilter2D(image, -1, self.row, self.column, dst=out, borderType=_BORDER)

    @staticmethod
    def make(kernel: Float64) -> Stencil:
        """The stencil of a kernel, rounded: the last digits are those of a version of LAPACK."""
        columns, values, rows = np.linalg.svd(kernel)
        if values[1] > _RANK_ONE * values[0]:
            return Stencil(kernel.round(_DECIMALS).astype(np.float32))
        column, row = (
            (values[0] ** 0.5 * v).round(_DECIMALS).astype(np.float32) for v in (columns[:, 0], rows[0])
        )
        return Stencil(np.outer(column, row), column, row)


@dataclass(frozen=True)
class Factor:
    """``(floor + max(q, 0)) ** exponent`` with ``q = sum of sign * response^2``.

    Attributes:
        filters: sign and stencil, those of order 1 first (x, then y).
    """

    filters: tuple[tuple[float, Stencil], ...]
    floor: float
    exponent: float


class SteerableNetwork:
    """Levels of a pyramid to heatmaps.

    Args:
        weights: of a trained detector with steerable filters.
        workspace: of the arrays that heatmaps are returned in, which stay valid until the next image.
    """

    def __init__(self, weights: Weights, workspace: Workspace) -> None:
        self.level_bias = weights.arrays["level_bias"]
        self._workspace = workspace
        self.blur = gauss(_BLUR_RADIUS, _BLUR_SIGMA)
        self.smooth = gauss(SMOOTH_RADIUS, SMOOTH_SIGMA)
        self.factors = tuple(_factors(weights))

    def heat(self, level: Float32, number: int) -> Heat:
        """What the network says of level ``number`` (H, W); its gradient up to a positive scale."""
        array, shape = self._workspace.array, level.shape
        gradient = array(f"gradient {number}", 2, *shape)
        blurred = cv2.sepFilter2D(
            level, -1, self.blur, self.blur, dst=array("blurred", *shape), borderType=_BORDER
        )
        if number >= len(
            self.level_bias
        ):  # no keypoints of this level: its gradient is all that is asked for
            for (_, stencil), out in zip(self.factors[0].filters, gradient, strict=False):
                stencil.apply(blurred, out)
            return Heat(blurred, gradient)
        logits = array("sum of factors", *shape)
        logits.fill(0)
        for i, factor in enumerate(self.factors):
            self._add(factor, blurred, logits, gradient if i == 0 else None)
        out, bias = array(f"logits {number}", *shape), float(self.level_bias[number])
        cv2.sepFilter2D(logits, -1, self.smooth, self.smooth, dst=out, delta=bias, borderType=_BORDER)
        return Heat(out, gradient)

    def _add(self, factor: Factor, blurred: Float32, logits: Float32, gradient: Float32 | None) -> None:
        """Add a factor's logarithm to the logits; write its responses of order 1 to ``gradient``."""
        array, shape = self._workspace.array, blurred.shape
        sums = {sign: array(f"energies {sign}", *shape) for sign in (1.0, -1.0)}
        sums[1.0].fill(factor.floor)
        sums[-1.0].fill(0)
        for k, (sign, stencil) in enumerate(factor.filters):
            out = gradient[k] if gradient is not None and k < 2 else array("response", *shape)
            stencil.apply(blurred, out)
            cv2.accumulateSquare(out, sums[sign])
        q = cv2.subtract(sums[1.0], sums[-1.0], dst=sums[1.0])
        cv2.max(q, factor.floor, dst=q)
        np.log(q, out=q)  # unlike OpenCV's, the same to the last bit in Debian's build
        cv2.scaleAdd(q, factor.exponent, logits, dst=logits)


def _factors(weights: Weights) -> Iterator[Factor]:
    """Each factor of the network with its stencils."""
    arrays = weights.arrays
    orders = arrays["orders"].astype(int)
    covariance = level_covariance(RADIUS)
    for signs, floor, exponent in zip(arrays["signs"], arrays["floors"], arrays["exponents"], strict=True):
        axes = [
            (sign, kernel)
            for m in sorted(set(orders.tolist()), key=lambda m: (m != 1, m))
            for sign, kernel in principal_filters(m, arrays["profiles"][orders == m], signs[orders == m])
        ]
        strongest = max(float(k.ravel() @ covariance @ k.ravel()) ** 0.5 for _, k in axes)
        stencils = tuple((sign, stencil(k, _MOST_ERROR * strongest)) for sign, k in axes)
        yield Factor(stencils, float(floor), float(exponent))


def principal_filters(order: int, profiles: Float32, signs: Float32) -> list[tuple[float, Float64]]:
    """Signs and kernels (7, 7) whose squares sum up to the form ``sum of signs * |response|^2``.

    Args:
        order: of all the filters; above 0, cosine and sine parts follow each other.
        profiles: (N, 3) of the filters.
        signs: (N,) of their energies.
    """
    basis = harmonics(order).reshape(len(WIDTHS), 2, -1)
    kernels = profiles.astype(float) @ basis[:, 0]
    values, vectors = np.linalg.eigh((kernels.T * signs) @ kernels)
    found = []
    for i in np.argsort(-np.abs(values)):
        if abs(values[i]) > _LEAST_EIGENVALUE * np.abs(values).max():
            cosine = vectors[:, i] * abs(values[i]) ** 0.5
            cosine *= np.copysign(1.0, kernels[0] @ cosine)  # gradients shall not point downhill
            profile = np.linalg.lstsq(basis[:, 0].T, cosine, rcond=None)[0]
            parts = [cosine, profile @ basis[:, 1]] if order else [cosine]
            side = 2 * RADIUS + 1
            found += [(float(np.sign(values[i])), part.reshape(side, side)) for part in parts]
    return found


def stencil(kernel: Float64, tolerance: float) -> Stencil:
    """The smallest stencil that, after the common blur, responds to levels as a kernel (7, 7) does.

    Its sum is zero. ``tolerance`` is the root mean square error of a response to levels in [0, 1] that makes
    a larger stencil be tried.
    """
    window = np.outer(*[gauss(_BLUR_RADIUS, _BLUR_SIGMA)] * 2)
    for radius in range(1, RADIUS + 1):
        reach = max(RADIUS, radius + _BLUR_RADIUS)  # of the kernel and of the stencil with its blur
        covariance = level_covariance(reach)
        target = np.pad(kernel, reach - RADIUS).ravel()
        shifts = [(y, x) for y in range(-radius, radius + 1) for x in range(-radius, radius + 1)]
        moved = np.array([_placed(window, reach, *shift) for shift in shifts])
        middle = len(shifts) // 2
        design = np.delete(moved - moved[middle], middle, axis=0).T  # the middle makes the sum zero
        normal = design.T @ covariance @ design
        weights = np.linalg.solve(normal, design.T @ covariance @ target)
        missed = target - design @ weights
        if float(missed @ covariance @ missed) ** 0.5 < tolerance:
            break
    full = np.insert(weights, middle, -weights.sum())
    return Stencil.make(full.reshape(2 * radius + 1, -1))


def _placed(window: Float64, reach: int, y: int, x: int) -> Float64:
    """A window around (y, x) in an empty square of that reach, flattened."""
    square = np.zeros((2 * reach + 1, 2 * reach + 1))
    r = len(window) // 2
    square[reach + y - r : reach + y + r + 1, reach + x - r : reach + x + r + 1] = window
    return square.ravel()


def level_covariance(reach: int) -> Float64:
    """Covariance (N, N) of the pixels of a square of (2 reach + 1)^2 = N in a level of a pyramid.

    The power spectrum is that of natural images with noise, under the pyramid's blur, and rounding.
    """
    frequency = 2 * np.pi * np.fft.fftfreq(256)
    squared = frequency[:, None] ** 2 + frequency**2
    squared[0, 0] = np.inf  # brightness itself has no say
    natural = 1 / squared
    power = natural * (_IMAGE_SIGMA**2 * squared.size / natural.sum()) + _NOISE**2
    power = np.where(np.isfinite(squared), power * np.exp(-(BLUR**2) * squared) + _ROUNDING**2, 0)
    correlation = np.fft.ifft2(power).real
    y, x = (axis.ravel() for axis in np.mgrid[-reach : reach + 1, -reach : reach + 1])
    return np.asarray(correlation[y[:, None] - y, x[:, None] - x])
