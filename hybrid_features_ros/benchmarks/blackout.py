# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Found again after a blackout during which the camera turned: how often, how soon, and whether rightly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hybrid_features_ros.core import se3
from hybrid_features_ros.core.types import OdometryResult, Scale, State
from hybrid_features_ros.io.trajectory import interpolate
from hybrid_features_ros.simulation.roll import DARK_S, LIT_S, MAX_GAP_NS, RolledSource

IN_TIME_S = 0.5  # after the first image with light
WRONG_DEG = 10.0  # of the rotation since before the blackout: a wrong place, not drift or a rolling shutter
WRONG_M = 0.3  # of the position since then, where the scale is metric
LOST = (State.LOST, State.WAITING)


@dataclass(frozen=True)
class Trial:
    """One blackout.

    Attributes:
        seconds: from the first image with light to the first that was placed; NaN: none before the next one.
        rotation_deg: error of the rotation since the last image before the blackout, once the published pose
            has settled.
        position_m: the same of the position [m]; NaN where the scale is not metric.
        resets: during it.
    """

    seconds: float
    rotation_deg: float
    position_m: float
    resets: int

    @property
    def is_found(self) -> bool:
        """Whether the camera was found again in time, rightly, and without a reset."""
        is_right = self.rotation_deg < WRONG_DEG and not self.position_m > WRONG_M
        return self.seconds <= IN_TIME_S and is_right and self.resets == 0


def trials(results: Sequence[OdometryResult], source: RolledSource) -> list[Trial]:
    """All blackouts of one run that have light before and after them."""
    begin, period = int(source.source.stamps[0]), round((LIT_S + DARK_S) * 1e9)
    numbers = {(r.stamp - begin) // period for r in results}
    found = []
    for number in sorted(numbers):
        dark = begin + number * period + round(LIT_S * 1e9)
        before = [r for r in results if number == (r.stamp - begin) // period and r.stamp < dark]
        after = [r for r in results if number + 1 == (r.stamp - begin) // period]
        after = [r for r in after if r.stamp < dark + period]
        placed = any(r.state not in (*LOST, State.INITIALIZING) for r in before[-1:])
        if placed and after and after[-1].stamp - after[0].stamp > 2 * IN_TIME_S * 1e9:
            found.append(_trial(before[-1], after, source))
    return found


def _trial(before: OdometryResult, after: Sequence[OdometryResult], source: RolledSource) -> Trial:
    placed = next((r for r in after if r.state not in LOST), None)
    seconds = np.nan if placed is None else (placed.stamp - after[0].stamp) * 1e-9
    settled = next(r for r in after if r.stamp - after[0].stamp >= 2 * IN_TIME_S * 1e9)
    truth = source.ground_truth
    assert truth is not None
    poses, known = interpolate(truth, np.array([before.stamp, settled.stamp]), MAX_GAP_NS)
    degrees = metres = np.nan
    if known.all():
        ours = se3.inverse(before.T_world_camera) @ settled.T_world_camera
        true = se3.inverse(poses[0]) @ poses[1]
        degrees = float(np.degrees(se3.rotation_angle(ours[:3, :3].T @ true[:3, :3])))
        if before.scale is Scale.METRIC and settled.scale is Scale.METRIC:
            metres = float(np.linalg.norm(ours[:3, 3] - true[:3, 3]))
    return Trial(float(seconds), degrees, metres, settled.resets - before.resets)


def summary(found: Sequence[Trial]) -> dict[str, Any]:
    """Figures of all trials."""
    return {
        "trials": len(found),
        "found_share": float(np.mean([t.is_found for t in found])) if found else None,
        "resets": sum(t.resets for t in found),
        "seconds": [_rounded(t.seconds, 3) for t in found],
        "rotation_deg": [_rounded(t.rotation_deg, 2) for t in found],
        "position_m": [_rounded(t.position_m, 3) for t in found],
    }


def _rounded(value: float, digits: int) -> float | None:
    """None for what is not known: JSON has no NaN."""
    return round(value, digits) if np.isfinite(value) else None
