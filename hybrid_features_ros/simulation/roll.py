# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Real sequences rolled about the optical axis by a known profile, with exact truth for the added motion.

A camera that rolls sees the rays of the recording turned about its optical axis and nothing else, so a
recorded image can be resampled into the image of a rolled camera without knowing the scene. What leaves the
image must not depend on the angle: only the largest disc around the principal point is kept,
its edge faded into grey.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, cast, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from hybrid_features_ros.core import se3
from hybrid_features_ros.core.camera import Camera
from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.core.types import Float32, Float64, Trajectory
from hybrid_features_ros.io.source import Frame, Imu, Notes, RecordedPrior, Source
from hybrid_features_ros.io.trajectory import interpolate

GREY = 128.0
MAX_GAP_NS = 100_000_000  # of the recorded truth
FADE_PX = 6.0  # width of the disc's faded edge: no corners along it
BLUR_STEP_PX = 0.7  # arc at the disc's edge between two of the images that are averaged to motion blur
_PAN_STRETCH = 1.3  # of pixels at the disc's edge over those in its middle, at usual focal lengths
MAX_PAN = 2000.0  # rate of a pan [deg/s], at which 10 ms blur over a third of most cameras' view
LIT_S, DARK_S = 3.0, 1.0  # of a profile with blackouts, in turns
Kind = Literal["constant", "swing", "spin", "blackout"]


@dataclass(frozen=True)
class RollProfile:
    """Roll angle over time.

    Attributes:
        kind: ``constant``: turned by a fixed angle; ``swing``: a sine of 180 degrees to either side;
            ``spin``: steady rotation in one direction; ``blackout``: after every ``LIT_S`` the image is black
            for ``DARK_S``, and the camera turns only then.
        value: the angle [deg] of ``constant``, and of each turn of ``blackout``; else the highest rate
            [deg/s].
        exposure_s: time over which an image is averaged [s]; 0 = no motion blur.
        every: only every N-th image is kept.
        pan: rate of a turn about the camera's vertical axis during the exposure [deg/s]: it blurs and shows
            in nothing else, as a recorded image has no more to its sides.
    """

    kind: Kind = "constant"
    value: float = 0.0
    exposure_s: float = 0.0
    every: int = 1
    pan: float = 0.0

    @staticmethod
    def parse(text: str, exposure_s: float = 0.0, every: int = 1, pan: float = 0.0) -> RollProfile:
        """From ``constant:DEGREES``, ``swing:DEG_PER_S``, ``spin:DEG_PER_S`` or ``blackout:DEGREES``.

        Raises:
            InputError: anything else, a negative exposure, or a pan without one.
        """
        kind, _, number = text.partition(":")
        try:
            value = float(number)
        except ValueError:
            value = np.nan
        if kind not in get_args(Kind) or not np.isfinite(value):
            raise InputError(
                f"roll profile {text!r}: give constant:DEGREES, swing:DEG_PER_S, spin:DEG_PER_S or "
                "blackout:DEGREES"
            )
        if exposure_s < 0 or every < 1:
            raise InputError(
                f"exposure {exposure_s} s, every {every}: give a time from 0 and a whole number from 1"
            )
        if not abs(pan) <= MAX_PAN:
            raise InputError(f"pan {pan:g} deg/s: give a number up to {MAX_PAN:g}")
        if pan and not exposure_s:
            raise InputError(f"pan {pan:g} deg/s: it only blurs; give an exposure above 0, too")
        return RollProfile(cast(Kind, kind), value, exposure_s, every, pan)

    @property
    def name(self) -> str:
        """Such as ``spin360``, ``swing120_every3``, ``constant30_blur10ms``."""
        dropped = f"_every{self.every}" if self.every > 1 else ""
        blur = f"_blur{1e3 * self.exposure_s:g}ms" if self.exposure_s else ""
        blur += f"_pan{self.pan:g}" if self.pan else ""
        return f"{self.kind}{self.value:g}{dropped}{blur}"

    def angle(self, seconds: float) -> float:
        """Roll after some time [rad]; positive turns the camera clockwise, from x to y."""
        if self.kind == "constant":
            return float(np.radians(self.value))
        if self.kind == "spin":
            return float(np.radians(self.value) * seconds)
        if self.kind == "blackout":
            whole, rest = divmod(seconds, LIT_S + DARK_S)
            return float(np.radians(self.value) * (whole + max(0.0, rest - LIT_S) / DARK_S))
        return float(np.pi * np.sin(np.radians(self.value) / np.pi * seconds))

    def rate(self, seconds: float) -> float:
        """Its derivative [rad/s]."""
        if self.kind == "constant":
            return 0.0
        if self.kind == "spin":
            return float(np.radians(self.value))
        if self.kind == "blackout":
            return float(np.radians(self.value) / DARK_S) if self.is_dark(seconds) else 0.0
        return float(np.radians(self.value) * np.cos(np.radians(self.value) / np.pi * seconds))

    def is_dark(self, seconds: float) -> bool:
        """Whether the image after some time is black."""
        return self.kind == "blackout" and seconds % (LIT_S + DARK_S) >= LIT_S


