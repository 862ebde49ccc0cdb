# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A rolled recording is what a rolled camera would have recorded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from synthetic import CAMERA

from hybrid_features_ros.core import se3
from hybrid_features_ros.core.camera import Camera, Distortion
from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.core.types import Trajectory
from hybrid_features_ros.io.source import Frame, Imu
from hybrid_features_ros.io.sources import open_source
from hybrid_features_ros.io.writer import write_folder
from hybrid_features_ros.simulation.roll import (
    FADE_PX,
    RolledSource,
    RollProfile,
    disc_camera,
    rotation_about_z,
)

LENS = Camera(320, 240, 250.0, 260.0, 150.0, 125.0, Distortion.RADTAN, (-0.2, 0.05, 0.001, -0.002, 0.0))
STEP = 50_000_000


@dataclass(frozen=True)
class Marks:
    """A camera that moves past points (N, 3); its images show each as a soft spot."""

    camera: Camera = LENS
    count: int = 4
    name: str = "marks"
    right: None = None
    baseline: float = 0.0
    points: np.ndarray = field(
        default_factory=lambda: np.random.default_rng(5).uniform([-1.2, -1.2, 3], [1.2, 1.2, 5], (12, 3))
    )

    @property
    def stamps(self) -> np.ndarray:
        return 1_000_000_000 + STEP * np.arange(self.count)

    @property
    def ground_truth(self) -> Trajectory:
        return Trajectory(
            self.stamps, np.array([se3.exp([0.05 * i, 0, 0, 0, 0.01 * i, 0]) for i in range(self.count)])
        )

    @property
    def imu(self) -> Imu:
        still = np.tile([0.1, -0.2, 0.3], (self.count, 1))
        return Imu(self.stamps, still, still)

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[Frame]:
        for stamp, T in zip(self.stamps.tolist(), self.ground_truth.poses, strict=True):
            yield Frame(stamp, spots(self.camera, self.seen(T)), np.full((240, 320), 4.0, np.float32))

    def seen(self, T: np.ndarray) -> np.ndarray:
        return self.camera.project((self.points - T[:3, 3]) @ T[:3, :3])


def spots(camera: Camera, centres: np.ndarray) -> np.ndarray:
    x, y = np.meshgrid(np.arange(camera.width), np.arange(camera.height))
    image = np.zeros(x.shape)
    for cx, cy in centres[np.isfinite(centres).all(axis=1)]:
        image += 200 * np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / 8)
    return image.clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("text", ["constant:77", "swing:300", "spin:400"])
def test_points_are_where_the_rolled_truth_puts_them(text: str) -> None:
    rolled = RolledSource(Marks(), RollProfile.parse(text))
    marks = rolled.source
    for frame, T in zip(rolled, rolled.ground_truth.poses, strict=True):
        expected = spots(rolled.camera, rolled.camera.project((marks.points - T[:3, 3]) @ T[:3, :3]))
        x, y = np.meshgrid(*2 * [np.arange(rolled.camera.width) - rolled.camera.cx])
        inside = np.hypot(x, y) < rolled.camera.cx - FADE_PX - 1
        assert expected[inside].max() > 150, "no point in sight: the scene of the test is wrong"
        # A lens stretches a spot a little; its centre is exact.
        assert np.abs(frame.image.astype(float) - expected)[inside].mean() < 2
        assert (frame.depth[inside] == 4).all()


@given(st.sampled_from(["swing", "spin"]), st.floats(10, 1000), st.floats(0, 5))
def test_a_rate_is_the_derivative_of_the_angle(kind: str, value: float, seconds: float) -> None:
    profile = RollProfile.parse(f"{kind}:{value}")
    numeric = (profile.angle(seconds + 1e-6) - profile.angle(seconds - 1e-6)) / 2e-6
    assert profile.rate(seconds) == pytest.approx(numeric, abs=1e-3)
    assert abs(profile.rate(seconds)) <= np.radians(value) + 1e-9


def test_a_swing_goes_half_a_turn_to_either_side_at_its_rate() -> None:
    profile = RollProfile.parse("swing:120")
    angles = [profile.angle(t) for t in np.arange(0, 20, 0.01)]
    assert np.degrees([min(angles), max(angles)]) == pytest.approx([-180, 180], abs=0.1)
    assert np.degrees(profile.rate(0)) == pytest.approx(120)


def test_in_a_blackout_the_camera_turns_and_shows_nothing() -> None:
    profile = RollProfile.parse("blackout:90")
    assert [profile.is_dark(t) for t in (0.0, 2.99, 3.0, 3.99, 4.0, 7.5)] == [0, 0, 1, 1, 0, 1]
    assert np.degrees([profile.angle(t) for t in (2.9, 3.5, 4.0, 6.9, 8.0)]) == pytest.approx(
        [0, 45, 90, 90, 180]
    )
    assert profile.rate(3.5) == pytest.approx(np.pi / 2) and profile.rate(2.0) == 0
    frames = list(RolledSource(Marks(count=82), profile))
    dark = [not f.image.any() for f in frames]
    assert dark == [60 <= i < 80 for i in range(82)]
    assert np.isnan(frames[70].depth).all()


