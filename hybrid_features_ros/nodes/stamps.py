"""Which stamps an odometry may take: growing ones, until time itself is set back."""

from __future__ import annotations

from hybrid_features_ros.core.errors import InputError

JUMP_NS = 500_000_000  # older by more than this: the clock was set back (a bag loops)
PATIENCE = 5  # older by less, but so many in a row that grow among themselves: set back by a little


class StampGate:
    """Tells images that come late from a clock that was set back."""

    def __init__(self) -> None:
        self.newest: int | None = None
        self._late = 0
        self._newest_late = 0

    def went_back(self, stamp: int) -> bool:
        """Whether time was set back before this stamp [ns].

        Raises:
            InputError: the stamp is zero, was there already, or is a little older than the newest one.
        """
        if stamp <= 0:
            raise InputError(
                f"image stamp {stamp} ns: the driver leaves header.stamp empty; without stamps there is no "
                "velocity and no TF"
            )
        if self.newest is None or stamp > self.newest:
            self._late = 0
            return False
        grows = stamp > self._newest_late
        self._late = self._late + 1 if grows else 1
        self._newest_late = stamp
        if stamp < self.newest - JUMP_NS or self._late >= PATIENCE:
            self._late = 0
            return True
        raise InputError(
            f"image stamp {stamp} ns is not after the previous {self.newest} ns: the image is skipped"
        )

    def accept(self, stamp: int) -> None:
        """Remember the stamp of an image that was used."""
        self.newest = stamp
