# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""SIFT keypoints with RootSIFT descriptors."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from hybrid_features_ros.core.config import FeatureConfig
from hybrid_features_ros.core.types import DescriptorFormat, Features, Float32
from hybrid_features_ros.features.image import to_gray

QUARTER_PIXEL = -0.25  # by how much OpenCV before 4.8 is off: it doubles the image from its corner
SIGMA_SHARE = 0.1  # standard deviation of a blob's position over its scale
SIGMA_FLOOR = 0.15  # that of the sub-pixel fit [px]
FORMAT = DescriptorFormat(detector="sift", descriptor="rootsift")


class SiftExtractor:
    """Lowe, "Distinctive image features from scale-invariant keypoints" (2004), computed by OpenCV.

    Descriptors are mapped to RootSIFT (Arandjelovic and Zisserman, "Three things everyone should know
    to improve object retrieval", 2012): L1-normalised, then the square root of every element.
    """

    def __init__(self, config: FeatureConfig) -> None:
        self._budget = config.max_keypoints
        options = {
            "nfeatures": config.max_keypoints,
            "contrastThreshold": config.contrast_threshold,
            "edgeThreshold": config.edge_threshold,
        }
        try:
            self._sift = cv2.SIFT_create(**options, enable_precise_upscale=True)
            self._offset = 0.0
        except cv2.error:  # OpenCV before 4.8
            self._sift = cv2.SIFT_create(**options)
            self._offset = QUARTER_PIXEL

    def extract(self, image: NDArray[Any]) -> Features:
        """See :class:`hybrid_features_ros.features.extractor.Extractor`."""
        gray = to_gray(image)
        keypoints, raw = self._sift.detectAndCompute(gray, None)
        columns = np.array(
            [(*k.pt, k.response, k.size / 2, k.angle) for k in keypoints], dtype=np.float32
        ).reshape(-1, 5)
        descriptors = np.zeros((0, 128), np.float32) if raw is None else root_sift(raw)
        best = np.argsort(-columns[:, 2], kind="stable")[: self._budget]
        points, scores, scales, angles = np.split(columns[best], [2, 3, 4], axis=1)
        return Features(
            points=points + np.float32(self._offset),
            scores=scores.ravel(),
            scales=scales.ravel(),
            angles=np.radians(angles.ravel()),
            sigmas=localisation_sigma(scales.ravel()),
            descriptors=descriptors[best],
            format=FORMAT,
            width=gray.shape[1],
            height=gray.shape[0],
        )


def root_sift(descriptors: NDArray[Any]) -> Float32:
    """RootSIFT (N, 128) float32 of unit L2 norm from SIFT descriptors (N, 128)."""
    histogram = np.asarray(descriptors, dtype=np.float32)
    total = np.maximum(histogram.sum(axis=1, keepdims=True), np.float32(1e-7))
    return np.asarray(np.sqrt(histogram / total), dtype=np.float32)


def localisation_sigma(scales: Float32) -> Float32:
    """Standard deviation (N,) float32 of a SIFT keypoint's position per axis [px], from its scale [px].

    A blob's position is known to a share of its size; the floor is the error of the sub-pixel fit.
    """
    return np.asarray(np.hypot(np.float32(SIGMA_FLOOR), np.float32(SIGMA_SHARE) * scales), dtype=np.float32)
