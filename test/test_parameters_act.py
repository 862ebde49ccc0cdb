# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A declared parameter acts: it is read between image and odometry, and changes what comes out."""

import ast
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from synthetic import CAMERA, World

from hybrid_features_ros.core import se3
from hybrid_features_ros.core.config import Config, FeatureConfig, OdometryConfig, options, with_options
from hybrid_features_ros.core.motion_prior import MotionPrior
from hybrid_features_ros.features import make_extractor
from hybrid_features_ros.features.depth import with_depth
from hybrid_features_ros.features.stereo import StereoDepth
from hybrid_features_ros.features.tracking import FeatureTracker
from hybrid_features_ros.nodes.budget import KeypointBudget
from hybrid_features_ros.odometry import Odometry

pytestmark = pytest.mark.slow

PACKAGE = Path(__file__).parents[1] / "hybrid_features_ros"
READERS = {
    "autostart": ("nodes",),
    "features": ("features", "nodes"),
    "odometry": ("odometry", "geometry"),
    "frames": ("nodes",),
    "input": ("nodes",),
}


def attributes_read(folders):
    """Names that are read as attributes in the modules of some folders."""
    for folder in folders:
        for path in (PACKAGE / folder).glob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
                    yield node.attr


@pytest.mark.parametrize("section", READERS)
def test_every_parameter_is_read_where_it_should_act(section):
    read = set(attributes_read(READERS[section]))
    names = [o.name for o in options(Config()) if o.name.split(".")[0] == section]
    assert names
    assert not [name for name in names if name.rpartition(".")[2] not in read]


VARIANTS = ("gyroscope", "false matches", "depths", "few new depths", "wheels", "slow", "sparse")


def walk(step=0.01):
    """Poses of a camera that creeps, goes aside, turns, sees nothing, is elsewhere, and goes on."""
    creeping = [se3.make(np.eye(3), [step * i, 0, 0]) for i in range(8 if step == 0.01 else 16)]
    aside = [creeping[-1] @ se3.make(np.eye(3), [6 * step * i, 0, 0]) for i in range(1, 9)]
    turned = [aside[-1] @ se3.exp([0, 0, 0, 0, np.radians(4.0 * i), 0]) for i in range(1, 8)]
    blind = [se3.make(np.eye(3), [0, 0, 100.0])] * 8
    elsewhere = [turned[-1] @ se3.make(np.eye(3), [0.06 * i, 0, 0.02 * i]) for i in range(5, 12)]
    return [*creeping, *aside, *turned, *blind, *elsewhere]


def told(config, variant):
    """Every number that the odometry says on the walk, with a gyroscope or as the variant says."""
    if variant in ("few new depths", "slow"):  # of which the walk's later steps show about five at a time
        config = with_options(config, {"mapping.min_new_depths": 5})
    if variant == "false matches":  # whose new depths are many, as few landmarks are found
        config = with_options(config, {"mapping.min_new_depths": 5, "mapping.min_parallax_deg": 10.0})
    world, odometry, numbers = World.random(count=400 if variant == "sparse" else 900), Odometry(config), []
    poses = walk(0.004 if variant in ("slow", "sparse") else 0.01)
    if variant == "wheels":  # whose scale shows after some keyframes
        poses = [*(se3.make(np.eye(3), [0.05 * i, 0, 0]) for i in range(-30, 0)), *poses]
    for i, T in enumerate(poses):
        stamp = (i + 1) * 50_000_000
        features = world.seen_from(T, noise_px=0.4, seed=i, with_depth=variant == "depths")
        if variant != "depths":
            odometry.add_gyro(stamp - 25_000_000, np.array([0.0, 1.4 if 16 <= i < 23 else 0.02, 0.0]))
        if variant == "false matches":
            rows = np.arange(len(features))
            rows[::4] = np.roll(rows[::4], 1)
            features = replace(features, descriptors=features.descriptors[rows])
        wheels = MotionPrior(se3.inverse(poses[max(i - 1, 0)]) @ T) if variant == "wheels" and i else None
        r = odometry.process(stamp, features, CAMERA, wheels)
        counts = [r.state, r.keyframes, r.landmarks, r.resets, len(r.matches), odometry.readout.seconds]
        numbers += [r.T_world_camera.ravel(), r.covariance.ravel(), counts]
    return np.concatenate(numbers)


