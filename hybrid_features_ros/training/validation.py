# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Repeatability on photographs that are not trained on, measured as the benchmarks measure it."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import torch

from hybrid_features_ros.benchmarks.agreement import RADIUS_PX, agreement
from hybrid_features_ros.benchmarks.homography import transfer
from hybrid_features_ros.benchmarks.rotation import photographs
from hybrid_features_ros.core.types import DescriptorFormat, Features, Float32, UInt8
from hybrid_features_ros.features.detector import Heat, HeatPyramid, select
from hybrid_features_ros.features.pyramid import pyramid
from hybrid_features_ros.features.strek import StrekDetector
from hybrid_features_ros.matching.descriptors import squared_distances
from hybrid_features_ros.matching.mutual import mutual_nearest
from hybrid_features_ros.training.correspondences import describable
from hybrid_features_ros.training.fusion import HybridDescriptor, handcrafted
from hybrid_features_ros.training.network import Detector
from hybrid_features_ros.training.pairs import Pair, make_pair

SIDE, KEYPOINTS, PAIRS_PER_PHOTO, SEED = 320, 350, 2, 20260101


def validation_pairs(folder: Path) -> list[Pair]:
    """Pairs of views of every photograph in a folder, always the same ones."""
    pairs = []
    for number, path in enumerate(photographs(folder)):
        photo = np.asarray(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE), dtype=np.uint8)
        rng = np.random.default_rng([SEED, number])
        pairs += [make_pair(photo, SIDE, rng) for _ in range(PAIRS_PER_PHOTO)]
    return pairs


class MatchingValidation:
    """Correct matches of descriptors at the finished detector's keypoints, always the same ones.

    Args:
        folder: of photographs.
    """

    def __init__(self, folder: Path) -> None:
        detector = StrekDetector()
        self._pairs = validation_pairs(folder)
        self._views = [[describable(detector, image) for image in (p.a, p.b)] for p in self._pairs]

    @torch.no_grad()
    def __call__(self, model: HybridDescriptor) -> dict[str, float]:
        """Mean number of mutual nearest neighbours that are correct, and their share."""
        model.eval()

        def describe(patches: Float32) -> Float32:
            given = torch.from_numpy(handcrafted(model.config, patches))
            return np.asarray(model(torch.from_numpy(patches[:, None]), given).numpy(), dtype=np.float32)

        correct, shares = [], []
        for pair, views in zip(self._pairs, self._views, strict=True):
            (a, of_a), (b, of_b) = ((k.points.astype(float), describe(patches)) for k, patches in views)
            i, j = mutual_nearest(squared_distances(of_a, of_b), 1.0)
            off = np.linalg.norm(transfer(pair.H_b_a, a[i]) - b[j], axis=1)
            correct.append(int((off <= RADIUS_PX).sum()))
            shares.append(correct[-1] / max(len(i), 1))
        return {"correct": float(np.mean(correct)), "mma3": float(np.mean(shares))}


@torch.no_grad()
def validate(model: Detector, folder: Path) -> dict[str, float]:
    """Mean repeatability and localisation error [px] of the detector's best keypoints."""
    found = []
    for pair in validation_pairs(folder):
        a, b = (detect(model, image) for image in (pair.a, pair.b))
        H, back = pair.H_b_a, np.asarray(np.linalg.inv(pair.H_b_a), dtype=np.float64)
        found.append(agreement(a, b, lambda p, H=H: transfer(H, p), lambda p, H=back: transfer(H, p)))  # type: ignore[misc]
    return {
        "repeatability": float(np.mean([a.one_to_one for a in found])),
        "localisation_px": float(np.nanmean([a.localisation_px for a in found])),
    }


def detect(model: Detector, image: UInt8, budget: int = KEYPOINTS) -> Features:
    """Keypoints of the network as it stands in an image (H, W), with an empty descriptor."""
    height, width = image.shape
    heats = []
    for i, level in enumerate(pyramid(image, model.config.levels)):
        logits, gradient = model(torch.from_numpy(level)[None, None])
        heat = (logits[0, 0] + model.level_bias[i]).numpy()
        heats.append(Heat(heat, gradient[0].numpy()))
    keypoints = select(HeatPyramid(heats, len(heats), width, height), budget)
    nothing = np.zeros((len(keypoints.points), 1), np.float32)
    return keypoints.described(nothing, DescriptorFormat("s-trek", "none"), width, height)
