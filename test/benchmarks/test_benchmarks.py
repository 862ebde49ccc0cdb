# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The benchmarks on data made here: the warps they believe in are the true ones."""

import os

import cv2
import numpy as np
import pytest

from hybrid_features_ros.benchmarks import rotation
from hybrid_features_ros.benchmarks.baselines import yardstick
from hybrid_features_ros.benchmarks.homography import bench_homography, planar_pairs
from hybrid_features_ros.benchmarks.rotation import bench_rotation, views
from hybrid_features_ros.benchmarks.speed import bench_speed, moving_frames
from hybrid_features_ros.core.errors import InputError

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def photo():
    noise = np.random.default_rng(0).normal(0, 1, (700, 900)).astype(np.float32)
    return np.clip(128 + 350 * cv2.GaussianBlur(noise, (0, 0), 3), 0, 255).astype(np.uint8)


def test_both_views_come_from_where_they_say(photo):
    for degrees, a, b in list(views(photo, 0))[:5]:
        for view in (a, b):
            expected = cv2.warpAffine(
                photo, view.M, (640, 640), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
                borderMode=cv2.BORDER_REFLECT,
            )  # fmt: skip
            inner = slice(200, 440)
            assert np.abs(view.image[inner, inner].astype(float) - expected[inner, inner]).mean() < 6
        turn = np.arctan2(b.M[0, 1], b.M[0, 0])
        assert np.degrees(turn) == pytest.approx(degrees)


def test_rotation_report(photo, tmp_path, monkeypatch):
    monkeypatch.setattr(rotation, "ANGLES_DEG", (90, 180))
    cv2.imwrite(str(tmp_path / "p.png"), photo)
    report = bench_rotation({"ours": yardstick("sift_precise", 500)}, tmp_path)
    row = report["methods"]["ours"]
    assert row["angles_deg"] == [90, 180]
    assert min(row["repeatability"]) > 0.7 and max(row["orientation_error_deg"]) < 5
    assert row["offset_px"] < 0.1
    for key in ("keypoints", "localisation_px", "correct", "distinct", "mma1", "mma3", "repeatability_1px"):
        assert len(row[key]) == 2
    assert max(row["distinct"]) <= max(row["correct"])
    assert report["protocol"]["images"] == ["p.png"]


def test_a_photograph_that_is_too_small(tmp_path):
    cv2.imwrite(str(tmp_path / "p.png"), np.zeros((300, 900), np.uint8))
    with pytest.raises(InputError, match="900x300"):
        bench_rotation({"ours": yardstick("orb", 10)}, tmp_path)
    with pytest.raises(InputError, match="no photographs"):
        bench_rotation({}, tmp_path / "nowhere")


@pytest.mark.parametrize("layout", ["oxford", "oxford xml", "hpatches"])
def test_layouts_of_homography_datasets(photo, tmp_path, layout):
    H = np.array([[0.9, -0.2, 60], [0.15, 0.95, 20], [1e-5, 0, 1]])
    folder = tmp_path / "wall"
    folder.mkdir()
    image = photo[:400, :500]
    names = ("1.ppm", "2.ppm") if layout == "hpatches" else ("img1.png", "img2.png")
    for name, view in zip(names, (image, cv2.warpPerspective(image, H, (500, 400))), strict=True):
        cv2.imwrite(str(folder / name), cv2.cvtColor(view, cv2.COLOR_GRAY2BGR))
    if layout == "oxford xml":
        storage = cv2.FileStorage(str(folder / "H1to2p.xml"), cv2.FILE_STORAGE_WRITE)
        storage.write("H12", H)
        storage.release()
    else:
        np.savetxt(folder / ("H_1_2" if layout == "hpatches" else "H1to2p"), H)
    (pair,) = planar_pairs(tmp_path)
    assert np.allclose(pair.H_b_a, H)
    report = bench_homography({"ours": yardstick("sift_precise", 500)}, tmp_path)
    overall = report["methods"]["ours"]["overall"]
    assert overall["ha3"] == 1.0 and overall["repeatability"] > 0.6
    assert 0 < overall["distinct"] <= overall["correct"]
    assert report["methods"]["ours"]["sequences"]["wall"] == overall


def test_a_folder_that_is_no_dataset(tmp_path):
    with pytest.raises(InputError, match="no sequences"):
        list(planar_pairs(tmp_path))


def test_speed_report(photo, monkeypatch):
    from hybrid_features_ros.benchmarks import speed

    monkeypatch.setattr(speed, "ROUNDS", 3)
    monkeypatch.setattr(speed, "APART", False)
    monkeypatch.setattr(speed, "SIZES", {"vga": (160, 120)})
    report = bench_speed([photo], "hybrid", 1)
    assert set(report["methods"]) == set(speed.METHODS)
    for ratios in (report["ratio_to_sift"], report["ratio_to_orb"]):
        assert set(ratios) >= {"detector_vga", "extractor_vga", "extractor_vga_500"}
        assert all(0 < r < 100 for r in ratios.values())
    for times in (report["methods"]["ours"]["cpu_ms"]["vga"], report["track_ms"], report["frame_cpu_ms"]):
        assert 0 < times["median"] <= times["p95"]


def test_frames_move_and_every_other_one_is_smeared(photo):
    frames = moving_frames([photo], (160, 120), 4)
    assert [f.shape for f in frames] == [(120, 160)] * 4
    sharp = [float(cv2.Laplacian(f, cv2.CV_32F).std()) for f in frames]
    assert max(sharp[1::2]) < min(sharp[::2])
    assert not np.array_equal(frames[0], frames[2])


def test_a_method_in_a_process_of_its_own_has_its_own_threads(photo, monkeypatch):
    from hybrid_features_ros.benchmarks import speed

    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    cpu, wall = speed._run(speed.Job("orb", [photo], 50, "hybrid", 1, 2, 0))
    assert len(cpu) == len(wall) == 2 and min(cpu) > 0
    assert os.environ["OMP_NUM_THREADS"] == "7"


def test_a_yardstick_that_is_not_there():
    with pytest.raises(InputError, match="surf"):
        yardstick("surf", 10)
