# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The training itself, on photographs made here: it runs, repeats itself and resumes to the bit."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

torch = pytest.importorskip(
    "torch", reason="torch is not installed: pip install 'hybrid_features_ros[train]'"
)

from hybrid_features_ros.benchmarks.homography import transfer
from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.training.detector import (
    DetectorTraining,
    repeatability_rewards,
    train_detector,
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

SMALL = DetectorTraining(network=NetworkConfig(levels=2), steps=4, batch=1, side=64, validate_every=2)


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
    train_detector(SMALL, photos, photos, whole)

    class Cut(Exception):
        pass

    def stop(run, score):
        keep(run, score)
        if run.step == 2:
            raise Cut

    keep = Run.keep
    monkeypatch.setattr(Run, "keep", stop)
    with pytest.raises(Cut):
        train_detector(SMALL, photos, photos, cut)
    monkeypatch.undo()
    with pytest.raises(InputError, match="--resume"):
        train_detector(SMALL, photos, photos, cut)
    with pytest.raises(InputError, match="another seed"):
        train_detector(replace(SMALL, seed=9), photos, photos, cut, resume=True)
    train_detector(SMALL, photos, photos, cut, resume=True)
    a, b = weights(whole), weights(cut)
    assert all(torch.equal(a[k], b[k]) for k in a)


def test_two_trainings_are_one(photos, tmp_path):
    for name in ("a", "b"):
        train_detector(replace(SMALL, steps=2), photos, photos, tmp_path / name)
    a, b = weights(tmp_path / "a"), weights(tmp_path / "b")
    assert all(torch.equal(a[k], b[k]) for k in a)
    other = tmp_path / "c"
    train_detector(replace(SMALL, steps=2, seed=1), photos, photos, other)
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


def test_rewards_are_one_to_one_and_know_scale():
    H, ones = np.eye(3), np.ones(3)
    here = np.array([[10.0, 10.0], [10.5, 10.0], [40.0, 40.0]]), ones
    there = np.array([[10.0, 10.0], [40.0, 40.0], [61.0, 61.0]]), np.array([1.0, 4.0, 1.0])
    a, b = repeatability_rewards(here, there, H, SMALL)
    assert a.tolist() == [1.0, 0.0, 0.0]  # one partner for two; the third is of another scale
    assert b.tolist() == [1.0, 0.0, 0.0]
    away = np.array([[1.0, 0, 1000], [0, 1, 0], [0, 0, 1]])
    assert np.isnan(repeatability_rewards(here, there, away, SMALL)[0]).all()


def test_a_folder_without_photographs(tmp_path):
    with pytest.raises(InputError, match="no photographs"):
        train_detector(SMALL, tmp_path, tmp_path, tmp_path / "out")
