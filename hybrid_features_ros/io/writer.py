# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Any source as a folder in the plain layout, for systems that read no bags."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.io.folders import DEPTH_UNITS
from hybrid_features_ros.io.source import Source
from hybrid_features_ros.io.trajectory import format_stamp, write_tum


def write_folder(source: Source, out: Path) -> None:
    """Write images (PNG), depth (16 bit, see :data:`DEPTH_UNITS`), truth and calibration of one camera.

    ``calib.json`` is written last: a folder that has it is complete.

    Raises:
        InputError: something is at ``out`` already, or the disk is full.
    """
    if out.exists():
        raise InputError(f"{out}: exists; delete it or choose another name")
    camera = source.camera
    lists: dict[str, list[str]] = {"images": [], "depth": []}
    for i, frame in enumerate(tqdm(source, total=len(source), unit="frame", desc=out.name, disable=None)):
        pictures = {"images": frame.image}
        if frame.depth is not None:
            units = np.nan_to_num(frame.depth * np.float32(DEPTH_UNITS)).clip(0, 65535)
            pictures["depth"] = np.rint(units).astype(np.uint16)
        for folder, picture in pictures.items():
            (out / folder).mkdir(parents=True, exist_ok=True)
            if not cv2.imwrite(str(out / folder / f"{i:06d}.png"), picture):
                raise InputError(f"{out / folder}: cannot write; is the disk full?")
            lists[folder].append(f"{format_stamp(frame.stamp)} {folder}/{i:06d}.png")
    for name, folder in (("rgb.txt", "images"), ("depth.txt", "depth")):
        if lists[folder]:
            (out / name).write_text("\n".join(lists[folder]) + "\n")
    if source.ground_truth is not None:
        write_tum(out / "groundtruth.txt", source.ground_truth)
    content = {
        "width": camera.width, "height": camera.height, "model": camera.distortion.value,
        "K": camera.K.tolist(), "dist": list(camera.coefficients), "source": source.name,
    }  # fmt: skip
    (out / "calib.json").write_text(json.dumps(content, indent=1) + "\n")
