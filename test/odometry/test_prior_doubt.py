# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Motion priors in another unit, or without rotations: doubted in one sentence, and sound ones not."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import runs
from hypothesis import given
from hypothesis import strategies as st

from hybrid_features_ros.core import se3
from hybrid_features_ros.core.motion_prior import MotionPrior
from hybrid_features_ros.core.types import Scale, State
from hybrid_features_ros.odometry.prior_doubt import PriorDoubt

RESULTS = runs.evaluation(frames=60, error=0.0).results  # a circle of 2 m in two seconds


def said(change, scale=Scale.METRIC, states=lambda i: State.TRACKING, count=60, newest=None):
    """What is doubted of a prior that measured the images' motion (4, 4), changed."""
    doubt = PriorDoubt(newest)
    seen = [replace(r, state=states(i), scale=scale) for i, r in enumerate(RESULTS[:count])]
    for a, b in pairwise(seen):
        T = se3.inverse(a.T_world_camera) @ b.T_world_camera
        doubt.add(MotionPrior(change(T)), a, b)
    return doubt.sentence


def stretched(factor):
    return lambda T: se3.make(T[:3, :3], factor * T[:3, 3])


def test_millimetres_are_doubted_where_images_know_lengths():
    assert "1e+03 times the images': is it in metres?" in said(stretched(1000.0))


def test_millimetres_of_one_camera_are_doubted_by_their_speed():
    assert "m/s: is it in metres?" in said(stretched(1000.0), Scale.UNKNOWN)


def test_rotations_that_are_not_told_are_doubted():
    sentence = said(lambda T: se3.make(np.eye(3), T[:3, 3]))
    assert "does not turn (0 deg/s)" in sentence and "does it tell orientations?" in sentence


def test_axes_of_the_body_are_doubted():
    R = np.array([[0, 0, 1.0], [-1, 0, 0], [0, -1, 0]])
    assert "does it know where the camera sits?" in said(
        lambda T: se3.make(R @ T[:3, :3] @ R.T, R @ T[:3, 3])
    )


@given(st.floats(0.5, 2.0), st.floats(-0.3, 0.3))
def test_sound_priors_are_not_doubted(slip, more):
    def measured(T):
        return se3.exp(se3.log(T) * np.repeat([slip, 1 + more], 3))

    assert said(measured) == ""


@pytest.mark.parametrize(
    "told",
    [
        {"count": 20},
        {"states": lambda i: State.LOST},
        {"states": lambda i: State(i % 2 + int(State.TRACKING))},
    ],
    ids=["few", "lost", "state changes"],
)
def test_images_that_tell_nothing_accuse_nobody(told):
    assert said(stretched(1000.0), **told) == ""


def test_what_is_long_ago_is_forgotten():
    def early(T, count):
        return stretched(1000.0)(T) if next(count) < 30 else T

    for newest, doubted in ((25, False), (None, True)):
        count = iter(range(100))
        assert ("is it in metres?" in said(lambda T, c=count: early(T, c), newest=newest)) == doubted
