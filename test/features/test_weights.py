# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Weights on disk: what is written is read again, what is something else is refused."""

import numpy as np
import pytest

from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.features.weights import Weights, load_weights


def test_what_is_written_is_read_again(tmp_path):
    arrays = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.float32([0.1])}
    weights = Weights(arrays, {"network": {"factors": 1}})
    weights.save(tmp_path / "w.npz")
    again = load_weights("w", tmp_path / "w.npz")
    assert again.config == weights.config and again.digest == weights.digest
    assert all(np.array_equal(again.arrays[k], arrays[k]) for k in arrays)


def test_the_digest_sees_every_number_name_and_shape():
    one = np.arange(6, dtype=np.float32)
    many = [{"a": one}, {"b": one}, {"a": one + 1}, {"a": one.reshape(2, 3)}, {"a": one, "b": one}]
    assert len({Weights(arrays, {}).digest for arrays in many}) == len(many)


def test_what_is_no_such_file(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        load_weights("none", tmp_path / "none.npz")
    (tmp_path / "text.npz").write_text("hello")
    with pytest.raises(InputError, match="no weights"):
        load_weights("text", tmp_path / "text.npz")
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    with pytest.raises(InputError, match="no weights"):
        load_weights("other", tmp_path / "other.npz")
