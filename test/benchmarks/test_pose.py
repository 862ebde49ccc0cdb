# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The pose, blur and zoom benchmarks on data whose truth is made here."""

import sys
from types import ModuleType

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from synthetic import CAMERA, World

from hybrid_features_ros.benchmarks import blur, pose, zoom
from hybrid_features_ros.benchmarks.baselines import yardstick
from hybrid_features_ros.benchmarks.tables import tables
from hybrid_features_ros.core import se3
from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.features import load_extractor
from hybrid_features_ros.io.pairs import PosedPair
from hybrid_features_ros.simulation import two_views

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def pair():
    """Two views of a wall 2 m away that shows noise."""
    noise = np.random.default_rng(0).normal(0, 1, (900, 900)).astype(np.float32)
    texture = np.clip(128 + 300 * cv2.GaussianBlur(noise, (0, 0), 2.5), 0, 255)
    T_b_a = se3.exp([0.3, 0.05, 0.0, 0.02, -0.1, 0.1])
    f = CAMERA.fx
    to_wall = np.array([[f / 2, 0, 450], [0, f / 2, 450], [0, 0, 1.0]])
    images = []
    for T in (np.eye(4), T_b_a):
        H = CAMERA.K @ np.column_stack([T[:3, 0], T[:3, 1], 2 * T[:3, 2] + T[:3, 3]]) @ np.linalg.inv(to_wall)
        images.append(cv2.warpPerspective(texture, H, (CAMERA.width, CAMERA.height)).astype(np.uint8))
    depth = np.full((CAMERA.height, CAMERA.width), 2.0, np.float32)
    return PosedPair("wall", *images, CAMERA, CAMERA, T_b_a, depth)


def test_area_under_the_curve():
    assert pose.auc([0.0, 0.0], 5) == 1.0
    assert pose.auc([90.0, 180.0], 5) == 0.0
    assert pose.auc([2.5], 5) == pytest.approx(0.75)  # recall climbs to 1 at 2.5 and stays
    assert pose.auc([0.0, 90.0], 5) == pytest.approx(0.5)


@given(st.lists(st.floats(0, 20), min_size=1, max_size=30))
def test_the_area_is_the_mean_share_of_the_limit_that_errors_leave(errors):
    mean = np.maximum(1 - np.array(errors) / 5, 0).mean()
    assert -1e-9 < pose.auc(errors, 5) - mean < 0.5 / len(errors) + 1e-9


def test_sigma_of_the_area_is_that_of_other_draws():
    rng = np.random.default_rng(0)
    drawn = [rng.exponential(2, (48, 1)) * [1.0, 1.1] for _ in range(400)]
    told = np.mean([pose.auc_sigma(errors, 5) for errors in drawn])
    assert told == pytest.approx(np.std([pose.auc(errors.ravel().tolist(), 5) for errors in drawn]), rel=0.15)
    assert pose.auc_sigma(np.array([[90.0], [180.0]]), 5) == 0.0
    one = pose.PairMatches(np.zeros((1, 2)), np.zeros((1, 2)), off=np.zeros(1), scale=2.0)
    row = pose.summary([pose.PairResult(one, errors, epipolar=np.zeros(1)) for errors in drawn[0]])
    assert row["auc5_sigma"] == 100 * pose.auc_sigma(drawn[0], 5)


def test_pose_of_exact_points_and_its_error():
    X = World.random().points[:300] + np.array([0, 0, 12.0])
    truth = se3.exp([0.4, 0.1, 0.2, 0.1, 0.05, 0.4])
    a, b = CAMERA.project(X), CAMERA.project(X @ truth[:3, :3].T + truth[:3, 3])
    estimate = pose.relative_pose(a, b, CAMERA, CAMERA)
    assert pose.pose_error(estimate, truth) < 0.5
    assert pose.pose_error(None, truth) == 180.0
    backwards = estimate.copy()
    backwards[:3, 3] *= -1
    assert pose.pose_error(backwards, truth) > 175
    assert pose.relative_pose(a[:3], b[:3], CAMERA, CAMERA) is None