def test_dropped_images_and_names() -> None:
    rolled = RolledSource(Marks(count=7), RollProfile.parse("spin:360", 0.01, every=3))
    assert [f.stamp for f in rolled] == rolled.stamps.tolist() == Marks(count=7).stamps[::3].tolist()
    assert rolled.name == "marks_spin360_every3_blur10ms"
    assert len(rolled) == 3


def test_blur_smears_along_the_arc_and_keeps_the_mean() -> None:
    sharp, blurred = (
        next(iter(RolledSource(Marks(), RollProfile.parse("spin:500", exposure)))).image.astype(float)
        for exposure in (0.0, 0.02)
    )
    assert blurred.mean() == pytest.approx(sharp.mean(), rel=0.02)
    edges = [np.abs(cv2.Sobel(i[20:-20, 20:-20], cv2.CV_64F, 1, 0)).mean() for i in (sharp, blurred)]
    assert edges[1] < 0.85 * edges[0]


def test_a_pan_blurs_along_the_rows_and_moves_nothing() -> None:
    sharp, blurred = (
        next(iter(RolledSource(Marks(), RollProfile.parse("constant:0", 0.01, pan=pan)))).image.astype(float)
        for pan in (0.0, 200.0)
    )
    inner = slice(60, -60)
    across, along = (
        np.abs(cv2.Sobel(i[inner, inner], cv2.CV_64F, *d)).mean()
        / np.abs(cv2.Sobel(sharp[inner, inner], cv2.CV_64F, *d)).mean()
        for i, d in ((blurred, (1, 0)), (blurred, (0, 1)))
    )
    assert across < 0.6 < along
    shift, _ = cv2.phaseCorrelate(sharp[inner, inner], blurred[inner, inner])
    assert np.abs(shift).max() < 0.5


def test_a_pan_needs_an_exposure() -> None:
    with pytest.raises(InputError, match="pan 200 deg/s: it only blurs; give an exposure"):
        RollProfile.parse("spin:90", pan=200.0)
    for pan in (np.inf, np.nan, 1e9, -3000.0):
        with pytest.raises(InputError, match=r"pan .* deg/s: give a number up to 2000"):
            RollProfile.parse("spin:90", 0.01, pan=pan)


def test_the_gyroscope_turns_along_and_feels_the_roll() -> None:
    rolled = RolledSource(Marks(), RollProfile.parse("spin:90"))
    a = np.radians(90) * STEP * 1e-9 * 2
    expected = rotation_about_z(a).T @ [0.1, -0.2, 0.3]
    assert rolled.imu.gyro[2] == pytest.approx([*expected[:2], expected[2] + np.radians(90)])
    assert rolled.imu.accel[2] == pytest.approx(expected)


def test_the_disc_is_the_largest_that_stays_inside() -> None:
    assert disc_camera(CAMERA).width == 478
    shifted = disc_camera(LENS)
    angles = np.linspace(0, 2 * np.pi, 50)
    directions = np.column_stack([np.cos(angles), np.sin(angles)]) / shifted.focal
    for radius, fits in ((shifted.cx, True), (shifted.cx + 3, False)):
        pixels = LENS.project(np.column_stack([directions * radius, np.ones(50)]))
        assert ((pixels >= 0) & (pixels <= [319, 239])).all() == fits
    with pytest.raises(InputError, match="no disc around the principal point"):
        disc_camera(Camera(320, 240, 250.0, 250.0, 5.0, 120.0))


@pytest.mark.parametrize("text", ["", "spin", "roll:3", "spin:fast", "spin:nan"])
def test_a_profile_that_is_none_is_named(text: str) -> None:
    with pytest.raises(
        InputError, match="give constant:DEGREES, swing:DEG_PER_S, spin:DEG_PER_S or blackout:DEGREES"
    ):
        RollProfile.parse(text)


def test_a_negative_exposure_is_refused() -> None:
    with pytest.raises(InputError, match=r"exposure -1"):
        RollProfile.parse("spin:90", -1)


def test_a_rolled_sequence_written_out_reads_as_the_same(tmp_path) -> None:
    rolled = RolledSource(Marks(), RollProfile.parse("constant:30"))
    write_folder(rolled, tmp_path / "out")
    read = open_source(tmp_path / "out")
    assert read.camera == rolled.camera
    assert read.stamps.tolist() == rolled.stamps.tolist()
    assert read.ground_truth.poses == pytest.approx(rolled.ground_truth.poses, abs=1e-6)
    for a, b in zip(read, rolled, strict=True):
        assert (a.image == b.image).all()
        assert np.allclose(a.depth, b.depth, atol=1e-3, equal_nan=True)
    with pytest.raises(InputError, match="exists"):
        write_folder(rolled, tmp_path / "out")
