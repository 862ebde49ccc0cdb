# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Motion priors: what wheels or another odometry measured between two images, with its covariance."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from hybrid_features_ros.core import se3
from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.core.types import Float64

REACH_NS = 200_000_000  # by how much the newest pose of a track may be older than what is asked for
_KEPT_NS = 30_000_000_000  # of a track, however long no image comes
_WIDEST_GAP_NS = 1_000_000_000  # between two poses of a track that are interpolated


@dataclass(frozen=True, eq=False)
class MotionPrior:
    """A relative motion as another source measured it: wheels, an inertial or another visual odometry.

    Attributes:
        T_previous_current: (4, 4), now in the axes of then [m].
        covariance: (6, 6) of a right perturbation of it [m, rad]; None = the source does not tell, then
            shares of the motion are taken (``odometry.prior``).

    Raises:
        InputError: a shape is wrong, a number is not finite or beyond reason, the rotation is none, or a
            variance is negative.
    """

    T_previous_current: Float64
    covariance: Float64 | None = None

    def __post_init__(self) -> None:
        T, C = np.asarray(self.T_previous_current, dtype=np.float64), self.covariance
        if T.shape != (4, 4) or not (np.abs(T) < FARTHEST_M).all() or not _is_rotation(T[:3, :3]):
            raise InputError(f"motion prior: {T.tolist()} is no rigid motion (4, 4)")
        object.__setattr__(self, "T_previous_current", T)
        if C is None:
            return
        C = np.asarray(C, dtype=np.float64)
        if (
            C.shape != (6, 6)
            or not (np.abs(C) < FARTHEST_M**2).all()
            or (np.diag(C) < -1e-9 * np.abs(C).max()).any()
        ):
            raise InputError(f"motion prior: {C.tolist()} is no covariance (6, 6); leave it out if unknown")
        object.__setattr__(self, "covariance", C)

    def with_shares(self, translation: float, rotation: float) -> MotionPrior:
        """Itself, or, where the source tells no covariance, with standard deviations that are shares of its
        length and angle, and a millimetre and milliradian more.
        """
        if self.covariance is not None:
            return self
        xi = se3.log(self.T_previous_current)
        m = (translation * float(np.linalg.norm(xi[:3])) + _LEAST) ** 2
        rad = (rotation * float(np.linalg.norm(xi[3:])) + _LEAST) ** 2
        return MotionPrior(self.T_previous_current, np.diag([m] * 3 + [rad] * 3))

    def then(self, after: MotionPrior) -> MotionPrior:
        """The motion of both, one after the other; their errors are independent."""
        T = self.T_previous_current @ after.T_previous_current
        if self.covariance is None or after.covariance is None:
            return MotionPrior(T)
        A = se3.adjoint(se3.inverse(after.T_previous_current))
        return MotionPrior(T, se3.symmetric(A @ self.covariance @ A.T + after.covariance))

    def of_part(self, T_body_part: Float64, T_body_part_after: Float64 | None = None) -> MotionPrior:
        """The motion of a part of the body, such as its camera.

        Args:
            T_body_part: (4, 4) where it sits.
            T_body_part_after: (4, 4) where it sits after the motion, if it moves on the body.
        """
        after = T_body_part if T_body_part_after is None else T_body_part_after
        T = se3.inverse(T_body_part) @ self.T_previous_current @ after
        if self.covariance is None:
            return MotionPrior(T)
        A = se3.adjoint(se3.inverse(after))
        return MotionPrior(T, se3.symmetric(A @ self.covariance @ A.T))


class MotionTrack:
    """Poses of another odometry over time, and the motion between any two moments.

    Poses between two that came are interpolated on the geodesic. After the newest one, the last velocity goes
    on for ``REACH_NS``; what it missed is made good by the next motion, so that motions add up.
    """

    def __init__(self) -> None:
        self._poses: deque[tuple[int, Float64, Float64 | None]] = deque()
        self._end: tuple[int, Float64] | None = None  # of the newest motion that was given

    def add(self, stamp: int, T_world_body: Float64, velocity_covariance: Float64 | None = None) -> None:
        """Remember a pose (4, 4) at a stamp [ns].

        Args:
            velocity_covariance: (6, 6) of the velocity until then, in the body's axes [m/s, rad/s]; None, or
                all zero: not known.

        Raises:
            InputError: the stamp does not grow, or the pose is none.
        """
        if self._poses and stamp <= self._poses[-1][0]:
            raise InputError(f"prior: stamp {stamp} ns is not after {self._poses[-1][0]} ns: it is skipped")
        known = velocity_covariance is not None and bool(np.any(velocity_covariance))
        checked = MotionPrior(T_world_body, velocity_covariance if known else None)
        self._poses.append((stamp, checked.T_previous_current, checked.covariance))
        while self._poses[0][0] < stamp - _KEPT_NS:
            self._poses.popleft()

    def clear(self) -> None:
        """Forget everything."""
        self._poses.clear()
        self._end = None

    def motion(self, begin: int, end: int) -> MotionPrior | None:
        """The body's motion between two stamps [ns]; None where too little is known of that time.

        Its covariance takes the velocities' errors of different intervals as independent.
        """
        while len(self._poses) > 2 and self._poses[1][0] <= begin:
            self._poses.popleft()
        first = self._end[1] if self._end and self._end[0] == begin else self._pose(begin)
        last = self._pose(end)
        if first is None or last is None:
            return None
        self._end = end, last
        return MotionPrior(se3.inverse(first) @ last, self._covariance(begin, end, last))

    def _pose(self, stamp: int) -> Float64 | None:
        """(4, 4) at a stamp [ns], interpolated, or extrapolated by a little."""
        stamps = np.array([t for t, _, _ in self._poses], dtype=np.int64)
        if not len(stamps) or stamp < stamps[0] or stamp > stamps[-1] + REACH_NS:
            return None
        i = min(int(np.searchsorted(stamps, stamp, side="right")), len(stamps) - 1)
        if i == 0:
            return self._poses[0][1]  # the only one
        (a, T_a, _), (b, T_b, _) = self._poses[i - 1], self._poses[i]
        if b - a > _WIDEST_GAP_NS:
            return None
        return T_a @ se3.exp(se3.log(se3.inverse(T_a) @ T_b) * ((stamp - a) / (b - a)))

    def _covariance(self, begin: int, end: int, last: Float64) -> Float64 | None:
        """(6, 6) of the motion between two stamps, from that of the velocities; None where one tells none."""
        total, before = np.zeros((6, 6)), begin
        for stamp, T, C in self._poses:
            if stamp <= begin:
                continue
            if C is None:
                return None
            until = min(stamp, end) if stamp != self._poses[-1][0] else end
            A = se3.adjoint(se3.inverse(last) @ T)
            total += (A @ C @ A.T) * (max(until - before, 0) * 1e-9) ** 2
            before = until
        return total if before > begin else None


_LEAST = 1e-3
FARTHEST_M = 1e7


def _is_rotation(R: Float64) -> bool:
    return bool(np.allclose(R @ R.T, np.eye(3), atol=1e-6) and np.linalg.det(R) > 0)
