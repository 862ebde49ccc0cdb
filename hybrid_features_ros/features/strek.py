"""S-TREK keypoints with RootSIFT descriptors: the same ones whichever way the camera is turned."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from hybrid_features_ros.config import FeatureConfig
from hybrid_features_ros.features.detector import SCALE, Heat, Keypoints, select
from hybrid_features_ros.features.engine import Engine, read_weights
from hybrid_features_ros.features.image import to_gray
from hybrid_features_ros.features.patches import oriented_patches
from hybrid_features_ros.features.pyramid import pyramid
from hybrid_features_ros.features.rootsift import CELL_SIGMAS, describe_patches
from hybrid_features_ros.types import DescriptorFormat, Features, Float32, UInt8

COARSER = 3  # levels beyond those with keypoints that lend their gradients to orientations
SIDE, SPACING = 20, 1.7  # of a patch [samples], between two samples [px of the keypoint's level]


class StrekExtractor:
    """The trained detector of :mod:`hybrid_features_ros.training.network`, run by ONNX Runtime."""

    def __init__(self, config: FeatureConfig) -> None:
        self._budget = config.max_keypoints
        self._engine = Engine(read_weights("strek.onnx"), config.threads)
        self._bias = np.array(self._engine.config["level_bias"], np.float32)
        self._margin = int(self._engine.config["margin"])
        self._format = DescriptorFormat("s-trek", "rootsift", model_digest=self._engine.digest)

    @property
    def provider(self) -> str:
        """The execution provider that runs the network."""
        return self._engine.provider

    def extract(self, image: NDArray[Any]) -> Features:
        """See :class:`hybrid_features_ros.features.extractor.Extractor`."""
        gray = to_gray(image)
        height, width = gray.shape
        levels, keypoints = self._detect(gray)
        patches = oriented_patches(levels, keypoints, width, height, SIDE, SPACING)
        return Features(
            points=keypoints.points,
            scores=keypoints.scores,
            scales=keypoints.scales,
            angles=keypoints.angles,
            sigmas=keypoints.sigmas,
            descriptors=describe_patches(patches, CELL_SIGMAS * SCALE / SPACING),
            format=self._format,
            width=width,
            height=height,
        )

    def detect(self, image: NDArray[Any]) -> Keypoints:
        """Keypoints without descriptors of an image (H, W) or (H, W, 3).

        Raises:
            InputError: the image is empty or of another shape or type.
        """
        return self._detect(to_gray(image))[1]

    def _detect(self, gray: UInt8) -> tuple[list[Float32], Keypoints]:
        levels = pyramid(gray, len(self._bias) + COARSER)
        heats = [self._heat(level, i) for i, level in enumerate(levels)]
        height, width = gray.shape
        return levels, select(heats, len(self._bias), width, height, self._budget)

    def _heat(self, level: Float32, number: int) -> Heat:
        padded = cv2.copyMakeBorder(level, *(self._margin,) * 4, cv2.BORDER_REFLECT_101)
        logits, gradient = self._engine(padded[None, None])
        bias = self._bias[number] if number < len(self._bias) else np.float32(0)
        return Heat(logits[0, 0] + bias, gradient[0])
