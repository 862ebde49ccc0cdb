# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Whether a motion prior's unit and axes are those expected: what cannot be refused but is doubted."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from hybrid_features_ros.core import se3
from hybrid_features_ros.core.motion_prior import MotionPrior
from hybrid_features_ros.core.types import OdometryResult, Scale, State


@dataclass(frozen=True)
class Plausible:
    """What is not doubted; far from what sensors err, set once.

    Attributes:
        fewest: motions between images that tell.
        fastest: mean speed of a camera [m/s].
        farthest_scale: factor between lengths of the prior and those of images that know theirs.
        disagreement: of the turn that images show, by which the prior's may differ.
        least_turn: mean rate below which turns are not compared [rad/s].
        none: of the turn that images show, below which the prior's is none.
    """

    fewest: int = 20
    fastest: float = 60.0
    farthest_scale: float = 10.0
    disagreement: float = 0.5
    least_turn: float = float(np.radians(2.0))
    none: float = 0.1


PLAUSIBLE = Plausible()
_TOLD = (State.TRACKING, State.ROTATION_ONLY)  # states in which images tell a motion


class PriorDoubt:
    """Compares motions of a prior with those of the images.

    Args:
        newest: how many motions are remembered; None = all.
    """

    def __init__(self, newest: int | None = None) -> None:
        self._motions: deque[tuple[float, ...]] = deque(maxlen=newest)

    def add(self, prior: MotionPrior, before: OdometryResult, result: OdometryResult) -> None:
        """Remember the motion between two images, if both tell theirs."""
        if before.state is not result.state or result.state not in _TOLD:
            return
        told, shown = prior.T_previous_current, se3.inverse(before.T_world_camera) @ result.T_world_camera
        is_metric = before.scale is result.scale is Scale.METRIC
        lengths = (float(np.linalg.norm(T[:3, 3])) for T in (told, shown))
        turns = (se3.rotation_angle(R[:3, :3]) for R in (told, shown, se3.inverse(told) @ shown))
        self._motions.append(((result.stamp - before.stamp) * 1e-9, float(is_metric), *lengths, *turns))

    @property
    def sentence(self) -> str:
        """What is doubted, and what to look at; empty: nothing."""
        if len(self._motions) < PLAUSIBLE.fewest:
            return ""
        seconds, is_metric, told, shown, told_turn, shown_turn, gap = np.array(self._motions).T
        speed = float(told.sum() / seconds.sum())
        metric = is_metric > 0
        if metric.sum() >= PLAUSIBLE.fewest and min(told[metric].sum(), shown[metric].sum()) > 0:
            factor = float(told[metric].sum() / shown[metric].sum())
            if not 1 / PLAUSIBLE.farthest_scale < factor < PLAUSIBLE.farthest_scale:
                return f"the motion prior's lengths are {factor:.3g} times the images': is it in metres?"
        if speed > PLAUSIBLE.fastest:
            return f"the motion prior moves the camera at {speed:.3g} m/s: is it in metres?"
        rates = [float(np.degrees(turn.sum() / seconds.sum())) for turn in (told_turn, shown_turn, gap)]
        if rates[2] <= max(PLAUSIBLE.disagreement * rates[1], np.degrees(PLAUSIBLE.least_turn)):
            return ""
        if rates[0] < PLAUSIBLE.none * rates[1]:
            return (
                f"the motion prior does not turn ({rates[0]:.2g} deg/s) while the images do "
                f"({rates[1]:.3g} deg/s): does it tell orientations?"
            )
        return (
            f"the motion prior's turns ({rates[0]:.3g} deg/s) differ from the images' ({rates[1]:.3g} deg/s) "
            f"by {rates[2]:.3g}: does it know where the camera sits?"
        )
