# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Which stamps an odometry may take: growing ones, until time itself is set back."""

from __future__ import annotations

from enum import Enum

from hybrid_features_ros.core.errors import InputError

JUMP_NS = 500_000_000  # older or newer by more than this: the clock was set, or the stamp is wrong
PATIENCE = 5  # older by less, but so many in a row that grow among themselves: set back by a little
CLOSEST_NS = 500_000  # images nearer in time than this would make any error of position a huge velocity
USUAL_GAPS = 10  # intervals between images that may be missing without doubts about the stamp
WAITED = 1.2  # a gap in stamps is real where the image came so much later too, give or take
FIRST_GAP_NS = 10_000_000_000  # between the first two images, before an interval is known


class Order(Enum):
    """What a stamp is to the stamps before it."""

    NEXT = "after the newest one"
    BACK = "time was set back before it"
    AHEAD = "far ahead of the newest one: wrong unless the next image confirms it"


class StampGate:
    """Tells images that come late, or with a wrong stamp, from a clock that was set."""

    def __init__(self) -> None:
        self.newest: int | None = None
        self._came = 0.0
        self._interval: int | None = None
        self._ahead: int | None = None
        self._late = 0
        self._newest_late = 0

    def classify(self, stamp: int, came: float) -> Order:
        """What to do with an image.

        A stamp far ahead counts as wrong only where the image has not come as much later as it says.

        Args:
            stamp: of the image [ns].
            came: when the image came, by the monotonic clock [s].

        Raises:
            InputError: the stamp is zero, was there already, or is a little older or hardly newer than the
                newest one.
        """
        if stamp <= 0:
            raise InputError(
                f"image stamp {stamp} ns: the driver leaves header.stamp empty; without stamps there is no "
                "velocity and no TF"
            )
        if self.newest is None:
            return Order.NEXT
        if stamp > self.newest:
            return self._newer(stamp, came)
        grows = stamp > self._newest_late
        self._late = self._late + 1 if grows else 1
        self._newest_late = stamp
        if stamp < self.newest - JUMP_NS or self._late >= PATIENCE:
            self._late = 0
            self._interval = None
            return Order.BACK
        raise InputError(
            f"image stamp {stamp} ns is not after the previous {self.newest} ns: the image is skipped"
        )

    def accept(self, stamp: int, came: float) -> None:
        """Remember an image that was used."""
        if self.newest is not None and stamp > self.newest:
            self._interval = stamp - self.newest
        self.newest, self._came, self._ahead = stamp, came, None

    def _newer(self, stamp: int, came: float) -> Order:
        assert self.newest is not None
        self._late = 0
        gap = stamp - self.newest
        if gap < CLOSEST_NS:
            raise InputError(
                f"image stamp {stamp} ns is only {gap * 1e-3:g} us after the previous one: the image is "
                "skipped; the driver must stamp images with the time of their exposure"
            )
        usual = FIRST_GAP_NS if self._interval is None else max(JUMP_NS, USUAL_GAPS * self._interval)
        if gap <= max(usual, WAITED * 1e9 * (came - self._came)):
            return Order.NEXT
        confirmed = self._ahead is not None and 0 <= stamp - self._ahead <= usual
        self._ahead = stamp
        return Order.NEXT if confirmed else Order.AHEAD
