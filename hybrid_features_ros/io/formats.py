# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What is read, as a table for the documentation, made from the constants that reading itself uses."""

from __future__ import annotations

import re
from collections.abc import Iterable

from hybrid_features_ros.core.camera import ALIASES, Distortion
from hybrid_features_ros.io.bag_truth import TRUTHS
from hybrid_features_ros.io.calibration import DEPTH_SCALES, KNOWN, NEEDED
from hybrid_features_ros.io.euroc import EUROC_TRUTHS
from hybrid_features_ros.io.folders import DEPTH_INTERVAL_NS, DEPTH_UNITS, IMAGE_FILES, RATE_HZ
from hybrid_features_ros.io.images import DEPTH_ENCODINGS, ENCODINGS, MILLIMETRES, NOT_MEASURED
from hybrid_features_ros.io.layouts import KITTI_PAIRS, TARTANAIR_RATE_HZ, TUM_CAMERAS
from hybrid_features_ros.io.source import BAG_FILES

MARKS = "<!-- formats -->", "<!-- end of formats -->"
CALIBRATION_FILES = (
    "calib.json",
    "camera_info YAML of ROS",
    "a camera_info as ros2 topic echo prints it",
    "Kalibr's camchain.yaml",
    "EuRoC's sensor.yaml",
    "OpenCV's FileStorage",
)


def rows() -> list[tuple[str, str]]:
    """What is read, and in which forms."""
    names = {d: [n for n, v in ALIASES.items() if v is d and n] for d in Distortion}
    models = [f"{d.value}{f' ({_code(names[d])})' if names[d] else ''}" for d in Distortion]
    kitti = " or ".join(f"`{left}`, `{right}`" for left, right in KITTI_PAIRS)
    optional = [k for k in KNOWN if k not in NEEDED]
    return [
        ("TUM RGB-D", f"`rgb.txt`, `depth.txt`, `groundtruth.txt`; {', '.join(TUM_CAMERAS)} in its name"),
        (
            "EuRoC, TUM-VI",
            f"`mav0`; truth of {_code(EUROC_TRUTHS)}, moved to the camera; pairs are rectified",
        ),
        ("KITTI odometry", f"{kitti}; truth in `poses` two folders up, moved to the camera"),
        (
            "TartanAir V1",
            f"`image_left`, `image_right`, `depth_left`; no stamps: {TARTANAIR_RATE_HZ} Hz is assumed",
        ),
        (
            "your own",
            "`calib.json` or `--calib`; `rgb.txt` or images by number; `depth.txt`, `groundtruth.txt`, "
            "`imu.csv`; `NAME_left` and `NAME_right`",
        ),
        (
            "bags",
            f"{_code(BAG_FILES)} and folders with `metadata.yaml`; Image, CompressedImage, CameraInfo, Imu, "
            "Foxglove's CompressedImage, RawImage and CameraCalibration; truth as "
            f"{', '.join(kind.rpartition('/')[2] for kind in TRUTHS)} (`--truth`), moved to the camera",
        ),
        ("image files", _code(IMAGE_FILES)),
        ("encodings", _code(ENCODINGS)),
        (
            "depth",
            f"{_code(DEPTH_ENCODINGS)}, compressedDepth (PNG, RVL), 16-bit PNG, floats in TIFF or NPY; 0, "
            f"{NOT_MEASURED} and what is not finite are no measurement",
        ),
        (
            "units of depth",
            f"16 bits: {MILLIMETRES:g} per metre in bags, {DEPTH_UNITS:g} in folders; floats: metres; "
            f"else `--depth-scale` or {_code(DEPTH_SCALES)} in `calib.json`",
        ),
        ("calibrations", f"{', '.join(CALIBRATION_FILES)}; camera_info with ROI, binning and P"),
        ("keys of calib.json", f"{_code(NEEDED)}; may have {_code(optional)}; others are refused"),
        ("camera models", ", ".join(models)),
        (
            "stamps",
            "seconds, or whole milli-, micro- or nanoseconds since 1970, in any order; of equal ones the "
            f"first counts; without any, `rate_hz` of `calib.json` or {RATE_HZ:g} Hz",
        ),
        ("pairs", f"depth and right images within {DEPTH_INTERVAL_NS / 1e6:g} ms (`input.max_interval_s`)"),
        ("text", "UTF-8, UTF-16 or Latin-1, with byte-order mark or without; headers, spaces in names"),
    ]


def table() -> str:
    """The table in Markdown."""
    return "\n".join(["| what | forms |", "|---|---|", *(f"| {what} | {forms} |" for what, forms in rows())])


def fill(page: str) -> str:
    """The page with the table between its marks."""
    begin, end = MARKS
    return re.sub(f"{begin}.*?{end}", lambda _: f"{begin}\n{table()}\n{end}", page, flags=re.DOTALL)


def _code(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
