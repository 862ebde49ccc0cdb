# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Keypoints follow the load: down where images are dropped, never below the least, and up again."""

from hypothesis import given
from hypothesis import strategies as st

from hybrid_features_ros.nodes.budget import KeypointBudget


@given(st.integers(0, 3000), st.integers(1, 2000), st.lists(st.integers(0, 3), max_size=80))
def test_never_outside_its_range(least, most, drops):
    budget, dropped = KeypointBudget(least, most), 0
    for n in drops:
        dropped += n
        assert min(least or most, most) <= budget.update(dropped) <= most


def test_goes_down_and_up_again():
    budget = KeypointBudget(300, 1000)
    assert [budget.update(n) for n in (0, 2, 3)] == [1000, 900, 810]
    for n in range(4, 40):
        budget.update(n)
    assert budget.now == 300
    for _ in range(250):
        budget.update(39)
    assert budget.now == 1000


def test_zero_turns_it_off():
    budget = KeypointBudget(0, 1000)
    assert {budget.update(n) for n in range(50)} == {1000}
