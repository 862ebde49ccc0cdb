# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The moving picture of a run: as many frames as asked for, with tracks, and a path that grows."""

import numpy as np
from synthetic import CAMERA, World

from hybrid_features_ros.core import se3
from hybrid_features_ros.core.config import Config
from hybrid_features_ros.evaluation.run import Step
from hybrid_features_ros.io.source import Frame
from hybrid_features_ros.odometry import Odometry
from hybrid_features_ros.visualization.animation import TrackFilm

COUNT = 8


def film_of_a_walk(references=None):
    world, odometry, film = World.random(), Odometry(Config().odometry), TrackFilm()
    image = np.full((CAMERA.height, CAMERA.width), 90, np.uint8)
    for i in range(COUNT):
        T = se3.exp([0.05 * i, 0, 0, 0, 0, 0.1 * i])
        stamp, features = 10**9 + 50_000_000 * i, world.seen_from(T)
        result = odometry.process(stamp, features, CAMERA)
        film.see(Step(Frame(stamp, image), features, result, 1.0))
        if references is not None:
            references.append(result.reference_stamp)
    return film


def greens(picture):
    r, g, b = picture.astype(int).transpose(2, 0, 1)
    return int(((g > r + 40) & (g > b + 20)).sum())


def test_tracks_are_drawn_from_the_second_frame_on():
    pictures = [m.picture for m in film_of_a_walk().moments]
    assert greens(pictures[0]) == 0
    assert greens(pictures[-1]) > greens(pictures[1]) > 100, "tracks grow longer"


def test_tracks_go_on_when_another_keyframe_becomes_the_reference():
    references = []
    pictures = [m.picture for m in film_of_a_walk(references).moments]
    changed = [i for i in range(2, COUNT) if references[i] != references[i - 1]]
    assert changed, "the walk has more than one reference"
    assert all(greens(pictures[i]) > 1.2 * greens(pictures[1]) for i in changed)


def test_every_other_frame_is_drawn_and_time_goes_on():
    film = film_of_a_walk()
    frames = [frame.copy() for frame in film.frames(2)]
    assert len(frames) == (COUNT + 1) // 2
    assert all(f.shape == frames[0].shape and f.dtype == np.uint8 for f in frames)
    below = [f[-60:] for f in frames]
    assert (below[0] != below[-1]).any(), "the cursor moves"


def test_the_truth_is_drawn_where_it_is_known():
    film = film_of_a_walk()
    positions = np.array([[0.1 * i, 0.05, 0.0] for i in range(COUNT)])
    assert (next(film.frames()) != next(film.frames(truth=positions))).any()
