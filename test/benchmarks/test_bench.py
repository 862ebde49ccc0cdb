# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""All benchmarks into one file, and tables that say what it says."""

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest
from synthetic import CAMERA, World

from hybrid_features_ros.benchmarks import baseline_odometry, bench, rotation
from hybrid_features_ros.benchmarks.bench import bench_all, odometry_part, rotation_part
from hybrid_features_ros.benchmarks.tables import fill, tables
from hybrid_features_ros.core import se3
from hybrid_features_ros.core.camera import Camera
from hybrid_features_ros.core.config import Config, with_options
from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.core.types import Trajectory
from hybrid_features_ros.io.folders import FolderSource
from hybrid_features_ros.io.source import Frame

pytestmark = pytest.mark.slow

SPEED = {
    "protocol": {"threads": 1, "opencv": "5"},
    "methods": {
        name: {"cpu_ms": {"vga": {"median": ms}, "vga_500": {"median": ms / 2}}}
        for name, ms in (("ours", 25.0), ("sift", 100.0))
    },
}
MESSAGES = {"methods": {"features to message": {"ms": 0.25, "of_yardstick": 0.003}}}


def lacking():
    raise InputError("needs --images DIR")


def test_parts_are_kept_skipped_and_run_one_by_one(tmp_path):
    first = bench_all({"speed": lambda: SPEED, "rotation": lacking}, tmp_path)
    assert first["skipped"] == {"rotation": "needs --images DIR"}
    bench_all({"messages": lambda: MESSAGES}, tmp_path)
    report = json.loads((tmp_path / "bench.json").read_text())
    assert report["speed"] == SPEED and report["messages"] == MESSAGES
    text = (tmp_path / "bench.md").read_text()
    assert "| CPU time [ms], VGA, 1000 keypoints | 25.0 | 100.0 |\n| over SIFT's | .25 | 1.00 |" in text
    assert "| CPU time [ms], VGA, 500 keypoints | 12.5 | 50.0 |" in text
    assert "\n\n*threads: 1; OpenCV 5.*" in text
    assert "| features to message | .25 | .00300 |" in text


def test_the_best_is_bold_and_ranges_are_over_the_angles():
    row = {"repeatability": [0.9, 0.8], "repeatability_one_to_one": [0.7, 0.7], "localisation_px": [0.3, 0.2],
           "orientation_error_deg": [1.0, 1.0], "correct": [500.0, 400.0], "mma3": [0.9, 0.9]}  # fmt: skip
    better = {**row, "localisation_px": [0.1, 0.2], "correct": [500.4, 600.0]}
    table = tables({"rotation": {"methods": {"ours": better, "orb": row}}})["rotation"]
    assert "| | ours | ORB |" in table
    assert "| localisation error [px] | **.10 to .20** | .20 to .30 |" in table
    assert "| correct matches of 1000 keypoints | **500 to 600** | 400 to 500 |" in table
    assert "| repeatability at 3 px | **.800 to .900** | **.800 to .900** |" in table


def test_a_page_gets_the_tables_it_asks_for():
    page = "a\n<!-- bench speed -->\nold\n<!-- end -->\nb"
    assert fill(page, {"speed": "| new |"}) == "a\n<!-- bench speed -->\n| new |\n<!-- end -->\nb"
    assert "Not measured yet: `hybrid-features bench all --parts speed`" in fill(page, {})


def test_rotation_of_ours_and_a_yardstick(tmp_path, monkeypatch):
    monkeypatch.setattr(rotation, "ANGLES_DEG", (90,))
    noise = np.random.default_rng(0).normal(0, 1, (650, 650)).astype(np.float32)
    photo = np.clip(128 + 350 * cv2.GaussianBlur(noise, (0, 0), 3), 0, 255).astype(np.uint8)
    cv2.imwrite(str(tmp_path / "p.png"), photo)
    part = rotation_part(tmp_path, "sift", ["orb"])
    assert part["protocol"]["ours"] == "sift" and part["protocol"]["opencv"] == cv2.__version__
    assert "| | ours | ORB |" in tables({"rotation": part})["rotation"]


class Plane(FolderSource):
    """A camera that slides and rolls in front of a textured wall 2 m away."""

    def __iter__(self):
        fx, height, width = self.camera.fx, self.camera.height, self.camera.width
        noise = np.random.default_rng(0).normal(0, 1, (1200, 1200)).astype(np.float32)
        wall = np.clip(128 + 300 * cv2.GaussianBlur(noise, (0, 0), 2.5), 0, 255)
        K = self.camera.K
        for stamp, T in zip(self.stamps.tolist(), self.ground_truth.poses, strict=True):
            # Wall pixel = (X, Y) * fx / 2 m + 600; the wall is the plane z = 2 of the world.
            to_wall = np.array([[fx / 2, 0, 600], [0, fx / 2, 600], [0, 0, 1.0]])
            R, t = T[:3, :3].T, -T[:3, :3].T @ T[:3, 3]
            H = K @ np.column_stack([R[:, 0], R[:, 1], 2 * R[:, 2] + t]) @ np.linalg.inv(to_wall)
            image = cv2.warpPerspective(wall, H, (width, height), flags=cv2.INTER_LINEAR)
            depth = np.full((height, width), 2.0, np.float32)
            yield Frame(stamp, image.astype(np.uint8), depth)


def plane(frames=6):
    poses = np.array(
        [se3.make(se3.exp([0, 0, 0, 0, 0, 0.1 * i])[:3, :3], [0.03 * i, 0, 0]) for i in range(frames)]
    )
    stamps = np.arange(frames) * 50_000_000
    return Plane(
        name="plane", camera=Camera(320, 240, 300.0, 300.0, 159.5, 119.5), stamps=stamps,
        images=[None] * frames, ground_truth=Trajectory(stamps, poses),
    )  # fmt: skip


def test_the_textbook_finds_the_motion():
    world, T = World.random(), se3.exp([0.3, 0.1, 0.2, 0.1, 0.05, 0.4])
    a, b = world.seen_from(np.eye(4)), world.seen_from(T)
    found = baseline_odometry.motion(a, b, CAMERA)
    assert se3.rotation_angle(found[:3, :3].T @ T[:3, :3]) < 0.01
    assert np.allclose(found[:3, 3], T[:3, 3] / np.linalg.norm(T[:3, 3]), atol=0.05), "it has unit length"
    depths = np.full(len(a), np.nan, np.float32)
    nothing = baseline_odometry.motion(replace(a, depths=depths), b, CAMERA)
    assert np.array_equal(nothing, np.eye(4)), "without any depth there is no PnP"


def test_odometry_beside_the_textbook(tmp_path, monkeypatch):
    monkeypatch.setattr(bench, "render_sequence", lambda folder: folder)
    monkeypatch.setattr(bench, "open_source", lambda folder: plane(4))
    monkeypatch.setattr(baseline_odometry, "BUDGET", 150)
    config = with_options(Config(), {"features.max_keypoints": 150, "odometry.mapping.iterations": 0})
    part = odometry_part(tmp_path, config)
    assert set(part["methods"]) == {"mono", "rgbd"}
    for method in ("ours", "textbook"):
        assert part["methods"]["rgbd"][method]["ate_rmse_m"] < 0.02
        assert part["methods"]["rgbd"][method]["rot_rpe_30f_median_deg"] < 1
    found = tables({"odometry": part})
    assert (
        "| | one camera, ours | one camera, frame-to-frame SIFT | depth camera, ours |" in found["odometry"]
    )
    assert "| | one camera | depth camera |" in found["odometry_ours"]
    assert "**" not in found["odometry_ours"], "nothing is compared there"
