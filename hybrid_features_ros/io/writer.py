# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Sequences as folders in the plain layout, for systems that read no bags and for what is rendered."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from hybrid_features_ros.core.camera import Camera
from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.core.types import Trajectory
from hybrid_features_ros.io.folders import DEPTH_UNITS
from hybrid_features_ros.io.source import Frame, Source
from hybrid_features_ros.io.trajectory import format_stamp, write_tum

IMAGE_OPTIONS = {"jpg": [cv2.IMWRITE_JPEG_QUALITY, 95], "png": [cv2.IMWRITE_PNG_COMPRESSION, 1]}


def write_folder(source: Source, out: Path) -> None:
    """Write images (PNG), depth (16 bit, see :data:`DEPTH_UNITS`), truth and calibration of one camera.

    Raises:
        InputError: something is at ``out`` already, or the disk is full.
    """
    if out.exists():
        raise InputError(f"{out}: exists; delete it or choose another name")
    frames = tqdm(source, total=len(source), unit="frame", desc=out.name, disable=None)
    write_frames(out, frames, source.ground_truth, calibration(source.camera, source=source.name))


def calibration(camera: Camera, **more: Any) -> dict[str, Any]:
    """What ``calib.json`` says of a camera, and more that is worth knowing about a sequence."""
    return {
        "width": camera.width, "height": camera.height, "model": camera.distortion.value,
        "K": camera.K.tolist(), "dist": list(camera.coefficients), **more,
    }  # fmt: skip


def write_frames(
    out: Path,
    frames: Iterable[Frame],
    truth: Trajectory | None,
    calib: Mapping[str, Any],
    image_format: str = "png",
) -> None:
    """Write the images, and depths if there are any, one by one.

    Args:
        calib: of ``calib.json``, which is written last: a folder that has it is complete.
        image_format: ``png`` or ``jpg``.

    Raises:
        InputError: the disk is full.
    """
    lists: dict[str, list[str]] = {"images": ["# timestamp [s] file"]}
    (out / "images").mkdir(parents=True, exist_ok=True)
    for i, frame in enumerate(frames):
        name = f"images/{i:06d}.{image_format}"
        _save(out / name, frame.image)
        lists["images"].append(f"{format_stamp(frame.stamp)} {name}")
        if frame.depth is not None:
            (out / "depth").mkdir(exist_ok=True)
            units = np.nan_to_num(frame.depth * np.float32(DEPTH_UNITS)).clip(0, 65535)
            _save(out / f"depth/{i:06d}.png", np.rint(units).astype(np.uint16))
            lists.setdefault("depth", [f"# timestamp [s] file, metres = value / {DEPTH_UNITS:g}"])
            lists["depth"].append(f"{format_stamp(frame.stamp)} depth/{i:06d}.png")
    for folder, lines in lists.items():
        name = "rgb.txt" if folder == "images" else "depth.txt"
        (out / name).write_text("\n".join(lines) + "\n")
    if truth is not None:
        write_tum(out / "groundtruth.txt", truth)
    (out / "calib.json").write_text(json.dumps(calib, indent=1) + "\n")


def _save(path: Path, image: NDArray[Any]) -> None:
    if not cv2.imwrite(str(path), image, IMAGE_OPTIONS[path.suffix[1:]]):
        raise InputError(f"{path}: cannot write; is the disk full?")
