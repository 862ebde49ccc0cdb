# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A detector in training as an extractor: to measure it before it is exported, or instead of exporting it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.core.types import DescriptorFormat, Features
from hybrid_features_ros.features.hybrid import HybridExtractor
from hybrid_features_ros.features.image import to_gray
from hybrid_features_ros.features.strek import StrekDetector
from hybrid_features_ros.features.weights import Weights
from hybrid_features_ros.training.deep import DeepDetector
from hybrid_features_ros.training.export import load
from hybrid_features_ros.training.network import Detector
from hybrid_features_ros.training.validation import ModelNetwork


class CheckpointExtractor:
    """Keypoints of a checkpoint's detector, shallow or deep, with the shipped hybrid descriptor.

    Args:
        max_keypoints: of an image.
        checkpoint: file that ``hybrid-features train detector`` has written.

    Raises:
        InputError: the file is missing, or holds no detector.
    """

    def __init__(self, max_keypoints: int, checkpoint: str) -> None:
        model = load(Path(checkpoint))
        if not isinstance(model, Detector | DeepDetector):
            raise InputError(f"{checkpoint}: holds a descriptor, not a detector")
        self.budget = max_keypoints
        self._detector = StrekDetector(ModelNetwork(model))
        self._descriptor = HybridExtractor.from_pretrained(max_keypoints)
        weights = Weights({name: tensor.numpy() for name, tensor in model.state_dict().items()}, {})
        self._format = DescriptorFormat("s-trek", "hybrid", model_digest=weights.digest)

    def extract(self, image: NDArray[Any]) -> Features:
        """See :class:`hybrid_features_ros.features.extractor.Extractor`."""
        gray = to_gray(image)
        height, width = gray.shape
        levels, keypoints = self._detector.detect(gray, self.budget)
        descriptors = self._descriptor.describe(levels, keypoints, width, height)
        return keypoints.described(descriptors, self._format, width, height)
