# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The state machine on scripted images, without any geometry."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid_features_ros.core.types import MotionModel, State
from hybrid_features_ros.odometry.state import Evidence, next_state

FRAME_S, MAX_LOST_S = 0.05, 0.3


def seen(model=MotionModel.PNP, **changes):
    usual = {
        "position_held": model is MotionModel.ROTATION_ONLY,
        "mapped": True,
        "keypoints": 500,
        "lost_s": 0.0,
    }
    return Evidence(model=model, min_keypoints=20, **{**usual, **changes})


def unseen(frames, keypoints=500):
    return seen(MotionModel.NONE, position_held=True, lost_s=frames * FRAME_S, keypoints=keypoints)


def states(script, begin=State.WAITING):
    found = [begin]
    for evidence in script:
        found.append(next_state(found[-1], evidence, MAX_LOST_S)[0])
    return [s.name for s in found[1:]]


def test_the_first_image_initialises():
    assert states([unseen(0)]) == ["INITIALIZING"]


def test_a_start_on_the_spot_then_a_walk():
    script = [
        unseen(0),
        seen(MotionModel.ROTATION_ONLY, mapped=False),
        seen(MotionModel.ESSENTIAL, position_held=True, mapped=False),
        seen(MotionModel.PNP),
        seen(MotionModel.ROTATION_ONLY),
        seen(MotionModel.PNP),
    ]
    expected = ["INITIALIZING", "ROTATION_ONLY", "INITIALIZING", "TRACKING", "ROTATION_ONLY", "TRACKING"]
    assert states(script) == expected


def test_lost_is_declared_in_time_and_left_by_recovering():
    dark = [unseen(i) for i in range(1, 9)]
    found = states([seen(), *dark, seen(converged=False), seen(converged=False), seen()])
    assert found[1:6] == ["DEGRADED"] * 5
    assert found[7:9] == ["LOST"] * 2
    assert found[9:] == ["RECOVERING", "RECOVERING", "TRACKING"]


def test_one_unseen_image_while_lost_stays_lost():
    assert states([unseen(1)], State.LOST) == ["LOST"]


@pytest.mark.parametrize(
    ("evidence", "words"),
    [
        (unseen(1, keypoints=3), "only 3 keypoints"),
        (unseen(1), "no motion explains"),
        (seen(MotionModel.ROTATION_ONLY), "turns without moving"),
        (seen(MotionModel.ESSENTIAL, position_held=True), "cannot be told from noise"),
        (seen(mapped=False), "not moved enough"),
    ],
)
def test_every_state_but_tracking_has_its_reason(evidence, words):
    assert words in next_state(State.TRACKING, evidence, MAX_LOST_S)[1]


evidences = st.builds(
    Evidence,
    model=st.sampled_from(MotionModel),
    position_held=st.booleans(),
    mapped=st.booleans(),
    keypoints=st.integers(0, 1000),
    min_keypoints=st.just(20),
    lost_s=st.floats(0, 2),
    converged=st.booleans(),
)


@given(st.lists(evidences, min_size=1, max_size=30))
def test_laws(script):
    """TRACKING alone has no reason; LOST is not left without an estimate, nor straight to TRACKING."""
    found = [State.INITIALIZING]
    for evidence in script:
        state, reason = next_state(found[-1], evidence, MAX_LOST_S)
        assert (state is State.TRACKING) == (reason == "")
        if evidence.model is MotionModel.NONE and found[-1] is State.LOST:
            assert state is State.LOST
        found.append(state)
    assert (State.LOST, State.TRACKING) not in itertools.pairwise(found)


def test_a_pose_that_rests_on_little_is_degraded_with_the_reason():
    reason = "only 12 landmarks of known depth agree"
    assert next_state(State.TRACKING, seen(weakness=reason), MAX_LOST_S) == (State.DEGRADED, reason)
    assert next_state(State.DEGRADED, seen(), MAX_LOST_S) == (State.TRACKING, "")
    assert next_state(State.LOST, seen(weakness=reason), MAX_LOST_S)[0] is State.RECOVERING
