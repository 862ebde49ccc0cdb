# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Which images belong together in time, and which stamps can be believed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.io.source import Notes

LONE_NS = 10_000_000_000  # a stamp so far from those read before and after it is wrong
UNUSUAL_NS = 3_000_000_000  # no camera on a robot is so slow, but it can be tracked
SLOW_NS = 600_000_000_000  # no camera is so slow: the unit of the stamps is another


def nearest(stamps: NDArray[np.int64], others: NDArray[np.int64], max_interval_ns: int) -> NDArray[np.intp]:
    """Index (N,) of the other stamp nearest in time to each stamp, -1 where none is near enough.

    Args:
        stamps: (N,) [ns].
        others: (M,) [ns], increasing.
        max_interval_ns: the longest distance.
    """
    if not len(others):
        return np.full(len(stamps), -1, dtype=np.intp)
    after = np.searchsorted(others, stamps).clip(0, len(others) - 1)
    before = (after - 1).clip(0)
    closer = np.abs(others[before] - stamps) <= np.abs(others[after] - stamps)
    index = np.where(closer, before, after)
    return np.where(np.abs(others[index] - stamps) <= max_interval_ns, index, -1)


def partners(
    what: str,
    stamps: NDArray[np.int64],
    others: NDArray[np.int64],
    max_interval_ns: int,
    notes: Notes,
    about: str,
) -> NDArray[np.intp]:
    """As :func:`nearest`; that none has a partner is noted as missing ``about``."""
    index = nearest(stamps, others, max_interval_ns)
    if len(stamps) and len(others) and (index < 0).all():
        gap = float(np.abs(others[nearest(stamps, others, 2**62)] - stamps).min()) * 1e-9
        notes.missing[about] = (
            f"all on {what} are {gap:.3g} s or more from every image, and the limit is "
            f"{max_interval_ns * 1e-9:g} s: synchronise them, or --set input.max_interval_s=SECONDS"
        )
    return index


def usable(name: str, stamps: NDArray[np.int64], notes: Notes) -> NDArray[np.intp]:
    """Which images can be used, as indices (M,) in the order of their stamps.

    Of equal stamps the first counts; a lone stamp far from its neighbours is left out. Both are noted.

    Args:
        name: of the recording or topic.
        stamps: (N,) in the order of the recording [ns].
        notes: of the recording.

    Raises:
        InputError: the stamps are all the same, or so far apart that their unit must be another.
    """
    if len(stamps) > 1 and (stamps == stamps[0]).all():
        raise InputError(
            f"{name}: all {len(stamps)} images have the stamp {stamps[0]} ns: header.stamp was not set; have "
            "the driver set the time of each image and record again, or list stamps in rgb.txt"
        )
    around = np.pad(stamps, 2, mode="edge")
    usual = np.median(np.lib.stride_tricks.sliding_window_view(around, 5), axis=1)
    believed = (
        np.flatnonzero(np.abs(stamps - usual) <= LONE_NS) if len(stamps) > 4 else np.arange(len(stamps))
    )
    kept, first = np.unique(stamps[believed], return_index=True)
    lone, again = len(stamps) - len(believed), len(believed) - len(kept)
    if lone or again:
        notes.assumed["stamps"] = (
            f"left out of {len(stamps)} images on {name}: {again} with the stamp of another, {lone} with a "
            f"stamp over {LONE_NS // 10**9} s from its neighbours"
        )
    apart = float(np.median(np.diff(kept))) if len(kept) > 1 else 0.0
    if apart > SLOW_NS:
        raise InputError(
            f"{name}: images {apart / 1e9:.3g} s apart cannot be tracked; are the stamps in another unit?"
        )
    if apart > UNUSUAL_NS:
        notes.assumed["rate"] = (
            f"images on {name} are {apart / 1e9:.3g} s apart: is the unit of the stamps right?"
        )
    return believed[first]
