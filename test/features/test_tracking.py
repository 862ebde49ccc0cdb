# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Keypoints are followed from image to image, however the camera turns, and detected anew where it is due."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from synthetic import LENS

from hybrid_features_ros.core import se3
from hybrid_features_ros.core.camera import Camera
from hybrid_features_ros.core.config import FeatureConfig
from hybrid_features_ros.core.expectation import Expectation
from hybrid_features_ros.features import make_extractor, tracking
from hybrid_features_ros.features.tracking import (
    FLOW,
    FeatureTracker,
    Followed,
    follow,
    optical_flow,
    refined_rotation,
    turned,
)

PINHOLE = Camera(320, 240, 300.0, 300.0, 159.5, 119.5)
WIDE = Camera.from_calibration(320, 240, [200, 0, 159.5, 0, 200, 119.5, 0, 0, 1], "plumb_bob", LENS)
STEP = 33_000_000


def rotation(x=0.0, y=0.0, z=0.0):
    return se3.exp([0, 0, 0, *np.radians([x, y, z])])[:3, :3]


def view(photograph, camera, R, distance=260.0):
    """What a camera turned by ``R`` sees of a photograph on a wall, repeated in mirrors."""
    y, x = np.mgrid[: camera.height, : camera.width]
    rays = camera.bearings(np.stack([x.ravel(), y.ravel()], axis=1)) @ R.T
    wall = rays[:, :2] / rays[:, 2:] * distance + (160, 120)
    maps = [wall[:, i].reshape(camera.height, camera.width).astype(np.float32) for i in (0, 1)]
    return cv2.remap(photograph, *maps, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)


@pytest.fixture
def wall(photograph):
    return cv2.GaussianBlur(photograph, (0, 0), 1.2)


@pytest.fixture
def extractor():
    return make_extractor(FeatureConfig(extractor="sift", max_keypoints=300))


def begin(extractor, image):
    features = extractor.extract(image)
    return Followed.begin(image, replace(features, track_ids=np.arange(len(features), dtype=np.int32)))


def in_view(points, camera, R):
    """Which points a camera still sees once it has turned, and where."""
    now = camera.project(camera.bearings(points) @ R)
    inside = ((now > 8) & (now < (camera.width - 9, camera.height - 9))).all(axis=1)
    return inside, now


@pytest.mark.parametrize("camera", [PINHOLE, WIDE])
@pytest.mark.parametrize("turn", [{"z": 30.0}, {"z": -30.0}, {"y": 30.0, "z": 10.0}, {"x": -20.0, "z": 30.0}])
def test_thirty_degrees_between_images_survive_if_they_are_predicted(wall, extractor, camera, turn):
    """More than four in five points that stay in view are found where they are; without prediction few."""
    R, lenient = rotation(**turn), replace(FLOW, min_share=0.0, min_points=0, min_coverage=0.0)
    last = begin(extractor, view(wall, camera, np.eye(3)))
    image = view(wall, camera, R)
    inside, truth = in_view(last.features.points, camera, R)
    assert inside.sum() > 60
    guess = R @ rotation(0.6, -0.6, 1.0)
    shares = []
    for predicted in (guess, np.eye(3)):
        found = follow(last, image, Expectation(camera, predicted), lenient)
        near = np.linalg.norm(found.points - truth[found.rows], axis=1) < 1.0
        shares.append((near & inside[found.rows]).sum() / inside.sum())
        if predicted is guess:
            assert near.mean() > 0.9
            assert se3.rotation_angle(found.view.R.T @ R) < np.radians(0.2)
    assert shares[0] > 0.8
    assert shares[1] < 0.4


def test_what_is_hidden_does_not_come_back(wall):
    """A poster that moves in front of the wall: points behind it are not followed onto it."""
    rng = np.random.default_rng(3)
    points = rng.uniform([20, 20], [300, 220], (400, 2)).astype(np.float32)
    poster = cv2.GaussianBlur(rng.integers(0, 256, (100, 120), dtype=np.uint8), (0, 0), 1.5)
    image = wall.copy()
    image[70:170, 100:220] = cv2.normalize(poster, None, 0, 255, cv2.NORM_MINMAX)
    hidden = ((points > (108, 78)) & (points < (211, 161))).all(axis=1)
    apart = ((points < (88, 58)) | (points > (231, 181))).any(axis=1)
    _, found = optical_flow(wall, image, points, points)
    assert hidden.sum() > 50
    assert found[apart].mean() > 0.95
    assert found[hidden].mean() < 0.1
    _, blind = optical_flow(wall, image, points, points, replace(FLOW, back_px=1e3))
    assert blind[hidden].mean() > 0.5