class RolledSource:
    """A source whose camera also rolls; monocular, or with the source's registered depth.

    Attributes are those of :class:`~hybrid_features_ros.io.source.Source`. The camera is a pinhole without
    distortion whose square image holds the disc.
    """

    right: Source | None = None  # rows of a rolled pair are no longer epipolar lines
    baseline = 0.0
    prior: RecordedPrior | None = None  # of the recorded camera, which does not roll

    def __init__(self, source: Source, profile: RollProfile) -> None:
        self.source, self.profile = source, profile
        self.camera = disc_camera(source.camera)
        self.stamps = source.stamps[:: profile.every]
        self.name = f"{source.name}_{profile.name}"

    def __len__(self) -> int:
        return len(self.stamps)

    def __iter__(self) -> Iterator[Frame]:
        wanted = set(self.stamps.tolist())
        yield from (self.roll(frame) for frame in self.source if frame.stamp in wanted)

    @property
    def notes(self) -> Notes:
        """Those of the recorded source."""
        return self.source.notes

    @property
    def ground_truth(self) -> Trajectory | None:
        """Poses of the rolled camera at the images' stamps, where the recorded truth has no gap; None if it
        knows no image.
        """
        if self.source.ground_truth is None:
            return None
        poses, known = interpolate(self.source.ground_truth, self.stamps, MAX_GAP_NS)
        return roll_poses(Trajectory(self.stamps[known], poses[known]), self) if known.any() else None

    @property
    def imu(self) -> Imu | None:
        """Measurements in the rolled camera's axes, its own rate added."""
        imu = self.source.imu
        if imu is None:
            return None
        stamps = imu.stamps.tolist()
        turns = np.array([self.rotation(s).T for s in stamps]).reshape(-1, 3, 3)
        gyro = np.einsum("nij,nj->ni", turns, imu.gyro)
        gyro[:, 2] += [self.profile.rate(self._seconds(s)) for s in stamps]
        return Imu(imu.stamps, gyro, np.einsum("nij,nj->ni", turns, imu.accel))

    def rotation(self, stamp: int) -> Float64:
        """(3, 3) from the rolled camera's axes to the recorded camera's, at a stamp [ns]."""
        return rotation_about_z(self.profile.angle(self._seconds(stamp)))

    def roll(self, frame: Frame) -> Frame:
        """The image, and depth if there is one, that the rolled camera would have taken."""
        seconds, exposure = self._seconds(frame.stamp), self.profile.exposure_s
        if self.profile.is_dark(seconds):
            shape = (self.camera.height, self.camera.width, *frame.image.shape[2:])
            dark = None if frame.depth is None else np.full(shape[:2], np.nan, np.float32)
            return Frame(frame.stamp, np.zeros(shape, np.uint8), dark)
        rolled = abs(self.profile.rate(seconds)) * self.camera.width / 2
        panned = abs(np.radians(self.profile.pan)) * self.camera.focal * _PAN_STRETCH
        arc = (rolled + panned) * exposure
        count = 1 + int(np.ceil(arc / BLUR_STEP_PX))
        offsets = (np.arange(count) - (count - 1) / 2) / count * exposure
        total = sum(self._resample(frame.image, seconds, t) for t in offsets)
        image = np.asarray(total, dtype=np.float32) / count
        fade = self._fade[..., None] if image.ndim == 3 else self._fade
        image = GREY + (image - GREY) * fade
        depth = None if frame.depth is None else self._roll_depth(frame.depth, self.profile.angle(seconds))
        return Frame(frame.stamp, np.rint(image).clip(0, 255).astype(np.uint8), depth)

    def _resample(self, image: NDArray[Any], seconds: float, offset: float) -> Float32:
        """The image (H, W) or (H, W, 3) seen by the rolled camera some time into its exposure, as float32."""
        pan = np.radians(self.profile.pan) * offset
        x, y = self._pixels(self.profile.angle(seconds + offset), pan)
        return np.asarray(
            cv2.remap(image, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE), np.float32
        )

    def _roll_depth(self, depth: Float32, angle: float) -> Float32:
        """Depths (H, W) [m] of the rolled image, NaN outside the disc; roll does not change a depth."""
        x, y = self._pixels(angle)
        rolled = cv2.remap(
            depth, x, y, cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT, borderValue=float("nan")
        )
        return np.asarray(np.where(self._fade >= 1, rolled, np.nan), dtype=np.float32)

    def _pixels(self, angle: float, pan: float = 0.0) -> tuple[Float32, Float32]:
        """Where in the recorded image each pixel (S, S) of the rolled, and then panned [rad], image lies."""
        side = self.camera.width
        R = rotation_about_z(angle) @ se3.exp([0, 0, 0, 0, pan, 0])[:3, :3]
        xy = self.source.camera.project(self._rays @ R.T).astype(np.float32)
        return xy[:, 0].reshape(side, side), xy[:, 1].reshape(side, side)

    @cached_property
    def _rays(self) -> Float64:
        side = np.arange(self.camera.width, dtype=np.float64)
        x, y = np.meshgrid(side, side)
        return self.camera.bearings(np.stack([x.ravel(), y.ravel()], axis=1))

    @cached_property
    def _fade(self) -> Float32:
        """(S, S): 1 inside the disc, 0 outside, a ramp between."""
        centre = self.camera.cx
        side = np.arange(self.camera.width) - centre
        radius = np.hypot(side[:, None], side[None])
        return np.asarray(np.clip((centre - radius) / FADE_PX, 0, 1), dtype=np.float32)

    def _seconds(self, stamp: int) -> float:
        return (stamp - int(self.source.stamps[0])) * 1e-9


