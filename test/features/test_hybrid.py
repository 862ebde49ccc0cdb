# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The shipped networks: what equivariance promises, on images made here."""

import cv2
import numpy as np
import pytest

from hybrid_features_ros.core.config import FeatureConfig, MatchingConfig
from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.features import make_extractor
from hybrid_features_ros.features.detector import APART
from hybrid_features_ros.features.hybrid import HybridExtractor, to_bytes
from hybrid_features_ros.features.pyramid import pyramid
from hybrid_features_ros.matching.descriptors import descriptor_vectors
from hybrid_features_ros.matching.mutual import match


@pytest.fixture(scope="module")
def scene():
    rng = np.random.default_rng(4)
    image = cv2.GaussianBlur(rng.normal(0, 1, (360, 360)).astype(np.float32), (0, 0), 3)
    return np.clip(128 + 400 * image, 0, 255).astype(np.uint8)


@pytest.fixture(scope="module", params=["strek", "hybrid"])
def extractor(request):
    return HybridExtractor(FeatureConfig(extractor=request.param, max_keypoints=300))


def nearest(a, b):
    return np.linalg.norm(a[:, None] - b[None], axis=2).min(axis=1)


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_quarter_turn_turns_the_keypoints(scene, extractor, turns):
    a, b = extractor.extract(scene), extractor.extract(np.ascontiguousarray(np.rot90(scene, turns)))
    side = len(scene)
    p, angle = a.points.astype(float), a.angles.astype(float)
    for _ in range(turns):  # np.rot90 turns against the clock: x' = y, y' = side - 1 - x
        p, angle = np.stack([p[:, 1], side - 1 - p[:, 0]], axis=1), angle - np.pi / 2
    distance = np.linalg.norm(p[:, None] - b.points[None], axis=2)
    partner = distance.argmin(axis=1)
    close = distance.min(axis=1) < 0.01
    assert close.mean() > 0.98  # the last ones may trade places with others of the same score
    error = (angle - b.angles[partner] + np.pi) % (2 * np.pi) - np.pi
    assert np.median(np.abs(error[close])) < 1e-3
    assert np.median(np.linalg.norm(a.descriptors - b.descriptors[partner], axis=1)[close]) < 0.01


def test_a_shift_by_whole_pixels_shifts_the_finest_heatmap(scene, extractor):
    maps = [
        extractor.detector.network.heat(
            pyramid(np.ascontiguousarray(scene[dy : dy + 300, dx : dx + 300]), 1)[0], 0
        ).logits.copy()
        for dx, dy in ((0, 0), (7, 3))
    ]
    inner = slice(30, 260)
    assert np.allclose(maps[0][33:263, 37:267], maps[1][inner, inner], atol=1e-3)


@pytest.mark.parametrize("degrees", [30, 45, 77])
def test_any_turn_keeps_most_keypoints(scene, extractor, degrees):
    middle = (len(scene) - 1) / 2
    M = cv2.getRotationMatrix2D((middle, middle), -degrees, 1.0)
    turned = cv2.warpAffine(scene, M, scene.shape, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
    a, b = extractor.extract(scene), extractor.extract(turned)
    inside = np.linalg.norm(a.points - middle, axis=1) < middle - 25
    expected = a.points[inside] @ M[:, :2].T + M[:, 2]
    distance = np.linalg.norm(expected[:, None] - b.points[None], axis=2)
    repeated = distance.min(axis=1) < 3
    assert repeated.mean() > 0.85
    turn = b.angles[distance.argmin(axis=1)] - a.angles[inside]
    error = (turn - np.radians(degrees) + np.pi) % (2 * np.pi) - np.pi
    assert np.degrees(np.median(np.abs(error[repeated]))) < 3


@pytest.mark.parametrize("grey", [0, 90, 255])
def test_an_image_without_texture_has_no_features(extractor, grey):
    assert len(extractor.extract(np.full((120, 160), grey, np.uint8))) == 0


@pytest.mark.parametrize("shape", [(1, 1), (2, 300), (23, 23), (24, 24), (25, 400)])
def test_the_smallest_images(extractor, shape):
    """Down to one pixel an image is an image, if one without features."""
    image = np.random.default_rng(0).integers(0, 255, shape, dtype=np.uint8)
    features = extractor.extract(image)
    assert len(features) == 0 or min(shape) >= 24
    assert features.descriptors.shape[1] == 128 and features.descriptors.dtype == np.float32


def test_refuses_what_is_no_image(extractor):
    with pytest.raises(InputError, match="uint8"):
        extractor.extract(np.zeros((40, 40), np.float32))


@pytest.mark.parametrize("name", ["strek", "hybrid"])
def test_the_one_door(scene, name):
    features = make_extractor(FeatureConfig(extractor=name, max_keypoints=50)).extract(scene)
    assert len(features) == 50 and features.format.detector == "s-trek"
    assert features.format.model_digest
    assert features.format.descriptor == {"strek": "rootsift", "hybrid": "hybrid"}[name]
    assert (np.diff(features.scores) <= 0).all()
    assert np.allclose(np.linalg.norm(features.descriptors, axis=1), 1, atol=1e-4)


def test_from_pretrained_is_the_hybrid(scene):
    a = HybridExtractor.from_pretrained(max_keypoints=40).extract(scene)
    b = make_extractor(FeatureConfig(extractor="hybrid", max_keypoints=40)).extract(scene)
    assert np.array_equal(a.descriptors, b.descriptors) and a.format == b.format


def test_the_digest_tells_the_descriptors_apart(scene):
    digests = {
        name: make_extractor(FeatureConfig(extractor=name)).extract(scene).format.model_digest
        for name in ("strek", "hybrid")
    }
    assert len(set(digests.values())) == 2


def test_bytes_say_the_same(scene):
    """Quantised descriptors lose under one per cent of the correct matches between two views."""
    middle = (len(scene) - 1) / 2
    M = cv2.getRotationMatrix2D((middle, middle), 33, 1.0)
    turned = cv2.warpAffine(scene, M, scene.shape, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
    correct = {}
    for kind in ("float32", "uint8"):
        extractor = HybridExtractor(
            FeatureConfig(extractor="hybrid", max_keypoints=300, descriptor_type=kind)
        )
        a, b = extractor.extract(scene), extractor.extract(turned)
        assert a.descriptors.dtype == kind
        found = match(a, b, MatchingConfig(lowe_ratio=1.0))
        off = a.points[found.index_a] @ M[:, :2].T + M[:, 2] - b.points[found.index_b]
        correct[kind] = (np.linalg.norm(off, axis=1) < 3).sum()
        if kind == "uint8":
            exact = make_extractor(FeatureConfig(extractor="hybrid", max_keypoints=300)).extract(scene)
            assert (
                np.abs(descriptor_vectors(a) - exact.descriptors).max()
                <= 0.5 * a.format.quantisation_scale + 1e-6
            )
    assert correct["uint8"] >= 0.99 * correct["float32"] > 100


def test_bytes_clip_what_leaves_their_range():
    assert to_bytes(np.array([[-1.0, 0.0, 1.0]], np.float32)).tolist() == [[0, 128, 255]]


def test_no_two_keypoints_on_one_spot(scene, extractor):
    points = extractor.extract(scene).points
    apart = np.linalg.norm(points[:, None] - points[None], axis=2)
    np.fill_diagonal(apart, np.inf)
    assert apart.min() > APART - 1e-3
