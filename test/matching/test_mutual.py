# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Mutual nearest neighbours."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from synthetic import World

from hybrid_features_ros.core.config import MatchingConfig
from hybrid_features_ros.core.types import DescriptorFormat, Metric
from hybrid_features_ros.matching.mutual import match, mutual_among, mutual_nearest

FEATURES = World.random(count=600).seen_from(np.eye(4))
ANY = MatchingConfig(lowe_ratio=1.0)


def chosen(features, index):
    index = np.asarray(index, int)
    columns = {
        name: getattr(features, name)[index] for name in ("points", "scores", "scales", "angles", "sigmas")
    }
    return replace(features, descriptors=features.descriptors[index], **columns)


@given(st.permutations(range(30)))
def test_finds_every_permutation(order):
    matches = match(chosen(FEATURES, range(30)), chosen(FEATURES, order), ANY)
    assert np.array_equal(np.asarray(order)[matches.index_b], matches.index_a)
    assert len(matches) == 30
    assert np.allclose(matches.scores, 1, atol=1e-3)


@given(st.integers(0, 30), st.integers(0, 30))
def test_equals_brute_force_and_is_symmetric(n, m):
    rng = np.random.default_rng([n, m])
    a, b = (
        replace(chosen(FEATURES, range(k)), descriptors=rng.normal(size=(k, 8)).astype(np.float32))
        for k in (n, m)
    )
    distance = np.linalg.norm(a.descriptors[:, None] - b.descriptors[None], axis=2)
    expected = {
        (i, j) for i in range(n) for j in range(m)
        if distance[i, j] == distance[i].min() == distance[:, j].min()
    }  # fmt: skip
    there, back = match(a, b, ANY), match(b, a, ANY)
    assert set(zip(there.index_a.tolist(), there.index_b.tolist(), strict=True)) == expected
    assert set(zip(back.index_b.tolist(), back.index_a.tolist(), strict=True)) == expected


def test_ratio_removes_ambiguous_matches():
    twice = chosen(FEATURES, [0, 1, 2, 2])
    matches = match(chosen(FEATURES, [0, 1, 2]), twice, MatchingConfig(lowe_ratio=0.8))
    assert matches.index_a.tolist() == [0, 1]


def test_least_score():
    noise = np.random.default_rng(1).uniform(0, 0.1, FEATURES.descriptors.shape).astype(np.float32)
    noisy = replace(FEATURES, descriptors=FEATURES.descriptors + noise)
    scores = match(FEATURES, noisy, ANY).scores
    strict = match(FEATURES, noisy, MatchingConfig(lowe_ratio=1.0, min_score=float(np.median(scores))))
    assert 0.4 < len(strict) / len(scores) < 0.6


def test_binary_descriptors():
    rng = np.random.default_rng(3)
    form = DescriptorFormat("orb", "orb", metric=Metric.HAMMING)
    a = replace(FEATURES, descriptors=rng.integers(0, 256, (len(FEATURES), 32), dtype=np.uint8), format=form)
    flipped = a.descriptors.copy()
    flipped[:, 0] ^= 0b111
    matches = match(a, replace(a, descriptors=flipped), ANY)
    assert np.array_equal(matches.index_a, matches.index_b) and len(matches) == len(a)
    assert np.allclose(matches.scores, 1 - 3 / 128)


def test_quantised_descriptors_compare_by_value():
    q = np.clip(np.rint((FEATURES.descriptors + 1) * 127.5), 0, 255).astype(np.uint8)
    form = replace(FEATURES.format, quantisation_scale=1 / 127.5, quantisation_offset=-1.0)
    quantised = replace(FEATURES, descriptors=q, format=form)
    matches = match(FEATURES, quantised, ANY)
    assert np.array_equal(matches.index_a, matches.index_b) and len(matches) == len(FEATURES)


def test_nothing_matches_nothing():
    assert len(match(chosen(FEATURES, []), FEATURES, ANY)) == 0


def test_different_descriptors_are_refused():
    other = replace(FEATURES, format=DescriptorFormat("sift", "rootsift"))
    with pytest.raises(ValueError, match="cannot match 'synthetic' with 'rootsift'"):
        match(FEATURES, other, ANY)


def test_the_vote_keeps_those_that_turn_together():
    rng = np.random.default_rng(3)
    a = FEATURES
    n = len(a)
    angles = rng.uniform(-np.pi, np.pi, n).astype(np.float32)
    turned = angles + np.float32(2.0) + rng.normal(0, 0.05, n).astype(np.float32)
    turned[: n // 3] += np.float32(1.5)  # a minority that turns otherwise
    scales = np.ones(n, np.float32)
    scales[-2:] = 4.0  # these two grow, nobody else does
    turned[-3] = np.nan  # no orientation, no vote
    b = replace(a, angles=turned, scales=scales)
    found = match(replace(a, angles=angles), b, MatchingConfig(lowe_ratio=1.0, vote_deg=20.0))
    assert found.index_a.tolist() == [*range(n // 3, n - 2)]
    assert len(match(replace(a, angles=angles), b, MatchingConfig(lowe_ratio=1.0))) == n


@given(st.integers(0, 30), st.integers(0, 30), st.floats(0, 1))
def test_few_pairs_of_a_table_match_as_the_table_does(n, m, share):
    rng = np.random.default_rng([n, m])
    table = rng.uniform(size=(n, m)).astype(np.float32)
    table[rng.uniform(size=(n, m)) > share] = np.inf
    rows, columns = np.nonzero(np.isfinite(table))
    chosen = mutual_among(table[rows, columns], rows, columns, table.shape, 0.9)
    expected = mutual_nearest(table, 0.9)
    assert np.array_equal(rows[chosen], expected[0]) and np.array_equal(columns[chosen], expected[1])


def test_equal_pairs_are_not_clear():
    rows, columns = np.array([0, 0, 1]), np.array([0, 1, 2])
    chosen = mutual_among(np.array([0.5, 0.5, 0.1], np.float32), rows, columns, (2, 3), 0.9)
    assert chosen.tolist() == [2]


def test_forbidden_pairs_match_nothing():
    squared = np.full((3, 4), np.inf, np.float32)
    squared[1, 2] = 0.5
    rows, columns = mutual_nearest(squared, 0.9)
    assert rows.tolist() == [1] and columns.tolist() == [2]
