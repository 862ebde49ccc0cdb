# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Calibrations as they come: camera_info messages and the files of ROS, Kalibr, EuRoC, OpenCV and our own."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from hybrid_features_ros.core import se3
from hybrid_features_ros.core.camera import Camera, Distortion
from hybrid_features_ros.core.errors import InputError, reading
from hybrid_features_ros.core.types import Float64
from hybrid_features_ros.io.source import Notes
from hybrid_features_ros.io.text import read_text

NEEDED = ("width", "height", "K", "dist", "model")
DEPTH_SCALES = ("depth_scale", "depth_units", "depth_factor", "depth_map_factor")
KNOWN = (
    *NEEDED, "P", "baseline_m", "T_camera_imu", "rate_hz", *DEPTH_SCALES,
    "name", "source", "licence", "license", "note", "comment",
)  # fmt: skip


RECTIFIED = frozenset(("rect", "rectified", "undistorted"))  # in names of topics


def is_named_rectified(topic: str) -> bool:
    """Whether the name of an image topic says that lens distortion has been taken out."""
    return not RECTIFIED.isdisjoint(re.split("[/_]", topic.lower()))


@dataclass(frozen=True)
class CameraInfo:
    """What a sensor_msgs/CameraInfo says, in its own terms: ``k`` and ``p`` row by row."""

    width: int
    height: int
    distortion_model: str
    d: Sequence[float]
    k: Sequence[float]
    p: Sequence[float] = (0.0,) * 12
    binning_x: int = 0
    binning_y: int = 0
    roi: tuple[int, int, int, int] = (0, 0, 0, 0)
    """x and y offset, width, height; width 0: the full sensor."""
    r: Sequence[float] = ()
    """Rotation from the camera's axes to the rectified ones; empty or zeros: not told."""

    @staticmethod
    def of(msg: Any) -> CameraInfo:
        """Of a message of ROS 1, ROS 2 or Foxglove (CameraCalibration)."""
        roi = getattr(msg, "roi", None)
        k, d, p, r = (np.ravel(getattr(msg, n, getattr(msg, n.upper(), ()))).tolist() for n in "kdpr")
        return CameraInfo(
            int(msg.width), int(msg.height), str(msg.distortion_model), d, k, p,
            int(getattr(msg, "binning_x", 0)), int(getattr(msg, "binning_y", 0)),
            (roi.x_offset, roi.y_offset, roi.width, roi.height) if roi is not None else (0, 0, 0, 0), r,
        )  # fmt: skip

    @property
    def is_calibrated(self) -> bool:
        """Whether there is a focal length in it: drivers publish zeros before they know one."""
        return any(self.k)

    def camera(self, rectified: bool = False) -> Camera:
        """The camera of the raw image (K and D) or of the rectified one (P), after ROI and binning.

        ``sensor_msgs/CameraInfo`` calibrates the full sensor; the image is the region of interest of it,
        every ``binning`` pixels joined to one.

        Raises:
            InputError: it is no calibration of such an image, the lens model is unknown, or P is empty.
        """
        if rectified and not any(self.p) and any(self.d):
            raise InputError(
                "the image is rectified, but P of the camera_info is empty (D is not): publish or give the "
                "projection matrix, or set input.rectified to false if the image is raw"
            )
        if rectified and any(self.p):
            p = list(self.p)
            full = Camera.from_calibration(self.width, self.height, p[:3] + p[4:7] + p[8:11], "none", ())
        else:
            full = Camera.from_calibration(self.width, self.height, self.k, self.distortion_model, self.d)
        x, y, width, height = self.roi
        if x + width > self.width or y + height > self.height:
            raise InputError(
                f"camera_info: the region of interest, {width}x{height} at ({x}, {y}), lies beyond the "
                f"sensor's {self.width}x{self.height} pixels: width and height are those of the full sensor"
            )
        bx, by = max(self.binning_x, 1), max(self.binning_y, 1)
        return replace(
            full,
            width=(width or self.width) // bx,
            height=(height or self.height) // by,
            fx=full.fx / bx,
            fy=full.fy / by,
            cx=(full.cx - x + 0.5) / bx - 0.5,
            cy=(full.cy - y + 0.5) / by - 0.5,
        )

    @property
    def R_rectified_camera(self) -> Float64:
        """(3, 3) from the raw camera's axes to those of the rectified image.

        Raises:
            InputError: R is no rotation.
        """
        R = np.reshape(self.r, (3, 3)) if any(self.r) else np.eye(3)
        if not (np.allclose(R @ R.T, np.eye(3), atol=1e-3) and np.linalg.det(R) > 0):
            raise InputError(f"R of the camera_info is no rotation: {list(self.r)}")
        return np.asarray(R)

    @property
    def baseline(self) -> float:
        """Distance [m] of the right camera of a rectified pair to the left one, from its P.

        Raises:
            InputError: there is no baseline in it.
        """
        focal, offset = (float(self.p[0]), float(self.p[3])) if len(self.p) == 12 else (0.0, 0.0)
        if not (focal > 0 and offset < 0 and np.isfinite(offset / focal)):
            raise InputError(
                f"right camera_info: P[0] = {focal:g}, P[3] = {offset:g} is no rectified pair; P[3] must be "
                "-focal length x baseline: calibrate the pair, or swap left and right"
            )
        return -offset / focal


