# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Files, interpolation and alignment of trajectories."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hybrid_features_ros.core import se3
from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.core.types import Trajectory
from hybrid_features_ros.io.text import parse_stamp
from hybrid_features_ros.io.trajectory import (
    align,
    associate,
    format_stamp,
    interpolate,
    read_kitti_poses,
    read_tum,
    write_kitti,
    write_tum,
)

twists = arrays(np.float64, 6, elements=st.floats(-1.7, 1.7))


def random_trajectory(n=20, seed=0, step=50_000_001):
    rng = np.random.default_rng(seed)
    poses = np.array([se3.exp(rng.uniform(-1.5, 1.5, 6)) for _ in range(n)])
    return Trajectory(1_305_031_229_528_748_123 + step * np.arange(n), poses)


@given(st.integers(0, 2**62))
def test_stamps_keep_every_nanosecond(ns):
    assert parse_stamp(format_stamp(ns)) == ns


@pytest.mark.parametrize(
    ("text", "ns"),
    [("1305031229.528748", 1305031229528748000), ("0.1", 10**8), ("7", 7 * 10**9), (".5", 5 * 10**8),
     ("-1.5", -1500000000), ("1.0e-3", 10**6), ("0.1234567891", 123456789)],
)  # fmt: skip
def test_stamps_as_people_write_them(text, ns):
    assert parse_stamp(text) == ns


def test_tum_files_round_trip(tmp_path):
    trajectory = random_trajectory()
    write_tum(tmp_path / "t.tum", trajectory)
    again = read_tum(tmp_path / "t.tum")
    assert np.array_equal(again.stamps, trajectory.stamps)
    assert np.allclose(again.poses, trajectory.poses, atol=2e-9)


def test_kitti_files_round_trip(tmp_path):
    trajectory = random_trajectory()
    write_kitti(tmp_path / "t.txt", trajectory)
    assert np.allclose(read_kitti_poses(tmp_path / "t.txt"), trajectory.poses, atol=1e-9)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 2 3\n", "3 values; expected t tx"),
        ("a b c d e f g h\n", "t.tum:1: not t tx ty"),
        ("# nothing\n", "no poses"),
        ("1 0 0 0 0 0 0 0\n", "no poses"),
        ("1 0 0 0 0 0 0 x\n", "could not convert"),
        ("1 0 0 0 0 1 0 0 0 0 1 0\n", "12 numbers on a line; expected the 8"),
    ],
)
def test_broken_tum_files(tmp_path, text, message):
    (tmp_path / "t.tum").write_text(text)
    with pytest.raises(InputError, match=message):
        read_tum(tmp_path / "t.tum")


def test_missing_file(tmp_path):
    with pytest.raises(InputError, match="no such file; expected t tx"):
        read_tum(tmp_path / "none")


@given(twists, st.floats(0, 1))
def test_interpolation_follows_a_steady_motion(xi, s):
    """Between two poses that differ by a pure rotation and a translation, both grow in proportion."""
    end = se3.make(se3.exp(xi)[:3, :3], xi[:3])
    trajectory = Trajectory(np.array([0, 10**6]), np.stack([np.eye(4), end]))
    at = np.array([round(s * 10**6)])
    poses, valid = interpolate(trajectory, at, 10**9)
    share = at[0] / 1e6
    assert valid[0]
    assert np.allclose(poses[0, :3, :3], se3.exp(np.r_[np.zeros(3), xi[3:] * share])[:3, :3], atol=1e-9)
    assert np.allclose(poses[0, :3, 3], xi[:3] * share, atol=1e-9)


def test_association_leaves_out_what_the_truth_does_not_cover():
    truth = random_trajectory(10)
    gap = Trajectory(np.delete(truth.stamps, [4, 5]), np.delete(truth.poses, [4, 5], axis=0))
    stamps = np.concatenate([truth.stamps[:1] - 1, truth.stamps, truth.stamps[-1:] + 1])
    estimate = Trajectory(stamps, np.tile(np.eye(4), (12, 1, 1)))
    found, true = associate(estimate, gap)
    assert np.array_equal(found.stamps, gap.stamps)
    assert np.allclose(true.poses, gap.poses, atol=1e-9)


@given(twists, st.floats(0.1, 10), st.integers(0, 100))
def test_alignment_recovers_any_similarity(xi, scale, seed):
    points = np.random.default_rng(seed).normal(size=(12, 3))
    T = se3.exp(xi)
    moved = scale * points @ T[:3, :3].T + T[:3, 3]
    found = align(points, moved, with_scale=True)
    assert found.scale == pytest.approx(scale)
    assert np.allclose(found.rotation, T[:3, :3], atol=1e-7)
    assert np.allclose(found.translation, T[:3, 3], atol=1e-6)
    rigid = align(points, points @ T[:3, :3].T + T[:3, 3], with_scale=False)
    assert rigid.scale == 1.0
    assert np.allclose(rigid.rotation, T[:3, :3], atol=1e-7)


def test_alignment_never_mirrors():
    points = np.random.default_rng(0).normal(size=(12, 3))
    assert np.linalg.det(align(points, points * [1, 1, -1], True).rotation) == pytest.approx(1)


def test_a_standing_camera_has_no_scale():
    assert align(np.zeros((5, 3)), np.random.default_rng(0).normal(size=(5, 3)), True).scale == 1.0
