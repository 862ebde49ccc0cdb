# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Repeatability and matching scores on keypoints whose partners are known."""

from dataclasses import replace

import numpy as np
import pytest

from hybrid_features_ros.benchmarks.agreement import agreement
from hybrid_features_ros.core.types import DescriptorFormat, Features

pytestmark = pytest.mark.slow


def features(points, descriptors=None):
    n = len(points)
    ones = np.ones(n, np.float32)
    return Features(
        points=np.array(points, np.float32).reshape(n, 2),
        scores=ones,
        scales=ones,
        angles=np.zeros(n, np.float32),
        sigmas=ones,
        descriptors=np.eye(8, dtype=np.float32)[:n] if descriptors is None else descriptors,
        format=DescriptorFormat("test", "test"),
        width=100,
        height=80,
    )


def shift(p):
    return p + np.array([10.0, 0.0])


def back(p):
    return p - np.array([10.0, 0.0])


def test_what_is_seen_twice_is_repeated():
    a = features([[20, 20], [40, 40], [95, 10]])  # the last one leaves the image
    b = features([[30, 22], [50, 50], [60, 70], [5, 5]])  # the last one comes from outside
    found = agreement(a, b, shift, back)
    assert found.keypoints == 2.5
    assert found.repeatability == pytest.approx(2 / 5)
    assert found.repeatability_1px == 0
    assert found.one_to_one == pytest.approx(1 / 2.5)
    assert found.localisation_px == pytest.approx(2.0)
    assert found.offset_px == pytest.approx((0.0, 2.0))


def test_a_crowd_beside_one_keypoint_counts_once_one_to_one():
    a = features([[20, 20], [20, 21], [21, 20]])
    b = features([[30, 20]])
    found = agreement(a, b, shift, back)
    assert found.repeatability == 1.0
    assert found.one_to_one == pytest.approx(1 / 2)


def test_doubles_in_both_images_are_one_distinct_place():
    a = features([[20, 20], [20, 21.5], [40, 40]])
    b = features([[30, 20], [30, 21.5], [50, 40]])
    found = agreement(a, b, shift, back)
    assert (found.one_to_one, found.correct, found.distinct) == (1.0, 3, 2)


def test_matches_are_judged_by_the_warp():
    a = features([[20, 20], [40, 40]])
    b = features([[30.5, 20], [80, 70]])
    found = agreement(a, b, shift, back)
    assert (found.matches, found.correct, found.distinct) == (2, 1, 1)
    assert (found.mma1, found.mma3) == (0.5, 0.5)


def test_orientation_is_judged_by_the_turn():
    a = features([[20, 20], [40, 40]])
    b = features([[30, 20], [50, 40]])
    b = replace(b, angles=np.radians([62, 62]).astype(np.float32))
    assert agreement(a, b, shift, back, np.radians(60)).turn_deg == pytest.approx(2, abs=1e-3)
    assert np.isnan(agreement(a, b, shift, back).turn_deg)


def test_nothing_found_is_no_crash():
    none, some = features(np.zeros((0, 2))), features([[20, 20]])
    for a, b in ((none, some), (some, none), (none, none)):
        found = agreement(a, b, shift, back)
        assert found.repeatability == 0 and found.correct == 0
