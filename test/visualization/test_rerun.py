# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A recording for Rerun holds what was seen, and is made without a window."""

import subprocess
import sys

import numpy as np
import pytest
from synthetic import CAMERA, World

from hybrid_features_ros.core import se3
from hybrid_features_ros.core.config import Config
from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.core.types import Trajectory
from hybrid_features_ros.evaluation.run import Step
from hybrid_features_ros.io.source import Frame
from hybrid_features_ros.odometry import Odometry
from hybrid_features_ros.visualization.rerun import RerunView

rerun = pytest.importorskip("rerun", reason="rerun-sdk is not installed: pip install .[rerun]")


def test_everything_is_in_the_recording(tmp_path):
    world, odometry = World.random(), Odometry(Config().odometry)
    poses = np.array([se3.exp([0.05 * i, 0, 0, 0, 0, 0.1 * i]) for i in range(3)])
    stamps = 10**9 + 50_000_000 * np.arange(3)
    view = RerunView(tmp_path / "run.rrd", "run", CAMERA, Trajectory(stamps, poses))
    image = np.zeros((CAMERA.height, CAMERA.width), np.uint8)
    for stamp, T in zip(stamps.tolist(), poses, strict=True):
        features = world.seen_from(T)
        view.see(Step(Frame(stamp, image), features, odometry.process(stamp, features, CAMERA), 1.0))
    view.close()
    check = [sys.executable, "-m", "rerun", "rrd", "verify", str(tmp_path / "run.rrd")]
    assert subprocess.run(check, timeout=60, check=False, capture_output=True).returncode == 0
    data = (tmp_path / "run.rrd").read_bytes()
    for entity in ("world/camera/image/features", "world/camera/image/matches", "world/path", "world/truth",
                   "world/uncertainty", "milliseconds/extract", "counts/inliers"):  # fmt: skip
        assert entity.encode() in data, entity


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match="no such folder"):
        RerunView(tmp_path / "none" / "run.rrd", "run", CAMERA, None)
