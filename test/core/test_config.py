# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Every default has a meaning and a range, and both are enforced."""

import pytest

from hybrid_features_ros.core.config import (
    RENAMED,
    Config,
    LandmarkMatchingConfig,
    MappingConfig,
    OdometryConfig,
    options,
    with_options,
)
from hybrid_features_ros.core.errors import InputError


@pytest.mark.parametrize("option", list(options(Config())), ids=lambda o: o.name)
def test_every_option_explains_itself(option):
    assert option.description.endswith((".", "]", ")"))
    if isinstance(option.value, (int, float)) and not isinstance(option.value, bool):
        assert option.low is not None and option.high is not None
        assert option.low <= option.value <= option.high


def test_a_changed_leaf_changes_nothing_else():
    changed = with_options(Config(), {"odometry.matching.lowe_ratio": 0.5, "features.max_keypoints": 7})
    assert changed.odometry.matching == LandmarkMatchingConfig(lowe_ratio=0.5)
    assert changed.odometry.mapping == MappingConfig()
    differing = {a.name for a, b in zip(options(changed), options(Config()), strict=True) if a != b}
    assert differing == {"odometry.matching.lowe_ratio", "features.max_keypoints"}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"features.max_keypoint": 1}, "unknown parameter 'features.max_keypoint'"),
        ({"max_keypoints": 1}, "unknown parameter 'max_keypoints'"),
        ({"features": 1}, "unknown parameter 'features'"),
        ({"odometry.matching.ratio": 1}, "it is 'odometry.matching.lowe_ratio' since version 0.2"),
        ({"features.max_keypoints": 0}, r"max_keypoints = 0: must lie in \[1, 20000\]"),
        ({"features.max_keypoints": "many"}, "max_keypoints = 'many': give a int"),
        ({"features.max_keypoints": True}, "max_keypoints = True: give a int"),
        ({"features.engine": "my_module:Engine"}, "engine = 'my_module:Engine': choose one of auto"),
        ({"features.max_keypoints": 300, "features.min_keypoints": 400}, "400 is more than features.max_k"),
        ({"features.extractor": "surf"}, "extractor = 'surf': choose one of sift"),
        ({"odometry.matching.lowe_ratio": float("nan")}, "lowe_ratio = nan: must lie in"),
    ],
)
def test_refused(values, message):
    with pytest.raises(InputError, match=message):
        with_options(Config(), values)


@pytest.mark.parametrize("old", RENAMED)
def test_every_renamed_option_exists(old):
    known = {o.name for o in options(OdometryConfig())}
    assert RENAMED[old] in known and old not in known