def rotation_about_z(angle: float) -> Float64:
    """(3, 3) of a turn about the optical axis [rad]."""
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])


def disc_camera(camera: Camera) -> Camera:
    """The pinhole camera, with the same focal length, of the largest disc around the principal point that
    every roll keeps inside the image.

    Raises:
        InputError: the principal point is not inside the image.
    """
    angles = np.linspace(0, 2 * np.pi, 180, endpoint=False)
    directions = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    limit = (camera.width - 1.0, camera.height - 1.0)
    radius = min(camera.cx, camera.cy, limit[0] - camera.cx, limit[1] - camera.cy)
    while radius >= 16:
        rays = np.column_stack([directions * radius / camera.focal, np.ones(len(angles))])
        xy = camera.project(rays)
        if ((xy >= 0) & (xy <= limit)).all():
            side = 2 * int(radius)
            return Camera(side, side, camera.focal, camera.focal, (side - 1) / 2, (side - 1) / 2)
        radius -= 1
    raise InputError(
        f"camera: no disc around the principal point ({camera.cx:.1f}, {camera.cy:.1f}) fits into the image "
        f"of {camera.width}x{camera.height}; is the calibration that of these images?"
    )


def roll_poses(path: Trajectory, source: RolledSource) -> Trajectory:
    """Poses of the rolled camera where the recorded camera takes ``path``."""
    turns = [se3.make(source.rotation(stamp), np.zeros(3)) for stamp in path.stamps.tolist()]
    return Trajectory(path.stamps, path.poses @ np.array(turns))