@pytest.fixture(scope="module")
def usual():
    return {variant: told(OdometryConfig(), variant) for variant in VARIANTS}


@pytest.mark.parametrize("option", list(options(OdometryConfig())), ids=lambda o: o.name)
def test_every_parameter_of_the_odometry_changes_what_it_says(option, usual):
    extremes = [v for v in (option.high, option.low) if v != option.value]
    for value in extremes:
        config = with_options(OdometryConfig(), {option.name: type(option.value)(value)})
        for variant in VARIANTS:
            if not np.array_equal(told(config, variant), usual[variant], equal_nan=True):
                return
    raise AssertionError(f"{option.name} changes nothing, neither at {' nor at '.join(map(str, extremes))}")


class Own:
    """An extractor of the user's, which takes one argument."""

    def __init__(self, max_keypoints, step=20):
        self.config = max_keypoints, step

    def extract(self, image):
        sift = make_extractor(FeatureConfig(extractor="sift", max_keypoints=self.config[0]))
        return sift.extract(image[:: self.config[1] // 10, :: self.config[1] // 10].copy())


def seen(config, photograph):
    """What the feature node makes of an image with depth and of a pair whose rows are one off, by what, with
    how many threads and keypoints.
    """
    threads = cv2.getNumThreads()
    try:
        extractor = make_extractor(config)
        features = extractor.extract(photograph)
        y, x = np.mgrid[: features.height, : features.width]
        stereo = StereoDepth(300.0, 0.1, rectification_sigma=config.rectification_sigma)
        other = extractor.extract(np.roll(photograph, (1, -8), axis=(0, 1)))
        pair = [stereo.add(features, other) for _ in range(2)][-1]
        features = with_depth(features, 1 + 0.001 * (x + y), config.inverse_depth_sigma)
        budget = KeypointBudget(config.min_keypoints, config.max_keypoints)
        tracked = FeatureTracker(extractor, config.tracking).extract(photograph, 0).track_ids is not None
        used = getattr(extractor, "provider", ""), cv2.getNumThreads(), budget.update(100), tracked
    finally:
        cv2.setNumThreads(threads)
    f = features
    arrays = f.points, f.scores, f.scales, f.descriptors, f.depths, f.depth_sigmas, pair.depths
    return (*used, *(array.tobytes() for array in arrays))


EXTRACTORS = (
    FeatureConfig(extractor="sift", max_keypoints=100),
    FeatureConfig(engine="opencv", max_keypoints=100),
    FeatureConfig(extractor=f"{__name__}:Own"),
)


@pytest.mark.parametrize("option", list(options(FeatureConfig())), ids=lambda o: o.name)
def test_every_parameter_of_the_features_changes_them(option, photograph):
    """With one of the extractors at least: some act on one kind only, as their description says."""
    values = {
        "extractor": ["strek"], "extractor_options": ["{step: 30}"], "engine": ["onnx"], "threads": [3],
        "min_keypoints": [50], "grid": [4],
    }  # fmt: skip
    if option.name == "own_process":
        pytest.skip("the same features, elsewhere: test_process.py")
    if option.name == "engine":
        pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed: pip install onnxruntime")
    extremes = values.get(option.name) or [
        v for v in (option.low, option.high, *(option.choices or ())) if v is not None
    ]
    for config in EXTRACTORS:
        for value in extremes:
            if value == option.value or (option.name == "extractor_options" and ":" not in config.extractor):
                continue
            if option.name == "engine" and config.extractor == "sift":  # has none
                continue
            changed = replace(config, **{option.name: type(option.value)(value)})
            if seen(changed, photograph) != seen(config, photograph):
                return
    raise AssertionError(f"{option.name} changes nothing")
