# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""S-TREK keypoints with hybrid descriptors: RootSIFT, and a learnt residue of what it lacks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hybrid_features_ros.core.config import FeatureConfig
from hybrid_features_ros.core.types import DescriptorFormat, Features, Float32, UInt8
from hybrid_features_ros.features.detector import Keypoints
from hybrid_features_ros.features.engine import make_networks
from hybrid_features_ros.features.image import to_gray
from hybrid_features_ros.features.patches import oriented_patches
from hybrid_features_ros.features.rootsift import describe_patches
from hybrid_features_ros.features.strek import StrekDetector
from hybrid_features_ros.features.workspace import Workspace

BYTE_SCALE, BYTE_ZERO = 0.005, 128  # of a descriptor's elements as bytes: +-0.64, which they rarely leave


class HybridExtractor:
    """Detect, then describe: the same upright patches serve both halves of the descriptor, and wider ones the
    learnt half.

    With ``config.extractor == "strek"`` the descriptor is the handcrafted half alone.
    """

    def __init__(self, config: FeatureConfig) -> None:
        self.budget, self._grid = config.max_keypoints, config.grid
        self._bytes = config.descriptor_type == "uint8"
        self._workspace = Workspace()
        networks = make_networks(config.extractor, config.engine, config.threads, self._workspace)
        self.detector = StrekDetector(networks.detector, self._workspace)
        self._network = networks.descriptor
        self.provider = networks.provider  # what computes the networks, for people
        self._format = descriptor_format(config, networks.digest)

    @staticmethod
    def from_pretrained(max_keypoints: int = FeatureConfig.max_keypoints) -> HybridExtractor:
        """The extractor with the weights that this package ships."""
        return HybridExtractor(FeatureConfig(extractor="hybrid", max_keypoints=max_keypoints))

    def extract(self, image: NDArray[Any]) -> Features:
        """See :class:`hybrid_features_ros.features.extractor.Extractor`."""
        gray = to_gray(image)
        height, width = gray.shape
        levels, keypoints = self.detector.detect(gray, self.budget, self._grid)
        descriptors = self.describe(levels, keypoints, width, height)
        given = to_bytes(descriptors) if self._bytes else descriptors
        return keypoints.described(given, self._format, width, height)

    def describe(self, levels: Sequence[Float32], keypoints: Keypoints, width: int, height: int) -> Float32:
        """Descriptors (N, D) of keypoints of an image ``width`` x ``height`` [px] with this pyramid."""
        coarser = (0,) if self._network is None else self._network.coarser
        patches = [oriented_patches(levels, keypoints, width, height, self._workspace, c) for c in coarser]
        handcrafted = describe_patches(patches[0], workspace=self._workspace)
        if self._network is None or not len(handcrafted):
            return handcrafted
        return self._network(patches, handcrafted)


def descriptor_format(config: FeatureConfig, digest: str) -> DescriptorFormat:
    """The format of these descriptors, whatever engine computes them."""
    name = "hybrid" if config.extractor == "hybrid" else "rootsift"
    as_bytes = config.descriptor_type == "uint8"
    scale, offset = (BYTE_SCALE, -BYTE_ZERO * BYTE_SCALE) if as_bytes else (1.0, 0.0)
    return DescriptorFormat(
        "s-trek", name, quantisation_scale=scale, quantisation_offset=offset, model_digest=digest
    )


def to_bytes(descriptors: Float32) -> UInt8:
    """Descriptors (N, D) of unit length as uint8: ``descriptor = (byte - BYTE_ZERO) * BYTE_SCALE``."""
    steps = np.rint(descriptors / np.float32(BYTE_SCALE)) + BYTE_ZERO
    return np.asarray(np.clip(steps, 0, 255), dtype=np.uint8)
