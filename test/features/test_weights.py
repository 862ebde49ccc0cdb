# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Weights on disk: what is written is read again, what is something else is refused."""

import re
from pathlib import Path

import numpy as np
import pytest

from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.features.weights import Weights, load_weights

ROOT = Path(__file__).resolve().parents[2]
CARD = re.compile(
    r"Digest\s+of the arrays:\s+`(?P<digest>[0-9a-f]{16})`; (?P<numbers>[\d ]+) numbers, "
    r"of (?P<all>[\d ]+) in the checkpoint, which is that of step (?P<step>\d+)"
)


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


def card(name):
    """What the model card of shipped weights says of them."""
    found = CARD.search((ROOT / "docs" / f"{name}.md").read_text())
    assert found, f"docs/{name}.md does not say which weights it describes"
    return {
        key: value if key == "digest" else int(value.replace(" ", ""))
        for key, value in found.groupdict().items()
    }


@pytest.mark.parametrize("name", ["strek", "hybrid"])
def test_the_model_card_is_that_of_the_weights(name):
    """New weights need a new card: data, time, choice and figures on it are of the old ones."""
    weights = load_weights(name)
    assert card(name)["digest"] == weights.digest
    assert card(name)["numbers"] == sum(a.size for a in weights.arrays.values())


@pytest.mark.slow
@pytest.mark.parametrize("name", ["strek", "hybrid"])
def test_the_model_card_is_that_of_the_checkpoint(name):
    torch = pytest.importorskip(
        "torch", reason="torch is not installed: pip install 'hybrid_features_ros[train]'"
    )
    from hybrid_features_ros.training.export import weights_of

    checkpoint = ROOT / "hybrid_features_ros" / "weights" / f"{name}.pt"
    state = torch.load(checkpoint, weights_only=True)
    assert card(name)["step"] == state["step"]
    assert card(name)["all"] == sum(v.numel() for v in state["model"].values())
    assert card(name)["digest"] == weights_of(checkpoint).digest
