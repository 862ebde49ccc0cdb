# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The lens model of OpenCV's calibration: radial, tangential, thin prism, tilted sensor.

Both directions are computed here: how precisely OpenCV undoes a lens differs between its versions, from
1e-12 px to a quarter of a pixel in the corners of an image.

Source: Brown, "Close-range camera calibration" (1971); names and order of the coefficients are those of
OpenCV: ``k1, k2, p1, p2, k3, k4, k5, k6, s1, s2, s3, s4, tau_x, tau_y``, the last ones left out if zero.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Float64 = NDArray[np.float64]

_STEPS, _CONVERGED = 20, 1e-7  # of Newton's method, which squares what is left: then 1e-14 on the plane z = 1
_LONGEST = 0.5  # a step on that plane: beyond the lens's range there may be no solution to go to


def distort(xy: Float64, coefficients: Sequence[float]) -> Float64:
    """Where the lens shows the points (N, 2) of the plane z = 1, on that plane (N, 2)."""
    k = _all(coefficients)
    x, y = _bend(xy[:, 0], xy[:, 1], k)[0]
    tilted = np.stack([x, y, np.ones_like(x)], axis=1) @ _tilt(*k[12:]).T
    return np.asarray(tilted[:, :2] / tilted[:, 2:])


def undistort(xy: Float64, coefficients: Sequence[float]) -> Float64:
    """The points (N, 2) of the plane z = 1 that the lens shows at (N, 2): Newton's method.

    Where the model shows nothing there (beyond the radius at which a polynomial turns back), the result is
    finite and means nothing.
    """
    k = _all(coefficients)
    u, v = np.ascontiguousarray(xy.T)
    if k[12:].any():
        u, v, w = np.linalg.inv(_tilt(*k[12:])) @ np.stack([u, v, np.ones_like(u)])
        u, v = u / w, v / w
    x, y = u, v
    for _ in range(_STEPS):
        (x1, y1), (xx, xy_, yx, yy) = _bend(x, y, k)
        a, b, determinant = u - x1, v - y1, xx * yy - xy_ * yx
        safe = np.where(np.abs(determinant) > 1e-6, determinant, 1.0)
        step = (np.stack([yy * a - xy_ * b, xx * b - yx * a]) / safe).clip(-_LONGEST, _LONGEST)
        x, y = x + step[0], y + step[1]
        if np.abs(step).max() < _CONVERGED:
            break
    return np.stack([x, y], axis=1)


def _all(coefficients: Sequence[float]) -> Float64:
    return np.pad(np.asarray(coefficients, dtype=np.float64), (0, 14 - len(coefficients)))


def _bend(x: Float64, y: Float64, k: Float64) -> tuple[tuple[Float64, Float64], tuple[Float64, ...]]:
    """Distorted x', y' (N,) before the tilt; the derivatives dx'/dx, dx'/dy, dy'/dx, dy'/dy, each (N,)."""
    k1, k2, p1, p2, k3 = k[:5].tolist()
    square, product = x * x, x * y
    r = square + y * y
    radial, slope = 1 + r * (k1 + r * (k2 + r * k3)), k1 + r * (2 * k2 + r * (3 * k3))  # by r
    if k[5:8].any():
        k4, k5, k6 = k[5:8].tolist()
        below = 1 + r * (k4 + r * (k5 + r * k6))
        radial = radial / below
        slope = (slope - radial * (k4 + r * (2 * k5 + r * (3 * k6)))) / below
    x1 = x * radial + 2 * p1 * product + p2 * (r + 2 * square)
    y1 = y * radial + p1 * (3 * r - 2 * square) + 2 * p2 * product
    xy = yx = 2 * (product * slope + p1 * x + p2 * y)
    xx = radial + 2 * square * slope + 2 * p1 * y + 6 * p2 * x
    yy = radial + 2 * (r - square) * slope + 6 * p1 * y + 2 * p2 * x
    if k[8:12].any():
        s1, s2, s3, s4 = k[8:12].tolist()
        prism_x, prism_y = s1 + 2 * r * s2, s3 + 2 * r * s4
        x1, y1 = x1 + r * (s1 + r * s2), y1 + r * (s3 + r * s4)
        xx, xy = xx + 2 * x * prism_x, xy + 2 * y * prism_x
        yx, yy = yx + 2 * x * prism_y, yy + 2 * y * prism_y
    return (x1, y1), (xx, xy, yx, yy)


def _tilt(tau_x: float, tau_y: float) -> Float64:
    """Homography (3, 3) from a sensor that faces the lens to one turned by two angles [rad]."""
    (cx, cy), (sx, sy) = np.cos([tau_x, tau_y]), np.sin([tau_x, tau_y])
    about_x = np.array([[1, 0, 0], [0, cx, sx], [0, -sx, cx]])
    turn = np.array([[cy, 0, -sy], [0, 1, 0], [sy, 0, cy]]) @ about_x
    a, b, c = turn[:, 2]
    return np.asarray(np.array([[c, 0, -a], [0, c, -b], [0, 0, 1]]) @ turn)
