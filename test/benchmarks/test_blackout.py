# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Trials of finding the place again, from results that are made up."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from hybrid_features_ros.benchmarks.blackout import summary, trials
from hybrid_features_ros.core import se3
from hybrid_features_ros.core.types import Scale, State, Trajectory

RATE, COUNT = 20, 180  # two blackouts, at 3 and at 7 s
STAMPS = np.arange(COUNT) * (10**9 // RATE) + 5 * 10**9
POSES = np.array([se3.exp([0, 0, 0, 0, 0, 0.01 * i]) for i in range(COUNT)])
SOURCE = SimpleNamespace(source=SimpleNamespace(stamps=STAMPS), ground_truth=Trajectory(STAMPS, POSES))


TURNED = (0, 0, 0, 0, 0, np.radians(30))


def run(lost=(), reset_at=None, wrong_from=None, wrong_by=TURNED, scale=Scale.METRIC):
    turned = se3.exp(wrong_by)
    return [
        SimpleNamespace(
            stamp=int(stamp),
            state=State.LOST if i in lost else State.TRACKING,
            scale=scale,
            resets=int(reset_at is not None and i >= reset_at),
            T_world_camera=T @ turned if wrong_from is not None and i >= wrong_from else T,
        )
        for i, (stamp, T) in enumerate(zip(STAMPS, POSES, strict=True))
    ]


def test_found_with_the_first_light() -> None:
    found = trials(run(lost=range(66, 80)), SOURCE)
    assert len(found) == 1  # after the second one there is too little light left
    assert found[0].is_found and found[0].seconds == 0 and found[0].rotation_deg == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(
    "bad",
    [
        run(lost=range(66, 92)),
        run(reset_at=82),
        run(wrong_from=81),
        run(lost=range(66, COUNT)),
        run(wrong_from=81, wrong_by=(0.5, 0, 0, 0, 0, 0)),
    ],
)
def test_late_anew_wrong_or_never_does_not_count(bad) -> None:
    found = trials(bad, SOURCE)
    assert not found[0].is_found
    assert summary(found)["found_share"] == 0


def test_a_position_in_an_unknown_unit_is_not_judged() -> None:
    found = trials(run(wrong_from=81, wrong_by=(0.5, 0, 0, 0, 0, 0), scale=Scale.UNKNOWN), SOURCE)
    assert found[0].is_found and np.isnan(found[0].position_m)
    assert summary(found)["position_m"] == [None]


def test_a_run_that_was_lost_before_is_no_trial() -> None:
    assert trials(run(lost=range(50, 80)), SOURCE) == []
    assert summary([])["found_share"] is None
