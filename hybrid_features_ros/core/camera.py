"""Central cameras: pixels to rays and back, with the two distortion models that ROS drivers publish."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum

import cv2
import numpy as np
from numpy.typing import ArrayLike

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
_ALIASES = {"": Distortion.NONE, "radtan": Distortion.RADTAN, "fisheye": Distortion.EQUIDISTANT}
_PRECISE = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 50, 1e-12)


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
        values = (self.fx, self.fy, self.cx, self.cy, *self.coefficients)
        if self.width <= 0 or self.height <= 0:
            raise InputError(f"camera: image size {self.width}x{self.height} is empty; set width and height")
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

        Raises:
            InputError: ``K`` has not nine elements, or the model is unknown.
        """
        if len(K) != 9:
            raise InputError(f"camera: K has {len(K)} elements; give the 9 of a row-major 3x3 matrix")
        try:
            distortion = _ALIASES.get(model) or Distortion(model)
        except ValueError:
            known = ", ".join(d.value for d in Distortion)
            raise InputError(f"camera: unknown distortion model {model!r}; use one of {known}") from None
        if distortion is not Distortion.EQUIDISTANT and not any(coefficients):
            distortion, coefficients = Distortion.NONE, ()
        if distortion is Distortion.NONE:
            coefficients = ()
        return Camera(width, height, K[0], K[4], K[2], K[5], distortion, tuple(map(float, coefficients)))

    @property
    def K(self) -> Float64:
        """The (3, 3) calibration matrix."""
        return np.array([[self.fx, 0, self.cx], [0, self.fy, self.cy], [0, 0, 1.0]])

    @property
    def focal(self) -> float:
        """Geometric mean of the focal lengths [px]: turns small angles [rad] into pixels."""
        return float(np.sqrt(self.fx * self.fy))

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
            distort = self._distort_fisheye if self.distortion is Distortion.EQUIDISTANT else self._distort
            xy = distort(xy)
        return np.asarray(xy * (self.fx, self.fy) + (self.cx, self.cy))

    def normalise(self, pixels: ArrayLike) -> Float64:
        """Undistorted coordinates (N, 2) on the plane z = 1 of pixels (N, 2)."""
        uv = np.asarray(pixels, dtype=np.float64).reshape(-1, 2)
        if self.distortion is Distortion.NONE or not len(uv):
            return np.asarray((uv - (self.cx, self.cy)) / (self.fx, self.fy))
        D = np.array(self.coefficients)
        if self.distortion is Distortion.EQUIDISTANT:
            xy = cv2.fisheye.undistortPoints(uv[:, None], self.K, D, criteria=_PRECISE)
        else:
            xy = cv2.undistortPoints(uv[:, None], self.K, D, criteria=_PRECISE)
        return np.asarray(xy, dtype=np.float64).reshape(-1, 2)

    def bearings(self, pixels: ArrayLike) -> Float64:
        """Unit rays (N, 3) in the camera's frame through pixels (N, 2)."""
        xy = self.normalise(pixels)
        rays = np.concatenate([xy, np.ones((len(xy), 1))], axis=1)
        return np.asarray(rays / np.linalg.norm(rays, axis=1, keepdims=True))

    def _distort(self, xy: Float64) -> Float64:
        rays = np.concatenate([xy, np.ones((len(xy), 1))], axis=1)
        uv, _ = cv2.projectPoints(rays, np.zeros(3), np.zeros(3), np.eye(3), np.array(self.coefficients))
        return np.asarray(uv, dtype=np.float64).reshape(-1, 2)

    def _distort_fisheye(self, xy: Float64) -> Float64:
        uv = cv2.fisheye.distortPoints(xy[:, None], np.eye(3), np.array(self.coefficients))
        return np.asarray(uv, dtype=np.float64).reshape(-1, 2)
