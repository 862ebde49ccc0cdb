# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Keypoints per image that follow the load of the machine."""

from __future__ import annotations

_DOWN, _UP = 0.9, 1.005  # for an image after others were dropped, for one after none was: 1 in 20 drops


class KeypointBudget:
    """Fewer keypoints where images are dropped, more again where none is.

    Args:
        least, most: keypoints per image; ``least`` 0 = always ``most``.
    """

    def __init__(self, least: int, most: int) -> None:
        self._least, self._most = (min(least, most) or most), most
        self._share, self._dropped = 1.0, 0

    @property
    def now(self) -> int:
        """Keypoints of the next image."""
        return max(self._least, round(self._share * self._most))

    def update(self, dropped: int) -> int:
        """The budget of an image, from the number of images dropped so far."""
        change = _DOWN if dropped > self._dropped else _UP
        self._share = min(1.0, max(self._least / self._most, self._share * change))
        self._dropped = dropped
        return self.now
