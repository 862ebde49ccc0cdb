# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The start of a map by one camera alone: a hypothesis that later images revise."""

from dataclasses import replace

import numpy as np
import pytest
from synthetic import CAMERA, World

from hybrid_features_ros.core import se3
from hybrid_features_ros.core.config import OdometryConfig, with_options
from hybrid_features_ros.core.types import MotionModel
from hybrid_features_ros.geometry.model_selection import estimate_motion
from hybrid_features_ros.geometry.ray_pairs import RayPairs
from hybrid_features_ros.odometry.frame import Frame
from hybrid_features_ros.odometry.initializer import (
    INITIALIZATION,
    MapStart,
    parallax_since,
    parallax_snr,
    revise_start,
    track_two_view,
)
from hybrid_features_ros.odometry.local_map import MapMatches, map_of
from hybrid_features_ros.odometry.mapper import Mapper
from hybrid_features_ros.odometry.motion_model import ConstantVelocityModel, Gyro
from hybrid_features_ros.odometry.pose_optimizer import PosePrior, evaluate_pose
from hybrid_features_ros.odometry.tracking_result import TrackingResult

CONFIG = OdometryConfig()
TRUE = se3.exp([0.3, 0.05, 0.1, 0.02, 0.05, 0.1])
BENT = se3.exp([-0.1, 0.3, 0.0, 0.03, 0.09, 0.1])  # another translation, and a turn that makes up for it
DEPTH = 0.2
INTERVAL = 50_000_000  # of the images [ns]


@pytest.fixture(scope="module")
def images():
    world = World.random()
    return [
        Frame.make(stamp * INTERVAL, world.seen_from(T), CAMERA, 0.01, stamp - 1)
        for stamp, T in ((1, np.eye(4)), (2, TRUE))
    ]


def placed(images, T, model=MotionModel.PNP):
    """The second image at a pose, in a map that begins with the first."""
    local_map = map_of(images[0], np.eye(4), np.zeros((6, 6)), DEPTH, 0)
    squared = 2 - 2 * images[0].descriptors @ images[1].descriptors.T
    rows = np.flatnonzero(squared.min(axis=1) < 0.5)
    matches = MapMatches(local_map, images[1], rows, squared.argmin(axis=1)[rows])
    fit = evaluate_pose(matches.observations, T)
    return TrackingResult.make(model, matches, fit, np.ones(len(rows), np.bool_))


def test_a_bent_start_is_contradicted_and_a_sound_one_is_not(images):
    sound, bent = placed(images, TRUE), placed(images, BENT)
    assert revise_start(sound.matches.local_map, sound, CONFIG, CAMERA, DEPTH) is None
    revised = revise_start(bent.matches.local_map, bent, CONFIG, CAMERA, DEPTH)
    assert revised is not None and revised.model is MotionModel.ESSENTIAL
    error = se3.inverse(TRUE) @ revised.fit.T
    assert np.degrees(se3.rotation_angle(error[:3, :3])) < 0.3
    t, u = revised.fit.T[:3, 3], TRUE[:3, 3]
    assert t @ u > 0.995 * np.linalg.norm(t) * np.linalg.norm(u)


def test_a_camera_that_only_turned_contradicts_nothing(images):
    world, turned = World.random(), se3.exp([0, 0, 0, 0.02, 0.1, 0.2])
    pair = [images[0], Frame.make(2, world.seen_from(turned), CAMERA, 0.01, 1)]
    tracked = placed(pair, turned)
    assert revise_start(tracked.matches.local_map, tracked, CONFIG, CAMERA, DEPTH) is None


def test_views_that_hardly_match_contradict_nothing(images):
    """Of few matches most are wrong, and so is the motion that fits them."""
    tracked = placed(images, BENT)
    shuffled = images[1].descriptors.copy()
    wrong = np.arange(len(shuffled)) % 3 > 0
    shuffled[wrong] = np.random.default_rng(0).permutation(shuffled[wrong])
    mixed = replace(tracked, matches=replace(tracked.matches, frame=replace(images[1], descriptors=shuffled)))
    assert revise_start(mixed.matches.local_map, mixed, CONFIG, CAMERA, DEPTH) is None


def test_parallax_is_that_since_the_keyframe(images):
    tracked = placed(images, TRUE)
    parallax = parallax_since(tracked.matches.local_map.last_keyframe, tracked)
    assert parallax is not None and 2 < np.degrees(parallax) < 8
    few = replace(tracked, inliers=np.arange(len(tracked.inliers)) < INITIALIZATION.min_common - 1)
    assert parallax_since(tracked.matches.local_map.last_keyframe, few) is None


