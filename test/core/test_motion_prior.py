# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Motions with covariance: they compose, move to other parts of a body, and are interpolated."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hybrid_features_ros.core import se3
from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.core.motion_prior import REACH_NS, MotionPrior, MotionTrack

TWISTS = arrays(np.float64, 6, elements=st.floats(-1, 1)).map(lambda xi: 0.9 * xi)
FACTORS = arrays(np.float64, (6, 6), elements=st.floats(-1, 1))
PRIORS = st.builds(lambda xi, A: MotionPrior(se3.exp(xi), A @ A.T), TWISTS, FACTORS)
S = 1_000_000_000


def same(a, b):
    return np.allclose(a.T_previous_current, b.T_previous_current, atol=1e-9) and np.allclose(
        a.covariance, b.covariance, atol=1e-9
    )


@given(PRIORS, PRIORS, PRIORS)
def test_motions_are_joined_in_any_order(a, b, c):
    assert same(a.then(b).then(c), a.then(b.then(c)))


@given(PRIORS)
def test_standing_still_adds_nothing(a):
    still = MotionPrior(np.eye(4), np.zeros((6, 6)))
    assert same(a.then(still), a)
    assert same(still.then(a), a)


@given(PRIORS, PRIORS, TWISTS)
def test_a_part_of_the_body_moves_along(a, b, xi):
    mount = se3.exp(xi)
    assert same(a.then(b).of_part(mount), a.of_part(mount).then(b.of_part(mount)))
    assert same(a.of_part(mount).of_part(se3.inverse(mount)), a)


def test_the_covariance_of_two_motions_is_that_of_samples():
    rng = np.random.default_rng(0)
    a, b = (MotionPrior(se3.exp(rng.normal(size=6)), np.diag(s)) for s in ([1e-4] * 6, [4e-4] * 6))
    both, ends = a.then(b), []
    for _ in range(4000):
        noise = rng.normal(size=(2, 6)) * [[1e-2], [2e-2]]
        T = a.T_previous_current @ se3.exp(noise[0]) @ b.T_previous_current @ se3.exp(noise[1])
        ends.append(se3.log(se3.inverse(both.T_previous_current) @ T))
    assert np.allclose(np.cov(np.array(ends).T), both.covariance, atol=1e-4)


def test_what_the_source_does_not_tell_is_a_share_of_the_motion():
    motion = MotionPrior(se3.exp([0.5, 0, 0, 0, 0, 0.2])).with_shares(0.1, 0.5)
    assert np.allclose(np.sqrt(np.diag(motion.covariance)), [0.051] * 3 + [0.101] * 3)
    assert motion.with_shares(9.0, 9.0) is motion


@pytest.mark.parametrize(
    ("T", "C"),
    [
        (np.eye(3), None),
        (np.full((4, 4), np.nan), None),
        (2 * np.eye(4), None),
        (np.eye(4), np.eye(5)),
        (np.eye(4), -np.eye(6)),
        (np.eye(4), np.full((6, 6), np.inf)),
    ],
)
def test_what_is_no_motion_is_refused(T, C):
    with pytest.raises(InputError, match="motion prior"):
        MotionPrior(T, C)


def drive(track, seconds=2.0, rate=50, twist=(1.0, 0, 0, 0, 0, 0.5), covariance=None):
    for i in range(int(seconds * rate) + 1):
        track.add(S + i * S // rate, se3.exp(np.array(twist) * i / rate), covariance)
    return track


@given(st.lists(st.integers(0, 2 * S), min_size=3, max_size=6, unique=True).map(sorted))
def test_motions_between_any_stamps_add_up(offsets):
    track, twist = drive(MotionTrack()), np.array([1.0, 0, 0, 0, 0, 0.5])
    total = np.eye(4)
    for begin, end in itertools.pairwise(offsets):
        total = total @ track.motion(S + begin, S + end).T_previous_current
    expected = se3.exp(twist * (offsets[-1] - offsets[0]) * 1e-9)
    assert np.allclose(total, expected, atol=1e-6)


def test_beyond_the_newest_pose_the_velocity_goes_on_and_is_made_good():
    track = drive(MotionTrack(), 1.0)
    ahead = track.motion(S, 2 * S + 100_000_000).T_previous_current
    assert np.allclose(ahead, se3.exp(np.array([1.0, 0, 0, 0, 0, 0.5]) * 1.1), atol=1e-6)
    stop = se3.exp(np.array([1.0, 0, 0, 0, 0, 0.5]))
    for i in range(1, 20):
        track.add(2 * S + i * S // 50, stop)
    rest = track.motion(2 * S + 100_000_000, 2 * S + 200_000_000).T_previous_current
    assert np.allclose(ahead @ rest, stop, atol=1e-6)


def test_time_that_nobody_measured_has_no_motion():
    track = drive(MotionTrack(), 1.0)
    assert track.motion(S - 1, 2 * S) is None
    assert track.motion(S, 2 * S + REACH_NS + 1) is None
    track.add(5 * S, np.eye(4))
    assert track.motion(S, 3 * S) is None
    track.clear()
    assert track.motion(S, 2 * S) is None


def test_the_covariance_grows_with_time_and_is_unknown_where_zero():
    C = np.diag([0.01] * 3 + [0.04] * 3)
    one, two = (
        drive(MotionTrack(), 2.0, twist=np.zeros(6), covariance=C).motion(S, S + t) for t in (S, 2 * S)
    )
    assert np.allclose(two.covariance, 2 * one.covariance)
    assert np.allclose(one.covariance, C / 50)
    assert drive(MotionTrack(), covariance=np.zeros((6, 6))).motion(S, 2 * S).covariance is None


def test_a_stamp_that_does_not_grow_is_refused():
    track = drive(MotionTrack())
    with pytest.raises(InputError, match="is not after"):
        track.add(S, np.eye(4))