@dataclass(frozen=True, eq=False)
class Calibration:
    """What a calibration file says.

    Attributes:
        info: of the camera.
        baseline_m: to the right camera of a rectified pair [m]; 0: not told.
        depth_scale: units per metre of depth images; None: not told.
        T_camera_imu: (4, 4), inertial unit to optical axes; None: not told.
        T_body_camera: (4, 4); None: not told.
        T_camera_previous: (4, 4), of the camera before it in Kalibr's chain; None: not told.
        rate_hz: of images without stamps; None: not told.
    """

    info: CameraInfo
    baseline_m: float = 0.0
    depth_scale: float | None = None
    T_camera_imu: Float64 | None = None
    T_body_camera: Float64 | None = None
    T_camera_previous: Float64 | None = None
    rate_hz: float | None = None


def read_calibration(path: Path, camera: str = "", notes: Notes | None = None) -> Calibration:
    """A calibration file: calib.json, or YAML of ROS (file or echoed message), OpenCV, Kalibr or EuRoC.

    Args:
        path: of the file.
        camera: image topic or name of the camera; chooses in a Kalibr chain, otherwise the first is taken.
        notes: of the recording; where nothing told which camera it is, that is noted.

    Raises:
        InputError: the file is missing, is none of these, or has keys that nobody reads (calib.json).
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file; write width, height, K (3x3), dist and model into it")
    text = read_text(path)
    if path.suffix == ".json":
        with reading(path, "a calib.json needs width, height, K (3x3), dist and model"):
            return _own(path, json.loads(text))
    with reading(path, "it is neither a calib.json nor a YAML file of ROS, Kalibr, EuRoC or OpenCV"):
        content = _mapping(next(yaml.load_all(_plain_yaml(text), _Loader), None))
        chain = {k: _mapping(v) for k, v in content.items() if re.fullmatch(r"cam[0-9]+", k)}
        if chain:
            name, assumed = _link(chain, camera)
            if assumed and notes is not None:
                notes.assumed["camera"] = f"{path.name}: {assumed}"
            return _kalibr(path, chain[name])
        if "intrinsics" in content:
            return _kalibr(path, content)
        if "camera_matrix" in content:
            return _ros(content)
        if "k" in content or ("K" in content and "distortion_model" in content):
            return _echoed(content)
        return _own(path, content)


def read_mounting(path: Path) -> Float64 | None:
    """``T_body_sensor`` (4, 4) of the sensor.yaml of any EuRoC sensor; None: not told.

    Raises:
        InputError: the file is missing, or no YAML with a rigid motion.
    """
    text = read_text(path)
    with reading(path, "expected T_BS with 4x4 numbers"):
        return _body(path, _mapping(yaml.load(_plain_yaml(text), _Loader)))


def between(left: Calibration, right: Calibration) -> Float64 | None:
    """``T_left_right`` (4, 4) of two cameras of Kalibr's chain, one after the other; None: not told."""
    if right.T_camera_previous is not None:
        return np.asarray(se3.inverse(right.T_camera_previous))
    if left.T_camera_imu is not None and right.T_camera_imu is not None:
        return np.asarray(left.T_camera_imu @ se3.inverse(right.T_camera_imu))
    return None