def test_the_mapper_begins_a_bent_map_anew_once(images):
    mapper, tracked = Mapper(CONFIG.mapping), placed(images, BENT)
    mapper.local_map = tracked.matches.local_map
    assert mapper.revise_start(tracked, CONFIG, CAMERA, DEPTH) is None, "nothing was begun by two views"
    mapper.start = MapStart(0, np.radians(0.3))
    revised = mapper.revise_start(tracked, CONFIG, CAMERA, DEPTH)
    assert revised is not None and len(mapper.local_map.keyframes) == 1
    assert mapper.local_map.last_keyframe.number == 0
    assert mapper.start.parallax > INITIALIZATION.first_revision
    assert mapper.revise_start(tracked, CONFIG, CAMERA, DEPTH) is None, "parallax has to double first"


def test_the_position_is_held_until_a_translation_stands_out(images):
    """The covariance of the held position contains the translation that two views show."""
    matches = placed(images, TRUE).matches
    prior = PosePrior(np.eye(4), np.zeros(3))
    begun = track_two_view(matches, prior, CONFIG, CAMERA, DEPTH)
    assert begun is not None and not begun.position_held
    rolling = with_options(CONFIG, {"tracking.stamp_error_s": 1.0})
    held = track_two_view(matches, prior, rolling, CAMERA, DEPTH)
    assert held is not None and held.position_held and not held.fit.T[:3, 3].any()
    t, u = held.fit.T[:3, :3] @ held.held_offset[:3], TRUE[:3, 3]
    assert t @ u > 0.99 * np.linalg.norm(t) * np.linalg.norm(u)


def test_a_translation_to_be_confirmed_is_published_and_moves_nothing_else(images):
    matches = placed(images, TRUE).matches
    held = track_two_view(matches, PosePrior(np.eye(4), np.zeros(3)), CONFIG, CAMERA, DEPTH)
    assert held is not None
    offset = np.array([0.1, 0, 0, 0, 0, 0])
    clear = replace(held, position_held=True, held_offset=offset, offset_is_clear=True)
    motion = ConstantVelocityModel(CONFIG.tracking, np.eye(4), Gyro(CONFIG.gyro))
    motion.start(0)
    motion.update(INTERVAL, clear)
    assert np.array_equal(motion.pose, clear.fit.T)
    assert np.allclose(motion.published_pose, clear.fit.T @ se3.exp(offset))
    motion.update(2 * INTERVAL, clear)
    assert np.allclose(motion.velocity, 0), "it stays where it was published"
    motion.update(3 * INTERVAL, replace(clear, offset_is_clear=False))
    assert np.array_equal(motion.published_pose, motion.pose)


def test_parallax_counts_against_what_is_known_of_the_rotation(images):
    """A narrow view, or a rolling shutter that turns, leaves the rotation open: parallax proves less."""
    matches = placed(images, TRUE).matches
    a, b, rows = images[0], images[1], matches.landmark_idx
    pairs = RayPairs(a.rays[rows], b.rays[matches.feature_idx], np.full(len(rows), 1e-3))
    narrow = pairs[pairs.rays_a[:, 2] > np.cos(np.radians(12))]
    some = pairs[:: len(pairs) // len(narrow)]
    tracking = CONFIG.tracking
    wide, close = (estimate_motion(p, 5e-3, CONFIG.two_view, 0) for p in (some, narrow))
    assert len(some) < 1.3 * len(narrow) and close.parallax > 0.5 * wide.parallax
    assert parallax_snr(wide, 0.05, tracking) > 1.3 * parallax_snr(close, 0.05, tracking)
    exact = with_options(tracking, {"stamp_error_s": 0.0})
    assert parallax_snr(wide, 0.05, exact) > parallax_snr(wide, 0.05, tracking)
    assert parallax_snr(wide, 0.5, tracking) > parallax_snr(wide, 0.05, tracking), "a slower turn"


def test_the_error_of_a_start_shrinks_with_its_parallax():
    early, late = MapStart(0, np.radians(0.5)), MapStart(0, np.radians(20))
    assert early.is_open and not late.is_open
    assert early.relative_error(CAMERA, 0.4) == pytest.approx(40 * late.relative_error(CAMERA, 0.4))
    assert early.relative_error(CAMERA, 0.0) == 0
