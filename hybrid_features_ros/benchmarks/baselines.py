# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The handcrafted features that everybody has, as they come from OpenCV: what ours is measured against."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from hybrid_features_ros.benchmarks import YARDSTICKS
from hybrid_features_ros.core.config import FeatureConfig
from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.core.types import DescriptorFormat, Features, Metric
from hybrid_features_ros.features.image import to_gray
from hybrid_features_ros.features.sift import SiftExtractor


class OpenCvExtractor:
    """A detector of OpenCV with its own descriptor; no orientation is invented where it has none."""

    def __init__(self, name: str, detector: Any, metric: Metric, budget: int) -> None:
        self._format = DescriptorFormat(detector=name, descriptor=name, metric=metric)
        self._detector = detector
        self._budget = budget

    def extract(self, image: NDArray[Any]) -> Features:
        """See :class:`hybrid_features_ros.features.extractor.Extractor`."""
        gray = to_gray(image)
        keypoints, raw = self._detector.detectAndCompute(gray, None)
        columns = np.array(
            [(*k.pt, k.response, k.size / 2, k.angle) for k in keypoints], dtype=np.float32
        ).reshape(-1, 5)
        dtype: type[Any] = np.uint8 if self._format.metric is Metric.HAMMING else np.float32
        descriptors = np.zeros((0, self._detector.descriptorSize()), dtype) if raw is None else raw
        best = np.argsort(-columns[:, 2], kind="stable")[: self._budget]
        points, scores, scales, angles = np.split(columns[best], [2, 3, 4], axis=1)
        chosen: Any = np.ascontiguousarray(descriptors[best], dtype=dtype)
        return Features(
            points=points,
            scores=scores.ravel(),
            scales=scales.ravel(),
            angles=np.radians(angles.ravel()),
            sigmas=np.ones(len(best), np.float32),
            descriptors=chosen,
            format=self._format,
            width=gray.shape[1],
            height=gray.shape[0],
        )


def yardstick(name: str, budget: int) -> OpenCvExtractor | SiftExtractor:
    """One of :data:`~hybrid_features_ros.benchmarks.YARDSTICKS` with at most ``budget`` keypoints.

    ``sift`` is OpenCV's default, ``sift_precise`` doubles the image without its quarter-pixel shift
    (and is RootSIFT, this package's ``extractor: sift``); ``akaze`` has the threshold 1e-4, so that it
    fills the budget.

    Raises:
        InputError: this OpenCV lacks it.
    """
    if name == "sift_precise":
        return SiftExtractor(FeatureConfig(max_keypoints=budget, contrast_threshold=0.04))
    if name == "sift":
        return OpenCvExtractor(name, cv2.SIFT_create(nfeatures=budget), Metric.L2, budget)
    if name == "orb":
        return OpenCvExtractor(name, cv2.ORB_create(nfeatures=budget), Metric.HAMMING, budget)
    make = getattr(cv2, "AKAZE_create", None) or getattr(
        getattr(cv2, "xfeatures2d", None), "AKAZE_create", None
    )
    if name != "akaze" or make is None:
        raise InputError(
            f"yardstick {name!r}: choose from {', '.join(YARDSTICKS)}; OpenCV {cv2.__version__} has AKAZE in "
            "opencv-contrib-python-headless"
        )
    return OpenCvExtractor(name, make(threshold=1e-4), Metric.HAMMING, budget)
