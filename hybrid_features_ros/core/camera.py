# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Central cameras: pixels to rays and back, with the two distortion models that ROS drivers publish."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import ArrayLike

from hybrid_features_ros.core import lens
from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.core.types import Float64


class Distortion(Enum):
    """Lens models; the values are the names in ``sensor_msgs/CameraInfo.distortion_model``."""

    NONE = "none"
    RADTAN = "plumb_bob"
    RATIONAL = "rational_polynomial"
    EQUIDISTANT = "equidistant"


_COEFFICIENTS = {
    Distortion.NONE: (0,),
    Distortion.RADTAN: (4, 5),
    Distortion.RATIONAL: (8, 12, 14),
    Distortion.EQUIDISTANT: (4,),
}
_POLYNOMIAL = (Distortion.RADTAN, Distortion.RATIONAL)  # those of lens.py
# Names as other tools write them, in lower case and with underscores.
ALIASES = {
    "": Distortion.NONE,
    "pinhole": Distortion.NONE,
    "radtan": Distortion.RADTAN,
    "radial_tangential": Distortion.RADTAN,
    "brown_conrady": Distortion.RADTAN,
    "fisheye": Distortion.EQUIDISTANT,
    "equi": Distortion.EQUIDISTANT,
    "kannala_brandt": Distortion.EQUIDISTANT,
}
_MOST_ASPECT = 4.0  # ratio of the focal lengths: 2 where only rows or only columns are binned
_FOCAL_RANGE = (0.05, 50.0)  # of the focal length over the longer side: fisheye to telescope
_USUAL_FOCAL = (0.1, 5.0)  # over the longer side: views of 11 deg to those of fisheyes
_OFF = 0.1  # of the longer side, from the middle: beyond it cx and cy may be exchanged
_USUAL = 0.2  # how far it usually lies from the middle at most, over the side
_BEYOND = 0.5  # how far the principal point may lie outside the image, over its side: cropped sensors


