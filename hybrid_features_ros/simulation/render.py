# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Rendered sequences with exact truth: a room for the demo, other places, a panorama for pure rotation."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from hybrid_features_ros.core import se3
from hybrid_features_ros.core.camera import Camera
from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.core.types import Trajectory, UInt8
from hybrid_features_ros.io.source import Frame
from hybrid_features_ros.io.writer import calibration, write_frames
from hybrid_features_ros.simulation.pano import Panorama
from hybrid_features_ros.simulation.paths import DURATION, TURN_DURATION, RoomPath, TurnPath
from hybrid_features_ros.simulation.places import PLACES, CameraPath, take
from hybrid_features_ros.simulation.scene import Renderer, Surface, furnished_room
from hybrid_features_ros.simulation.stress import STRESS

CAMERA = Camera(640, 480, 525.0, 525.0, 319.5, 239.5)
BEGIN_NS = 1_000_000_000
NOISE = 2.0  # standard deviation of the grey values
PHOTOGRAPHS = {"licence": "photographs: public domain, CC0, CC BY 2.0"}


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
    text = f"rendered: photographs of scikit-image and scikit-learn, seed {seed}, {duration_s} s"
    recipe = calibration(camera, rate_hz=rate_hz, source=text, **PHOTOGRAPHS, baseline_m=baseline_m)
    sides = _sides(out, baseline_m)
    if _is_done(out, recipe):
        return out
    surfaces, path = furnished_room(seed), _path(RoomPath(), duration_s, rate_hz)
    for i, (folder, offset) in reversed(list(enumerate(sides.items()))):
        seen = Trajectory(path.stamps, path.poses @ se3.make(np.eye(3), [offset, 0, 0]))
        write_frames(folder, _rendered(surfaces, camera, seen, seed + i), seen, recipe, "jpg")
    return out


def render_place(out: Path, name: str, seed: int = 0) -> Path:
    """Write one of :data:`.PLACES` or :data:`.STRESS`, with its right camera if it has one.

    What is there already is kept. Folders and return value as in :func:`render_sequence`.

    Raises:
        InputError: there is no such place, and as there.
    """
    places = {**PLACES, **STRESS}
    if name not in places:
        raise InputError(f"--place {name}: choose one of {', '.join(places)}")
    place = places[name]
    recipe = calibration(
        place.camera, rate_hz=place.rate_hz, source=f"rendered: {name}, seed {seed}", **PHOTOGRAPHS,
        baseline_m=place.baseline_m,
    )  # fmt: skip
    sides = _sides(out, place.baseline_m)
    if _is_done(out, recipe):
        return out
    path = _path(place.path(seed), place.duration_s, place.rate_hz)
    times, view, right_view = take(place, seed)

    def frames(is_right: bool) -> Iterator[Frame]:
        rng = np.random.default_rng(seed + is_right)
        for stamp, t in zip(path.stamps.tolist(), tqdm(times, unit="frame", disable=None), strict=True):
            if is_right and right_view is not None:
                yield Frame(stamp, noisy(right_view(t), rng))
            else:
                image, depth = view(t)
                yield Frame(stamp, noisy(image, rng), depth)

    for is_right, (folder, offset) in reversed(list(enumerate(sides.items()))):
        seen = Trajectory(path.stamps, path.poses @ se3.make(np.eye(3), [offset, 0, 0]))
        write_frames(folder, frames(bool(is_right)), seen, recipe, "jpg")
    return out


def render_turn(
    out: Path, panorama: Path, *, camera: Camera = CAMERA, rate_hz: float = 30.0, seed: int = 0
) -> Path:
    """Write a sequence of a camera that only turns, in a real place; what is there already is kept.

    Pan, tilt and roll along :class:`TurnPath`, up to 200 deg/s. Layout and errors as in
    :func:`render_sequence`; there is no depth.
    """
    recipe = calibration(
        camera, rate_hz=rate_hz, source=f"rendered: a camera that only turns in {panorama.name}, seed {seed}",
        licence="that of the panorama",
    )  # fmt: skip
    if _is_done(out, recipe):
        return out
    view, rng = Panorama(panorama, camera), np.random.default_rng(seed)
    path = _path(TurnPath(), TURN_DURATION, rate_hz)
    poses = tqdm(path.poses, unit="frame", disable=None)
    images = (noisy(view.render(T[:3, :3]), rng) for T in poses)
    frames = (Frame(stamp, image) for stamp, image in zip(path.stamps.tolist(), images, strict=True))
    write_frames(out, frames, path, recipe, "jpg")
    return out


def _sides(out: Path, baseline_m: float) -> dict[Path, float]:
    """Folder of each camera and its distance to the right of the first [m]."""
    if not baseline_m:
        return {out: 0.0}
    if not out.name.endswith("_left"):
        raise InputError(f"{out}: a stereo sequence needs a name that ends in _left")
    return {out: 0.0, out.with_name(f"{out.name[:-5]}_right"): baseline_m}


def _is_done(out: Path, recipe: Mapping[str, Any]) -> bool:
    """Whether a folder holds this very rendering, complete."""
    done = out / "calib.json"
    if done.exists() and json.loads(done.read_text()) != recipe:
        raise InputError(f"{out}: holds another sequence; delete it or choose another folder")
    return done.exists()


def _path(way: CameraPath, duration_s: float, rate_hz: float) -> Trajectory:
    stamps = BEGIN_NS + np.arange(round(duration_s * rate_hz)) * round(1e9 / rate_hz)
    return Trajectory(stamps, np.array([way.pose((s - BEGIN_NS) * 1e-9) for s in stamps]))


def _rendered(surfaces: list[Surface], camera: Camera, path: Trajectory, seed: int) -> Iterator[Frame]:
    renderer, rng = Renderer(surfaces, camera), np.random.default_rng(seed)
    frames = zip(path.stamps.tolist(), path.poses, strict=True)
    for stamp, T in tqdm(frames, total=len(path), unit="frame", desc="rendering", disable=None):
        image, depth = renderer.render(T)
        yield Frame(stamp, noisy(image, rng), depth)


def noisy(image: UInt8, rng: np.random.Generator) -> UInt8:
    """The image (H, W) with a sensor's noise."""
    noise = rng.standard_normal(image.shape, dtype=np.float32) * np.float32(NOISE)
    return np.asarray(np.clip(image + noise + np.float32(0.5), 0, 255), dtype=np.uint8)