@pytest.mark.parametrize("degrees", [0, 33, 90, -140])
def test_rolling_moves_pixels_as_the_camera_says(pair, degrees):
    rolled, inside = pose.roll_second(pair, np.radians(degrees))
    X = np.random.default_rng(1).uniform([-0.5, -0.4, 2], [0.5, 0.4, 3], (40, 3))
    q = pair.camera_b.project(X @ pair.T_b_a[:3, :3].T + pair.T_b_a[:3, 3])
    r = rolled.camera_b.project(X @ rolled.T_b_a[:3, :3].T + rolled.T_b_a[:3, 3])
    well = ((q > 9) & (q < [CAMERA.width - 10, CAMERA.height - 10])).all(axis=1)
    assert np.array_equal(inside(r)[well], np.ones(well.sum(), bool))
    here, there = (
        cv2.remap(i, p[well].astype(np.float32)[:, None], None, cv2.INTER_LINEAR).astype(float)
        for i, p in ((pair.image_b, q), (rolled.image_b, r))
    )
    assert np.abs(here - there).mean() < 4
    assert not inside(np.array([[-5.0, -5.0]]))[0]


def test_reports(pair, monkeypatch):
    monkeypatch.setattr(two_views, "PAIRS_PER_SCENE", 1)
    noise = [
        cv2.GaussianBlur(np.random.default_rng(s).normal(0, 1, (300, 400, 3)), (0, 0), 3) for s in range(5)
    ]
    textures = [np.clip(128 + 300 * n, 0, 255).astype(np.uint8) for n in noise]
    ours = {"ours": yardstick("sift_precise", 900)}
    report = pose.bench_pose(ours, two_views.wide_pairs(textures, 1, 0), 600)
    for way in ("upright", "rolled"):
        row = report["methods"]["ours"][way]
        assert row["auc5"] > 50 and row["auc5"] <= row["auc10"] <= row["auc20"] <= 100
        assert "auc5_sigma" not in row  # one pair tells nothing of the spread
        assert 100 < row["distinct"] <= row["matches_mean"] and row["epipolar_px"] < 0.5
    assert report["protocol"]["pairs_in_dataset"] == 1
    with pytest.raises(InputError, match="no pairs"):
        pose.bench_pose(ours, [])
    blurred = blur.bench_blur(ours, lambda length, light: [pair], 300)
    row = blurred["methods"]["ours"]
    assert len(row["distinct"]) == len(row["blur_px"]) == len(blur.BLURS_PX)
    assert len(row["light_distinct"]) == len(row["light"]) and min(row["correct"]) > 100
    table = tables({"pose": report, "blur": blurred})
    assert "| pose AUC@5 deg, upright | " in table["pose"]
    assert "| distinct correct matches, blurred by 15 px | " in table["blur"]
    assert "| the same, sharp, in 0.083 of the light | " in table["blur"]
    row = zoom.bench_zoom(ours, lambda factor: [pair], 300)["methods"]["ours"]
    assert len(row["correct"]) == len(row["zoom"]) and min(row["mma1"]) > 0.5


def test_an_extractor_of_somebody_else(monkeypatch):
    module = ModuleType("somebody")
    module.Sift = lambda max_keypoints: yardstick("sift", max_keypoints)
    module.Nothing = lambda max_keypoints: max_keypoints
    monkeypatch.setitem(sys.modules, "somebody", module)
    image = np.random.default_rng(0).integers(0, 255, (100, 120), dtype=np.uint8)
    assert 0 < len(load_extractor("somebody:Sift", 30).extract(image)) <= 30
    for wrong, reason in (("somebody", "write"), ("somebody:Surf", "Surf"), ("no.body:A", "PYTHONPATH"),
                          ("somebody:Nothing", "without extract")):  # fmt: skip
        with pytest.raises(InputError, match=reason):
            load_extractor(wrong, 30)
