# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""An extractor in a process of its own gives what it gives in this one."""

import signal

import numpy as np
import pytest

from hybrid_features_ros.core.config import FeatureConfig
from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.features import make_extractor
from hybrid_features_ros.features.process import ProcessExtractor

CONFIG = FeatureConfig(max_keypoints=200)


@pytest.fixture
def extractor():
    made = ProcessExtractor(CONFIG)
    yield made
    made.close()


def test_features_are_those_of_this_process_and_the_budget_holds(extractor, photograph):
    here, there = make_extractor(CONFIG).extract(photograph), extractor.extract(photograph)
    assert there.format == here.format
    np.testing.assert_array_equal(there.points, here.points)
    np.testing.assert_array_equal(there.descriptors, here.descriptors)
    colours = extractor.extract(np.dstack([photograph] * 3))
    np.testing.assert_array_equal(colours.points, here.points)
    extractor.budget = 50
    assert len(extractor.extract(photograph)) == 50


def test_bad_images_are_refused_and_the_next_one_is_not(extractor, photograph):
    with pytest.raises(InputError, match=r"image of type float64"):
        extractor.extract(np.zeros((4, 4)))
    assert len(extractor.extract(photograph)) == 200


def test_a_process_that_is_killed_is_started_anew(extractor, photograph):
    extractor._process.kill()
    with pytest.raises(InputError, match="has ended with status -9 and was started anew"):
        extractor.extract(photograph)
    assert len(extractor.extract(photograph)) == 200


def test_the_process_ends_with_the_extractor(photograph):
    extractor = ProcessExtractor(CONFIG)
    with pytest.raises(InputError):
        extractor.extract(np.zeros((4, 4)))
    process = extractor._process
    assert process.poll() is None
    del extractor
    assert process.returncode is not None


def test_a_process_that_is_stopped_is_ended_all_the_same(photograph):
    extractor = ProcessExtractor(CONFIG)
    extractor._process.send_signal(signal.SIGSTOP)
    extractor.close()
    assert extractor._process.returncode == -signal.SIGKILL


def test_what_cannot_be_made_is_said_here():
    with pytest.raises(InputError, match="is its folder on PYTHONPATH"):
        ProcessExtractor(FeatureConfig(extractor="no_module:Own"))
