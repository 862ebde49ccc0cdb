# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""State machine of the odometry: a pure function of what one image showed."""

from __future__ import annotations

from dataclasses import dataclass

from hybrid_features_ros.core.types import MotionModel, State


@dataclass(frozen=True)
class Evidence:
    """What one image showed.

    Attributes:
        model: what explains it; NONE = nothing does.
        position_held: its position is the last known one, see :class:`TrackingResult`.
        mapped: the scene's depths are known: measured, or triangulated.
        keypoints: their number; below ``min_keypoints`` the image itself is to blame.
        lost_s: time since the last image with an estimate [s]; 0 if this one has one.
        converged: the pose published is the one estimated (after a loss it returns there smoothly).
        weakness: why the estimate is in doubt, see :mod:`health`; empty if it is not.
    """

    model: MotionModel
    position_held: bool
    mapped: bool
    keypoints: int
    min_keypoints: int
    lost_s: float
    converged: bool = True
    weakness: str = ""


def next_state(previous: State, seen: Evidence, max_lost_s: float) -> tuple[State, str]:
    """The state after an image, and why it is not TRACKING in one sentence.

    WAITING is followed by INITIALIZING with the first image. LOST is left through RECOVERING only.
    """
    if seen.model is MotionModel.NONE:
        return _untracked(previous, seen, max_lost_s)
    if previous is State.LOST or (previous is State.RECOVERING and not seen.converged):
        return State.RECOVERING, "found again: the published pose returns to the estimated one"
    if seen.model is MotionModel.ROTATION_ONLY:
        return State.ROTATION_ONLY, "the camera turns without moving: position is held"
    if not seen.mapped:
        return State.INITIALIZING, "the camera has not moved enough to know depths"
    if seen.position_held:
        return State.DEGRADED, "the translation cannot be told from noise: position is held"
    if seen.weakness:
        return State.DEGRADED, seen.weakness
    return State.TRACKING, ""


def _untracked(previous: State, seen: Evidence, max_lost_s: float) -> tuple[State, str]:
    if previous in (State.WAITING, State.INITIALIZING) and not seen.lost_s:
        return State.INITIALIZING, "first image"
    reason = "no motion explains the matches with the map"
    if seen.keypoints < seen.min_keypoints:
        reason = f"only {seen.keypoints} keypoints: the image is dark, blurred or bare"
    lost = previous is State.LOST or seen.lost_s > max_lost_s
    return (State.LOST if lost else State.DEGRADED), reason