@dataclass(frozen=True)
class Camera:
    """A calibrated camera in optical axes: x right, y down, z forward (REP-103).

    Attributes:
        width, height: image size [px].
        fx, fy, cx, cy: focal lengths and principal point [px].
        distortion: lens model.
        coefficients: of the lens model, in OpenCV's order (k1, k2, p1, p2, k3, ... or k1 ... k4).

    Raises:
        InputError: the calibration is empty (focal length 0), not finite, or has the wrong number of
            coefficients.
    """

    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float
    distortion: Distortion = Distortion.NONE
    coefficients: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        values = (self.fx, self.fy, self.cx, self.cy)
        if self.width <= 0 or self.height <= 0:
            raise InputError(f"camera: image size {self.width}x{self.height} is empty; set width and height")
        if not np.isfinite(self.coefficients).all():
            raise InputError(
                f"camera: distortion coefficients {self.coefficients} are not finite; calibrate the "
                "camera, or give zeros for a lens without distortion"
            )
        if not np.isfinite(values).all() or self.fx <= 0 or self.fy <= 0:
            raise InputError(
                f"camera: fx = {self.fx}, fy = {self.fy} is no calibration; "
                "calibrate the camera and publish the result (K[0] = 0 means uncalibrated)"
            )
        if len(self.coefficients) not in _COEFFICIENTS[self.distortion]:
            raise InputError(
                f"camera: {len(self.coefficients)} coefficients for {self.distortion.value}; "
                f"give {' or '.join(map(str, _COEFFICIENTS[self.distortion]))}"
            )

    @staticmethod
    def from_calibration(
        width: int, height: int, K: Sequence[float], model: str, coefficients: Sequence[float]
    ) -> Camera:
        """Build from a row-major 3x3 ``K`` and a model's name; all-zero coefficients mean no distortion.

        More coefficients than the model has are no harm where they are zero; of the rational model, the
        second half may be left out. Models are also known by the names of Kalibr and OpenCV.

        Raises:
            InputError: the numbers are no calibration of such an image, or the model is unknown.
        """
        numbers, D = [float(v) for v in K], [float(v) for v in coefficients]
        _check_intrinsics(width, height, numbers)
        distortion = _model_of(model)
        if distortion is Distortion.NONE and any(D):
            raise InputError(
                f"camera: distortion model {model!r}, but the coefficients are {D}; name their model "
                "(plumb_bob, rational_polynomial or equidistant), or set them to 0"
            )
        if distortion is not Distortion.EQUIDISTANT and not any(D):
            distortion, D = Distortion.NONE, []
        fx, _, cx, _, fy, cy, *_ = numbers
        return Camera(width, height, fx, fy, cx, cy, distortion, _fitting(distortion, D))

    @property
    def K(self) -> Float64:
        """The (3, 3) calibration matrix."""
        return np.array([[self.fx, 0, self.cx], [0, self.fy, self.cy], [0, 0, 1.0]])

    @property
    def focal(self) -> float:
        """Geometric mean of the focal lengths [px]: turns small angles [rad] into pixels."""
        return float(np.sqrt(self.fx * self.fy))

    @property
    def doubt(self) -> str:
        """What is unusual about the calibration, and may be that of another image; empty: nothing."""
        if not _USUAL_FOCAL[0] <= self.focal / max(self.width, self.height) <= _USUAL_FOCAL[1]:
            return (
                f"a focal length of {self.focal:.5g} px is unusual for {self.width}x{self.height} pixels: "
                "is the calibration that of this image, in pixels?"
            )
        x, y = (self.cx + 0.5) / self.width, (self.cy + 0.5) / self.height
        off = np.hypot(self.cx - self.width / 2, self.cy - self.height / 2)
        exchanged = np.hypot(self.cx - self.height / 2, self.cy - self.width / 2)
        if off > _OFF * max(self.width, self.height) and exchanged < off / 4:
            return (
                f"the principal point ({self.cx:.5g}, {self.cy:.5g}) is near the middle of {self.height}x"
                f"{self.width} pixels, not of {self.width}x{self.height}: are cx and cy exchanged?"
            )
        if max(abs(x - 0.5), abs(y - 0.5)) <= _USUAL:
            return ""
        return (
            f"the principal point ({self.cx:.5g}, {self.cy:.5g}) lies far from the middle of {self.width}x"
            f"{self.height} pixels: is the calibration that of this image?"
        )

    @cached_property
    def half_angle(self) -> float:
        """Angle [rad] between the optical axis and the ray of the farthest corner."""
        w, h = self.width - 1.0, self.height - 1.0
        corners = self.bearings(np.array([[0, 0], [w, 0], [0, h], [w, h]]))
        return float(np.arccos(np.clip(corners[:, 2], -1, 1)).max())

    @cached_property
    def half_view(self) -> Float64:
        """(2,) angles [rad] between the optical axis and the farther edges of the image along x and y."""
        w, h = self.width - 1.0, self.height - 1.0
        edges = self.bearings(np.array([[0, self.cy], [w, self.cy], [self.cx, 0], [self.cx, h]]))
        x, y = np.abs(np.arctan2(edges[:, :2], edges[:, 2:])).T
        return np.array([x[:2].max(), y[2:].max()])

    def scaled(self, factor: float) -> Camera:
        """The camera of the image resized by ``factor`` (pixel centres: ``(k + 0.5) * s - 0.5``)."""
        return replace(
            self,
            width=round(self.width * factor),
            height=round(self.height * factor),
            fx=self.fx * factor,
            fy=self.fy * factor,
            cx=(self.cx + 0.5) * factor - 0.5,
            cy=(self.cy + 0.5) * factor - 0.5,
        )

    def project(self, points: ArrayLike) -> Float64:
        """Pixels (N, 2) of points (N, 3) in the camera's frame; NaN for points not in front of it."""
        P = np.asarray(points, dtype=np.float64).reshape(-1, 3)
        with np.errstate(divide="ignore", invalid="ignore"):
            xy = np.where(P[:, 2:] > 0, P[:, :2] / P[:, 2:], np.nan)
        if self.distortion is not Distortion.NONE and len(xy):
            xy = self._distort(xy)
        return np.asarray(xy * (self.fx, self.fy) + (self.cx, self.cy))

    def normalise(self, pixels: ArrayLike) -> Float64:
        """Undistorted coordinates (N, 2) on the plane z = 1 of pixels (N, 2)."""
        uv = np.asarray(pixels, dtype=np.float64).reshape(-1, 2)
        if self.distortion is Distortion.NONE or not len(uv):
            return np.asarray((uv - (self.cx, self.cy)) / (self.fx, self.fy))
        if self.distortion is Distortion.EQUIDISTANT:
            xy = cv2.fisheye.undistortPoints(uv[:, None], self.K, np.array(self.coefficients))
            return np.asarray(xy, dtype=np.float64).reshape(-1, 2)
        assert self.distortion in _POLYNOMIAL
        return lens.undistort((uv - (self.cx, self.cy)) / (self.fx, self.fy), self.coefficients)

    def bearings(self, pixels: ArrayLike) -> Float64:
        """Unit rays (N, 3) in the camera's frame through pixels (N, 2)."""
        xy = self.normalise(pixels)
        rays = np.concatenate([xy, np.ones((len(xy), 1))], axis=1)
        return np.asarray(rays / np.linalg.norm(rays, axis=1, keepdims=True))

    def _distort(self, xy: Float64) -> Float64:
        if self.distortion is Distortion.EQUIDISTANT:
            uv = cv2.fisheye.distortPoints(xy[:, None], np.eye(3), np.array(self.coefficients))
            return np.asarray(uv, dtype=np.float64).reshape(-1, 2)
        assert self.distortion in _POLYNOMIAL
        return lens.distort(xy, self.coefficients)


