# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Mutual nearest neighbours that pass Lowe's ratio test."""

from __future__ import annotations

import numpy as np

from hybrid_features_ros.core.config import MatchingConfig
from hybrid_features_ros.core.types import Bool, Features, Float32, Matches, Metric, Rows
from hybrid_features_ros.matching.descriptors import descriptor_vectors, squared_distances

VOTE_OCTAVES = 1.0  # most disagreement of two matches' changes of scale
NO_MATCHES = Matches(np.zeros(0, np.int32), np.zeros(0, np.int32), np.zeros(0, np.float32))


def match(a: Features, b: Features, config: MatchingConfig) -> Matches:
    """Mutual nearest neighbours that pass Lowe's ratio test (2004) in both directions.

    A vote on the relative orientation and scale (``config.vote_deg``) leaves the largest group that turns
    as one. A score is 1 for equal descriptors and falls linearly with the distance, to 0 for orthogonal
    (L2) or half-different (Hamming) ones.

    Raises:
        ValueError: the two sets come from different descriptors.
    """
    if a.format.descriptor != b.format.descriptor or a.descriptors.shape[1] != b.descriptors.shape[1]:
        raise ValueError(f"cannot match {a.format.descriptor!r} with {b.format.descriptor!r}")
    if len(a) == 0 or len(b) == 0:
        return NO_MATCHES
    distance = _distances(a, b)
    best_b, nearest, second_b = _two_nearest(distance)
    best_a, _, second_a = _two_nearest(distance.T)
    mutual = best_a[best_b] == np.arange(len(a))
    distinct = nearest < config.lowe_ratio * np.minimum(second_b, second_a[best_b])
    score = np.clip(1 - nearest / _unrelated_distance(a), 0, 1)
    keep = np.flatnonzero(mutual & (distinct | (config.lowe_ratio == 1)) & (score >= config.min_score))
    if config.vote_deg:
        keep = keep[_vote(a, b, keep, best_b[keep], config.vote_deg)]
    return Matches(keep.astype(np.int32), best_b[keep].astype(np.int32), score[keep].astype(np.float32))


def mutual_nearest(squared: Float32, ratio: float) -> tuple[Rows, Rows]:
    """Rows and columns of squared distances (M, N) that are mutual nearest and pass Lowe's ratio test.

    The ratio test looks along rows only: one place may own several rows, never several columns. Infinite
    entries are forbidden pairs.
    """
    if not squared.size:
        return np.zeros(0, np.intp), np.zeros(0, np.intp)
    rows = np.arange(len(squared))
    column = squared.argmin(axis=1)
    nearest = squared[rows, column]
    mutual = nearest == squared.min(axis=0)[column]
    squared[rows, column] = np.inf
    distinct = mutual & (nearest <= ratio**2 * squared.min(axis=1)) & (nearest < np.inf)
    squared[rows, column] = nearest
    return rows[distinct], column[distinct]


def mutual_among(squared: Float32, rows: Rows, columns: Rows, shape: tuple[int, int], ratio: float) -> Rows:
    """As :func:`mutual_nearest`, among a few pairs (K,) of a table of a shape: which of them it chooses.

    A row whose two nearest are equal matches nothing.
    """
    of_row, second, of_column = (np.full(shape[axis], np.inf, np.float32) for axis in (0, 0, 1))
    np.minimum.at(of_row, rows, squared)
    np.minimum.at(of_column, columns, squared)
    first = squared == of_row[rows]
    np.minimum.at(second, rows[~first], squared[~first])
    distinct = (squared <= ratio**2 * second[rows]) & (
        np.bincount(rows[first], minlength=shape[0])[rows] == 1
    )
    return np.flatnonzero(first & distinct & (squared == of_column[columns]))


def _distances(a: Features, b: Features) -> Float32:
    squared = np.maximum(squared_distances(descriptor_vectors(a), descriptor_vectors(b)), 0)
    return squared if a.format.metric is Metric.HAMMING else np.sqrt(squared)


def _unrelated_distance(features: Features) -> float:
    """Distance of two descriptors that have nothing in common."""
    if features.format.metric is Metric.HAMMING:
        return 4.0 * int(features.descriptors.shape[1])
    lengths = np.linalg.norm(descriptor_vectors(features), axis=1)
    return float(np.sqrt(2.0) * np.mean(lengths)) if np.any(lengths) else 1.0


def _two_nearest(distance: Float32) -> tuple[Rows, Float32, Float32]:
    """Of every row: the column of its least value, that value, and the second least (inf if none)."""
    rows = np.arange(len(distance))
    best = distance.argmin(axis=1)
    nearest = distance[rows, best]
    distance[rows, best] = np.inf
    second = distance.min(axis=1)
    distance[rows, best] = nearest
    return best, nearest, second


def _vote(a: Features, b: Features, i: Rows, j: Rows, degrees: float) -> Bool:
    """Which matches turn and scale their keypoints as the largest group does (generalised Hough transform).

    The group is that of the match with which most others agree, within ``degrees`` and ``VOTE_OCTAVES``.
    Keypoints without orientation have no vote and stay.
    """
    turn = b.angles[j] - a.angles[i]
    zoom = np.log2(b.scales[j] / a.scales[i])
    voter = np.flatnonzero(np.isfinite(turn))
    if not len(voter):
        return np.ones(len(i), np.bool_)
    apart = np.abs((turn[voter, None] - turn[None, voter] + np.pi) % (2 * np.pi) - np.pi)
    agree = (apart <= np.radians(degrees)) & (np.abs(zoom[voter, None] - zoom[None, voter]) <= VOTE_OCTAVES)
    keep = np.ones(len(i), np.bool_)
    keep[voter] = agree[agree.sum(axis=1).argmax()]
    return keep