class _Loader(yaml.SafeLoader):  # type: ignore[misc]
    """YAML without code, with OpenCV's matrices as the mappings that they are."""


_Loader.add_constructor(
    "tag:yaml.org,2002:opencv-matrix", lambda loader, node: loader.construct_mapping(node, deep=True)
)


def _plain_yaml(text: str) -> str:
    """OpenCV writes a directive that YAML does not know, and echoed messages end with a line of dashes."""
    lines = ("" if line.startswith("%") else line for line in text.splitlines())
    return "\n".join(lines).strip().removeprefix("---").removesuffix("---")


def _mapping(content: Any) -> Mapping[str, Any]:
    if not isinstance(content, dict):
        raise InputError(f"expected keys and values, got {content!r:.60}")
    return {str(k): v for k, v in content.items()}


def _own(path: Path, content: Any) -> Calibration:
    """The keys of calib.json."""
    content = _mapping(content)
    missing, unknown = [k for k in NEEDED if k not in content], [k for k in content if k not in KNOWN]
    if missing or unknown:
        trouble = f"lacks {', '.join(missing)}" if missing else f"has unknown keys {', '.join(unknown)}"
        optional = [k for k in KNOWN if k not in NEEDED]
        raise InputError(
            f"{path}: {trouble}; it needs width, height, K (3x3), dist and model, and may have "
            f"{', '.join(optional)}"
        )
    scales = {float(content[k]) for k in DEPTH_SCALES if k in content}
    if len(scales) > 1:
        raise InputError(f"{path}: contradicting units of depth: {', '.join(map(str, sorted(scales)))}")
    width, height, k, d = content["width"], content["height"], _floats(content["K"]), _floats(content["dist"])
    rate, baseline = content.get("rate_hz"), float(content.get("baseline_m", 0.0))
    if rate is not None and not 1e-3 <= float(rate) <= 1e6:
        raise InputError(f"{path}: rate_hz {rate}: give images per second")
    if not 0 <= baseline < 1e3:
        raise InputError(f"{path}: baseline_m {baseline:g}: give the distance to the right camera in metres")
    return Calibration(
        CameraInfo(_side(width), _side(height), str(content["model"]), d, k, _projection(content.get("P"))),
        baseline_m=baseline,
        depth_scale=checked_scale(scales.pop(), path) if scales else None,
        T_camera_imu=_motion(path, "T_camera_imu", content.get("T_camera_imu")),
        rate_hz=None if rate is None else float(rate),
    )


def checked_scale(units: float, where: object) -> float:
    """Units per metre of depth images, which are no fewer than one.

    Raises:
        InputError: they are.
    """
    if not 1 <= units <= 1e6:
        raise InputError(
            f"{where}: depth scale {units:g}: give units per metre, such as 1000 for millimetres"
        )
    return units


def _ros(content: Mapping[str, Any]) -> Calibration:
    """What camera_calibration and camera_info_manager write; OpenCV's own samples have the same names."""
    model = content.get("distortion_model", content.get("camera_model", "plumb_bob"))
    width, height = _side(content["image_width"]), _side(content["image_height"])
    D = _coefficients(content, str(model), "distortion_coefficients") or {"data": []}
    P = content.get("projection_matrix")
    return Calibration(
        CameraInfo(
            width, height, str(model), _floats(D["data"]),
            _floats(content["camera_matrix"]["data"]), _projection(None if P is None else P["data"]),
        )
    )  # fmt: skip


def _echoed(content: Mapping[str, Any]) -> Calibration:
    """A message as ``ros2 topic echo --once`` prints it."""
    roi = _mapping(content.get("roi", {}))
    x, y, width, height = (int(roi.get(n, 0)) for n in ("x_offset", "y_offset", "width", "height"))
    k, d, p = (content.get(n, content.get(n.upper())) for n in "kdp")
    return Calibration(
        CameraInfo(
            _side(content["width"]), _side(content["height"]), str(content["distortion_model"]),
            _floats(d), _floats(k), _projection(p),
            int(content.get("binning_x", 0)), int(content.get("binning_y", 0)),
            (x, y, width, height),
        )
    )  # fmt: skip


