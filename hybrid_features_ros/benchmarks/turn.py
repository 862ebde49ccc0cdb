# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""One whole turn in place, in a panorama of a real place: orientation after it, and nothing else moves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hybrid_features_ros.core import se3
from hybrid_features_ros.core.camera import Camera
from hybrid_features_ros.core.config import Config
from hybrid_features_ros.core.types import OdometryResult
from hybrid_features_ros.features import make_extractor
from hybrid_features_ros.odometry import Odometry
from hybrid_features_ros.simulation.pano import Panorama
from hybrid_features_ros.simulation.render import noisy

CAMERA = Camera(480, 360, 300.0, 300.0, 239.5, 179.5)
RATE_HZ = 30.0
AXES = {"tilt": (1.0, 0.0, 0.0), "pan": (0.0, 1.0, 0.0), "roll": (0.0, 0.0, 1.0)}
BEYOND_DEG = 30.0  # turned on after the whole turn, over what was seen first


def bench_turn(panoramas: Sequence[Path], config: Config, degrees_per_s: float = 180.0) -> dict[str, Any]:
    """Figures of one turn about every axis of the camera in each panorama.

    Args:
        panoramas: as :class:`~hybrid_features_ros.simulation.pano.Panorama` takes them.
        degrees_per_s: of the turn; images come at ``RATE_HZ``.
    """
    turns = {
        path.stem: {name: _turn(path, np.array(axis), config, degrees_per_s) for name, axis in AXES.items()}
        for path in panoramas
    }
    protocol = {
        "image": [CAMERA.width, CAMERA.height], "focal_px": CAMERA.focal, "rate_hz": RATE_HZ,
        "degrees_per_s": degrees_per_s, "extractor": config.features.extractor,
        "after_turn_deg": f"mean error of orientation over the {BEYOND_DEG:g} degrees after a whole turn",
    }  # fmt: skip
    return {"protocol": protocol, "panoramas": turns}


def _turn(path: Path, axis: np.ndarray, config: Config, degrees_per_s: float) -> dict[str, Any]:
    view, rng = Panorama(path, CAMERA), np.random.default_rng(0)
    extractor, odometry = make_extractor(config.features), Odometry(config.odometry)
    step = degrees_per_s / RATE_HZ
    angles = np.arange(0, 360 + BEYOND_DEG + 1e-6, step)
    results, errors = [], []
    for i, angle in enumerate(angles):
        T = se3.exp([0, 0, 0, *(np.radians(angle) * axis)])
        features = extractor.extract(noisy(view.render(T[:3, :3]), rng))
        result = odometry.process(round((i + 1) * 1e9 / RATE_HZ), features, CAMERA)
        results.append(result)
        errors.append(np.degrees(se3.rotation_angle(result.T_world_camera[:3, :3].T @ T[:3, :3])))
    return _figures(results, np.array(errors), angles)


def _figures(results: Sequence[OdometryResult], errors: np.ndarray, angles: np.ndarray) -> dict[str, Any]:
    return {
        "after_turn_deg": float(errors[angles >= 360].mean()),
        "worst_deg": float(errors.max()),
        "moved": float(max(np.linalg.norm(r.T_world_camera[:3, 3]) for r in results)),
        "states": dict(Counter(r.state.name for r in results[1:])),
        "resets": results[-1].resets,
        "keyframes": results[-1].keyframes,
    }


def table(report: dict[str, Any]) -> str:
    """The figures as a table in Markdown."""
    rows = [
        "| panorama | axis | after a turn [deg] | worst [deg] | moved | states |",
        "|---|---|---|---|---|---|",
    ]
    for name, axes in report["panoramas"].items():
        for axis, f in axes.items():
            states = ", ".join(f"{n} {state}" for state, n in f["states"].items())
            rows.append(
                f"| {name} | {axis} | {f['after_turn_deg']:.3f} | {f['worst_deg']:.2f} "
                f"| {f['moved']:.3f} | {states} |"
            )
    return "\n".join(rows)
