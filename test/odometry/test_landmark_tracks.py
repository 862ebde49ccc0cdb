# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Features that were followed need no descriptors to find their landmarks, and make no keyframes."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from synthetic import CAMERA, World, turn

from hybrid_features_ros.core import se3
from hybrid_features_ros.core.config import OdometryConfig
from hybrid_features_ros.core.types import State
from hybrid_features_ros.odometry import Odometry
from hybrid_features_ros.odometry.frame import Frame
from hybrid_features_ros.odometry.tracks import NO_TRACKS, Tracks

FRAME_NS = 33_000_000
WORLD = World.random()


def numbered(T, seed):
    """Features at a pose, and the number of the point that each of them shows."""
    shown = replace(WORLD, descriptors=np.arange(len(WORLD.points), dtype=np.float32)[:, None])
    features = WORLD.seen_from(T, noise_px=0.2, seed=seed)
    return features, shown.seen_from(T).descriptors[:, 0].astype(np.int32)


def rows_of(features, rows):
    names = ("points", "scores", "scales", "angles", "sigmas", "descriptors")
    return replace(features, **{name: getattr(features, name)[rows] for name in names})


def sequence(poses, every, wrong_descriptors=True, wrong_ids=False):
    """Features at each pose: detected in every N-th image, in others those of the detected one only."""
    rng, next_id, known = np.random.default_rng(0), 0, {}
    for i, T in enumerate(poses):
        features, numbers = numbered(T, i)
        if i % every == 0:
            ids = np.arange(next_id, next_id + len(numbers), dtype=np.int32)
            known, next_id = dict(zip(numbers.tolist(), ids.tolist(), strict=True)), ids[-1] + 1
        else:
            still = np.array([n in known for n in numbers])
            features = rows_of(features, still)
            ids = np.array([known[n] for n in numbers[still].tolist()], np.int32)
            if wrong_ids:
                ids = rng.permutation(ids)
            if wrong_descriptors:
                noise = rng.normal(size=features.descriptors.shape).astype(np.float32)
                features = replace(features, descriptors=noise)
        yield i % every == 0, replace(features, track_ids=ids)


def walk(count=40):
    return [se3.make(turn(z=3.0 * i)[:3, :3], [0.04 * i, 0, 0]) for i in range(count)]


def run(sequence, odometry):
    return [
        (is_detected, odometry.process((i + 1) * FRAME_NS, features, CAMERA))
        for i, (is_detected, features) in enumerate(sequence)
    ]


@pytest.mark.parametrize("every", [2, 4])
def test_followed_images_are_placed_by_their_tracks_alone(every):
    odometry = Odometry(OdometryConfig())
    results = run(sequence(walk(), every), odometry)
    poses = walk()
    assert all(r.state is State.TRACKING for _, r in results[16:])
    path = np.array([r.T_world_camera[:3, 3] for _, r in results])
    scale = np.linalg.norm(poses[-1][:3, 3]) / np.linalg.norm(path[-1])
    assert np.abs(path * scale - [T[:3, 3] for T in poses])[16:].max() < 0.08
    worst = max(
        se3.rotation_angle(r.T_world_camera[:3, :3].T @ T[:3, :3])
        for (_, r), T in zip(results[6:], poses[6:], strict=True)  # the map has begun
    )
    assert worst < np.radians(0.5)


def test_keyframes_are_detected_images_and_asked_for():
    odometry, asked = Odometry(OdometryConfig()), []
    results = []
    for i, (is_detected, features) in enumerate(sequence(walk(), 4)):
        results.append((is_detected, odometry.process((i + 1) * FRAME_NS, features, CAMERA)))
        asked.append(odometry.expectation((i + 1) * FRAME_NS, (i + 2) * FRAME_NS).detect)
    keyframes = [is_detected for is_detected, r in results if r.is_keyframe]
    assert len(keyframes) >= 4
    assert all(keyframes)
    followed = [a for a, (is_detected, _) in zip(asked, results, strict=True) if not is_detected]
    assert any(followed)
    assert not all(followed)


def test_tracks_that_are_wrong_are_not_believed():
    """As after a restart of what numbers them: the descriptors tell which landmark a feature shows."""
    odometry = Odometry(OdometryConfig())
    results = run(sequence(walk(), 4, wrong_descriptors=False, wrong_ids=True), odometry)
    assert all(r.state is State.TRACKING for _, r in results[16:])


def test_the_rotation_is_expected_to_go_on_or_as_the_gyroscope_measures_it():
    odometry = Odometry(OdometryConfig())
    assert odometry.expectation(0, 1) is None
    for i in range(6):
        odometry.process((i + 1) * FRAME_NS, WORLD.seen_from(turn(z=4.0 * i)), CAMERA)
    expected = odometry.expectation(6 * FRAME_NS, 7 * FRAME_NS)
    assert expected.camera is CAMERA
    assert se3.rotation_angle(expected.R_before_now.T @ turn(z=4.0)[:3, :3]) < np.radians(0.1)
    for stamp in range(6 * FRAME_NS, 7 * FRAME_NS + 1, FRAME_NS // 6):
        odometry.add_gyro(stamp, [0, 1.0, 0])
    measured = odometry.expectation(6 * FRAME_NS, 7 * FRAME_NS).R_before_now
    assert np.allclose(measured, se3.exp([0, 0, 0, 0, FRAME_NS * 1e-9, 0])[:3, :3], atol=1e-6)


@given(st.sets(st.integers(0, 50), min_size=1), st.lists(st.integers(0, 50), min_size=1, unique=True))
def test_an_image_is_followed_if_all_its_features_were_there(before, now):
    ids = np.array(sorted(before), np.int32)
    tracks, asked = Tracks(ids, 100 + ids), np.array(now, np.int32)
    features = WORLD.seen_from(np.eye(4))
    few = replace(rows_of(features, np.arange(len(asked))), track_ids=asked)
    plain = Frame.make(1, few, CAMERA, 0.01)
    frame = tracks.recognised(plain)
    assert frame.is_followed == set(now).issubset(before)
    if frame.is_followed:
        assert (frame.landmark_ids == 100 + asked).all()
    assert not NO_TRACKS.recognised(plain).is_followed