def test_followed_features_keep_their_descriptors_and_turn_with_the_camera(wall, extractor):
    R = rotation(z=20.0)
    poses = iter([R])
    tracker = FeatureTracker(extractor, "between_keyframes", lambda *_: Expectation(PINHOLE, next(poses)))
    before = tracker.extract(view(wall, PINHOLE, np.eye(3)), 0)
    assert tracker.detected
    after = tracker.extract(view(wall, PINHOLE, R), STEP)
    assert not tracker.detected
    rows = np.searchsorted(before.track_ids, after.track_ids)
    assert (before.track_ids[rows] == after.track_ids).all()
    assert (before.descriptors[rows] == after.descriptors).all()
    turn = np.angle(np.exp(1j * (after.angles - before.angles[rows])))
    assert np.abs(turn + np.radians(20.0)).max() < np.radians(0.5)
    assert np.allclose(after.scales, before.scales[rows], rtol=0.01)


def test_every_frame_changes_nothing(wall, extractor):
    tracker = FeatureTracker(extractor, "every_frame")
    for stamp in (0, STEP):
        assert tracker.extract(wall, stamp).track_ids is None
        assert tracker.detected


def test_detection_comes_after_so_many_images_and_where_it_is_asked_for(wall, extractor):
    ask = [False]
    expect = lambda *_: Expectation(PINHOLE, np.eye(3), ask[0])  # noqa: E731
    tracker = FeatureTracker(extractor, "between_keyframes", expect)
    detected, ids = [], []
    for i in range(2 * FLOW.max_images + 3):
        ask[0] = i == FLOW.max_images + 3
        ids.append(tracker.extract(wall, STEP * i).track_ids)
        detected.append(tracker.detected)
    first, asked = FLOW.max_images + 1, FLOW.max_images + 3
    assert np.flatnonzero(detected).tolist() == [0, first, asked]
    assert ids[first].min() > ids[0].max()


def test_detection_comes_where_points_or_places_are_missing(wall, extractor):
    """Another scene, black, half of it covered, another size: never followed into that."""
    last = begin(extractor, wall)
    half = wall.copy()
    half[:, 140:] = 0
    for image in (np.zeros_like(wall), wall[::-1].copy(), half, wall[:200].copy()):
        assert follow(last, image) is None
    assert follow(last, wall) is not None
    few = Followed.begin(
        wall, make_extractor(FeatureConfig(extractor="sift", max_keypoints=60)).extract(wall)
    )
    assert follow(few, wall) is None


def test_where_nothing_is_found_again_only_a_few_points_are_tried(wall, extractor, monkeypatch):
    tried = []

    def spy(before, now, source, start, flow):
        tried.append(len(source))
        return optical_flow(before, now, source, start, flow)

    monkeypatch.setattr(tracking, "optical_flow", spy)
    last = begin(extractor, wall)
    assert follow(last, wall[::-1].copy()) is None
    assert sum(tried) <= len(last.features) / FLOW.trial + 1
    assert follow(last, wall) is not None
    assert sum(tried) > len(last.features)


def test_points_do_not_drift_from_image_to_image(wall, extractor):
    last = begin(extractor, view(wall, PINHOLE, np.eye(3)))
    for i in range(1, FLOW.max_images + 1):
        R = rotation(y=0.8 * i, z=2.0 * i)
        last = follow(last, view(wall, PINHOLE, R), Expectation(PINHOLE, rotation(y=0.8, z=2.0)))
    errors = last.points - in_view(last.features.points, PINHOLE, R)[1][last.rows]
    assert np.median(np.linalg.norm(errors, axis=1)) < 0.15


@pytest.mark.parametrize("camera", [PINHOLE, WIDE])
def test_a_turned_image_is_what_the_turned_camera_takes(wall, camera):
    R = rotation(8.0, -12.0, 25.0)
    seen = turned(view(wall, camera, np.eye(3)), camera, R)
    y, x = np.mgrid[: camera.height, : camera.width]
    pixels = np.stack([x.ravel(), y.ravel()], axis=1)
    inside, _ = in_view(pixels, camera, R.T)
    error = np.abs(seen.astype(float) - view(wall, camera, R)).ravel()[inside]
    assert inside.mean() > 0.4
    assert np.median(error) < 2


@given(st.lists(st.floats(-0.5, 0.5), min_size=3, max_size=3), st.integers(0, 2**16))
def test_the_refined_rotation_is_the_true_one_among_points_that_move(turn, seed):
    rng = np.random.default_rng(seed)
    before = PINHOLE.bearings(rng.uniform(0, 240, (60, 2)))
    R = se3.exp([0, 0, 0, *turn])[:3, :3]
    now = before @ R
    now[:10] = PINHOLE.bearings(rng.uniform(0, 240, (10, 2)))
    found = refined_rotation(R @ rotation(0.5, 0.5, 0.5), before, now)
    assert se3.rotation_angle(found.T @ R) < np.radians(0.1)
