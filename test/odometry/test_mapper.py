# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A back end and a keyframe rule from outside take the place of the package's own."""

from dataclasses import replace

import numpy as np
from synthetic import CAMERA, World

from hybrid_features_ros.core import se3
from hybrid_features_ros.core.config import OdometryConfig
from hybrid_features_ros.odometry import Odometry
from hybrid_features_ros.odometry.keyframes import need_new_keyframe
from hybrid_features_ros.odometry.mapper import Mapper
from hybrid_features_ros.odometry.window import adjust_window

CONFIG = OdometryConfig()


def walk(mapper, frames=14):
    world, odometry = World.random(), Odometry(CONFIG, mapper)
    return [
        odometry.process(
            50_000_000 * (i + 1), world.seen_from(se3.exp([0.04 * i, 0, 0, 0, 0, 0]), with_depth=True), CAMERA
        )
        for i in range(frames)
    ]


def test_every_image_becomes_a_keyframe_by_a_rule_that_says_so():
    def always(tracked, local_map, max_inliers, config):
        assert tracked.inliers.sum() <= max_inliers
        assert config is CONFIG.mapping
        return True

    results = walk(Mapper(CONFIG.mapping, needs_keyframe=always))
    assert all(r.is_keyframe for r in results)
    assert results[-1].keyframes == len(results)


def test_never_a_keyframe_by_a_rule_that_says_so():
    results = walk(Mapper(CONFIG.mapping, needs_keyframe=lambda *_: False))
    assert [r.is_keyframe for r in results] == [True] + [False] * (len(results) - 1)


def test_the_package_own_rule_is_the_default():
    explicit = walk(Mapper(CONFIG.mapping, needs_keyframe=need_new_keyframe))
    assert [r.is_keyframe for r in explicit] == [r.is_keyframe for r in walk(None)]


def test_a_back_end_gets_windows_and_its_solution_is_applied():
    windows = []

    def shifted(window, config):
        windows.append(window)
        solution = adjust_window(window, config)
        poses = solution.poses.copy()
        poses[window.problem.free, 1, 3] += 0.01  # a centimetre along y, to be recognised
        return replace(solution, poses=poses)

    mapper = Mapper(CONFIG.mapping, adjust=shifted, needs_keyframe=lambda *_: True)
    walk(mapper)
    assert len(windows) > 3
    assert all(w.problem.free.any() and not w.problem.free.all() for w in windows)
    heights = np.array([k.T[1, 3] for k in mapper.local_map.keyframes])
    assert heights.max() > 0.005, "the estimate follows the back end"
