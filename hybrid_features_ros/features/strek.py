# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The S-TREK detector as it is used: keypoints that stay where they are however the camera turns."""

from __future__ import annotations

from hybrid_features_ros.core.types import Float32, UInt8
from hybrid_features_ros.features.detector import HeatPyramid, Keypoints, select
from hybrid_features_ros.features.engine import DetectorNetwork, make_networks
from hybrid_features_ros.features.pyramid import pyramid
from hybrid_features_ros.features.workspace import Workspace

COARSER = 3  # levels beyond those with keypoints that lend their gradients to orientations


class StrekDetector:
    """The network of :mod:`hybrid_features_ros.training.network` on the levels of a pyramid.

    Args:
        network: that computes heatmaps; None: the shipped one, computed by OpenCV.
        workspace: of the pyramid and of what is computed on the way.
    """

    def __init__(self, network: DetectorNetwork | None = None, workspace: Workspace | None = None) -> None:
        self._workspace = workspace or Workspace()
        self.network = network or make_networks("strek", "opencv", 1, self._workspace).detector

    def detect(self, gray: UInt8, budget: int, grid: int = 0) -> tuple[list[Float32], Keypoints]:
        """The pyramid of an image (H, W) and its best keypoints, at most ``budget``; see :func:`.select`.

        The pyramid is valid until the next image.
        """
        n = len(self.network.level_bias)
        levels = pyramid(gray, n + COARSER, self._workspace)
        heats = [self.network.heat(level, i) for i, level in enumerate(levels)]
        height, width = gray.shape
        return levels, select(HeatPyramid(heats, n, width, height), budget, grid, self._workspace)
