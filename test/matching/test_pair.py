# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Two calls from two images to their correspondences."""

import numpy as np
import pytest

from hybrid_features_ros.core.config import FeatureConfig, MatchingConfig
from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.features import make_extractor
from hybrid_features_ros.matching.pair import match_images

SIFT = make_extractor(FeatureConfig(extractor="sift", max_keypoints=300))


def test_the_points_of_a_turned_image_are_turned(photograph):
    pair = match_images(SIFT, photograph, np.rot90(photograph))
    x, y = pair.points_a.T
    turned = np.stack([y, photograph.shape[1] - 1 - x], axis=1)
    assert len(pair) > 100
    assert np.median(np.linalg.norm(turned - pair.points_b, axis=1)) < 0.1


def test_the_configuration_is_that_of_the_matching(photograph):
    strict = match_images(SIFT, photograph, np.rot90(photograph), MatchingConfig(lowe_ratio=0.3))
    assert 0 < len(strict) < len(match_images(SIFT, photograph, np.rot90(photograph)))


def test_bare_images_have_no_matches_and_wrong_ones_are_refused(photograph):
    assert len(match_images(SIFT, photograph, np.zeros((50, 60), np.uint8))) == 0
    with pytest.raises(InputError, match="float64"):
        match_images(SIFT, photograph, photograph.astype(float))
