"""How sure a pose is: what the residuals say, what the model leaves out, and what is not known at all.

The covariance of a pose is that of its error since the start. It is the sum, each part moved along to the
image (Sola et al., eq. 55), of

* the covariance of the keyframe that shares most landmarks with the image: it grew hop by hop while the
  map grew, and does not grow while the camera looks at what is mapped already;
* that of the motion since then, from the information of the landmarks, times the scatter of the
  residuals, a factor for what triangulated landmarks err in common, and what noise of depths adds in a
  single image;
* an error of all lengths in common: calibration, or, for one camera, a scale that nobody knows;
* what nothing measured: a position that was held, the time without any estimate, a correction that the
  published pose has yet to follow.
"""

from __future__ import annotations

import numpy as np

from hybrid_features_ros.core import se3
from hybrid_features_ros.core.types import Float64, MotionModel, Scale
from hybrid_features_ros.odometry.tracking_result import Tracked

_LEAST = 0.2  # scatter of residuals over their sigmas below which it is no measurement
_TOGETHER = 1.3  # factor on standard deviations: landmarks that one camera triangulated err together
_UNKNOWN_LENGTH = 0.5  # relative standard deviation of lengths while nothing measures the scale
_LENGTH = 0.003  # the same where depths are measured: focal length and baseline are not exact
_STRETCH = 0.03  # relative standard deviation by which a scale differs from one keyframe to the next
_SWAY = 0.0007  # step aside, over the scene's depth, that passes for a turn in a single image
_TAKEN = 0.003  # rotation that a translation below notice may be taken for [rad]
_HELD = 0.01  # standard deviation of a held position after a second, over the scene's depth
_LOST = 0.25  # standard deviation after a second without any estimate: over the scene's depth ...
_TURNED = 0.5  # ... and of the rotation [rad]


def relative(tracked: Tracked, usual: float, held_s: float, scale: Scale) -> Float64:
    """(6, 6) covariance of an image's pose in the map, right perturbations.

    Args:
        usual: one over the scene's usual depth [1/m].
        held_s: for how long the position has been held [s].
    """
    free = tracked.model is MotionModel.PNP or tracked.held  # else two views told their own scatter
    together = 1.0 if scale is Scale.METRIC else _TOGETHER
    factor = (together * (min(max(tracked.fit.scatter, _LEAST), 1.0) if free else 1.0)) ** 2
    information = tracked.fit.information
    if not tracked.held:
        return se3.symmetric(np.asarray(np.linalg.pinv(information, rcond=1e-12, hermitian=True))) * factor
    C = np.outer(tracked.doubt, tracked.doubt)
    C[3:, 3:] += np.linalg.pinv(information[3:, 3:], hermitian=True) * factor + np.eye(3) * _TAKEN**2
    C[:3, :3] += np.eye(3) * (1 + held_s) * (_HELD / usual) ** 2
    return se3.symmetric(C)


def stretched(C: Float64, length: Float64, scale: Scale, unknown: float = _STRETCH) -> Float64:
    """A covariance that also admits how little one camera knows about a length (3,) [m], in its own axes."""
    C = C.copy()
    C[:3, :3] += (_LENGTH if scale is Scale.METRIC else unknown) ** 2 * np.outer(length, length)
    return C


def unscaled(C: Float64, length: Float64, scale: Scale) -> Float64:
    """:func:`stretched` by all that may be wrong with the scale since the start."""
    return stretched(C, length, scale, _UNKNOWN_LENGTH)


def swayed(C: Float64, usual: float) -> Float64:
    """A covariance (6, 6) that also admits a step aside that a turn makes up for.

    Noise of depths blurs the difference of the two by more than a linearisation knows, most of all just
    after a keyframe. The next image knows better: this part does not add up.
    """
    G = np.zeros((6, 2))
    G[[0, 1], [0, 1]] = 1 / usual
    G[[4, 3], [0, 1]] = -1, 1
    return np.asarray(C + _SWAY**2 * G @ G.T)


def moved_along(C: Float64, T_a_b: Float64) -> Float64:
    """Covariance (6, 6) of a pose b that is exactly at ``T_a_b`` from a pose a with covariance ``C``."""
    A = se3.adjoint(se3.inverse(T_a_b))
    return se3.symmetric(A @ C @ A.T)


def drift(seconds: float, usual: float) -> Float64:
    """Covariance (6, 6) added in a time without estimate [s]; ``usual`` is an inverse depth [1/m]."""
    return np.diag([(_LOST / usual) ** 2] * 3 + [_TURNED**2] * 3) * seconds
