# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The rotation benchmark: photographs turned in the image plane, nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from hybrid_features_ros.benchmarks.agreement import CLOSE_PX, RADIUS_PX, Agreement, agreement
from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.core.types import Features, Float64, UInt8
from hybrid_features_ros.features import Extractor

SIDE, DISC = 640, 300.0  # view [px] and the radius within which keypoints count [px]
ANGLES_DEG = tuple(range(15, 181, 15))  # 0 is left out: trivial
BLUR, NOISE = 0.7, 2.0  # before resampling [px of the photograph], after it [grey levels]
BUDGET = 1000
PROTOCOL = {
    "views": f"{SIDE}x{SIDE}, both resampled (bicubic) from the photograph blurred by {BLUR} px, random "
    f"sub-pixel shift, independent Gaussian noise of {NOISE:g} grey levels",
    "keypoints": f"best {BUDGET} within {DISC:g} px of the centre",
    "repeatability": f"share of both views' keypoints with a partner within {RADIUS_PX:g} px",
    "repeatability_1px": f"the same within {CLOSE_PX:g} px",
    "repeatability_one_to_one": "largest pairing in which every keypoint has one partner / mean keypoints",
    "localisation_px": "mean distance to the nearest partner, over the repeated keypoints",
    "offset_px": "half of the mean offset of repeated keypoints at 180 degrees",
    "orientation_error_deg": "median over the repeated keypoints",
    "correct": f"mutual nearest neighbours of the descriptors within {RADIUS_PX:g} px",
    "distinct": f"correct ones at places of the first view more than {RADIUS_PX:g} px apart (greedy)",
    "mma1, mma3": "share of the mutual nearest neighbours within 1 and 3 px",
}


@dataclass(frozen=True)
class View:
    """A square of a photograph and where it came from: ``photo`` pixels = ``M @ (x, y, 1)``."""

    image: UInt8
    M: Float64


def views(photo: UInt8, seed: int) -> Iterator[tuple[float, View, View]]:
    """Angle [deg], reference view and turned view, for every angle of the benchmark.

    Args:
        photo: (H, W) uint8.
    """
    blurred = cv2.GaussianBlur(photo, (0, 0), BLUR)
    rng = np.random.default_rng(seed)
    for degrees in ANGLES_DEG:
        yield degrees, _view(blurred, 0.0, rng), _view(blurred, np.radians(degrees), rng)


def _view(photo: UInt8, angle: float, rng: np.random.Generator) -> View:
    """The middle of the photograph, its content turned by ``angle`` [rad] towards +y."""
    c, s = np.cos(angle), np.sin(angle)
    R = np.array([[c, s], [-s, c]])
    middle = np.array([SIDE - 1, SIDE - 1]) / 2
    target = np.array([photo.shape[1] - 1, photo.shape[0] - 1]) / 2 + rng.uniform(-0.5, 0.5, 2)
    M = np.column_stack([R, target - R @ middle])
    image = cv2.warpAffine(
        photo.astype(np.float32), M, (SIDE, SIDE), flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REFLECT,
    )  # fmt: skip
    noisy = image + rng.normal(0, NOISE, image.shape)
    return View(np.clip(np.rint(noisy), 0, 255).astype(np.uint8), M)


def within_disc(features: Features) -> Features:
    """The best features inside the disc that a rotation about the centre keeps in view."""
    centre = (SIDE - 1) / 2
    inside = np.flatnonzero(np.hypot(*(features.points - centre).T) <= DISC)
    return take(features, inside[np.argsort(-features.scores[inside], kind="stable")][:BUDGET])


def take(features: Features, rows: Any) -> Features:
    """Some rows of features."""
    arrays = ("points", "scores", "scales", "angles", "sigmas", "descriptors")
    return replace(features, **{name: getattr(features, name)[rows] for name in arrays})


def compare(extractor: Extractor, a: View, b: View, degrees: float) -> Agreement:
    """Agreement of an extractor's features of two views."""
    A, B = (np.vstack([v.M, [0, 0, 1]]) for v in (a, b))
    forward, back = np.linalg.solve(B, A), np.linalg.solve(A, B)
    found_a, found_b = (within_disc(extractor.extract(v.image)) for v in (a, b))
    return agreement(
        found_a,
        found_b,
        lambda p: p @ forward[:2, :2].T + forward[:2, 2],
        lambda p: p @ back[:2, :2].T + back[:2, 2],
        np.radians(degrees),
    )


def photographs(folder: Path) -> list[Path]:
    """Image files of a folder, sorted.

    Raises:
        InputError: there are none.
    """
    kinds = (".jpg", ".jpeg", ".png", ".webp")
    found = sorted(p for p in folder.rglob("*") if p.suffix.lower() in kinds) if folder.is_dir() else []
    if not found:
        raise InputError(f"{folder}: no photographs ({', '.join(kinds)}) in this folder")
    return found


def bench_rotation(extractors: dict[str, Extractor], folder: Path) -> dict[str, Any]:
    """Means over the photographs per angle, for every extractor, as the JSON of the command."""
    results: dict[str, list[list[Agreement]]] = {name: [] for name in extractors}
    paths = photographs(folder)
    for seed, path in enumerate(paths):
        photo = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        if photo is None or min(photo.shape) < 2 * DISC + 2:
            size = "not an image" if photo is None else f"{photo.shape[1]}x{photo.shape[0]}"
            raise InputError(f"{path}: {size}; the benchmark needs at least {SIDE} px on each side")
        for name, extractor in extractors.items():
            results[name].append([compare(extractor, a, b, d) for d, a, b in views(photo, seed)])
    return {
        "protocol": {**PROTOCOL, "images": [p.name for p in paths]},
        "methods": {name: _summary(rows) for name, rows in results.items()},
    }


def _summary(rows: list[list[Agreement]]) -> dict[str, Any]:
    def mean(field: str) -> list[float]:
        return [float(v) for v in np.nanmean([[getattr(a, field) for a in row] for row in rows], axis=0)]

    offsets = np.array([row[-1].offset_px for row in rows]).mean(axis=0)
    return {
        "angles_deg": list(ANGLES_DEG),
        "keypoints": mean("keypoints"),
        "repeatability": mean("repeatability"),
        "repeatability_1px": mean("repeatability_1px"),
        "repeatability_one_to_one": mean("one_to_one"),
        "localisation_px": mean("localisation_px"),
        "orientation_error_deg": mean("turn_deg"),
        "offset_px": float(np.hypot(*offsets) / 2),
        "correct": mean("correct"),
        "distinct": mean("distinct"),
        "mma1": mean("mma1"),
        "mma3": mean("mma3"),
    }
