"""The one call that turns an image into features, whatever computes them."""

from __future__ import annotations

from typing import Any, Protocol

import cv2
from numpy.typing import NDArray

from hybrid_features_ros.core.config import FeatureConfig
from hybrid_features_ros.core.types import Features
from hybrid_features_ros.features.sift import SiftExtractor


class Extractor(Protocol):
    """What every local feature offers."""

    def extract(self, image: NDArray[Any]) -> Features:
        """Find and describe keypoints.

        Args:
            image: (H, W) or (H, W, 3) uint8, grey or BGR.

        Returns:
            At most ``max_keypoints`` features, best first; none for an image without texture.

        Raises:
            InputError: the image is empty or of another shape or type.
        """
        ...


def make_extractor(config: FeatureConfig) -> Extractor:
    """The extractor that ``config.extractor`` names."""
    if config.threads:
        cv2.setNumThreads(config.threads)
    if config.extractor == "sift":
        return SiftExtractor(config)
    from hybrid_features_ros.features.hybrid import HybridExtractor

    return HybridExtractor(config)
