# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Readers of images with known cameras, on folders made here."""

import contextlib

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hybrid_features_ros.core import se3
from hybrid_features_ros.core.camera import Camera
from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.core.types import Trajectory
from hybrid_features_ros.io.folders import FolderSource
from hybrid_features_ros.io.pairs import LONGEST, read_colmap, read_pairs, sequence_pairs
from hybrid_features_ros.io.source import Frame

POSES = [se3.exp([0, 0, 0, 0, 0, 0]), se3.exp([1, 0, 0.2, 0, 0.3, 0.1]), se3.exp([3, 0, 0, 0, 2.0, 0])]


def images(folder, size=(160, 120)):
    folder.mkdir(exist_ok=True)
    names = [f"{k}.png" for k in range(len(POSES))]
    for k, name in enumerate(names):
        cv2.imwrite(str(folder / name), np.full((size[1], size[0]), 60 * k, np.uint8))
    return names


def strecha(folder, size=(160, 120)):
    for name, T in zip(images(folder, size), POSES, strict=True):
        rows = [
            [150, 0, 80],
            [0, 151, 60],
            [0, 0, 1],
            [0, 0, 0],
            *T[:3, :3].tolist(),
            T[:3, 3].tolist(),
            size,
        ]
        (folder / f"{name}.camera").write_text("\n".join(" ".join(map(str, r)) for r in rows))


def test_strecha(tmp_path):
    strecha(tmp_path / "house")
    (pair,) = read_pairs(tmp_path, 10)  # the third view is turned too far
    assert np.allclose(pair.T_b_a, np.linalg.inv(POSES[1]) @ POSES[0])
    assert (pair.camera_a.fx, pair.camera_a.fy, pair.camera_a.cx) == (150, 151, 80)
    assert pair.image_a.max() == 0 and pair.image_b.max() == 60


def test_strecha_with_folders_for_images_and_cameras(tmp_path):
    strecha(tmp_path / "images")
    (tmp_path / "gt_dense_cameras").mkdir()
    for file in sorted((tmp_path / "images").glob("*.camera")):
        file.rename(tmp_path / "gt_dense_cameras" / file.name)
    (pair,) = read_pairs(tmp_path, 10)
    assert pair.name.startswith(tmp_path.name)
    assert pair.image_a.max() == 0 and pair.image_b.max() == 60


def test_large_images_are_made_smaller(tmp_path):
    strecha(tmp_path, (2 * LONGEST, 200))
    (pair,) = read_pairs(tmp_path, 10)
    assert pair.image_a.shape[:2] == (100, LONGEST) and pair.camera_a.fx == 75


def colmap(folder, model="SIMPLE_RADIAL 160 120 150 80 60 0.01", common=60):
    (folder / "sparse").mkdir(parents=True)
    (folder / "sparse" / "cameras.txt").write_text(f"# comment\n1 {model}\n")
    lines = ["# comment"]
    for k, (name, T) in enumerate(zip(images(folder / "images"), POSES, strict=True)):
        C = se3.inverse(T)
        x, y, z, w = se3.to_quaternion(C)
        lines.append(" ".join(map(str, [k + 1, w, x, y, z, *C[:3, 3], 1, name])))
        lines.append(" ".join(f"1.0 2.0 {i}" for i in [*range(common), -1, -1]))
    (folder / "sparse" / "images.txt").write_text("\n".join(lines) + "\n")


def test_colmap(tmp_path):
    colmap(tmp_path)
    views = read_colmap(tmp_path)
    assert len(views) == 3 and len(views[0].points) == 60
    assert np.allclose(views[1].T_world_camera, POSES[1])
    assert views[0].camera.cx == 79.5 and views[0].camera.coefficients == (0.01, 0, 0, 0)
    (pair,) = read_pairs(tmp_path, 10)
    assert pair.camera_a.coefficients == () and pair.image_b.shape[:2] == (120, 160)
    assert np.allclose(pair.T_b_a, np.linalg.inv(POSES[1]) @ POSES[0])


def test_views_of_different_things_are_no_pair(tmp_path):
    colmap(tmp_path, common=10)
    with pytest.raises(InputError, match="no two views"):
        list(read_pairs(tmp_path, 10))


def test_what_cannot_be_read_is_named(tmp_path):
    colmap(tmp_path / "a", model="THIN_PRISM_FISHEYE 160 120 1 2 3 4")
    with pytest.raises(InputError, match="THIN_PRISM"):
        list(read_pairs(tmp_path / "a", 10))
    strecha(tmp_path / "b")
    (tmp_path / "b" / "0.png.camera").write_text("1 2 3")
    with pytest.raises(InputError, match="26"):
        list(read_pairs(tmp_path / "b", 10))
    with pytest.raises(InputError, match="no such"):
        list(read_pairs(tmp_path / "c", 10))
    strecha(tmp_path / "d")
    (tmp_path / "d" / "1.png").unlink()
    with pytest.raises(InputError, match=r"1\.png: no such file"):
        list(read_pairs(tmp_path / "d", 10))


@settings(max_examples=80, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_text_is_a_model_or_one_line(tmp_path_factory, data):
    """A line of a model cut off, replaced, or with one of its words replaced."""
    path = tmp_path_factory.mktemp("model") / "a"
    make = data.draw(st.sampled_from([strecha, colmap]))
    make(path)
    file = data.draw(st.sampled_from(sorted(p for p in path.rglob("*") if p.suffix in (".camera", ".txt"))))
    lines = file.read_text().splitlines()
    at = data.draw(st.integers(0, len(lines) - 1))
    words = lines[at].split()
    words[data.draw(st.integers(0, len(words) - 1))] = data.draw(
        st.sampled_from(["", "x", "nan", "inf", "-1", "0", "1e400", "PINHOLE", "99"]) | st.text(max_size=5)
    )
    lines[at] = data.draw(st.sampled_from([" ".join(words), "", lines[at][: len(lines[at]) // 2]]))
    file.write_bytes("\n".join(lines).encode(errors="replace"))
    with contextlib.suppress(InputError):
        for pair in read_pairs(path, 3):
            assert np.isfinite(pair.T_b_a).all()


class Wall(FolderSource):
    """A camera that slides along a wall 2 m away."""

    def __iter__(self):
        for k, stamp in enumerate(self.stamps.tolist()):
            image = np.full((self.camera.height, self.camera.width), k, np.uint8)
            yield Frame(stamp, image, np.full(image.shape, 2.0, np.float32))


def wall(step):
    stamps = np.arange(12) * 100_000_000
    poses = np.array([se3.make(np.eye(3), [step * k, 0, 0]) for k in range(12)])
    return Wall(
        name="wall", camera=Camera(160, 120, 150.0, 150.0, 79.5, 59.5), stamps=stamps,
        images=[None] * 12, ground_truth=Trajectory(stamps, poses),
    )  # fmt: skip


def test_pairs_of_a_sequence_have_parallax_and_overlap():
    found = list(sequence_pairs(wall(0.11), 3))
    assert found
    for pair in found:
        first, second = int(pair.image_a.max()), int(pair.image_b.max())
        assert second - first == 3  # 0.33 m at 2 m
        assert np.allclose(pair.T_b_a[:3, 3], [-0.33, 0, 0]) and pair.depth_a.shape == (120, 160)
    with pytest.raises(InputError, match="no pair"):
        list(sequence_pairs(wall(0.001), 3))
    with pytest.raises(InputError, match="no pair"):
        list(sequence_pairs(wall(3.0), 3))
