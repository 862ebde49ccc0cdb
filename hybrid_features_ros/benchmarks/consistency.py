# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Whether covariances are consistent (NEES): normalised errors over rendered rooms, with the truth exact.

One run is one sample: the errors of a path's poses have most of their causes in common. So the time average
of every run is taken, and the mean of those over the runs compared with the interval that a chi-square
variable of as many runs would keep (Bar-Shalom et al., 2001).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

import numpy as np
from scipy.spatial.transform import Rotation
from scipy.stats import chi2
from tqdm import tqdm

from hybrid_features_ros.core import se3
from hybrid_features_ros.core.camera import Camera
from hybrid_features_ros.core.config import Config, FeatureConfig, with_options
from hybrid_features_ros.core.types import Features, Float64, Trajectory
from hybrid_features_ros.evaluation.metrics import evaluate_trajectory, trajectory_nees
from hybrid_features_ros.evaluation.run import trajectory
from hybrid_features_ros.features import make_extractor
from hybrid_features_ros.features.depth import with_depth
from hybrid_features_ros.features.stereo import StereoDepth
from hybrid_features_ros.odometry import Odometry
from hybrid_features_ros.simulation.render import noisy
from hybrid_features_ros.simulation.scene import Renderer, furnished_room

Mode = Literal["mono", "rgbd", "stereo"]
CAMERA = Camera(320, 240, 262.5, 262.5, 159.5, 119.5)
RATE_HZ = 20.0
BASELINE_M = 0.1
INVERSE_DEPTH_NOISE = 0.003  # of the depth camera [1/m]
BUDGET = 500  # keypoints
EXACT = {  # as rendered
    f"odometry.tracking.{name}": 0.0 for name in ("calibration_error", "common_noise_px", "stamp_error_s")
}
DEGREES_OF_FREEDOM = {"mono": 5, "rgbd": 6, "stereo": 6}  # the scale of mono is given away by the alignment


@dataclass(frozen=True)
class Consistency:
    """Average NEES of one mode over runs, the 95 % interval that it should lie in, and every run's."""

    mean: float
    low: float
    high: float
    runs: tuple[float, ...]


def journey(seed: int, frames: int) -> Trajectory:
    """A smooth random walk through the room with a wandering view [m, rad], 20 poses per second."""
    rng = np.random.default_rng(seed)
    t = np.arange(frames) / RATE_HZ

    def wave(size: float) -> Float64:
        shares = rng.normal(size=3)
        phases = 2 * np.pi * (rng.uniform(0.08, 0.3, (3, 1)) * t + rng.uniform(size=(3, 1)))
        return np.asarray(size * shares / np.linalg.norm(shares) @ np.sin(phases))

    positions = np.stack([wave(1.0), wave(0.4), wave(0.8)], axis=1)
    angles = np.stack([wave(40), wave(15), wave(60)], axis=1)
    poses = np.tile(np.eye(4), (frames, 1, 1))
    poses[:, :3, :3] = Rotation.from_euler("YXZ", angles, degrees=True).as_matrix()
    poses[:, :3, 3] = positions
    return Trajectory(np.arange(1, frames + 1) * round(1e9 / RATE_HZ), poses)


def rendered_features(seed: int, path: Trajectory) -> dict[Mode, list[Features]]:
    """SIFT along a path through a room, the same keypoints with and without either kind of depth."""
    renderer, rng = Renderer(furnished_room(seed), CAMERA), np.random.default_rng(seed)
    extractor = make_extractor(FeatureConfig(extractor="sift", max_keypoints=BUDGET))
    pair = StereoDepth(CAMERA.fx, BASELINE_M)
    result: dict[Mode, list[Features]] = {mode: [] for mode in get_args(Mode)}
    for T in path.poses:
        image, depth = renderer.render(T)
        features = extractor.extract(noisy(image, rng))
        measured = 1 / (1 / depth + rng.normal(size=depth.shape) * INVERSE_DEPTH_NOISE)
        beside = renderer.render(T @ se3.make(np.eye(3), [BASELINE_M, 0, 0]))[0]
        right = extractor.extract(noisy(beside, rng))
        result["mono"].append(features)
        result["rgbd"].append(with_depth(features, measured.astype(np.float32)))
        result["stereo"].append(pair.add(features, right))
    return result


def run_nees(features: Sequence[Features], path: Trajectory, mode: Mode, config: Config) -> float:
    """Time average of the NEES of one run, see :func:`trajectory_nees`.

    The calibration of what is rendered is exact and its shutter does not roll: the odometry is told so.
    """
    odometry = Odometry(with_options(config, EXACT).odometry)
    results = [odometry.process(s, f, CAMERA) for s, f in zip(path.stamps.tolist(), features, strict=True)]
    alignment: Literal["sim3", "se3"] = "sim3" if mode == "mono" else "se3"
    scale = evaluate_trajectory(trajectory(results), path, alignment=alignment).scale
    nees = trajectory_nees(results, path, scale)
    assert nees is not None
    return nees


def consistency(runs: Sequence[float], mode: Mode) -> Consistency:
    """The average over runs, and where that of as many consistent ones lies 95 times in 100."""
    n = len(runs)
    low, high = chi2.ppf([0.025, 0.975], n * DEGREES_OF_FREEDOM[mode]) / n
    return Consistency(float(np.mean(runs)), float(low), float(high), tuple(runs))


def bench_consistency(seeds: Sequence[int], frames: int, config: Config) -> dict[str, Any]:
    """A room and a path for every seed, each in every mode."""
    modes: tuple[Mode, ...] = get_args(Mode)
    runs: dict[Mode, list[float]] = {mode: [] for mode in modes}
    for seed in tqdm(seeds, unit="room", disable=None):
        path = journey(seed, frames)
        for mode, features in rendered_features(seed, path).items():
            runs[mode].append(run_nees(features, path, mode, config))
    return {
        "protocol": {
            "rooms": list(seeds),
            "frames": frames,
            "rate_hz": RATE_HZ,
            "image": [CAMERA.width, CAMERA.height],
            "sensor": "exact: calibration_error, common_noise_px and stamp_error_s are 0",
            "nees": "pose since the first, time average of each run; mono: in the unit of the estimate",
        },
        **{mode: asdict(consistency(runs[mode], mode)) for mode in modes},
    }
