# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Pictures show what they should, where they should."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from synthetic import World

from hybrid_features_ros.core import se3
from hybrid_features_ros.core.types import Matches, State, Trajectory
from hybrid_features_ros.visualization.draw import draw_features, draw_matches
from hybrid_features_ros.visualization.figures import RunSummary, TrackedImage, draw_endurance, draw_summary
from hybrid_features_ros.visualization.palette import STATE_COLOURS

GRAY = np.full((480, 640), 128, np.uint8)


@pytest.fixture
def few():
    """Features of about ten points."""
    return World.random(count=150).seen_from(np.eye(4))


def changed(canvas):
    return (canvas != 128).any(axis=2)


def test_every_feature_is_marked_and_nothing_else(few):
    features = replace(few, scales=np.full(len(few), 5, np.float32))
    marks = changed(draw_features(GRAY, features))
    y, x = np.nonzero(marks)
    distance = np.linalg.norm(np.stack([x, y], axis=1)[:, None] - features.points[None], axis=2)
    assert distance.min(axis=1).max() < 13
    assert (distance.min(axis=0) < 13).all()
    assert len(x) > 20 * len(features)


def test_lines_point_along_the_angle():
    features = World.random(count=150).seen_from(np.eye(4))
    one = replace(
        features,
        **{n: getattr(features, n)[:1] for n in ("scores", "descriptors")},
        points=np.float32([[320, 240]]),
        scales=np.float32([20]),
        sigmas=np.float32([1]),
        angles=np.float32([np.pi / 2]),
    )
    marks = changed(draw_features(GRAY, one))
    assert marks[250:275, 318:323].any(axis=1).all(), "+y is down"
    assert not marks[205:230, 320].any()


def test_the_image_itself_stays_as_it_is(few):
    image = GRAY.copy()
    draw_features(image, few)
    assert (image == 128).all()
    assert len(changed(draw_features(GRAY, World.random(count=0).seen_from(np.eye(4)))).nonzero()[0]) == 0


def test_matches_join_their_points(few):
    index = np.arange(len(few), dtype=np.int32)
    matches = Matches(index, index, np.ones(len(few), np.float32))
    canvas = draw_matches(GRAY, GRAY[:200], few, few, matches)
    assert canvas.shape == (480, 640 + 8 + 640, 3)
    for x, y in np.rint(few.points).astype(int):
        assert changed(canvas)[max(y - 1, 0) : y + 2, max(x - 1, 0) : x + 2].any()


def test_summary_is_a_picture_with_every_state(tmp_path, few):
    stamps = np.arange(60) * 50_000_000
    poses = np.array([se3.exp([0.02 * i, 0.01 * i, 0, 0, 0, 0.05 * i]) for i in range(60)])
    truth = Trajectory(stamps, poses)
    states = [(int(s), State(i * len(State) // 60)) for i, s in enumerate(stamps)]
    shown = TrackedImage(GRAY, few, np.arange(3, dtype=np.int32))
    draw_summary(tmp_path / "summary.png", RunSummary(truth, truth, states, shown), "a title", ["a line"])
    picture = cv2.imread(str(tmp_path / "summary.png"))
    assert picture.shape[0] > 700 and picture.shape[1] > 1000
    colours = {tuple(c) for c in picture.reshape(-1, 3)[:, ::-1].tolist()}
    for state, colour in STATE_COLOURS.items():
        assert tuple(int(colour[i : i + 2], 16) for i in (1, 3, 5)) in colours, state


def test_summary_without_truth_or_features(tmp_path):
    poses = np.tile(np.eye(4), (5, 1, 1))
    estimate = Trajectory(np.arange(5) * 10**8, poses)
    run = RunSummary(estimate, None, [(0, State.LOST)], TrackedImage(GRAY))
    draw_summary(tmp_path / "s.png", run, "", [])
    assert cv2.imread(str(tmp_path / "s.png")) is not None


def test_the_endurance_picture_is_drawn(tmp_path):
    draw_endurance(tmp_path / "curve.png", [1.0, 2.0], [10, 20])
    assert (tmp_path / "curve.png").stat().st_size > 1000
