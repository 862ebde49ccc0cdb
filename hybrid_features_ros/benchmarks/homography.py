# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The homography benchmark: planar scenes with a known warp, in the layouts of Oxford and HPatches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from hybrid_features_ros.benchmarks.agreement import CLOSE_PX, MUTUAL, RADIUS_PX, Agreement, agreement
from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.core.types import Features, Float64
from hybrid_features_ros.features import Extractor
from hybrid_features_ros.matching.mutual import match

CORNER_ERRORS_PX = (1, 3, 5, 8)
RANSAC_PX = 3.0
BUDGET = 1000
PROTOCOL = {
    "pairs": "image 1 with every other image of its sequence, in grey, at full size",
    "keypoints": f"best {BUDGET} of each image",
    "repeatability": f"share of both images' keypoints, of those the other can show, with a partner within "
    f"{RADIUS_PX:g} px; one_to_one: the largest pairing in which every keypoint has one partner",
    "correct": f"mutual nearest neighbours of the descriptors within {RADIUS_PX:g} px",
    "distinct": f"correct ones at places of image 1 more than {RADIUS_PX:g} px apart (greedy)",
    "mma1, mma3": f"share of the mutual nearest neighbours within {CLOSE_PX:g} and {RADIUS_PX:g} px",
    "ha1, ha3, ha5, ha8": "share of pairs whose mean corner error is at most 1, 3, 5, 8 px; homography by "
    f"OpenCV USAC_MAGSAC, {RANSAC_PX:g} px, 10000 iterations",
}


@dataclass(frozen=True)
class Planar:
    """Image 1, image k and the homography (3, 3) from pixels of the first to pixels of the other."""

    sequence: str
    a: NDArray[Any]
    b: NDArray[Any]
    H_b_a: Float64


def planar_pairs(dataset: Path) -> Iterator[Planar]:
    """All pairs of a dataset: a folder of sequences with ``img1.png`` and ``H1to2p[.xml]`` (Oxford affine)
    or ``1.ppm`` and ``H_1_2`` (HPatches).

    Raises:
        InputError: there is no such sequence, or a homography is missing.
    """
    sequences = sorted(p for p in dataset.iterdir() if p.is_dir()) if dataset.is_dir() else []
    found = False
    for folder in sequences:
        images = {int(p.stem.removeprefix("img")): p for p in _numbered(folder)}
        if 1 not in images:
            continue
        found = True
        first = _read(images[1])
        for k in sorted(set(images) - {1}):
            yield Planar(folder.name, first, _read(images[k]), _homography(folder, k))
    if not found:
        raise InputError(
            f"{dataset}: no sequences; expected folders with img1.png and H1to2p (Oxford affine) or 1.ppm "
            "and H_1_2 (HPatches)"
        )


def bench_homography(extractors: dict[str, Extractor], dataset: Path) -> dict[str, Any]:
    """Means over all pairs and over each sequence, for every extractor, as the JSON of the command."""
    rows: dict[str, list[tuple[str, Agreement, float]]] = {name: [] for name in extractors}
    for pair in planar_pairs(dataset):
        for name, extractor in extractors.items():
            a, b = (extractor.extract(image) for image in (pair.a, pair.b))
            rows[name].append((pair.sequence, *_measure(a, b, pair)))
    names = sorted({sequence for sequence, _, _ in next(iter(rows.values()))})
    return {
        "protocol": {**PROTOCOL, "pairs_in_dataset": len(next(iter(rows.values())))},
        "methods": {
            name: {
                "overall": _summary([r[1:] for r in found]),
                "sequences": {s: _summary([r[1:] for r in found if r[0] == s]) for s in names},
            }
            for name, found in rows.items()
        },
    }


def corner_error(a: Features, b: Features, H_b_a: Float64) -> float:
    """Mean distance [px] of the image's corners under the homography that the matches give from where
    ``H_b_a`` (3, 3) puts them; inf if they give none.
    """
    matches = match(a, b, MUTUAL)
    if len(matches) < 4:
        return np.inf
    cv2.setRNGSeed(0)
    H, _ = cv2.findHomography(
        a.points[matches.index_a], b.points[matches.index_b], cv2.USAC_MAGSAC, RANSAC_PX, maxIters=10000
    )
    if H is None:
        return np.inf
    w, h = a.width - 1.0, a.height - 1.0
    corners = np.array([[0, 0], [w, 0], [w, h], [0, h]])
    return float(np.linalg.norm(transfer(H, corners) - transfer(H_b_a, corners), axis=1).mean())


def transfer(H: Float64, points: Float64) -> Float64:
    """Pixels (N, 2) under a homography; NaN where they come from behind."""
    q = points @ H[:, :2].T + H[:, 2]
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(q[:, 2:] > 0, q[:, :2] / q[:, 2:], np.nan)


def _measure(a: Features, b: Features, pair: Planar) -> tuple[Agreement, float]:
    H, back = pair.H_b_a, np.asarray(np.linalg.inv(pair.H_b_a), dtype=np.float64)
    return agreement(a, b, lambda p: transfer(H, p), lambda p: transfer(back, p)), corner_error(a, b, H)


def _summary(rows: list[tuple[Agreement, float]]) -> dict[str, float]:
    agreements, corners = [r[0] for r in rows], np.array([r[1] for r in rows])
    return {
        "correct": float(np.mean([a.correct for a in agreements])),
        "distinct": float(np.mean([a.distinct for a in agreements])),
        "mma1": float(np.mean([a.mma1 for a in agreements])),
        "mma3": float(np.mean([a.mma3 for a in agreements])),
        "repeatability": float(np.mean([a.repeatability for a in agreements])),
        "repeatability_1px": float(np.mean([a.repeatability_1px for a in agreements])),
        "repeatability_one_to_one": float(np.mean([a.one_to_one for a in agreements])),
        "localisation_px": float(np.nanmean([a.localisation_px for a in agreements])),
        "keypoints": float(np.mean([a.keypoints for a in agreements])),
        **{f"ha{e}": float((corners <= e).mean()) for e in CORNER_ERRORS_PX},
    }


def _numbered(folder: Path) -> list[Path]:
    kinds = (".png", ".ppm", ".pgm", ".jpg")
    return [p for p in folder.iterdir() if p.suffix in kinds and p.stem.removeprefix("img").isdigit()]


def _read(path: Path) -> NDArray[Any]:
    image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if image is None:
        raise InputError(f"{path}: not an image that OpenCV reads")
    return np.asarray(image)


def _homography(folder: Path, k: int) -> Float64:
    xml = folder / f"H1to{k}p.xml"
    if xml.exists():
        storage = cv2.FileStorage(str(xml), cv2.FILE_STORAGE_READ)
        node = storage.getFirstTopLevelNode()
        return _scaled(node.mat())
    for path in (folder / f"H1to{k}p", folder / f"H_1_{k}"):
        if path.exists():
            return _scaled(np.loadtxt(path).reshape(3, 3))
    raise InputError(f"{folder}: no homography for image {k}; expected H1to{k}p, H1to{k}p.xml or H_1_{k}")


def _scaled(H: NDArray[Any]) -> Float64:
    """The same homography with 1 in its last place, so that what lies in front is positive."""
    return np.asarray(H / H[2, 2], dtype=np.float64)
