# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Rendered sequences with exact truth: a room with depth for the demo, a panorama for pure rotation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from hybrid_features_ros.core import se3
from hybrid_features_ros.core.camera import Camera
from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.core.types import Trajectory, UInt8
from hybrid_features_ros.io.folders import DEPTH_UNITS
from hybrid_features_ros.io.trajectory import format_stamp, write_tum
from hybrid_features_ros.simulation.pano import Panorama
from hybrid_features_ros.simulation.paths import DURATION, TURN_DURATION, RoomPath, TurnPath
from hybrid_features_ros.simulation.scene import Renderer, Surface, furnished_room

CAMERA = Camera(640, 480, 525.0, 525.0, 319.5, 239.5)
BEGIN_NS = 1_000_000_000
NOISE = 2.0  # standard deviation of the grey values


def render_sequence(
    out: Path,
    *,
    camera: Camera = CAMERA,
    rate_hz: float = 20.0,
    duration_s: float = DURATION,
    baseline_m: float = 0.0,
    seed: int = 0,
) -> Path:
    """Write a rotation-heavy sequence in the plain folder layout; what is there already is kept.

    Args:
        out: folder of the (left) images.
        camera: any lens.
        rate_hz, duration_s: of the images along :class:`RoomPath`.
        baseline_m: if not zero, a right camera at this distance is rendered too; ``out`` must then
            end in ``_left``, and the images on the right go to its sibling ``_right``.
        seed: of the scene and the noise.

    Returns:
        ``out``. ``calib.json`` is written last: a folder that has it is complete.

    Raises:
        InputError: another rendering is there, or the stereo name does not end in ``_left``.
    """
    if baseline_m and not out.name.endswith("_left"):
        raise InputError(f"{out}: a stereo sequence needs a name that ends in _left")
    recipe = {
        "width": camera.width, "height": camera.height, "model": camera.distortion.value,
        "K": camera.K.tolist(), "dist": list(camera.coefficients), "rate_hz": rate_hz,
        "source": f"rendered: photographs of scikit-image and scikit-learn, seed {seed}, {duration_s} s",
        "licence": "photographs: public domain, CC0, CC BY 2.0", "baseline_m": baseline_m,
    }  # fmt: skip
    done = out / "calib.json"
    if done.exists():
        if json.loads(done.read_text()) != recipe:
            raise InputError(f"{out}: holds another sequence; delete it or choose another folder")
        return out
    surfaces = furnished_room(seed)
    stamps = BEGIN_NS + np.arange(round(duration_s * rate_hz)) * round(1e9 / rate_hz)
    poses = np.array([RoomPath().pose((s - BEGIN_NS) * 1e-9) for s in stamps])
    if baseline_m:
        right = poses @ se3.make(np.eye(3), [baseline_m, 0, 0])
        _write(
            out.with_name(f"{out.name[:-5]}_right"),
            surfaces,
            camera,
            Trajectory(stamps, right),
            seed + 1,
            recipe,
        )
    _write(out, surfaces, camera, Trajectory(stamps, poses), seed, recipe)
    return out


def render_turn(
    out: Path, panorama: Path, *, camera: Camera = CAMERA, rate_hz: float = 30.0, seed: int = 0
) -> Path:
    """Write a sequence of a camera that only turns, in a real place; what is there already is kept.

    Pan, tilt and roll along :class:`TurnPath`, up to 200 deg/s. Layout and errors as in
    :func:`render_sequence`; there is no depth.
    """
    recipe = {
        "width": camera.width, "height": camera.height, "model": camera.distortion.value,
        "K": camera.K.tolist(), "dist": list(camera.coefficients), "rate_hz": rate_hz,
        "source": f"rendered: a camera that only turns in {panorama.name}, seed {seed}",
        "licence": "that of the panorama",
    }  # fmt: skip
    done = out / "calib.json"
    if done.exists():
        if json.loads(done.read_text()) != recipe:
            raise InputError(f"{out}: holds another sequence; delete it or choose another folder")
        return out
    view, rng = Panorama(panorama, camera), np.random.default_rng(seed)
    stamps = BEGIN_NS + np.arange(round(TURN_DURATION * rate_hz)) * round(1e9 / rate_hz)
    poses = np.array([TurnPath().pose((s - BEGIN_NS) * 1e-9) for s in stamps])
    (out / "images").mkdir(parents=True, exist_ok=True)
    rows = ["# timestamp [s] file"]
    for i, (stamp, T) in enumerate(
        tqdm(zip(stamps.tolist(), poses, strict=True), total=len(poses), unit="frame", disable=None)
    ):
        image = noisy(view.render(T[:3, :3]), rng)
        _save(out / f"images/{i:06d}.jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 95])
        rows.append(f"{format_stamp(stamp)} images/{i:06d}.jpg")
    (out / "rgb.txt").write_text("\n".join(rows) + "\n")
    write_tum(out / "groundtruth.txt", Trajectory(stamps, poses))
    done.write_text(json.dumps(recipe, indent=1) + "\n")
    return out


def _write(
    out: Path, surfaces: list[Surface], camera: Camera, path: Trajectory, seed: int, recipe: dict[str, Any]
) -> None:
    renderer, rng = Renderer(surfaces, camera), np.random.default_rng(seed)
    for folder in ("images", "depth"):
        (out / folder).mkdir(parents=True, exist_ok=True)
    lists = {
        "images": ["# timestamp [s] file"],
        "depth": [f"# timestamp [s] file, metres = value / {DEPTH_UNITS:g}"],
    }
    frames = zip(path.stamps.tolist(), path.poses, strict=True)
    for i, (stamp, T) in enumerate(
        tqdm(frames, total=len(path), unit="frame", desc=f"rendering {out.name}", disable=None)
    ):
        image, depth = renderer.render(T)
        units = np.nan_to_num(depth * np.float32(DEPTH_UNITS)).clip(0, 65535)
        _save(out / f"images/{i:06d}.jpg", noisy(image, rng), [cv2.IMWRITE_JPEG_QUALITY, 95])
        _save(out / f"depth/{i:06d}.png", np.rint(units).astype(np.uint16), [cv2.IMWRITE_PNG_COMPRESSION, 1])
        for folder, suffix in (("images", "jpg"), ("depth", "png")):
            lists[folder].append(f"{format_stamp(stamp)} {folder}/{i:06d}.{suffix}")
    (out / "rgb.txt").write_text("\n".join(lists["images"]) + "\n")
    (out / "depth.txt").write_text("\n".join(lists["depth"]) + "\n")
    write_tum(out / "groundtruth.txt", path)
    (out / "calib.json").write_text(json.dumps(recipe, indent=1) + "\n")


def noisy(image: UInt8, rng: np.random.Generator) -> UInt8:
    """The image (H, W) with a sensor's noise."""
    noise = rng.standard_normal(image.shape, dtype=np.float32) * np.float32(NOISE)
    return np.asarray(np.clip(image + noise + np.float32(0.5), 0, 255), dtype=np.uint8)


def _save(path: Path, image: NDArray[Any], options: list[int]) -> None:
    if not cv2.imwrite(str(path), image, options):
        raise InputError(f"{path}: cannot write; is the disk full?")
