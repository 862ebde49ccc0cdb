# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The extractor that a configuration names: the package's own, or a class of the user's."""

import sys
from types import ModuleType

import numpy as np
import pytest

from hybrid_features_ros.core.config import Config, FeatureConfig, with_options
from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.features import make_extractor
from hybrid_features_ros.features.sift import SiftExtractor


class Own:
    """Features of SIFT by another name."""

    def __init__(self, max_keypoints, threshold=20):
        self.budget, self.threshold = max_keypoints, threshold
        self.sift = SiftExtractor(FeatureConfig(extractor="sift", max_keypoints=max_keypoints))

    def extract(self, image):
        return self.sift.extract(image)


@pytest.fixture
def my_module(monkeypatch):
    module = ModuleType("my_module")
    module.Own = Own
    monkeypatch.setitem(sys.modules, "my_module", module)


def test_a_class_of_the_user_is_made_with_the_budget(my_module, photograph):
    config = with_options(Config(), {"features.extractor": "my_module:Own", "features.max_keypoints": 40})
    extractor = make_extractor(config.features)
    assert isinstance(extractor, Own) and extractor.budget == 40
    assert 0 < len(extractor.extract(photograph)) <= 40


@pytest.mark.parametrize(
    ("name", "reason"),
    [("my_module:Other", "Other"), ("no_module:Own", "PYTHONPATH"), ("my_module:", "write")],
)
def test_a_class_that_is_not_there_is_named(my_module, name, reason):
    with pytest.raises(InputError, match=reason):
        make_extractor(FeatureConfig(extractor=name))


def test_options_of_ones_own_are_its_arguments(my_module):
    config = FeatureConfig(extractor="my_module:Own", extractor_options="{threshold: 5}")
    assert make_extractor(config).threshold == 5


@pytest.mark.parametrize(
    ("name", "options", "reason"),
    [
        ("my_module:Own", "{size: 3}", "unexpected keyword argument 'size'; see features.extractor_options"),
        ("my_module:Own", "5", "write a mapping"),
        ("my_module:Own", "{a: [}", "write a mapping"),
        ("sift", "{threshold: 5}", "sift takes none"),
    ],
)
def test_options_that_nothing_takes_are_refused(my_module, name, options, reason):
    with pytest.raises(InputError, match=reason):
        make_extractor(FeatureConfig(extractor=name, extractor_options=options))


@pytest.mark.parametrize("name", ["sift", "strek", "hybrid"])
def test_the_packages_own_extractors(name, photograph):
    features = make_extractor(FeatureConfig(extractor=name, max_keypoints=50)).extract(photograph)
    assert 0 < len(features) <= 50
    assert np.isfinite(features.points).all()


@pytest.mark.parametrize("engine", ["opencv", "onnx", "torch"])
def test_an_engine_for_an_extractor_without_networks_is_refused(engine):
    with pytest.raises(InputError, match=f"features.engine {engine}: sift has no networks"):
        make_extractor(FeatureConfig(extractor="sift", engine=engine))
