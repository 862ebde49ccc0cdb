"""The shipped detector: what equivariance promises, on images made here."""

import cv2
import numpy as np
import pytest

from hybrid_features_ros.config import FeatureConfig
from hybrid_features_ros.errors import InputError
from hybrid_features_ros.features import make_extractor
from hybrid_features_ros.features.strek import StrekExtractor


@pytest.fixture(scope="module")
def scene():
    rng = np.random.default_rng(4)
    image = cv2.GaussianBlur(rng.normal(0, 1, (360, 360)).astype(np.float32), (0, 0), 3)
    return np.clip(128 + 400 * image, 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def extractor():
    return StrekExtractor(FeatureConfig(extractor="strek", max_keypoints=300))


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
    from hybrid_features_ros.features.pyramid import pyramid

    maps = [
        extractor._heat(pyramid(np.ascontiguousarray(scene[dy : dy + 300, dx : dx + 300]), 1)[0], 0).logits
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


def test_refuses_what_is_no_image(extractor):
    with pytest.raises(InputError, match="uint8"):
        extractor.extract(np.zeros((40, 40), np.float32))


def test_the_one_door(scene):
    features = make_extractor(FeatureConfig(extractor="strek", max_keypoints=50)).extract(scene)
    assert len(features) == 50 and features.format.detector == "s-trek"
    assert features.format.model_digest
    assert (np.diff(features.scores) <= 0).all()
    assert np.allclose(np.linalg.norm(features.descriptors, axis=1), 1, atol=1e-4)