def _model_of(name: str) -> Distortion:
    word = name.strip().lower().replace("-", "_").replace(" ", "_")
    try:
        return ALIASES.get(word) or Distortion(word)
    except ValueError:
        known = ", ".join(d.value for d in Distortion)
        raise InputError(f"camera: unknown distortion model {name!r}; use one of {known}") from None


def _fitting(distortion: Distortion, D: list[float]) -> tuple[float, ...]:
    """The coefficients without zeros at their end that the model does not have."""
    lengths = _COEFFICIENTS[distortion]
    if distortion is Distortion.RATIONAL and len(D) in _COEFFICIENTS[Distortion.RADTAN]:
        return (*D, *[0.0] * (8 - len(D)))
    if len(D) in lengths or len(D) < min(lengths):
        return tuple(D)
    needed = max((i + 1 for i, v in enumerate(D) if v != 0), default=0)
    length = next((n for n in lengths if n >= needed), len(D))
    return tuple((D + [0.0] * length)[:length])


def _check_intrinsics(width: int, height: int, K: list[float]) -> None:
    """Whether ``K`` can be the calibration of such an image: not shifted, scaled or of another one."""
    if len(K) != 9:
        raise InputError(f"camera: K has {len(K)} elements; give the 9 of a row-major 3x3 matrix")
    fx, skew, cx, zero, fy, cy, *last = K
    if not (width > 0 and height > 0 and fx > 0 and fy > 0):
        return  # Camera says it
    trouble = ""
    if not np.isfinite(K).all():
        trouble = f"K = {K} is not finite"
    elif zero != 0 or last != [0, 0, 1]:
        trouble = f"K[3] = {zero:g} and K[6:9] = {last} must be 0 and [0, 0, 1]"
    elif abs(skew) > 1e-4 * fx:
        trouble = f"K[1] = {skew:g}, but skew is not supported: calibrate without it"
    elif not 1 / _MOST_ASPECT <= fx / fy <= _MOST_ASPECT:
        trouble = f"fx = {fx:g} and fy = {fy:g} are of different order"
    elif not _FOCAL_RANGE[0] <= fx / max(width, height) <= _FOCAL_RANGE[1]:
        trouble = f"fx = {fx:g} does not fit {width}x{height} pixels"
    elif cx == 0 or cy == 0:
        trouble = f"the principal point ({cx:g}, {cy:g}) is not set"
    elif not (-_BEYOND <= cx / width <= 1 + _BEYOND and -_BEYOND <= cy / height <= 1 + _BEYOND):
        trouble = f"the principal point ({cx:g}, {cy:g}) is far outside an image of {width}x{height} pixels"
    if trouble:
        raise InputError(f"camera: K is no calibration of this image: {trouble}")