def _link(chain: Mapping[str, Mapping[str, Any]], camera: str) -> tuple[str, str]:
    """Which camera of Kalibr's chain is meant, and what was assumed where nothing tells."""
    for name, content in chain.items():
        if camera and (content.get("rostopic") == camera or name in camera.split("/")):
            return name, ""
    first = min(chain, key=lambda name: int(name[3:]))
    if len(chain) == 1:
        return first, ""
    topics = ", ".join(f"{name} ({content.get('rostopic', 'no topic')})" for name, content in chain.items())
    return first, f"the calibration is that of {first}; the chain has {topics}, none of them {camera!r}"


def _kalibr(path: Path, content: Mapping[str, Any]) -> Calibration:
    """One camera of Kalibr's chain, or EuRoC's sensor.yaml: four intrinsics and a resolution."""
    if content.get("camera_model", "pinhole") != "pinhole":
        raise InputError(f"camera_model {content['camera_model']!r} is not supported: calibrate as pinhole")
    fx, fy, cx, cy = _floats(content["intrinsics"])
    width, height = content["resolution"]
    model = str(content.get("distortion_model", "none"))
    D = _coefficients(content, model, "distortion_coeffs", "distortion_coefficients")
    return Calibration(
        CameraInfo(
            _side(width), _side(height), model, _floats(D),
            [fx, 0, cx, 0, fy, cy, 0, 0, 1],
        ),
        T_camera_imu=_motion(path, "T_cam_imu", content.get("T_cam_imu")),
        T_body_camera=_body(path, content),
        T_camera_previous=_motion(path, "T_cn_cnm1", content.get("T_cn_cnm1")),
    )  # fmt: skip


def _body(path: Path, content: Mapping[str, Any]) -> Float64 | None:
    T = content.get("T_BS")
    return _motion(path, "T_BS", T["data"] if isinstance(T, dict) else T)


def _coefficients(content: Mapping[str, Any], model: str, *names: str) -> Any:
    """What stands under the first of some names.

    Raises:
        InputError: nothing does, though the lens model is one: under another name it would be lost.
    """
    D = next((content[name] for name in names if content.get(name)), None)
    if D is None and model != Distortion.NONE.value:
        raise InputError(
            f"model {model}, but no {' or '.join(names)} among the keys {', '.join(content)}: write zeros "
            "for a lens without distortion"
        )
    return D or []


def _side(value: Any) -> int:
    """Width or height of an image."""
    if float(value) != int(value):
        raise InputError(f"an image side of {value} pixels: give a whole number")
    return int(value)


def _floats(values: Any) -> list[float]:
    return [float(v) for v in np.ravel(values)]


def _projection(values: Any) -> list[float]:
    """Twelve numbers of P, from 3x4 or 3x3; none are zeros."""
    if values is None:
        return [0.0] * 12
    p = _floats(values)
    if len(p) == 9:
        p = [*p[:3], 0.0, *p[3:6], 0.0, *p[6:], 0.0]
    if len(p) != 12:
        raise InputError(f"P has {len(p)} numbers; give the 12 of a 3x4 matrix")
    return p


def _motion(path: Path, name: str, given: Any) -> Float64 | None:
    """A rigid motion (4, 4)."""
    if given is None:
        return None
    try:
        T = np.array(given, dtype=float).reshape(4, 4)
    except (TypeError, ValueError):
        raise InputError(f"{path}: {name} must be 4x4 numbers, got {given!r:.80}") from None
    if not np.allclose(T[:3, :3] @ T[:3, :3].T, np.eye(3), atol=1e-3) or np.linalg.det(T[:3, :3]) < 0:
        raise InputError(
            f"{path}: the first 3x3 numbers of {name} are no rotation: "
            f"{np.round(T[:3, :3], 4).tolist()}; give an orthonormal matrix of determinant 1"
        )
    return T
