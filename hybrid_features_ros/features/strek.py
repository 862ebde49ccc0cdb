"""The S-TREK detector as it is used: keypoints that stay where they are however the camera turns."""

from __future__ import annotations

import cv2
import numpy as np

from hybrid_features_ros.core.types import Float32, UInt8
from hybrid_features_ros.features.detector import Heat, Keypoints, select
from hybrid_features_ros.features.engine import Engine, read_weights
from hybrid_features_ros.features.pyramid import pyramid

COARSER = 3  # levels beyond those with keypoints that lend their gradients to orientations


class StrekDetector:
    """The network of :mod:`hybrid_features_ros.training.network`, run by ONNX Runtime.

    Args:
        threads: of the network, 0 = all cores.
    """

    def __init__(self, threads: int = 0) -> None:
        self.engine = Engine(read_weights("strek.onnx"), threads)
        self._bias = np.array(self.engine.config["level_bias"], np.float32)
        self._margin = int(self.engine.config["margin"])

    def detect(self, gray: UInt8, budget: int, grid: int = 0) -> tuple[list[Float32], Keypoints]:
        """The pyramid of an image (H, W) and its best keypoints, at most ``budget``; see :func:`.select`."""
        levels = pyramid(gray, len(self._bias) + COARSER)
        heats = [self.heat(level, i) for i, level in enumerate(levels)]
        height, width = gray.shape
        return levels, select(heats, len(self._bias), width, height, budget, grid)

    def heat(self, level: Float32, number: int) -> Heat:
        """What the network says of level ``number`` (H, W) of a pyramid."""
        padded = cv2.copyMakeBorder(level, *(self._margin,) * 4, cv2.BORDER_REFLECT_101)
        logits, gradient = self.engine(padded[None, None])
        bias = self._bias[number] if number < len(self._bias) else np.float32(0)
        return Heat(logits[0, 0] + bias, gradient[0])
