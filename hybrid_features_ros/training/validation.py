# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""How trainings go, on photographs that are not trained on, measured as the benchmarks measure it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch

from hybrid_features_ros.benchmarks.agreement import RADIUS_PX, agreement, distinct_places
from hybrid_features_ros.benchmarks.homography import transfer
from hybrid_features_ros.benchmarks.rotation import photographs
from hybrid_features_ros.core.types import DescriptorFormat, Features, Float32, UInt8
from hybrid_features_ros.features.detector import Heat
from hybrid_features_ros.features.patches import oriented_patches
from hybrid_features_ros.features.rootsift import describe_patches
from hybrid_features_ros.features.strek import StrekDetector
from hybrid_features_ros.matching.descriptors import squared_distances
from hybrid_features_ros.matching.mutual import mutual_nearest
from hybrid_features_ros.training.correspondences import TwoViews, describable
from hybrid_features_ros.training.deep import DeepDetector
from hybrid_features_ros.training.fusion import HybridDescriptor, handcrafted
from hybrid_features_ros.training.network import Detector
from hybrid_features_ros.training.pairs import Pair, Photographs, make_pair
from hybrid_features_ros.training.rendered import RenderedViews
from hybrid_features_ros.training.rewards import Seen, rewards
from hybrid_features_ros.training.scenes import ScenePair

SIDE, KEYPOINTS, PAIRS_PER_PHOTO, SEED = 320, 350, 2, 20260101
PAIRS_PER_SCENE = 8


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
        coarser: levels of the patches, see :func:`.describable`.
    """

    def __init__(self, folder: Path, coarser: Sequence[int]) -> None:
        detector = StrekDetector()
        self._pairs = validation_pairs(folder)
        self._views = [[describable(detector, image, coarser) for image in (p.a, p.b)] for p in self._pairs]

    @torch.no_grad()
    def __call__(self, model: HybridDescriptor) -> dict[str, float]:
        """Mean number of mutual nearest neighbours that are correct, and their share."""
        model.eval()

        def describe(patches: Float32) -> Float32:
            given = torch.from_numpy(handcrafted(model.config, patches))
            return np.asarray(model(torch.from_numpy(patches), given).numpy(), dtype=np.float32)

        correct, shares = [], []
        for pair, views in zip(self._pairs, self._views, strict=True):
            (a, of_a), (b, of_b) = ((k.points.astype(float), describe(patches)) for k, patches in views)
            i, j = mutual_nearest(squared_distances(of_a, of_b), 1.0)
            off = np.linalg.norm(transfer(pair.H_b_a, a[i]) - b[j], axis=1)
            correct.append(int((off <= RADIUS_PX).sum()))
            shares.append(correct[-1] / max(len(i), 1))
        return {"correct": float(np.mean(correct)), "mma3": float(np.mean(shares))}


class ModelNetwork:
    """A detector as PyTorch has it, in the place of an engine's: see :class:`.DetectorNetwork`."""

    def __init__(self, model: Detector | DeepDetector) -> None:
        self._model = model
        self.level_bias = model.level_bias.detach().numpy()

    @torch.no_grad()
    def heat(self, level: Float32, number: int) -> Heat:
        """What the network says of level ``number`` (H, W)."""
        logits, gradient = self._model(torch.from_numpy(level)[None, None])
        bias = self.level_bias[number] if number < len(self.level_bias) else 0.0
        return Heat(logits[0, 0].numpy() + bias, gradient[0].numpy())


class DetectorValidation:
    """How well a detector's best keypoints repeat, and what they would earn: in pairs that stay the same.

    Args:
        folder: of photographs, warped and as papers of rendered scenes.
        side: of rendered views [px].
        scenes: that are rendered.
    """

    def __init__(self, folder: Path, side: int, scenes: int) -> None:
        self._warped = validation_pairs(folder)[::PAIRS_PER_PHOTO]
        self._rendered: list[ScenePair] = []
        if scenes:
            views = RenderedViews.render(Photographs.under(folder), scenes, side, SEED)
            rng = np.random.default_rng(SEED)
            self._rendered = [views.pair(rng) for _ in range(PAIRS_PER_SCENE * scenes)]

    def __call__(self, model: Detector | DeepDetector) -> dict[str, float]:
        """Means over all pairs: ``score``, the reward of the best keypoints (which chooses checkpoints), and
        ``distinct`` correct matches; over warped photographs repeatability and localisation error [px]. With
        scenes ``depth_score`` and ``depth_distinct``, over rendered pairs only.
        """
        detector = StrekDetector(ModelNetwork(model))
        scores, distinct, found = [], [], []
        pairs: list[TwoViews] = [*self._warped, *self._rendered]
        for pair in pairs:
            a, b = (rootsift_features(detector, image) for image in (pair.a, pair.b))
            one, two = (Seen(f.points.astype(float), np.asarray(f.descriptors, np.float32)) for f in (a, b))
            scores.append(float(np.nanmean(np.concatenate(rewards(one, two, pair)))))
            i, j = mutual_nearest(squared_distances(one.descriptors, two.descriptors), 1.0)
            off = np.linalg.norm(pair.transfer(one.points[i]) - two.points[j], axis=1)
            distinct.append(distinct_places(one.points[i][np.nan_to_num(off, nan=np.inf) <= RADIUS_PX]))
            if isinstance(pair, Pair):
                found.append(agreement(a, b, pair.transfer, pair.swapped().transfer))
        means = {"score": np.mean(scores), "distinct": np.mean(distinct)}
        if self._rendered:
            depth = slice(len(self._warped), None)
            means |= {"depth_score": np.mean(scores[depth]), "depth_distinct": np.mean(distinct[depth])}
        means |= {
            "repeatability": np.mean([a.one_to_one for a in found]),
            "repeatability_1px": np.mean([a.repeatability_1px for a in found]),
            "localisation_px": np.nanmean([a.localisation_px for a in found]),
        }
        return {name: float(value) for name, value in means.items()}


def rootsift_features(detector: StrekDetector, image: UInt8) -> Features:
    """As many features of an image (H, W) as its size asks for, with RootSIFT descriptors."""
    height, width = image.shape
    levels, keypoints = detector.detect(image, round(KEYPOINTS / SIDE**2 * image.size))
    descriptors = describe_patches(oriented_patches(levels, keypoints, width, height))
    return keypoints.described(descriptors, DescriptorFormat("s-trek", "rootsift"), width, height)
