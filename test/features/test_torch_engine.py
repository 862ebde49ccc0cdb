# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The PyTorch module computes what the CPU path computes; here on the CPU."""

import cv2
import numpy as np
import pytest

torch = pytest.importorskip(
    "torch", reason="torch is not installed: pip install 'hybrid_features_ros[train]'"
)

from hybrid_features_ros.core.config import FeatureConfig
from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.features import engine, make_extractor
from hybrid_features_ros.features.hybrid import HybridExtractor
from hybrid_features_ros.features.patches import oriented_patches
from hybrid_features_ros.features.pyramid import pyramid
from hybrid_features_ros.features.rootsift import describe_patches
from hybrid_features_ros.features.torch_engine import TorchExtractor


@pytest.fixture(scope="module")
def scene():
    rng = np.random.default_rng(4)
    image = sum(
        s * cv2.GaussianBlur(rng.normal(0, 1, (240, 320)).astype(np.float32), (0, 0), s) for s in (2, 4, 9)
    )
    image = np.where(image > 0.3, image + 1, image) + rng.normal(0, 0.05, image.shape)
    return np.clip(128 + 40 * image, 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def pair():
    config = {"extractor": "hybrid", "max_keypoints": 300}
    return (
        HybridExtractor(FeatureConfig(engine="opencv", **config)),
        TorchExtractor(FeatureConfig(engine="torch", **config), "cpu"),
    )


def test_the_pyramid_is_the_same(scene, pair):
    expected = pyramid(scene, 9)
    found = pair[1].module.pyramid(torch.from_numpy(scene))
    assert len(found) == len(expected)
    for a, b in zip(found, expected, strict=True):
        assert np.abs(a[0, 0].numpy() - b).max() < 2e-4


def test_heatmaps_are_the_same(scene, pair):
    for i, level in enumerate(pyramid(scene, 6)):
        expected = pair[0].detector.network.heat(level, i)
        logits, gradient = pair[1].module.heat(torch.from_numpy(level)[None, None], i)
        high = expected.logits > np.percentile(expected.logits, 90)
        assert np.abs(logits[0, 0].numpy() - expected.logits)[high].max() < 0.01
        assert np.abs(gradient[0].numpy() - expected.gradient).max() < 1e-5


def test_rootsift_is_the_same(pair):
    patches = np.random.default_rng(0).random((40, 20, 20), np.float32)
    found = pair[1].module._rootsift(torch.from_numpy(patches)).numpy()
    assert np.abs(found**2 - describe_patches(patches) ** 2).max() < 1e-5


@pytest.mark.parametrize("coarser", [0, 3, 7])
def test_patches_are_the_same(scene, pair, coarser):
    levels, found = pair[0].detector.detect(scene, 60)
    expected = oriented_patches(levels, found, scene.shape[1], scene.shape[0], coarser=coarser)
    given = [torch.from_numpy(np.array(level))[None, None] for level in levels]
    places = (torch.from_numpy(array) for array in (found.points, found.levels, found.angles))
    patches = pair[1].module.patches(given, *places, coarser).numpy()
    assert np.abs(patches - expected).max() < 0.02  # OpenCV reads at 32nds of a pixel


def test_features_are_the_same(scene, pair):
    """98 of 100 keypoints within a twentieth of a pixel, with the same orientation and descriptor."""
    ours, theirs = (e.extract(scene) for e in pair)
    assert len(ours) == len(theirs) and ours.format == theirs.format
    distance = np.linalg.norm(ours.points[:, None] - theirs.points[None], axis=2)
    distance[ours.scales[:, None] != theirs.scales] = np.inf
    partner, same = distance.argmin(axis=1), distance.min(axis=1) < 0.05
    assert same.mean() > 0.98
    turn = np.angle(np.exp(1j * (ours.angles - theirs.angles[partner])))[same]
    assert np.percentile(np.abs(turn), 95) < 0.02
    likeness = np.einsum("nd,nd->n", ours.descriptors[same], theirs.descriptors[partner[same]])
    assert np.percentile(likeness, 2) > 0.99
    assert np.abs(ours.scores - theirs.scores).max() < 0.05


@pytest.mark.parametrize("shape", [(1, 1), (24, 24), (40, 300)])
def test_the_smallest_images(pair, shape):
    features = pair[1].extract(np.random.default_rng(0).integers(0, 255, shape, dtype=np.uint8))
    assert features.descriptors.shape == (len(features), 128)


def test_a_plain_image_has_no_features(pair):
    assert len(pair[1].extract(np.full((120, 160), 90, np.uint8))) == 0


def test_bytes_and_rootsift_alone(scene):
    config = {"engine": "torch", "extractor": "strek", "max_keypoints": 50, "descriptor_type": "uint8"}
    features = make_extractor(FeatureConfig(**config)).extract(scene)
    assert features.descriptors.dtype == np.uint8 and features.format.descriptor == "rootsift"


def test_auto_takes_it_where_there_is_a_gpu(monkeypatch):
    monkeypatch.setattr(engine, "torch_has_gpu", lambda: True)
    assert engine.choose_engine("auto") == "torch"
    assert engine.choose_engine("auto", grid=4) != "torch"
    with pytest.raises(InputError, match=r"features\.grid"):
        TorchExtractor(FeatureConfig(grid=4))
    with pytest.raises(InputError, match="make_extractor"):
        HybridExtractor(FeatureConfig(engine="torch"))
