# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The training itself, on photographs made here: it runs, repeats itself and resumes to the bit."""

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest

torch = pytest.importorskip(
    "torch", reason="torch is not installed: pip install 'hybrid_features_ros[train]'"
)

from hybrid_features_ros.benchmarks.homography import transfer
from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.training.deep import DeepConfig
from hybrid_features_ros.training.detector import (
    DetectorTraining,
    train_detector,
    usual,
)
from hybrid_features_ros.training.network import NetworkConfig
from hybrid_features_ros.training.pairs import (
    Photographs,
    local_scale,
    local_turn,
    make_pair,
)
from hybrid_features_ros.training.run import Run

pytestmark = pytest.mark.slow

SMALL = DetectorTraining(
    network=NetworkConfig(levels=2), steps=4, batch=1, side=64, validate_every=2, scenes=0
)


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    for i in range(2):
        noise = cv2.GaussianBlur(rng.normal(0, 1, (700, 900)).astype(np.float32), (0, 0), 2 + i)
        cv2.imwrite(str(folder / f"{i}.png"), np.clip(128 + 300 * noise, 0, 255).astype(np.uint8))
    return folder


def weights(folder):
    return torch.load(folder / "last.pt", weights_only=True)["model"]


def test_resumes_to_the_bit(photos, tmp_path, monkeypatch):
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    train_detector(SMALL, photos, photos, whole, tmp_path / "none.npz")

    class Cut(Exception):
        pass

    def stop(run, score=None):
        keep(run, score)
        if run.step == 2:
            raise Cut

    keep = Run.keep
    monkeypatch.setattr(Run, "keep", stop)
    with pytest.raises(Cut):
        train_detector(SMALL, photos, photos, cut, tmp_path / "none.npz")
    monkeypatch.undo()
    with pytest.raises(InputError, match="--resume"):
        train_detector(SMALL, photos, photos, cut, tmp_path / "none.npz")
    with pytest.raises(InputError, match="another seed"):
        train_detector(replace(SMALL, seed=9), photos, photos, cut, tmp_path / "none.npz", resume=True)
    train_detector(SMALL, photos, photos, cut, tmp_path / "none.npz", resume=True)
    a, b = weights(whole), weights(cut)
    assert all(torch.equal(a[k], b[k]) for k in a)


def test_two_trainings_are_one(photos, tmp_path):
    for name in ("a", "b"):
        train_detector(replace(SMALL, steps=2), photos, photos, tmp_path / name, tmp_path / "none.npz")
    a, b = weights(tmp_path / "a"), weights(tmp_path / "b")
    assert all(torch.equal(a[k], b[k]) for k in a)
    other = tmp_path / "c"
    train_detector(replace(SMALL, steps=2, seed=1), photos, photos, other, tmp_path / "none.npz")
    assert not all(torch.equal(a[k], v) for k, v in weights(other).items())


def test_warp_of_a_pair_is_true(photos):
    rng = np.random.default_rng(5)
    photo = Photographs.under(photos).draw(rng)
    for _ in range(6):
        pair = make_pair(photo, 96, rng)
        back = cv2.warpPerspective(pair.b, np.linalg.inv(pair.H_b_a), (96, 96))
        seen = cv2.warpPerspective(np.ones_like(pair.b), np.linalg.inv(pair.H_b_a), (96, 96)) > 0
        a, b = (cv2.GaussianBlur(v, (0, 0), 2).astype(float)[seen] for v in (pair.a, back))
        assert np.corrcoef(a, b)[0, 1] > 0.7


def test_local_scale_and_turn_of_a_similarity():
    c, s = 1.5 * np.cos(0.7), 1.5 * np.sin(0.7)
    H = np.array([[c, -s, 4.0], [s, c, -2.0], [0, 0, 1.0]])
    points = np.array([[3.0, 5.0], [80.0, 2.0]])
    assert np.allclose(local_scale(H, points), 1.5)
    assert np.allclose(local_turn(H, points), 0.7)
    assert np.allclose(transfer(H, points), points @ H[:2, :2].T + H[:2, 2])


def test_the_deep_network_trains_on_rendered_views(photos, tmp_path):
    """Pairs with depth, from a file that the second training finds; its curve as JSON."""
    config = replace(SMALL, network=DeepConfig(levels=2, layers=1), scenes=1, side=96, steps=2, warped=0.0)
    train_detector(config, photos, photos, tmp_path / "out", tmp_path / "views.npz")
    curve = json.loads((tmp_path / "out" / "curve.json").read_text())
    assert curve["config"]["network"]["fields"] == DeepConfig().fields
    assert curve["columns"]["step"] == [0, 2] and curve["columns"]["reward"][0] is None
    assert 0 < curve["columns"]["depth_score"][-1] < 1
    made = (tmp_path / "views.npz").stat().st_mtime_ns
    train_detector(config, photos, photos, tmp_path / "again", tmp_path / "views.npz")
    assert (tmp_path / "views.npz").stat().st_mtime_ns == made
    with pytest.raises(InputError, match="holds 1 scenes, 96 px"):
        train_detector(replace(config, scenes=2), photos, photos, tmp_path / "b", tmp_path / "views.npz")


def test_a_draw_is_compared_with_those_of_about_its_turn():
    """Early draws earn more than late ones: that is no merit of the first, and no fault of the last."""
    rng = np.random.default_rng(0)
    falling = np.linspace(1.0, 0.0, 200)
    earned = tuple(falling + rng.normal(0, 0.1, 200) for _ in range(2))
    earned[0][::3] = np.nan
    for baseline in usual(earned):
        assert np.abs(baseline - falling).mean() < 0.03
    alone = usual((np.full(5, np.nan), np.zeros(0)))
    assert len(alone[0]) == 5 and not alone[0].any() and not len(alone[1])


def test_a_folder_without_photographs(tmp_path):
    with pytest.raises(InputError, match="no photographs"):
        train_detector(SMALL, tmp_path, tmp_path, tmp_path / "out", tmp_path / "none.npz")
