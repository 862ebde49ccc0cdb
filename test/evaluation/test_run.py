# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Features of a recording's frames, detected or followed."""

import numpy as np

from hybrid_features_ros.core.config import Config, FeatureConfig
from hybrid_features_ros.evaluation.run import _features
from hybrid_features_ros.features import make_extractor
from hybrid_features_ros.features.stereo import StereoDepth
from hybrid_features_ros.features.tracking import FeatureTracker
from hybrid_features_ros.io.source import Frame


def test_the_right_image_of_a_pair_is_used_only_where_the_left_was_detected(photograph):
    extractor = make_extractor(FeatureConfig(extractor="sift", max_keypoints=300))
    tracker = FeatureTracker(extractor, "between_keyframes")
    pair, right = StereoDepth(300.0, 0.1), np.roll(photograph, -8, axis=1)
    depths = [
        _features(tracker, pair, Frame(stamp, photograph), Frame(stamp, right), Config()).depths
        for stamp in (1, 2)
    ]
    assert np.isfinite(depths[0]).sum() > 100
    assert depths[1] is None
    assert not tracker.detected
